//! Writing to any stream, and copying from one to another.
#![forbid(unsafe_code)]

use super::AsyncRead;
use crate::buf::{BufResult, IoBuf};
use std::{future::Future, io};

/// Something that bytes can be written to in order.
///
/// ```
/// use kael_rt::io::{AsyncWrite, AsyncWriteExt};
///
/// async fn greet(writer: &mut impl AsyncWrite) -> std::io::Result<()> {
///     writer.write_all("hello\n").await.0?;
///     writer.flush().await
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// greet(&mut client).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// A writer around another one, which counts what goes through:
///
/// ```
/// use kael_rt::{buf::{BufResult, IoBuf}, io::{AsyncWrite, AsyncWriteExt}};
///
/// struct Counted<W> {
///     inner: W,
///     bytes: usize,
/// }
///
/// impl<W: AsyncWrite> AsyncWrite for Counted<W> {
///     async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
///         let (result, buf) = self.inner.write(buf).await;
///         self.bytes += *result.as_ref().unwrap_or(&0);
///         (result, buf)
///     }
///     async fn flush(&mut self) -> std::io::Result<()> {
///         self.inner.flush().await
///     }
///     async fn shutdown(&mut self) -> std::io::Result<()> {
///         self.inner.shutdown().await
///     }
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (_peer, _) = listener.accept().await?;
/// let mut writer = Counted { inner: client, bytes: 0 };
/// writer.write_all("hello").await.0?;
/// writer.shutdown().await?;
/// assert_eq!(writer.bytes, 5);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub trait AsyncWrite {
    /// Writes from the buffer's bytes and says how many were taken.
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>>;

    /// Brings on what the writer itself holds back.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>>;

    /// Ends the stream, after what was written.
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>>;
}

impl<W: AsyncWrite + ?Sized> AsyncWrite for &mut W {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        (**self).write(buf)
    }
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
        (**self).flush()
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        (**self).shutdown()
    }
}

/// What every [`AsyncWrite`] can do.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{io::AsyncWriteExt, net::{TcpListener, TcpStream}};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (result, _buf) = AsyncWriteExt::write_all(&mut client, vec![0; 1000]).await;
/// assert_eq!(result?, 1000);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub trait AsyncWriteExt: AsyncWrite {
    /// Writes the whole buffer.
    ///
    /// Dropping it leaves some of the buffer unwritten, and nobody knows how much.
    fn write_all<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        async move {
            let want = buf.as_init().len();
            let (mut buf, mut written) = (buf, 0);
            while written < want {
                let (result, part) = self.write(buf.slice(written..want)).await;
                buf = part.into_inner();
                match result {
                    Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buf),
                    Ok(n) => written += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), buf),
                }
            }
            (Ok(want), buf)
        }
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWriteExt for W {}

/// Copies everything up to the end from `reader` to `writer` through one buffer of 64 KiB, and
/// says how many bytes that was.
///
/// Dropping it loses at most what is in the buffer.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{io, net::{TcpListener, TcpStream}};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut echo = TcpStream::connect(listener.local_addr()?).await?;
/// let (peer, _) = listener.accept().await?;
/// peer.write_all("round").await.0?;
/// peer.shutdown(std::net::Shutdown::Write).await?;
/// let (mut read, mut write) = io::split(echo);
/// assert_eq!(io::copy(&mut read, &mut write).await?, 5);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub async fn copy(reader: &mut impl AsyncRead, writer: &mut impl AsyncWrite) -> io::Result<u64> {
    let mut buf = Vec::with_capacity(64 * 1024);
    let mut copied = 0;
    loop {
        let (result, filled) = reader.read(buf).await;
        let n = result?;
        if n == 0 {
            writer.flush().await?;
            return Ok(copied);
        }
        let (result, back) = writer.write_all(filled.slice(..n)).await;
        result?;
        buf = back.into_inner();
        copied += n as u64;
    }
}
