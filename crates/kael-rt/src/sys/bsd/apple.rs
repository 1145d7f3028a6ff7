//! macOS and iOS, where they differ from the BSDs. macOS 11 is the oldest: preadv(2) is of that version.
//!
//! Descriptors get their flags after they are made, so a program that another thread executes meanwhile may inherit one: the
//! system has no call that does both.

pub(crate) use super::unpinned::pin_to_cpu;
use super::{
    posix::{again, answer},
    scratch::PeerAddr,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
};

/// There is no such flag of open(2), but `F_NOCACHE` afterwards; this bit, which open(2) does not use, asks for it.
pub(crate) const O_DIRECT: i32 = 1 << 30;
/// A peer that is gone is an error and no signal: each socket has SO_NOSIGPIPE, and the sends need nothing.
pub(super) const SEND_FLAGS: i32 = 0;
pub(super) const RECVMSG_FLAGS: i32 = 0;

/// A socket that does not block. (socket2 sees to the other two flags.)
pub(super) fn socket(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Takes a connection, as a socket that does not block.
pub(super) fn accept(number: i32, peer: &mut PeerAddr) -> isize {
    let (room, len) = (peer.storage.as_mut_ptr().cast(), &raw mut peer.len);
    // SAFETY: room for any address, and its size; the operation holds the descriptor.
    let new = unsafe { libc::accept(number, room, len) };
    if new < 0 {
        return -1;
    }
    // SAFETY: just made, and closed again if it cannot be used.
    let socket = unsafe { OwnedFd::from_raw_fd(new) };
    if make_ours(&socket).is_err() {
        return -1;
    }
    let on: libc::c_int = 1;
    let (value, size) = ((&raw const on).cast(), size_of::<libc::c_int>() as libc::socklen_t);
    // EINVAL says that the peer is gone already: then there is nothing to be sent, and what there is can be read.
    // SAFETY: an option of an int, by its address and size.
    unsafe { libc::setsockopt(new, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, value, size) };
    socket.into_raw_fd() as isize
}

/// It does not block, and does not survive an exec.
fn make_ours(fd: &OwnedFd) -> io::Result<()> {
    let number = fd.as_raw_fd();
    // SAFETY: plain numbers.
    let done = unsafe {
        libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) >= 0
            && libc::fcntl(
                number,
                libc::F_SETFL,
                libc::fcntl(number, libc::F_GETFL) | libc::O_NONBLOCK,
            ) >= 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A pipe whose ends do not block: to be read from, to be written to.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: room for two numbers.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made.
    let ends = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    make_ours(&ends.0)?;
    make_ours(&ends.1)?;
    Ok(ends)
}

pub(super) fn open(path: &CStr, flags: i32, mode: u32) -> i32 {
    let bits = flags & !O_DIRECT | libc::O_CLOEXEC;
    // SAFETY: a C string ends with a zero.
    let number = again(|| unsafe { libc::open(path.as_ptr(), bits, mode) as isize });
    if number >= 0 && flags & O_DIRECT != 0 {
        // It is advice, as O_DIRECT is on the BSDs.
        // SAFETY: plain numbers.
        unsafe { libc::fcntl(number, libc::F_NOCACHE, 1) };
    }
    number
}

/// Down to the device, of which fsync(2) says nothing here; where the file system cannot, what it can.
pub(super) fn sync(number: i32, _: bool) -> i32 {
    for how in [libc::F_FULLFSYNC, libc::F_BARRIERFSYNC] {
        // SAFETY: plain numbers.
        match again(|| unsafe { libc::fcntl(number, how) } as isize) {
            code if [libc::ENOTSUP, libc::EOPNOTSUPP, libc::EINVAL, libc::ENOTTY]
                .contains(&-code) => {}
            code => return code,
        }
    }
    // SAFETY: as above.
    again(|| unsafe { libc::fsync(number) } as isize)
}

/// Reserves what is behind the file's end, and moves the end. Holes before it stay.
pub(super) fn allocate(number: i32, offset: u64, len: u64) -> i32 {
    let Some(end) = offset.checked_add(len).filter(|end| len > 0 && *end <= i64::MAX as u64) else {
        return if len == 0 { -libc::EINVAL } else { -libc::EFBIG };
    };
    // SAFETY: a stat of zeros is a valid one, and the call fills ours.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: room for a stat.
    let code = answer(unsafe { libc::fstat(number, &raw mut stat) } as isize);
    if code < 0 {
        return code;
    }
    let missing = end.saturating_sub(stat.st_size as u64);
    if missing == 0 {
        return 0;
    }
    let mut store = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: missing as libc::off_t,
        fst_bytesalloc: 0,
    };
    // SAFETY: the structure that this command wants.
    let code =
        again(|| unsafe { libc::fcntl(number, libc::F_PREALLOCATE, &raw mut store) } as isize);
    if code < 0 {
        return if code == -libc::ENOTSUP { -libc::EOPNOTSUPP } else { code };
    }
    // SAFETY: plain numbers.
    again(|| unsafe { libc::ftruncate(number, end as libc::off_t) } as isize)
}

/// What is written to a pipe that nobody reads is an error, and no signal.
pub(super) fn silence(number: i32) {
    // SAFETY: plain numbers.
    unsafe { libc::fcntl(number, libc::F_SETNOSIGPIPE, 1) };
}

/// Of the last read and the last write: seconds, nanoseconds.
pub(super) fn times(stat: &libc::stat) -> [(i64, u32); 2] {
    [
        (stat.st_atime as _, stat.st_atime_nsec as u32),
        (stat.st_mtime as _, stat.st_mtime_nsec as u32),
    ]
}

/// The time when a file was made: seconds, nanoseconds.
pub(super) fn born(stat: &libc::stat) -> Option<(i64, u32)> {
    Some((stat.st_birthtime as _, stat.st_birthtime_nsec as u32))
}

/// An option of a connection whose peer has closed is EINVAL here. The connection can still be read, and what the option
/// would change does not matter any more.
pub(super) fn past_close(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        result => result,
    }
}

/// Several sockets may listen at one address. One of them gets all connections.
pub(super) fn reuse_port(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
    socket.set_reuse_port(on)
}
