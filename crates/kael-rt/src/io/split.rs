//! Any stream as a reading and a writing half.
#![forbid(unsafe_code)]

use super::{AsyncRead, AsyncWrite};
use crate::buf::{BufResult, IoBuf, IoBufMut};
use std::{io, rc::Rc};

/// Splits a stream that can be read and written through shared references (as
/// [`TcpStream`](crate::net::TcpStream) can) into halves for two tasks.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{io::{self, AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let (mut read, mut write) = io::split(TcpStream::connect(listener.local_addr()?).await?);
/// let (peer, _) = listener.accept().await?;
/// let reading = kael_rt::spawn(async move { read.read_exact(vec![0; 2]).await.1 });
/// write.write_all("->").await.0?;
/// peer.write_all("<-").await.0?;
/// assert_eq!(reading.await.unwrap(), b"<-");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn split<S>(stream: S) -> (ReadHalf<S>, WriteHalf<S>)
where
    for<'a> &'a S: AsyncRead + AsyncWrite,
{
    let stream = Rc::new(stream);
    (ReadHalf { stream: stream.clone() }, WriteHalf { stream })
}

/// The reading half of a stream; made by [`split`].
///
/// ```
/// use kael_rt::{io::{self, AsyncReadExt, ReadHalf}, net::TcpStream};
///
/// async fn pin(reader: &mut ReadHalf<TcpStream>) -> std::io::Result<Vec<u8>> {
///     let (result, digits) = reader.read_exact(vec![0; 4]).await;
///     result.map(|_| digits)
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// # client.write_all("1234").await.0?;
/// let (mut read, write) = io::split(stream);
/// assert_eq!(pin(&mut read).await?, b"1234");
/// let stream = read.unsplit(write).expect("they are halves of one stream");
/// stream.close().await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct ReadHalf<S> {
    stream: Rc<S>,
}

/// The writing half of a stream; made by [`split`].
///
/// ```
/// use kael_rt::{io::{self, AsyncWrite, AsyncWriteExt, WriteHalf}, net::TcpStream};
///
/// async fn say_goodbye(mut writer: WriteHalf<TcpStream>) -> std::io::Result<()> {
///     writer.write_all("bye\n").await.0?;
///     writer.shutdown().await
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// let (_read, write) = io::split(stream);
/// say_goodbye(write).await?;
/// assert_eq!(client.read_exact(vec![0; 4]).await.1, b"bye\n");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct WriteHalf<S> {
    stream: Rc<S>,
}

impl<S> ReadHalf<S> {
    /// The stream again, if `write` is its other half.
    pub fn unsplit(self, write: WriteHalf<S>) -> Result<S, (ReadHalf<S>, WriteHalf<S>)> {
        if !Rc::ptr_eq(&self.stream, &write.stream) {
            return Err((self, write));
        }
        drop(write);
        Ok(Rc::into_inner(self.stream).expect("there are two halves"))
    }
}

impl<S> AsyncRead for ReadHalf<S>
where
    for<'a> &'a S: AsyncRead,
{
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        (&mut &*self.stream).read(buf).await
    }
}

impl<S> AsyncWrite for WriteHalf<S>
where
    for<'a> &'a S: AsyncWrite,
{
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        (&mut &*self.stream).write(buf).await
    }
    async fn flush(&mut self) -> io::Result<()> {
        (&mut &*self.stream).flush().await
    }
    async fn shutdown(&mut self) -> io::Result<()> {
        (&mut &*self.stream).shutdown().await
    }
}
