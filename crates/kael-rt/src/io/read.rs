//! Reading from any stream.
#![forbid(unsafe_code)]

use crate::buf::{BufResult, IoBuf, IoBufMut};
use std::{future::Future, io};

/// Something that bytes can be read from in order.
///
/// ```
/// use kael_rt::io::{AsyncRead, AsyncReadExt};
///
/// async fn first_line(reader: &mut impl AsyncRead) -> std::io::Result<String> {
///     let mut line = Vec::new();
///     let mut byte = vec![0];
///     loop {
///         let (result, back) = reader.read_exact(byte).await;
///         result?;
///         byte = back;
///         if byte[0] == b'\n' {
///             return Ok(String::from_utf8_lossy(&line).into_owned());
///         }
///         line.push(byte[0]);
///     }
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # client.write_all("line\nrest").await.0?;
/// let (mut stream, _) = listener.accept().await?;
/// assert_eq!(first_line(&mut stream).await?, "line");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub trait AsyncRead {
    /// Reads what there is into the buffer's room and sets its length; 0 bytes mean the end.
    ///
    /// ```
    /// use kael_rt::io::AsyncRead;
    ///
    /// async fn count(reader: &mut impl AsyncRead) -> std::io::Result<usize> {
    ///     let (mut total, mut buf) = (0, Vec::with_capacity(4096));
    ///     loop {
    ///         let (result, back) = reader.read(buf).await;
    ///         match result? {
    ///             0 => return Ok(total),
    ///             n => total += n,
    ///         }
    ///         buf = back;
    ///     }
    /// }
    /// # kael_rt::block_on(async {
    /// # use kael_rt::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// # let mut stream = stream;
    /// client.write_all("seven b").await.0?;
    /// client.close().await?;
    /// assert_eq!(count(&mut stream).await?, 7);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>>;
}

impl<R: AsyncRead + ?Sized> AsyncRead for &mut R {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        (**self).read(buf)
    }
}

/// What every [`AsyncRead`] can do.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{io::AsyncReadExt, net::{TcpListener, TcpStream}};
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// client.write_all("all of it").await.0?;
/// client.close().await?;
/// let (mut stream, _) = listener.accept().await?;
/// let (result, bytes) = stream.read_to_end(Vec::new()).await;
/// assert_eq!((result?, &bytes[..]), (9, &b"all of it"[..]));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub trait AsyncReadExt: AsyncRead {
    /// Fills the buffer's length (never its spare capacity). If the stream ends before, the error
    /// is `UnexpectedEof`.
    ///
    /// Dropping it loses what it had read already.
    ///
    /// ```
    /// use kael_rt::io::{AsyncRead, AsyncReadExt};
    ///
    /// /// A message: its length in two bytes, and then the message.
    /// async fn message(reader: &mut impl AsyncRead) -> std::io::Result<Vec<u8>> {
    ///     let (result, head) = reader.read_exact(vec![0; 2]).await;
    ///     result?;
    ///     let len = u16::from_be_bytes([head[0], head[1]]);
    ///     let (result, message) = reader.read_exact(vec![0; len.into()]).await;
    ///     result.map(|_| message)
    /// }
    /// # kael_rt::block_on(async {
    /// # use kael_rt::net::{TcpListener, TcpStream};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// # let mut stream = stream;
    /// client.write_all("\0\u{5}hello").await.0?;
    /// assert_eq!(message(&mut stream).await?, b"hello");
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    fn read_exact<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        async move {
            let want = buf.as_init().len();
            let (mut buf, mut filled) = (buf, 0);
            while filled < want {
                let (result, part) = self.read(buf.slice(filled..want)).await;
                buf = part.into_inner();
                match result {
                    Ok(0) => return (Err(io::ErrorKind::UnexpectedEof.into()), buf),
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), buf),
                }
            }
            (Ok(want), buf)
        }
    }

    /// Appends everything up to the end to `buf`, and says how much that was. The Vec grows as it
    /// must; who cannot trust the peer bounds the read before.
    ///
    /// Dropping it loses what it had read already.
    fn read_to_end(&mut self, buf: Vec<u8>) -> impl Future<Output = BufResult<usize, Vec<u8>>> {
        async move {
            let begin = buf.len();
            let mut buf = buf;
            loop {
                let end = buf.len();
                if buf.capacity() - end < 32 {
                    buf.reserve(8 * 1024);
                }
                let (result, part) = self.read(buf.slice(end..)).await;
                buf = part.into_inner();
                match result {
                    Ok(0) => return (Ok(end - begin), buf),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return (Err(error), buf),
                }
            }
        }
    }
}

impl<R: AsyncRead + ?Sized> AsyncReadExt for R {}
