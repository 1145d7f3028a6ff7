//! What a socket is asked and told that never blocks, and is the same call on every system.
#![forbid(unsafe_code)]

use super::{Backend, borrow, past_close};
use crate::driver::Fd;
use socket2::{SockAddr, SockRef};
use std::{io, net::SocketAddr, time::Duration};

/// A socket option with its value.
pub(crate) enum SocketOption {
    Nodelay(bool),
    Ttl(u32),
    Broadcast(bool),
    Linger(Option<Duration>),
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
    pub(crate) fn set_option(&mut self, fd: &Fd, option: SocketOption) -> io::Result<()> {
        self.calls += 1;
        with_socket(fd, |socket| match option {
            SocketOption::Nodelay(on) => past_close(socket.set_tcp_nodelay(on)),
            SocketOption::Ttl(ttl) => socket.set_ttl_v4(ttl),
            SocketOption::Broadcast(on) => socket.set_broadcast(on),
            SocketOption::Linger(time) => socket.set_linger(time),
        })
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
        if let Some(own) = self.own_peer(fd.number()) {
            return Ok(own);
        }
        self.calls += 1;
        with_socket(fd, |socket| internet(socket.peer_addr()?))
    }
}

fn internet(addr: SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
