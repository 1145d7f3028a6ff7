//! The calls that never block: making sockets, asking for addresses, options.

use super::{Backend, asking::with_socket, own};
use crate::driver::Fd;
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};
use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
};

/// Closes a number at once.
pub(crate) fn close_now(number: i32) {
    super::closing(number);
    // SAFETY: the caller owns the number and gives it up.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}

/// The descriptor as the standard library borrows it; `None` for one in the ring's own table.
pub(crate) fn borrow(fd: &Fd) -> Option<BorrowedFd<'_>> {
    // SAFETY: the number is open as long as `fd` is held: only its last user closes it.
    (!fd.is_direct() && fd.number() >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd.number()) })
}

/// An address whose connections are just over may be had.
pub(super) fn reuse_address(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
    socket.set_reuse_address(on)
}

/// What would wait does so, or says that it would.
pub(super) fn set_blocking(number: i32, blocks: bool) -> io::Result<()> {
    let says_so = libc::c_int::from(!blocks);
    // SAFETY: an int, and the caller owns the number.
    match unsafe { libc::ioctl(number, libc::FIONBIO, &raw const says_so) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Backend {
    /// A socket that listens. 4 system calls.
    pub(crate) fn listen(&mut self, addr: SocketAddr, backlog: i32) -> io::Result<i32> {
        self.calls += 4;
        let socket = own::socket(Domain::for_address(addr), Type::STREAM, Protocol::TCP)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(addr))?;
        socket.listen(backlog)?;
        Ok(socket.into_raw_fd())
    }

    /// A stream socket to connect with. 1 system call.
    pub(crate) fn stream_socket(&mut self, to: SocketAddr) -> io::Result<i32> {
        self.tcp_socket(to.is_ipv6())
    }

    /// A stream socket that is nothing yet. 1 system call.
    pub(crate) fn tcp_socket(&mut self, v6: bool) -> io::Result<i32> {
        self.calls += 1;
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        own::socket(domain, Type::STREAM, Protocol::TCP).map(IntoRawFd::into_raw_fd)
    }

    /// Any socket may connect.
    pub(crate) fn prepare_to_connect(&mut self, _: &Fd, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    /// A bound datagram socket. 2 system calls.
    pub(crate) fn datagram_socket(&mut self, addr: SocketAddr) -> io::Result<i32> {
        self.calls += 2;
        let socket = own::socket(Domain::for_address(addr), Type::DGRAM, Protocol::UDP)?;
        socket.bind(&SockAddr::from(addr))?;
        Ok(socket.into_raw_fd())
    }

    /// A pipe: to be read from, to be written to. 1 system call.
    pub(crate) fn pipe(&mut self) -> io::Result<[i32; 2]> {
        self.calls += 1;
        let (read, write) = own::pipe()?;
        own::silence(write.as_raw_fd());
        Ok([read, write].map(IntoRawFd::into_raw_fd))
    }

    /// One end of a pipe from elsewhere shall say that it would wait. 1 system call.
    pub(crate) fn take_over_pipe(&mut self, end: &OwnedFd) -> io::Result<()> {
        self.calls += 1;
        own::silence(end.as_raw_fd());
        set_blocking(end.as_raw_fd(), false)
    }

    /// Lets each datagram bring its time to live as control data, of that level and type.
    #[cfg(test)]
    pub(crate) fn want_ttl(&mut self, fd: &Fd) -> io::Result<[i32; 2]> {
        let on = 1i32;
        // SAFETY: an option of an int, by its address and size.
        let result = unsafe {
            libc::setsockopt(
                fd.number(),
                libc::IPPROTO_IP,
                libc::IP_RECVTTL,
                (&raw const on).cast(),
                4,
            )
        };
        if result == 0 {
            Ok([libc::IPPROTO_IP, libc::IP_TTL])
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// What direct I/O on a file wants: the steps of memory and of offsets, if that is known.
    pub(crate) fn direct_alignment(&mut self, number: i32) -> Option<(u32, u32)> {
        own::direct_alignment(number, &mut self.calls)
    }

    /// A stream from elsewhere shall wait where this backend waits. 1 system call.
    pub(crate) fn take_over(&mut self, stream: &std::net::TcpStream) -> io::Result<()> {
        self.calls += 1;
        stream.set_nonblocking(!Backend::SOCKETS_BLOCK)
    }

    /// Sets the one peer of a datagram socket. It does not wait.
    pub(crate) fn set_peer(&mut self, fd: &Fd, addr: SocketAddr) -> io::Result<()> {
        self.calls += 1;
        with_socket(fd, |socket| socket.connect(&addr.into()))
    }
}
