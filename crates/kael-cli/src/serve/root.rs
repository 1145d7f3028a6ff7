//! [`Root`]: the folder that is served, held open, and opening what lies below it. A path is resolved from there on part by
//! part and never looked at before it is opened, so nobody who moves files meanwhile can lead it out.
//!
//! ```text
//!   Linux        one call, openat2(2), which keeps below the root; first with RESOLVE_CACHED, which does not wait for
//!                a disk, on the core's own thread, and only if that cannot be, on the blocking pool; always there if the
//!                folder is of a file system that is a program's or a server's
//!   elsewhere    `walk`: one openat(2) a part with O_NOFOLLOW, on the blocking pool
//! ```

#[cfg(target_os = "linux")]
#[path = "root/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "root/elsewhere.rs"]
mod system;
mod walk;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Links {
    /// None
    Never,
    /// Those that stay below the folder; an absolute one does not
    Below,
    /// All, wherever they lead
    Follow,
}

#[derive(Clone)]
pub(super) struct Root {
    folder: Arc<OwnedFd>,
    links: Links,
    opens_at_once: bool,
}

/// Something below the root, open for reading.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) fd: OwnedFd,
    pub(super) kind: Kind,
    pub(super) len: u64,
    pub(super) modified: SystemTime,
}

/// An open file as it is now.
pub(super) struct Look {
    pub(super) len: u64,
    pub(super) modified: SystemTime,
    /// No path leads any more to a file that has none.
    pub(super) links: u32,
}

/// Looks at a file that is open, without waiting for a disk or a server. `None`: that cannot be.
pub(super) fn look(fd: BorrowedFd<'_>) -> Option<Look> {
    system::look(fd)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    /// A device, a socket, a pipe: nothing that is served.
    Other,
}

/// A pipe must not block the one who opens it, nor a terminal become ours.
const FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Root {
    pub(super) fn open(path: &Path, links: Links) -> io::Result<Root> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        let opens_at_once = system::opens_at_once(&folder);
        Ok(Root { folder: Arc::new(folder), links, opens_at_once })
    }

    /// Opens what `path`, relative and without `.` and `..`, names.
    pub(super) async fn find(&self, path: &str) -> io::Result<Found> {
        // The root itself has no name below itself.
        let path = if path.is_empty() { "." } else { path };
        if self.opens_at_once
            && let Some(found) = system::find_at_once(&self.folder, path, self.links)
        {
            return found;
        }
        let (root, path) = (self.clone(), path.to_owned());
        kael_rt::spawn_blocking(move || system::find(&root.folder, &path, root.links))
            .await
            .map_err(io::Error::other)?
    }
}

impl Found {
    /// Asks the system what it is.
    fn of(fd: OwnedFd) -> io::Result<Found> {
        let file = std::fs::File::from(fd);
        let metadata = file.metadata()?;
        let kind = match metadata.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Directory,
            _ => Kind::Other,
        };
        Ok(Found { fd: file.into(), kind, len: metadata.len(), modified: metadata.modified()? })
    }
}

/// The status that says why something cannot be opened.
pub(super) fn status(error: &io::Error) -> u16 {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL) => 404,
        // Out of the root, or by a link that is not followed.
        Some(Errno::ACCESS | Errno::PERM | Errno::XDEV | Errno::LOOP) => 403,
        Some(Errno::NXIO | Errno::NODEV) => 403,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => 503,
        _ => 500,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// /proc is a file system that every Linux has, and none of those that are known to open at once.
    #[test]
    fn s03_a_folder_that_may_be_a_programs_or_a_servers_is_left_to_the_pool() {
        let root = Root::open(Path::new("/proc"), Links::Below).expect("it is there");
        assert!(!root.opens_at_once);
        kael_rt::block_on(async { root.find("version").await.expect("it can be opened") });
    }
}
