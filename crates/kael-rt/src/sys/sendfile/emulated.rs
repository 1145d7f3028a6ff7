//! The form of the system that the emulation is like.

use super::{
    kevent::{Profile, profile},
    sendfile::Part,
    sendfile_apple, sendfile_freebsd,
};

pub(super) fn send(part: Part) -> i32 {
    match profile() {
        Profile::FreeBsd => sendfile_freebsd::send(part),
        Profile::Darwin => sendfile_apple::send(part),
        // It has none.
        Profile::NetBsd => -libc::ENOSYS,
    }
}
