//! Opening below the root with openat2(2), Linux 5.6 and newer. Where there is none, or a filter forbids it, `walk` does it.

use super::{FLAGS, Found, Kind, Links, Look, walk};
use rustix::fs::{AtFlags, FileType, Mode, ResolveFlags, StatxFlags, openat2, statx};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A rename or a mount somewhere at the same moment makes the kernel give up; see openat2(2), EAGAIN.
const TRIES: usize = 16;

fn resolve(links: Links) -> ResolveFlags {
    match links {
        Links::Never => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        Links::Below => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        Links::Follow => ResolveFlags::empty(),
    }
}

/// File systems of the kernel's own, which know what they have looked up. Others ask a program (FUSE) or a server (NFS, SMB,
/// 9P) at each opening of a file, RESOLVE_CACHED or not: that flag is about looking up its name only. See statfs(2).
const LOCAL: [u32; 10] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0xca45_1a4e, // bcachefs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
    0x0102_1994, // tmpfs
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // erofs
    0x794c_7630, // overlayfs; what lies below it is one of the others, as a rule
];

/// Whether a file of this file system can be opened without waiting, once its name is known.
pub(super) fn opens_at_once(folder: &OwnedFd) -> bool {
    rustix::fs::fstatfs(folder).is_ok_and(|system| LOCAL.contains(&(system.f_type as u32)))
}

/// Opens what the kernel knows in its caches, without waiting for a disk. `None`: it does not, or cannot. What is mounted
/// below the folder may be of another kind, so it is not entered here.
pub(super) fn find_at_once(
    folder: &OwnedFd,
    path: &str,
    links: Links,
) -> Option<io::Result<Found>> {
    let how = resolve(links) | ResolveFlags::CACHED | ResolveFlags::NO_XDEV;
    match openat2(folder, path, FLAGS, Mode::empty(), how) {
        Ok(fd) => Some(known(fd)),
        // EINVAL: Linux before 5.12 does not know the flag. EXDEV: a mount, or a way out of the folder, which `find` tells apart.
        Err(Errno::AGAIN | Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::XDEV) => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// What the kernel knows of an open file, without asking a server for it.
fn known(fd: OwnedFd) -> io::Result<Found> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = match statx(&fd, "", flags, StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MTIME)
    {
        Ok(stat) => stat,
        Err(Errno::NOSYS | Errno::PERM) => return Found::of(fd),
        Err(error) => return Err(error.into()),
    };
    let kind = match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    };
    let modified = time(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec);
    Ok(Found { fd, kind, len: stat.stx_size, modified })
}

pub(super) fn look(fd: BorrowedFd<'_>) -> Option<Look> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let wanted = StatxFlags::SIZE | StatxFlags::MTIME | StatxFlags::NLINK;
    let stat = statx(fd, "", flags, wanted).ok()?;
    let modified = time(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec);
    Some(Look { len: stat.stx_size, modified, links: stat.stx_nlink })
}

fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start =
        if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    start
        .and_then(|start| start.checked_add(Duration::from_nanos(nanoseconds.into())))
        .unwrap_or(UNIX_EPOCH)
}

/// Opens it, however long that takes.
pub(super) fn find(folder: &OwnedFd, path: &str, links: Links) -> io::Result<Found> {
    for _ in 0..TRIES {
        match openat2(folder, path, FLAGS, Mode::empty(), resolve(links)) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS | Errno::PERM) => break,
            opened => return Found::of(opened?),
        }
    }
    Found::of(match links {
        Links::Follow => rustix::fs::openat(folder, path, FLAGS, Mode::empty())?,
        Links::Never | Links::Below => walk::open(folder, path, links)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{OFlags, open};

    #[test]
    fn s03_what_is_mounted_below_the_folder_is_not_opened_by_the_core() {
        let folder = |path: &str| -> OwnedFd {
            open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("it is there")
        };
        assert!(
            find_at_once(&folder("/"), "proc/version", Links::Below).is_none(),
            "it is mounted"
        );
        assert!(find(&folder("/"), "proc/version", Links::Below).is_ok());
    }
}
