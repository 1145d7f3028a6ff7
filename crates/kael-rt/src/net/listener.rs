//! Accepting TCP connections.
#![forbid(unsafe_code)]

use super::{TcpStream, ToSocketAddrs, addr};
use crate::{
    budget::budget,
    driver::{Fd, Kind},
    op::{Accept, AcceptNext, Operation},
    sys::Backend,
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

    /// The connections, one after the other: for who goes on to accept. Where the system can repeat an accept by itself,
    /// it does so from the first [`Incoming::next`] until the `Incoming` is dropped, and a burst of connections is
    /// taken with one call. See accept(2) and, of io_uring_prep_multishot_accept(3), what it says of multishots.
    ///
    /// Connections that came and were not taken yet wait in the listener, and [`accept`](Self::accept) takes them, too, in the
    /// order in which they came: the two may be mixed. With 64 of them the system is asked to stop (what it has accepted
    /// by then comes on top, and is no more than a completion queue holds), and to begin again when all are taken. What comes
    /// meanwhile waits in the system, up to its backlog.
    ///
    /// Dropping the `Incoming` loses none: those that came are the next accept's. Dropping the listener closes what
    /// nobody took.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut incoming = listener.incoming();
    /// let stream = incoming.next().await?;
    /// assert!(stream.peer_addr()?.ip().is_loopback());
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
    pub(super) fn from_fd(fd: Fd) -> TcpListener {
        TcpListener { fd }
    }

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
///         let stream = incoming.next().await?;
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
    /// The next connection. Whose it is, [`TcpStream::peer_addr`] says, with 1 system call: a system that
    /// accepts by itself does not tell. A peer that has gone meanwhile has no address any more; reading says
    /// how it went.
    ///
    /// Errors are those of [`TcpListener::accept`], which says what happens when no descriptor is free. After one the next
    /// call asks again. Dropping the future loses no connection.
    ///
    #[doc = budget!(tcp_incoming)]
    pub async fn next(&mut self) -> io::Result<TcpStream> {
        Operation::new(AcceptNext { fd: self.listener.fd.clone() }).await
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        let fd = &self.listener.fd;
        let stop = |backend: &mut Backend| -> io::Result<()> {
            backend.stop_accepting(fd.number());
            Ok(())
        };
        // After the end of its runtime there is nothing to stop.
        let _ = fd.driver().control(stop);
    }
}
