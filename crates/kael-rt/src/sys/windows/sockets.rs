//! The calls that never block: making sockets, asking for addresses, options.

use super::{super::asking::with_socket, Backend, code, number::Number};
use crate::driver::Fd;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::windows::io::{AsRawSocket, BorrowedSocket, IntoRawSocket, RawSocket},
};
use windows_sys::Win32::Networking::WinSock::{
    FIONBIO, SIO_UDP_CONNRESET, SOCKET, WSAIoctl, ioctlsocket,
};

/// Closes a number at once.
pub(crate) fn close_now(number: i32) {
    let _ = Number::from_driver(number).close();
}

/// The socket as the standard library borrows it; `None` for a file.
pub(crate) fn borrow(fd: &Fd) -> Option<BorrowedSocket<'_>> {
    let number = Number::from_driver(fd.number());
    let is_socket = fd.number() >= 0 && number.kind() == super::number::Kind::Socket;
    // SAFETY: the socket is open as long as `fd` is held: only its last user closes it.
    is_socket.then(|| unsafe { BorrowedSocket::borrow_raw(number.socket() as RawSocket) })
}

/// An option may be set as long as there is a socket.
pub(crate) fn past_close(result: io::Result<()>) -> io::Result<()> {
    result
}

/// A socket that is ours from here on, by its number.
pub(super) fn own(socket: Socket) -> io::Result<Number> {
    let socket = socket.into_raw_socket() as SOCKET;
    Number::of_socket(socket).ok_or_else(|| {
        // SAFETY: it is ours, and nobody else's.
        unsafe { windows_sys::Win32::Networking::WinSock::closesocket(socket) };
        io::ErrorKind::Unsupported.into()
    })
}

/// What every device wants of direct I/O at least: offsets, lengths and memory in steps of so many bytes.
const SECTOR: u32 = 512;

/// A socket for overlapped calls that no child inherits: that is what the library makes.
pub(super) fn socket(domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    Socket::new(domain, kind, Some(protocol))
}

fn any(of: SocketAddr) -> SocketAddr {
    match of {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

impl Backend {
    /// A socket that listens. 3 calls. (SO_REUSEADDR is not set: on Windows it lets others take the address away, and
    /// an address whose connections are just over can be had without it.)
    pub(crate) fn listen(&mut self, addr: SocketAddr, backlog: i32) -> io::Result<i32> {
        self.calls += 3;
        let socket = socket(Domain::for_address(addr), Type::STREAM, Protocol::TCP)?;
        socket.bind(&SockAddr::from(addr))?;
        socket.listen(backlog)?;
        own(socket).map(Number::for_driver)
    }

    /// A stream socket to connect with, bound as ConnectEx wants it. 2 calls.
    pub(crate) fn stream_socket(&mut self, to: SocketAddr) -> io::Result<i32> {
        self.calls += 2;
        let socket = self.registered.stream_socket(Domain::for_address(to))?;
        socket.bind(&SockAddr::from(any(to)))?;
        own(socket).map(Number::for_driver)
    }

    /// A stream socket that is nothing yet. 1 call.
    pub(crate) fn tcp_socket(&mut self, v6: bool) -> io::Result<i32> {
        self.calls += 1;
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        own(self.registered.stream_socket(domain)?).map(Number::for_driver)
    }

    /// ConnectEx wants a socket with an address. 1 or 2 calls.
    pub(crate) fn prepare_to_connect(&mut self, fd: &Fd, to: SocketAddr) -> io::Result<()> {
        self.calls += 1;
        if with_socket(fd, |socket| socket.local_addr()).is_ok() {
            return Ok(());
        }
        self.calls += 1;
        with_socket(fd, |socket| socket.bind(&any(to).into()))
    }

    /// A bound datagram socket. 3 calls: that a datagram of its own found nobody is no error of what it receives.
    pub(crate) fn datagram_socket(&mut self, addr: SocketAddr) -> io::Result<i32> {
        self.calls += 3;
        let socket = self.registered.datagram_socket(Domain::for_address(addr))?;
        socket.bind(&SockAddr::from(addr))?;
        let number = own(socket)?;
        report_unreachable(number, false);
        Ok(number.for_driver())
    }

    /// Control data does not come here.
    #[cfg(test)]
    pub(crate) fn want_ttl(&mut self, _: &Fd) -> io::Result<[i32; 2]> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What direct I/O on a file wants of memory and of offsets, of every device at least.
    pub(crate) fn direct_alignment(&mut self, _: i32) -> Option<(u32, u32)> {
        Some((SECTOR, SECTOR))
    }

    /// A stream from elsewhere: whether it blocks is nothing to overlapped calls.
    pub(crate) fn take_over(&mut self, stream: &std::net::TcpStream) -> io::Result<()> {
        self.registered.is_foreign(Number::of_socket(stream.as_raw_socket() as SOCKET));
        Ok(())
    }

    /// Sets the one peer of a datagram socket. It does not wait. 2 calls: that this peer is gone shall be known.
    pub(crate) fn set_peer(&mut self, fd: &Fd, addr: SocketAddr) -> io::Result<()> {
        if let Some(done) = self.connect_registered(Number::from_driver(fd.number()), addr) {
            return done;
        }
        self.calls += 2;
        with_socket(fd, |socket| socket.connect(&addr.into()))?;
        report_unreachable(Number::from_driver(fd.number()), true);
        Ok(())
    }
}

/// An address whose connections are just over may be had in any case; the option of that name lets others take it away.
pub(crate) fn reuse_address(_: &SockRef<'_>, _: bool) -> io::Result<()> {
    Ok(())
}

/// There is no such thing.
pub(crate) fn reuse_port(_: &SockRef<'_>, on: bool) -> io::Result<()> {
    if on { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// Whether a receive fails when an earlier datagram could not be delivered.
pub(super) fn report_unreachable(number: Number, on: bool) {
    let (value, mut len) = (u32::from(on), 0);
    // SAFETY: an option of four bytes. Where it is missing, receives may report more than was asked for.
    unsafe {
        WSAIoctl(
            number.socket(),
            SIO_UDP_CONNRESET,
            (&raw const value).cast(),
            4,
            std::ptr::null_mut(),
            0,
            &mut len,
            std::ptr::null_mut(),
            None,
        )
    };
}

/// A socket blocks from here on, as others expect.
pub(super) fn make_blocking(number: Number) {
    let mut off = 0;
    // SAFETY: the caller owns the socket.
    unsafe { ioctlsocket(number.socket(), FIONBIO, &mut off) };
}

/// Ends one or both directions of a stream: 0 or an error.
pub(super) fn shut_down(number: Number, how: std::net::Shutdown) -> i32 {
    use windows_sys::Win32::Networking::WinSock::{SD_BOTH, SD_RECEIVE, SD_SEND, shutdown};
    let how = match how {
        std::net::Shutdown::Read => SD_RECEIVE,
        std::net::Shutdown::Write => SD_SEND,
        std::net::Shutdown::Both => SD_BOTH,
    };
    // SAFETY: plain numbers.
    if unsafe { shutdown(number.socket(), how) } == 0 { 0 } else { -code::last_socket_error() }
}

/// The family of a socket's address.
pub(super) fn is_v6(number: Number) -> bool {
    // SAFETY: the socket is open: its descriptor is held.
    let socket = unsafe { BorrowedSocket::borrow_raw(number.socket() as RawSocket) };
    SockRef::from(&socket).local_addr().is_ok_and(|addr| addr.is_ipv6())
}
