//! A TCP socket before it is a listener or a stream.
#![forbid(unsafe_code)]

use super::{TcpListener, TcpStream};
use crate::{
    budget::budget,
    driver::{Fd, Kind},
    op::{Connect, Operation},
    sys::SocketOption,
    task::context,
};
use std::{io, net::SocketAddr};

/// A TCP socket that neither listens nor is connected yet, for options that must be set before.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::TcpSocket;
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.set_recv_buffer_size(256 * 1024)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(128)?;
///
/// let socket = TcpSocket::new_v4()?;
/// socket.set_nodelay(true)?;
/// let client = socket.connect(listener.local_addr()?).await?;
/// assert!(client.nodelay()?);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Several cores that listen at one address, among which the system spreads the connections:
///
/// ```
/// use kael_rt::net::{TcpListener, TcpSocket};
/// use std::{io, net::SocketAddr};
///
/// fn listen(at: SocketAddr) -> io::Result<TcpListener> {
///     let socket = if at.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
///     socket.set_reuseaddr(true)?;
///     socket.set_reuseport(true)?;
///     socket.bind(at)?;
///     socket.listen(1024)
/// }
/// # let at = "127.0.0.1:0".parse().unwrap();
/// kael_rt::block_on(async {
///     match listen(at) {
///         Ok(listener) => println!("listening on {}", listener.local_addr()?),
///         Err(error) => eprintln!("not at one address: {error}"),
///     }
///     Ok::<_, io::Error>(())
/// })?;
/// # Ok::<(), io::Error>(())
/// ```
///
/// Dropping it closes it.
pub struct TcpSocket {
    fd: Fd,
}

impl TcpSocket {
    /// A socket for IPv4. 1 system call. See socket(2).
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(false, "TcpSocket::new_v4")
    }

    /// A socket for IPv6. 1 system call.
    ///
    /// # Panics
    /// Outside a runtime.
    #[track_caller]
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(true, "TcpSocket::new_v6")
    }

    #[track_caller]
    fn new(v6: bool, what: &'static str) -> io::Result<TcpSocket> {
        let driver = context::with(what, |core| core.driver.clone());
        let number = driver.control(|backend| backend.tcp_socket(v6))?;
        Ok(TcpSocket { fd: driver.adopt(number, Kind::Stream, false) })
    }

    fn set(&self, option: SocketOption) -> io::Result<()> {
        self.fd.driver().control(|b| b.set_option(&self.fd, option))
    }

    /// Whether it may be bound to an address whose connections are just over (SO_REUSEADDR). 1 system call. On Windows, where that
    /// may be done without it and the option lets others take the address away, it has no effect.
    pub fn set_reuseaddr(&self, on: bool) -> io::Result<()> {
        self.set(SocketOption::ReuseAddress(on))
    }

    /// Whether several sockets, all with this option and of the same user, may listen at one address (SO_REUSEPORT). 1 system call.
    ///
    /// Linux, FreeBSD (SO_REUSEPORT_LB) and DragonFly spread the connections among them, by the addresses and ports of both
    /// ends; a connection that waits at a listener that is closed is lost. On macOS, NetBSD and OpenBSD one of them gets all. `Unsupported` on
    /// Windows and in the simulation: there, one core accepts and hands over by [`TcpStream::detach`].
    pub fn set_reuseport(&self, on: bool) -> io::Result<()> {
        self.set(SocketOption::ReusePort(on))
    }

    /// What the system may keep of what was written, in bytes (SO_SNDBUF). 1 system call. The system has its own bounds, and Linux
    /// takes it twice, for its bookkeeping; see socket(7). Without it the size adapts itself.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.set(SocketOption::SendBuffer(bytes))
    }

    /// What the system may keep for who reads, in bytes (SO_RCVBUF), and with it how much a peer may send ahead: to be set
    /// before `listen` or `connect`. 1 system call. As for [`set_send_buffer_size`](Self::set_send_buffer_size).
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.set(SocketOption::ReceiveBuffer(bytes))
    }

    /// Whether small writes are sent at once (TCP_NODELAY). 1 system call. On Linux those that a listener
    /// accepts have it from the listener.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.set(SocketOption::Nodelay(on))
    }

    /// Whether a peer that says nothing for long is asked whether it is there (SO_KEEPALIVE). 1 system call.
    pub fn set_keepalive(&self, on: bool) -> io::Result<()> {
        self.set(SocketOption::Keepalive(on))
    }

    /// Gives it an address; port 0 is one that is free. 1 system call. See bind(2).
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.fd.driver().control(|b| b.bind(&self.fd, addr))
    }

    /// The address of this socket. 1 system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.driver().control(|b| b.local_addr(&self.fd))
    }

    /// Listens, with room for `backlog` connections that wait, or what the system allows (`somaxconn`). 1 system call. See
    /// listen(2).
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self.fd.driver().control(|b| b.listen_as(&self.fd, backlog))?;
        self.fd.set_kind(Kind::Listener);
        Ok(TcpListener::from_fd(self.fd))
    }

    /// Connects to `addr`. See connect(2). Dropping the future closes the socket. It is an ordinary descriptor also in a
    /// runtime with [`direct_descriptors`](crate::runtime::Builder::direct_descriptors).
    ///
    #[doc = budget!(tcp_connect)]
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        self.fd.driver().control(|b| b.prepare_to_connect(&self.fd, addr))?;
        self.fd.enter_table();
        Operation::new(Connect { fd: self.fd, to: addr }).await
    }
}

impl std::fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpSocket").field("fd", &self.fd.number()).finish()
    }
}
