//! The two directions of a TCP connection as two values.
#![forbid(unsafe_code)]

use super::TcpStream;
use crate::{
    buf::{IoBuf, IoBufMut},
    op::{Operation, Peek, ReadExact, Recv, Send, ShutDown, WriteAll},
};
use std::{net::Shutdown, rc::Rc};

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
