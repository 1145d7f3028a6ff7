//! What this machine is, as far as it bears on I/O. It asks; what follows from the answers is in `advice.rs`.

use super::files;
use super::scratch::ScratchDir;
use crate::limits::{self, Limit};
use kael_rt::fs::File;
use kael_rt::runtime::Granted;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;

pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) architecture: String,
    pub(crate) processor: Option<String>,
    pub(crate) cores: usize,
    pub(crate) granted: Granted,
    /// Soft, hard.
    pub(crate) locked_memory: (Limit, Limit),
    /// Soft, hard.
    pub(crate) descriptors: (Limit, Limit),
    pub(crate) somaxconn: Option<u64>,
    pub(crate) timer_slack_ns: Option<u64>,
    pub(crate) directory: PathBuf,
    pub(crate) filesystem: &'static str,
    pub(crate) filesystem_magic: u64,
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
        let system = rustix::system::uname();
        let magic = rustix::fs::statfs(dir.root())?.f_type as u64;
        let directory = dir.root().parent().unwrap_or(dir.root());
        Ok(Machine {
            kernel: system.release().to_string_lossy().into_owned(),
            architecture: system.machine().to_string_lossy().into_owned(),
            processor: processor(),
            cores: thread::available_parallelism().map_or(1, |cores| cores.get()),
            granted,
            locked_memory: limits::locked_memory(),
            descriptors: limits::descriptors(),
            somaxconn: number("/proc/sys/net/core/somaxconn"),
            timer_slack_ns: number("/proc/self/timerslack_ns"),
            directory: directory.canonicalize()?,
            filesystem: filesystem(magic),
            filesystem_magic: magic,
            direct: direct(dir).await,
        })
    }
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
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

/// The names of the numbers in statfs(2).
fn filesystem(magic: u64) -> &'static str {
    match magic & 0xffff_ffff {
        0xef53 => "ext4 (or ext2, ext3)",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0xca45_1a4e => "bcachefs",
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x794c_7630 => "overlayfs",
        0x6969 => "nfs",
        0xff53_4d42 | 0xfe53_4d42 => "cifs",
        0x0102_1997 => "9p",
        0x6573_5546 => "fuse",
        0x4d44 => "vfat",
        0x2011_bab0 => "exfat",
        _ => "unknown",
    }
}
