//! The two directions of a TCP connection as two values.
#![forbid(unsafe_code)]

use super::{RecvPooled, RecvStream, TcpStream};
use crate::{
    buf::{BufferPool, IoBuf, IoBufMut, IoBufs},
    op::{Operation, Peek, Queue, ReadExact, Recv, Send, ShutDown, WriteAll, WriteAllVectored},
};
use std::{io, net::Shutdown, rc::Rc};

pub(super) fn halves(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Rc::new(stream);
    (OwnedReadHalf { stream: stream.clone() }, OwnedWriteHalf { stream, ended: false })
}

/// The reading half of a [`TcpStream`]; made by [`TcpStream::into_split`].
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::{TcpListener, TcpStream};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let (read, write) = TcpStream::connect(listener.local_addr()?).await?.into_split();
/// let (peer, _) = listener.accept().await?;
/// write.write_all("bye").await.0?;
/// drop(write);
/// let (n, _) = peer.read_exact(vec![0; 3]).await;
/// assert_eq!(n?, 3);
/// assert_eq!(peer.read(vec![0; 3]).await.0?, 0);
/// # drop(read);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// The stream's options are reached through a half, and both halves make the stream again.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (peer, _) = listener.accept().await?;
/// # peer.write_all("HTTP").await.0?;
/// let (read, write) = client.into_split();
/// read.stream().set_nodelay(true)?;
/// let (result, start) = read.peek(Vec::with_capacity(4)).await;
/// result?;
/// assert!(start.starts_with(b"H"));
/// let pool = kael_rt::buf::BufferPool::new(4, 64)?;
/// let first = read.recv_pooled(&pool).await?.expect("it is not the end");
/// let mut pieces = read.recv_stream(&pool);
/// # peer.write_all("HTTP").await.0?;
/// let second = pieces.next().await?.expect("nor is this");
/// assert_eq!(first[..], second[..]);
/// # drop((pieces, first, second));
/// # peer.write_all("HTTP").await.0?;
/// let stream = read.reunite(write).expect("they are halves of one stream");
/// assert_eq!(stream.read_exact(vec![0; 4]).await.1, b"HTTP");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Rc<TcpStream>,
}

impl OwnedReadHalf {
    /// See [`TcpStream::read`].
    pub fn read<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>> {
        self.stream.read(buf)
    }
    /// See [`TcpStream::read_exact`].
    pub fn read_exact<B: IoBufMut>(&self, buf: B) -> Operation<ReadExact<B>> {
        self.stream.read_exact(buf)
    }
    /// See [`TcpStream::peek`].
    pub fn peek<B: IoBufMut>(&self, buf: B) -> Operation<Peek<B>> {
        self.stream.peek(buf)
    }
    /// See [`TcpStream::recv_pooled`].
    pub fn recv_pooled(&self, pool: &BufferPool) -> RecvPooled {
        self.stream.recv_pooled(pool)
    }
    /// See [`TcpStream::recv_stream`].
    pub fn recv_stream(&self, pool: &BufferPool) -> RecvStream {
        self.stream.recv_stream(pool)
    }
    /// The stream of both halves.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
    /// The stream again, if `write` is its other half.
    pub fn reunite(self, mut write: OwnedWriteHalf) -> Result<TcpStream, (Self, OwnedWriteHalf)> {
        if !Rc::ptr_eq(&self.stream, &write.stream) {
            return Err((self, write));
        }
        write.ended = true;
        drop(write);
        Ok(Rc::into_inner(self.stream).expect("there are two halves"))
    }
}

/// The writing half of a [`TcpStream`]; made by [`TcpStream::into_split`].
///
/// Dropping it ends the writing direction, after what was written.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (peer, _) = listener.accept().await?;
/// use kael_rt::net::OwnedWriteHalf;
///
/// async fn send(write: OwnedWriteHalf) -> std::io::Result<()> {
///     write.write_all("all of this, ").await.0?;
///     let (taken, _buf) = write.write("and some of this").await;
///     println!("{} bytes taken for {}", taken?, write.stream().peer_addr()?);
///     write.write_all_vectored(("in", " pieces")).await.0?;
///     write.write_queued(" and last").await?;
///     write.flush().await?;
///     write.shutdown().await
/// }
/// let (_read, write) = client.into_split();
/// kael_rt::spawn(send(write)).await.unwrap()?;
/// let (result, buf) = peer.read_exact(vec![0; 13]).await;
/// result?;
/// assert_eq!(buf, b"all of this, ");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Rc<TcpStream>,
    ended: bool,
}

impl OwnedWriteHalf {
    /// See [`TcpStream::write`].
    pub fn write<B: IoBuf>(&self, buf: B) -> Operation<Send<B>> {
        self.stream.write(buf)
    }
    /// See [`TcpStream::write_all`].
    pub fn write_all<B: IoBuf>(&self, buf: B) -> Operation<WriteAll<B>> {
        self.stream.write_all(buf)
    }
    /// See [`TcpStream::write_all_vectored`].
    pub fn write_all_vectored<V: IoBufs>(&self, bufs: V) -> Operation<WriteAllVectored<V>> {
        self.stream.write_all_vectored(bufs)
    }
    /// See [`TcpStream::write_queued`].
    pub fn write_queued<B: IoBuf>(&self, buf: B) -> Queue<WriteAll<B>> {
        self.stream.write_queued(buf)
    }
    /// See [`TcpStream::flush`].
    pub async fn flush(&self) -> io::Result<()> {
        self.stream.flush().await
    }
    /// Ends the writing direction. See [`TcpStream::shutdown`].
    pub fn shutdown(&self) -> Operation<ShutDown> {
        self.stream.shutdown(Shutdown::Write)
    }
    /// The stream of both halves.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if !self.ended && Rc::strong_count(&self.stream) > 1 {
            self.stream.shut_down_later();
        }
    }
}
