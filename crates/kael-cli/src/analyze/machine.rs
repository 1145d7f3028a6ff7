//! What this machine is, as far as it bears on I/O. It asks; what follows from the answers is in `advice.rs`.

use super::files;
use super::scratch::ScratchDir;
use crate::limits::{self, Limit};
use crate::system::{parameter, release};
use kael_rt::fs::File;
use kael_rt::runtime::Granted;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) architecture: String,
    pub(crate) processor: Option<String>,
    pub(crate) cores: usize,
    pub(crate) granted: Granted,
    /// Soft, hard; `None` where the system has no such limit.
    pub(crate) locked_memory: Option<(Limit, Limit)>,
    pub(crate) descriptors: Option<(Limit, Limit)>,
    pub(crate) somaxconn: Option<u64>,
    pub(crate) timer_slack_ns: Option<u64>,
    pub(crate) directory: PathBuf,
    pub(crate) filesystem: String,
    pub(crate) direct: Direct,
}

/// Whether the file system under test has direct I/O.
pub(crate) enum Direct {
    /// With the alignment of memory and offsets in bytes, if the kernel tells it.
    Works(Option<(u32, u32)>),
    Refused(String),
}

impl Machine {
    pub(crate) async fn look(granted: Granted, dir: &ScratchDir) -> io::Result<Machine> {
        let (kernel, architecture) = release();
        let directory = dir.root().parent().unwrap_or(dir.root()).canonicalize()?;
        Ok(Machine {
            kernel,
            architecture,
            processor: processor(),
            cores: thread::available_parallelism().map_or(1, |cores| cores.get()),
            granted,
            locked_memory: limits::locked_memory(),
            descriptors: limits::descriptors(),
            somaxconn: parameter("/proc/sys/net/core/somaxconn"),
            timer_slack_ns: parameter("/proc/self/timerslack_ns"),
            filesystem: filesystem(&directory),
            directory,
            direct: direct(dir).await,
        })
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// A block written and read past the page cache.
async fn direct(dir: &ScratchDir) -> Direct {
    let attempt = async {
        let options = File::options().read(true).write(true).create(true).direct(true).clone();
        let file = options.open(dir.path("direct")).await?;
        let (result, block) = file.write_all_at(files::aligned_block(), 0).await;
        result?;
        let (result, _block) = file.read_at(block, 0).await;
        files::whole(result, files::BLOCK_BYTES)?;
        let alignment = file.metadata().await?.direct_alignment();
        Ok::<_, io::Error>(alignment.map(|alignment| (alignment.memory, alignment.offset)))
    };
    match attempt.await {
        Ok(alignment) => Direct::Works(alignment),
        Err(error) => Direct::Refused(error.to_string()),
    }
}

/// The kind of the file system that a folder is in, as the system calls it: that of the last mount over the longest
/// part of its path. Where the system has no such list, it is unknown.
fn filesystem(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    kind_of(directory, &mounts).unwrap_or("unknown").to_owned()
}

/// `id parent device root POINT options... - KIND source options`; a blank in a path is \\040.
fn kind_of<'a>(directory: &Path, mounts: &'a str) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (place, kind) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?.replace("\\040", " ");
        let is_under = directory.starts_with(&point);
        is_under.then_some((point.len(), kind.split(' ').next()?))
    };
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::kind_of;
    use std::path::Path;

    #[test]
    fn the_longest_and_latest_mount_is_the_folders() {
        let mounts = "21 1 0:1 / / rw - ext4 /dev/vda rw\n22 21 0:2 / /data rw shared:1 - xfs /dev/vdb rw\n\
                      23 21 0:3 / /data rw - tmpfs tmpfs rw\n24 21 0:4 / /a\\040b rw - btrfs /dev/vdc rw\nnonsense";
        let kind = |path| kind_of(Path::new(path), mounts);
        assert_eq!(kind("/srv/x"), Some("ext4"));
        assert_eq!(kind("/data/x"), Some("tmpfs"));
        assert_eq!(kind("/database"), Some("ext4"));
        assert_eq!(kind("/a b/c"), Some("btrfs"));
        assert_eq!(kind_of(Path::new("/x"), ""), None);
    }
}
