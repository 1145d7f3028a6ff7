//! What a socket is asked and told that never blocks, and is the same call on every system.
#![forbid(unsafe_code)]

use super::{Backend, borrow, past_close, reuse_address, reuse_port};
use crate::driver::Fd;
use socket2::{SockAddr, SockRef};
use std::{io, net::SocketAddr, time::Duration};

/// A socket option with its value.
pub(crate) enum SocketOption {
    Nodelay(bool),
    Ttl(u32),
    Broadcast(bool),
    Linger(Option<Duration>),
    Keepalive(bool),
    ReuseAddress(bool),
    ReusePort(bool),
    SendBuffer(u32),
    ReceiveBuffer(u32),
}

pub(super) fn with_socket<R>(
    fd: &Fd,
    f: impl FnOnce(SockRef<'_>) -> io::Result<R>,
) -> io::Result<R> {
    match borrow(fd) {
        Some(socket) => f(SockRef::from(&socket)),
        None => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl Backend {
    /// Asks a socket by one call. One without a number gets one for as long as it is asked: two calls more, and a number
    /// must be free.
    fn ask_socket<R>(
        &mut self,
        fd: &Fd,
        f: impl FnOnce(SockRef<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        self.calls += 1;
        if fd.is_direct() {
            let installed = self.installed(fd)?;
            self.calls += 1;
            return f(SockRef::from(&installed));
        }
        with_socket(fd, f)
    }

    /// A stream socket to connect with, and whether it lives in the ring's table alone. 1 system call.
    pub(crate) fn socket_to_connect(&mut self, to: SocketAddr) -> io::Result<(i32, bool)> {
        match self.direct_stream_socket(to) {
            Some(made) => made.map(|place| (place, true)),
            None => self.stream_socket(to).map(|number| (number, false)),
        }
    }

    pub(crate) fn set_option(&mut self, fd: &Fd, option: SocketOption) -> io::Result<()> {
        if fd.is_direct() {
            return self.set_direct_option(fd, &option);
        }
        self.calls += 1;
        with_socket(fd, |socket| match option {
            SocketOption::Nodelay(on) => past_close(socket.set_tcp_nodelay(on)),
            SocketOption::Ttl(ttl) => socket.set_ttl_v4(ttl),
            SocketOption::Broadcast(on) => socket.set_broadcast(on),
            SocketOption::Linger(time) => socket.set_linger(time),
            SocketOption::Keepalive(on) => socket.set_keepalive(on),
            SocketOption::ReuseAddress(on) => reuse_address(&socket, on),
            SocketOption::ReusePort(on) => reuse_port(&socket, on),
            SocketOption::SendBuffer(bytes) => socket.set_send_buffer_size(bytes as usize),
            SocketOption::ReceiveBuffer(bytes) => socket.set_recv_buffer_size(bytes as usize),
        })
    }

    /// Gives a socket an address. 1 system call.
    pub(crate) fn bind(&mut self, fd: &Fd, addr: SocketAddr) -> io::Result<()> {
        self.calls += 1;
        with_socket(fd, |socket| socket.bind(&addr.into()))
    }

    /// A socket listens from here on. 1 system call.
    pub(crate) fn listen_as(&mut self, fd: &Fd, backlog: i32) -> io::Result<()> {
        self.calls += 1;
        with_socket(fd, |socket| socket.listen(backlog))
    }

    pub(crate) fn nodelay(&mut self, fd: &Fd) -> io::Result<bool> {
        self.ask_socket(fd, |socket| socket.tcp_nodelay())
    }

    pub(crate) fn local_addr(&mut self, fd: &Fd) -> io::Result<SocketAddr> {
        self.ask_socket(fd, |socket| internet(socket.local_addr()?))
    }

    pub(crate) fn peer_addr(&mut self, fd: &Fd) -> io::Result<SocketAddr> {
        if let Some(own) = self.own_peer(fd.number()) {
            return Ok(own);
        }
        self.ask_socket(fd, |socket| internet(socket.peer_addr()?))
    }
}

fn internet(addr: SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
