//! A file into a stream.
#![forbid(unsafe_code)]

use crate::{
    budget::budget,
    buf::IoBuf,
    fs::File,
    net::TcpStream,
    op::{Operation, SendFile},
};
use std::ops::{Bound, RangeBounds};

/// Sends a range of a file to a stream, and says how many bytes that were.
///
/// The range is in bytes, as in `0..len`, or `..` for all of the file up to its end. Give it where you know it: who knows the
/// length needs no look for the end. What stands before and behind the file (the head of a response, say) goes along by
/// [`header`](Operation::header) and [`trailer`](Operation::trailer), and counts.
///
/// Ranges of more than 16 KiB are copied through no buffer of ours: the system's own pages of the file are handed to the socket. So
/// who changes the file meanwhile may change what is on its way. Nothing blocks the core. How it is done:
///
/// * Linux: through a pipe (splice(2)); what is not in memory is brought by a thread of the pool.
/// * FreeBSD: sendfile(2), with SF_NODISKIO; what is not in memory is sent by a thread of the pool, by the same call.
/// * macOS: sendfile(2), always by a thread of the pool, since it waits for a device and nothing says beforehand whether it will.
/// * Windows: TransmitFile ("TransmitFile function (mswsock.h)"), at most 2,147,483,646 bytes a call. A process has one at a
///   time, for client editions carry out two in all and let others wait. While another send has it, a block goes through a buffer,
///   and then it is asked for again. With the feature `rio` streams with registered I/O never have it.
///
/// Small ranges, other systems, and files that are no regular ones go through a buffer of 64 KiB.
/// [`CoreMetrics::spliced_bytes`](crate::runtime::CoreMetrics::spliced_bytes) counts what did not. What macOS, FreeBSD and Windows do
/// was tested over an emulation and under wine, and never on these systems.
///
/// Fails with the system's error, or with [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the file ends before the range
/// does. [`Error::transferred`](crate::Error::transferred) says how many bytes the stream had got by then, if any;
/// [`Error::os_error`](crate::Error::os_error) then has the system's number.
///
/// Dropping it once begun finishes it, before any later write: a part of a file that nobody knows the size of would be
/// worth nothing. To end it early use [`timeout`](Operation::timeout) or [`cancel_on`](Operation::cancel_on): the
/// stream stays in use, and the error says how far it came. On Windows there is an exception: where the system stops TransmitFile
/// and says that nothing went, no document says that this is so. Lest bytes be sent twice, the stream is shut down for writing,
/// and later writes fail.
///
#[doc = budget!(send_file)]
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{fs::File, io::send_file, net::{TcpListener, TcpStream}};
/// # let path = std::env::temp_dir().join(format!("kael-doc-send-file-{}", std::process::id()));
/// # kael_rt::fs::write(&path, vec![7; 100_000]).await?;
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (stream, _) = listener.accept().await?;
/// let reader = kael_rt::spawn(async move { client.read_exact(vec![0; 60_004]).await });
/// let file = File::open(&path).await?;
/// let sent = send_file(&file, 40_000.., &stream).header("head").await?;
/// assert_eq!(sent, 60_004);
/// let (_, bytes) = reader.await.unwrap();
/// assert_eq!((&bytes[..4], bytes[60_003]), (&b"head"[..], 7));
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn send_file(
    file: &File,
    range: impl RangeBounds<u64>,
    stream: &TcpStream,
) -> Operation<SendFile> {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => Some(last.saturating_add(1)),
        Bound::Excluded(end) => Some(*end),
        Bound::Unbounded => None,
    };
    Operation::new(SendFile::new(stream.fd().clone(), file.fd().clone(), from, end))
}

impl<H: IoBuf, T: IoBuf> Operation<SendFile<H, T>> {
    /// Sends `header` before the file.
    ///
    /// # Panics
    /// If the operation was polled already.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # use kael_rt::{fs::File, io::send_file, net::{TcpListener, TcpStream}};
    /// # let path = std::env::temp_dir().join(format!("kael-doc-header-{}", std::process::id()));
    /// # kael_rt::fs::write(&path, "page").await?;
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// let file = File::open(&path).await?;
    /// let sent = send_file(&file, 0..4, &stream).header(format!("{:x}\r\n", 4)).trailer("\r\n0\r\n\r\n").await?;
    /// assert_eq!(sent, 14);
    /// assert_eq!(client.read_exact(vec![0; 14]).await.1, b"4\r\npage\r\n0\r\n\r\n");
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn header<B: IoBuf>(self, header: B) -> Operation<SendFile<B, T>> {
        self.change(|send| send.with_header(header))
    }

    /// Sends `trailer` behind the file. If the file cannot be sent as a whole, neither is the trailer.
    ///
    /// # Panics
    /// If the operation was polled already.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # use kael_rt::{fs::File, io::send_file, net::{TcpListener, TcpStream}};
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// let zeros = File::open("/dev/zero").await?;
    /// assert_eq!(send_file(&zeros, 0..3, &stream).trailer("end").await?, 6);
    /// assert_eq!(client.read_exact(vec![1; 6]).await.1, b"\0\0\0end");
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn trailer<B: IoBuf>(self, trailer: B) -> Operation<SendFile<H, B>> {
        self.change(|send| send.with_trailer(trailer))
    }
}
