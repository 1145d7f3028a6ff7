//! The systems that make a descriptor with its flags in one call: all but macOS.

use super::{Backend, posix::again, scratch::PeerAddr};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::{
    ffi::CStr,
    io,
    os::fd::{FromRawFd, OwnedFd},
};

/// Of every send: a peer that is gone is an error, and no signal.
pub(super) const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Of every recvmsg: descriptors that come along do not survive an exec.
pub(super) const RECVMSG_FLAGS: i32 = libc::MSG_CMSG_CLOEXEC;

/// A socket that blocks if the backend waits in the kernel.
pub(super) fn socket(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let kind = if Backend::SOCKETS_BLOCK { kind } else { kind.nonblocking() };
    Socket::new(domain, kind, Some(protocol))
}

/// Takes a connection, as a socket that does not block.
pub(super) fn accept(number: i32, peer: &mut PeerAddr) -> isize {
    let (room, len) = (peer.storage.as_mut_ptr().cast(), &raw mut peer.len);
    // SAFETY: room for any address, and its size; the operation holds the descriptor.
    unsafe { libc::accept4(number, room, len, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) as isize }
}

/// A pipe whose ends do not block: to be read from, to be written to.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: room for two numbers.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

pub(super) fn open(path: &CStr, flags: i32, mode: u32) -> i32 {
    // SAFETY: a C string ends with a zero.
    again(|| unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, mode) as isize })
}

pub(super) fn sync(number: i32, data_only: bool) -> i32 {
    // SAFETY: plain numbers.
    again(|| unsafe { if data_only { libc::fdatasync(number) } else { libc::fsync(number) } }
        as isize)
}

/// An option may be set as long as there is a socket. (On macOS it is an error when the peer has closed.)
pub(super) fn past_close(result: io::Result<()>) -> io::Result<()> {
    result
}

/// Several sockets may listen at one address. (Linux and DragonFly spread connections among them; on the others one gets all.)
#[allow(dead_code, reason = "FreeBSD has its own")]
pub(super) fn reuse_port(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
    socket.set_reuse_port(on)
}
