//! Accepting TCP connections.
#![forbid(unsafe_code)]

use super::{TcpStream, ToSocketAddrs, addr};
use crate::{
    budget::budget,
    driver::{Fd, Kind},
    op::{Accept, Operation},
    task::context,
};
use std::{io, net::SocketAddr};

/// Connections that the kernel may hold for us before they are accepted.
const BACKLOG: i32 = 4096;

/// A TCP socket that listens.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::{TcpListener, TcpStream};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (stream, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// # drop(stream);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct TcpListener {
    fd: Fd,
}

impl TcpListener {
    /// Listens at `addr`, the first of its addresses that works, with SO_REUSEADDR and room for
    /// 4096 waiting connections (or the system's `somaxconn`).
    ///
    /// Errors are the kernel's: `AddrInUse`, `PermissionDenied`, ...
    /// Costs 4 system calls; a name is looked up on the blocking pool.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let driver = context::with("TcpListener::bind", |core| core.driver.clone());
        addr::each(addr, async |addr| {
            let number = driver.control(|backend| backend.listen(addr, BACKLOG))?;
            Ok(TcpListener { fd: driver.adopt(number, Kind::Listener, false) })
        })
        .await
    }

    /// The next connection, and the address of its peer. See accept(2).
    ///
    /// One accept of a listener is with the kernel at a time; the others wait in order. When no
    /// descriptor is free (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`), the first accept says so;
    /// later ones wait and try again every 50 ms until one succeeds, so that a loop around accept
    /// sleeps. Connections that ended while they waited are passed over.
    ///
    /// Dropping it loses no connection: one that came all the same goes to the next accept.
    ///
    #[doc = budget!(tcp_accept)]
    pub fn accept(&self) -> Operation<Accept> {
        Operation::new(Accept { fd: self.fd.clone() })
    }

    /// The connections, one after the other.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut incoming = listener.incoming();
    /// let (_stream, peer) = incoming.next().await?;
    /// assert!(peer.ip().is_loopback());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address that it listens at. 1 system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.driver().control(|backend| backend.local_addr(&self.fd))
    }
}

impl TcpListener {
    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }
}

impl std::fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcpListener").field("fd", &self.fd.number()).finish()
    }
}

/// The connections of a listener; made by [`TcpListener::incoming`].
///
/// ```
/// use kael_rt::net::{Incoming, TcpListener, TcpStream};
///
/// async fn greet(mut incoming: Incoming<'_>, guests: usize) -> std::io::Result<()> {
///     for _ in 0..guests {
///         let (stream, _peer) = incoming.next().await?;
///         stream.write_all("welcome").await.0?;
///     }
///     Ok(())
/// }
/// # kael_rt::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let guest = TcpStream::connect(listener.local_addr()?).await?;
/// greet(listener.incoming(), 1).await?;
/// assert_eq!(guest.read_exact(vec![0; 7]).await.1, b"welcome");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Incoming<'_> {
    /// The next connection. Dropping the future loses none.
    pub async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept().await
    }
}
