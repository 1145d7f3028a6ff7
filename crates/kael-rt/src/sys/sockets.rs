//! The calls that never block: making sockets, asking for addresses, options.

use super::{Backend, own};
use crate::driver::Fd;
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};
use std::{
    io,
    net::SocketAddr,
    os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
    time::Duration,
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

fn with_socket<R>(fd: &Fd, f: impl FnOnce(SockRef<'_>) -> io::Result<R>) -> io::Result<R> {
    match borrow(fd) {
        Some(fd) => f(SockRef::from(&fd)),
        None => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// A socket option with its value.
pub(crate) enum SocketOption {
    Nodelay(bool),
    Ttl(u32),
    Broadcast(bool),
    Linger(Option<Duration>),
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
        self.calls += 1;
        let socket = own::socket(Domain::for_address(to), Type::STREAM, Protocol::TCP)?;
        Ok(socket.into_raw_fd())
    }

    /// A bound datagram socket. 2 system calls.
    pub(crate) fn datagram_socket(&mut self, addr: SocketAddr) -> io::Result<i32> {
        self.calls += 2;
        let socket = own::socket(Domain::for_address(addr), Type::DGRAM, Protocol::UDP)?;
        socket.bind(&SockAddr::from(addr))?;
        Ok(socket.into_raw_fd())
    }

    pub(crate) fn set_option(&mut self, fd: &Fd, option: SocketOption) -> io::Result<()> {
        self.calls += 1;
        with_socket(fd, |socket| match option {
            SocketOption::Nodelay(on) => own::past_close(socket.set_tcp_nodelay(on)),
            SocketOption::Ttl(ttl) => socket.set_ttl_v4(ttl),
            SocketOption::Broadcast(on) => socket.set_broadcast(on),
            SocketOption::Linger(time) => socket.set_linger(time),
        })
    }

    /// Lets each datagram bring its time to live as control data.
    #[cfg(test)]
    pub(crate) fn want_ttl(&mut self, fd: &Fd) -> io::Result<()> {
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
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// A stream from elsewhere shall wait where this backend waits. 1 system call.
    pub(crate) fn take_over(&mut self, stream: &std::net::TcpStream) -> io::Result<()> {
        self.calls += 1;
        stream.set_nonblocking(!Backend::SOCKETS_BLOCK)
    }

    pub(crate) fn nodelay(&mut self, fd: &Fd) -> io::Result<bool> {
        self.calls += 1;
        with_socket(fd, |socket| socket.tcp_nodelay())
    }

    pub(crate) fn local_addr(&mut self, fd: &Fd) -> io::Result<SocketAddr> {
        self.calls += 1;
        with_socket(fd, |socket| internet(socket.local_addr()?))
    }

    pub(crate) fn peer_addr(&mut self, fd: &Fd) -> io::Result<SocketAddr> {
        self.calls += 1;
        with_socket(fd, |socket| internet(socket.peer_addr()?))
    }

    /// Sets the one peer of a datagram socket. It does not wait.
    pub(crate) fn set_peer(&mut self, fd: &Fd, addr: SocketAddr) -> io::Result<()> {
        self.calls += 1;
        with_socket(fd, |socket| socket.connect(&addr.into()))
    }
}

fn internet(addr: SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
