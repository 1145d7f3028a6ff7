//! What POSIX says once: each request as a plain system call, for the threads of the blocking pool
//! and for the backends that wait until a call would not block.
//!
//! A call that was interrupted is made again. What a socket cannot do now is `EAGAIN`, since the
//! sockets of those backends do not block; what a file does may take as long as the device.

mod pipes;

use super::{own, scratch::PeerAddr};
use crate::op::{RecvFlags, Request};
use std::{io, net::Shutdown};

/// Carries a request out as far as one call does. A count, a descriptor or a negative errno.
pub(super) fn call(request: &mut Request<'_>) -> i32 {
    // SAFETY (of all calls here): descriptors' numbers are open as long as the operation in its slot holds
    // them; what is pointed at is that operation's, of the length given, and stays until the slot is reported.
    match request {
        Request::Nop | Request::Pass { .. } => 0,
        Request::Read { fd, into, at } | Request::Load { file: fd, into, at, .. } => {
            let (number, at, len) = (fd.number(), *at, own::most(into.len()));
            let room = into.as_mut_ptr().cast();
            // SAFETY: see above.
            let n = again(|| unsafe { own::pread(number, room, len, at) });
            // What has no positions is read from where it is.
            match n {
                // SAFETY: see above.
                NO_POSITIONS => again(|| unsafe { libc::read(number, room, len) }),
                n => n,
            }
        }
        Request::Write { fd, from, at } => {
            let (number, at, len) = (fd.number(), *at, own::most(from.len()));
            let bytes = from.as_ptr().cast();
            // SAFETY: see above.
            let n = again(|| unsafe { own::pwrite(number, bytes, len, at) });
            match n {
                // SAFETY: see above.
                NO_POSITIONS => again(|| unsafe { libc::write(number, bytes, len) }),
                n => n,
            }
        }
        Request::ReadVectored { fd, into, at } => {
            let (number, at) = (fd.number(), *at);
            let (vectors, count) = (into.vectors.as_ptr(), into.vectors.len() as i32);
            // SAFETY: see above.
            match again(|| unsafe { own::preadv(number, vectors, count, at) }) {
                // SAFETY: see above.
                NO_POSITIONS => again(|| unsafe { libc::readv(number, vectors, count) }),
                n => n,
            }
        }
        Request::WriteVectored { fd, from, at } => {
            let (number, at) = (fd.number(), *at);
            let (vectors, count) = (from.vectors.as_ptr(), from.vectors.len() as i32);
            // SAFETY: see above.
            match again(|| unsafe { own::pwritev(number, vectors, count, at) }) {
                // SAFETY: see above.
                NO_POSITIONS => again(|| unsafe { libc::writev(number, vectors, count) }),
                n => n,
            }
        }
        Request::Sync { fd, data_only } => own::sync(fd.number(), *data_only),
        Request::Truncate { fd, len } => {
            let (number, len) = (fd.number(), *len);
            again(|| own::ftruncate(number, len) as isize)
        }
        Request::Allocate { fd, offset, len } => own::allocate(fd.number(), *offset, *len),
        Request::Stat { fd, out } => own::stat(fd.number(), out),
        Request::StatPath { path, follow, out } => own::stat_path(path, *follow, out),
        Request::Open { path, flags, mode } => own::open(path, *flags, *mode),
        Request::Unlink { path, dir } => {
            let flags = if *dir { libc::AT_REMOVEDIR } else { 0 };
            // SAFETY: see above; a C string ends with a zero.
            again(|| unsafe { libc::unlinkat(libc::AT_FDCWD, path.as_ptr(), flags) } as isize)
        }
        Request::Rename { from, to } => {
            // SAFETY: as above.
            again(|| unsafe { libc::rename(from.as_ptr(), to.as_ptr()) } as isize)
        }
        Request::MakeDir { path, mode } => {
            // SAFETY: as above.
            again(|| unsafe { libc::mkdir(path.as_ptr(), *mode as libc::mode_t) } as isize)
        }
        Request::Close { fd } => {
            // Whatever it says, the number is free: it is not asked again.
            super::closing(fd.number());
            // SAFETY: the operation gives the descriptor up.
            answer(unsafe { libc::close(fd.number()) } as isize)
        }
        Request::Recv { fd, .. }
        | Request::RecvVectored { fd, .. }
        | Request::Send { fd, .. }
        | Request::SendMessage { fd, .. }
            if fd.is_pipe() =>
        {
            pipes::call(fd.number(), request)
        }
        Request::Recv { fd, into, flags } => {
            let (number, len, flags) = (fd.number(), own::most(into.len()), recv_flags(*flags));
            let room = into.as_mut_ptr().cast();
            // SAFETY: see above.
            again(|| unsafe { libc::recv(number, room, len, flags) })
        }
        Request::RecvPooled { .. } | Request::RecvMessages { .. } => {
            unreachable!("a backend picks the buffer first")
        }
        Request::RecvVectored { fd, message } => {
            let number = fd.number();
            // SAFETY: see above.
            again(|| unsafe { libc::recvmsg(number, message.header, 0) })
        }
        Request::RecvMessage { fd, message, flags } => {
            let (number, flags) = (fd.number(), recv_flags(*flags) | own::RECVMSG_FLAGS);
            // SAFETY: see above.
            again(|| unsafe { libc::recvmsg(number, message.header, flags) })
        }
        Request::Send { fd, from, .. } | Request::SendZeroCopy { fd, from } => {
            send(fd.number(), from)
        }
        Request::SendMessage { fd, message, flags } => {
            let (number, more) = (fd.number(), if flags.more { own::MSG_MORE } else { 0 });
            // SAFETY: see above.
            again(|| unsafe { libc::sendmsg(number, message.header, own::SEND_FLAGS | more) })
        }
        Request::SendMessageZeroCopy { fd, message } => {
            let number = fd.number();
            // SAFETY: see above.
            again(|| unsafe { libc::sendmsg(number, message.header, own::SEND_FLAGS) })
        }
        Request::Accept { fd, peer, .. } | Request::AcceptNext { fd, peer } => {
            let number = fd.number();
            again(|| own::accept(number, peer))
        }
        Request::Connect { fd, peer } => connect(fd.number(), peer),
        Request::Shutdown { fd, how } => shut_down(fd.number(), *how),
        Request::AwaitClient { .. } => unreachable!("a pipe of Windows"),
        // Who waited for it was told.
        Request::Ready { .. } => 0,
        // A thread's calls are its own, and are not counted.
        Request::Fill { .. } | Request::Take { .. } | Request::Give { .. } => {
            super::splice::call(request, &mut 0).unwrap_or(-libc::ENOSYS)
        }
        Request::Transmit { .. } => {
            match super::sendfile::call(request, &mut 0).unwrap_or(-libc::ENOSYS) {
                // Who answers `EAGAIN` late is asked again, and a thread would be asked again and again.
                code if code == -libc::EAGAIN => -libc::EBUSY,
                code => code,
            }
        }
        #[cfg(test)]
        Request::Stall { on, into } => {
            on.wait();
            into.fill(std::mem::MaybeUninit::new(7));
            into.len() as i32
        }
    }
}

