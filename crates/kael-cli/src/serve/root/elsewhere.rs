//! Opening below the root where the system has no call for it: part by part, on the blocking pool.

use super::{FLAGS, Found, Links, Look, walk};
use rustix::fs::Mode;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Nothing can be opened here without the chance of waiting for a disk.
pub(super) fn opens_at_once(_: &OwnedFd) -> bool {
    false
}

pub(super) fn find_at_once(_: &OwnedFd, _: &str, _: Links) -> Option<io::Result<Found>> {
    None
}

/// Nor looked at.
pub(super) fn look(_: BorrowedFd<'_>) -> Option<Look> {
    None
}

pub(super) fn find(folder: &OwnedFd, path: &str, links: Links) -> io::Result<Found> {
    let fd = match links {
        Links::Follow => rustix::fs::openat(folder, path, FLAGS, Mode::empty())?,
        Links::Never | Links::Below => walk::open(folder, path, links)?,
    };
    Found::of(fd)
}
