//! Buffers that the kernel may read or write while nobody else touches them.
//!
//! A buffer is lent to an operation by value and comes back with the result. What makes a type
//! fit is that its bytes stay where they are when their owner moves: `Vec<u8>` and `Box<[u8]>`
//! do, an array does not.

mod pool;
mod slice;
mod types;
mod vectored;

pub use pool::{BufferPool, BufferPoolBuilder, Get, PoolBuf};
pub(crate) use pool::{Row, Shared as PoolShared};
pub use slice::Slice;
pub use vectored::{IoBufs, IoBufsMut, Part};

/// How many buffers travel in one vectored operation; further ones make it short.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let stream = TcpStream::connect(listener.local_addr()?).await?;
/// # let (_peer, _) = listener.accept().await?;
/// use kael_rt::buf::MAX_VECTORS;
/// let lines = vec!["one line\n"; 40];
/// for batch in lines.chunks(MAX_VECTORS) {
///     let (sent, batch) = stream.write_vectored(batch.to_vec()).await;
///     assert_eq!(sent?, 9 * batch.len());
/// }
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub const MAX_VECTORS: usize = 16;

use std::{io, mem::MaybeUninit, ops::RangeBounds};

/// What an operation on a buffer gives: the result, and the buffer back.
///
/// A function that passes on what an operation gives has it as its result.
///
/// ```
/// use kael_rt::{buf::BufResult, fs::File};
///
/// async fn page(file: &File, number: u64, buf: Vec<u8>) -> BufResult<usize, Vec<u8>> {
///     file.read_exact_at(buf, number * 4096).await
/// }
/// # kael_rt::block_on(async {
/// let zeros = File::open("/dev/zero").await?;
/// let (result, buf) = page(&zeros, 3, vec![1; 4096]).await;
/// assert_eq!(result?, 4096);
/// assert_eq!(buf, [0; 4096]);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub type BufResult<T, B> = (io::Result<T>, B);

/// Initialised bytes that stay where they are when their owner moves.
///
/// # Safety
/// Until `self` is dropped or mutated through its own methods, [`as_init`](Self::as_init) must
/// return the same memory, wherever `self` itself moves, and nothing else may write to it.
/// The runtime reads pointer and length once, lends them to the kernel, and checks them again
/// when the kernel has answered; an implementation that lies breaks memory safety.
///
/// ```
/// use kael_rt::buf::IoBuf;
/// assert_eq!(vec![1u8, 2, 3].slice(1..).as_init(), [2, 3]);
/// ```
pub unsafe trait IoBuf: 'static {
    /// The initialised bytes: what a write sends.
    fn as_init(&self) -> &[u8];

    /// The part `range` of this buffer as a buffer of its own.
    ///
    /// For a write it bounds what is sent, for a read what is filled (a read may fill spare
    /// capacity, so the end may lie beyond the initialised bytes).
    ///
    /// # Panics
    /// If the range begins after the initialised bytes, or ends before it begins.
    ///
    /// ```
    /// use kael_rt::buf::IoBuf;
    /// let part = Vec::from("hello").slice(1..4);
    /// assert_eq!(part.as_init(), b"ell");
    /// assert_eq!(part.into_inner(), b"hello");
    /// ```
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        Slice::new(self, range)
    }
}

/// Bytes that the kernel may fill.
///
/// # Safety
/// As [`IoBuf`]; besides, [`as_uninit`](Self::as_uninit) and [`as_init`](IoBuf::as_init) begin at
/// the same address, and `as_uninit` is the same memory at each call until `self` is mutated
/// otherwise.
///
/// ```
/// use kael_rt::buf::IoBufMut;
/// assert_eq!(Vec::with_capacity(64).as_uninit().len(), 64);
/// ```
pub unsafe trait IoBufMut: IoBuf {
    /// The whole room, initialised or not: what a read may fill, from its beginning.
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>];

    /// Says that the first `n` bytes are initialised. Types with a length take `n` as theirs.
    ///
    /// # Safety
    /// The first `n` bytes of [`as_uninit`](Self::as_uninit) are initialised.
    ///
    /// ```
    /// use kael_rt::buf::IoBufMut;
    /// let mut buf = Vec::with_capacity(8);
    /// buf.as_uninit()[0].write(b'!');
    /// // SAFETY: the first byte was written just now.
    /// unsafe { buf.set_init(1) };
    /// assert_eq!(buf, b"!");
    /// ```
    unsafe fn set_init(&mut self, n: usize);
}