/// What `call` says of a positioned read or write of a pipe or a terminal.
const NO_POSITIONS: i32 = -libc::ESPIPE;

/// Makes a call until it is not interrupted.
#[inline(always)]
pub(super) fn again(mut call: impl FnMut() -> isize) -> i32 {
    loop {
        match answer(call()) {
            code if code == -libc::EINTR => {}
            code => return code,
        }
    }
}

#[inline(always)]
pub(super) fn answer(result: isize) -> i32 {
    // No call moves more than an i32 counts: see `own::most`.
    if result >= 0 { result as i32 } else { -last_error() }
}

#[cold]
fn last_error() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

fn recv_flags(flags: RecvFlags) -> i32 {
    if flags.peek { libc::MSG_PEEK } else { 0 }
}

/// Sends what the socket has room for. (That all of it shall be sent is the operation's own loop.)
#[inline]
pub(super) fn send(number: i32, from: &[u8]) -> i32 {
    let (bytes, len) = (from.as_ptr().cast(), own::most(from.len()));
    // SAFETY: the bytes are borrowed; the number is open, see `call`.
    again(|| unsafe { libc::send(number, bytes, len, own::SEND_FLAGS) })
}

/// Begins to connect; `EINPROGRESS` and an interruption say that it goes on by itself.
fn connect(number: i32, peer: &PeerAddr) -> i32 {
    // SAFETY: the address is initialised for its length, and the number open, see `call`.
    let code =
        answer(unsafe { libc::connect(number, peer.storage.as_ptr().cast(), peer.len) } as isize);
    match -code {
        libc::EINPROGRESS | libc::EINTR | libc::EALREADY => -libc::EAGAIN,
        _ => code,
    }
}

pub(super) fn shut_down(number: i32, how: Shutdown) -> i32 {
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: plain numbers.
    answer(unsafe { libc::shutdown(number, how) } as isize)
}
