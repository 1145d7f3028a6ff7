//! UDP.
#![forbid(unsafe_code)]

use super::{RecvDatagrams, ToSocketAddrs, addr};
use crate::{
    budget::budget,
    buf::{BufferPool, IoBuf, IoBufMut},
    driver::{Fd, Kind},
    op::{Operation, Recv, RecvFrom, Send, SendTo, SendZc},
    sys::SocketOption,
    task::context,
};
use std::{io, net::SocketAddr};

/// A UDP socket.
///
/// A datagram longer than the buffer is cut, as recv(2) says. A dropped receive loses no datagram:
/// one that came all the same goes to the next receive. A dropped send sends its datagram whole, or nothing.
///
/// On Windows with the cargo feature `rio`, the first 16 sockets of a core use registered I/O (RIOReceiveEx and RIOSendEx of
/// Microsoft's `mswsock.h`) with 4,352 KiB of memory each. Such a socket receives up to 64 datagrams ahead of who asks for
/// them, from its first receive on. Buffers of a pool, and those of [`send_zc`](Self::send_zc), are copied like all others.
/// Nobody has run this on Windows.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::UdpSocket;
/// let a = UdpSocket::bind("127.0.0.1:0").await?;
/// let b = UdpSocket::bind("127.0.0.1:0").await?;
/// a.send_to("hello", b.local_addr()?).await.0?;
/// let (result, buf) = b.recv_from(Vec::with_capacity(64)).await;
/// assert_eq!(result?, (5, a.local_addr()?));
/// assert_eq!(buf, b"hello");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// With one peer, no address is named any more.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::UdpSocket;
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.connect(server.local_addr()?).await?;
/// assert_eq!(client.peer_addr()?, server.local_addr()?);
/// client.send("what time is it?").await.0?;
/// let (_, question) = server.recv(Vec::with_capacity(512)).await;
/// assert_eq!(question, b"what time is it?");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct UdpSocket {
    fd: Fd,
}

impl UdpSocket {
    /// A socket at `addr`, the first of its addresses that works. 2 system calls.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let driver = context::with("UdpSocket::bind", |core| core.driver.clone());
        addr::each(addr, async |addr| {
            let number = driver.control(|backend| backend.datagram_socket(addr))?;
            let fd = driver.adopt(number, Kind::Datagram, false);
            fd.enter_table();
            Ok(UdpSocket { fd })
        })
        .await
    }

    /// Sets the one peer that [`send`](Self::send) and [`recv`](Self::recv) speak with; datagrams
    /// of others are not received. 1 system call.
    ///
    /// Without a peer, `send` fails: `NotConnected`, or `EDESTADDRREQ` on Unix. On Windows with the feature `rio`, a socket
    /// with registered I/O that had a peer before its first transfer keeps it: another `connect` is
    /// `Unsupported`. One that had none then can be connected as often as you like.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::UdpSocket;
    /// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// a.connect(b.local_addr()?).await?;
    /// a.send("x").await.0?;
    /// assert_eq!(b.recv(vec![0; 8]).await.0?, 1);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn connect(&self, addr: impl ToSocketAddrs) -> io::Result<()> {
        addr::each(addr, async |addr| self.fd.driver().control(|b| b.set_peer(&self.fd, addr)))
            .await
    }

    /// Sends the buffer's bytes to the connected peer as one datagram.
    ///
    #[doc = budget!(udp_send)]
    pub fn send<B: IoBuf>(&self, buf: B) -> Operation<Send<B>> {
        Operation::new(Send { fd: self.fd.clone(), buf, sent: 0 })
    }

    /// As [`send`](Self::send), but the kernel sends from the buffer itself instead of copying it
    /// first; the buffer comes back when the kernel has let go of it. When it pays, and what the
    /// kernel copies after all: see [`TcpStream::send_zc`](super::TcpStream::send_zc).
    ///
    /// Dropping it once begun does not stop it.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::UdpSocket;
    /// let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// a.connect(b.local_addr()?).await?;
    /// let (n, _buf) = a.send_zc(vec![7; 8000]).await;
    /// assert_eq!(n?, 8000);
    /// assert_eq!(b.recv(vec![0; 8000]).await.0?, 8000);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    #[doc = budget!(udp_send_zc)]
    pub fn send_zc<B: IoBuf>(&self, buf: B) -> Operation<SendZc<B>> {
        Operation::new(SendZc { fd: self.fd.clone(), buf, sent: 0 })
    }

    /// Receives a datagram of the connected peer (or of anybody, if there is none).
    ///
    #[doc = budget!(udp_recv)]
    pub fn recv<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>> {
        Operation::new(Recv { fd: self.fd.clone(), buf })
    }

    /// Sends the buffer's bytes to `to` as one datagram.
    ///
    #[doc = budget!(udp_send_to)]
    pub fn send_to<B: IoBuf>(&self, buf: B, to: SocketAddr) -> Operation<SendTo<B>> {
        Operation::new(SendTo { fd: self.fd.clone(), buf, to })
    }

    /// Receives a datagram and the address of its sender.
    ///
    #[doc = budget!(udp_recv_from)]
    pub fn recv_from<B: IoBufMut>(&self, buf: B) -> Operation<RecvFrom<B>> {
        Operation::new(RecvFrom { fd: self.fd.clone(), buf })
    }

    /// The datagrams, one after the other, in buffers of `pool`, with the addresses of their senders. On io_uring that is one
    /// request for all of them (a multishot), which the kernel keeps: see io_uring_enter(2), IORING_RECV_MULTISHOT; there
    /// the address takes 44 bytes of a buffer, and what is left is the longest datagram that is not cut. Elsewhere each is
    /// received by itself, as by [`recv_from`](Self::recv_from), with the whole buffer.
    ///
    /// At most a quarter of the pool's buffers, and 64, hold what was not read: then the kernel is asked to stop, and asked
    /// again when they are read. When no buffer is free, it waits for one that comes back, behind those who waited before.
    /// What comes meanwhile waits in the socket's queue, whose bound is the system's (SO_RCVBUF): what finds it full
    /// is lost, as ever.
    ///
    /// Other receives of the socket wait while it has a request under way. Dropping it loses no datagram that it had
    /// taken out of the socket's queue: they are copied out, and go to the next receives, in their order, each
    /// cut as it would be by a buffer too short for it. (With half of all slots holding what was left like
    /// that, the next ones are lost.)
    ///
    #[doc = budget!(udp_recv_stream)]
    pub fn recv_stream(&self, pool: &BufferPool) -> RecvDatagrams {
        RecvDatagrams::new(self.fd.clone(), pool.clone())
    }

    /// Lets the socket send to a broadcast address. 1 system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::UdpSocket;
    /// let socket = UdpSocket::bind("0.0.0.0:0").await?;
    /// socket.set_broadcast(true)?;
    /// // Now `socket.send_to(question, "255.255.255.255:9999".parse()?)` reaches the whole network.
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.fd.driver().control(|b| b.set_option(&self.fd, SocketOption::Broadcast(on)))
    }

    /// The address of this socket. 1 system call.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.driver().control(|b| b.local_addr(&self.fd))
    }

    /// The address of the connected peer. 1 system call.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.fd.driver().control(|b| b.peer_addr(&self.fd))
    }
}

impl UdpSocket {
    pub(crate) fn fd(&self) -> &Fd {
        &self.fd
    }
}

impl std::fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdpSocket").field("fd", &self.fd.number()).finish()
    }
}
