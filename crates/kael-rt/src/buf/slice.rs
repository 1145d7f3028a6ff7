//! A part of a buffer, used as a buffer.

use super::{IoBuf, IoBufMut};
use std::{
    fmt,
    mem::MaybeUninit,
    ops::{Bound, RangeBounds},
};

/// The part of a buffer between two offsets; made by [`IoBuf::slice`].
///
/// A read fills the part from its beginning. It lengthens the buffer below if that was shorter
/// than what is then filled, and never shortens it.
///
/// ```
/// use kael_rt::buf::IoBuf;
/// let part = vec![7u8; 16].slice(4..8);
/// assert_eq!((part.begin(), part.end()), (4, 8));
/// assert_eq!(part.as_init().len(), 4);
/// ```
///
/// A buffer is read into in parts: each part gives the buffer back.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// # client.write_all("head").await.0?;
/// # client.write_all("tail").await.0?;
/// use kael_rt::buf::IoBuf;
/// let (result, part) = stream.read_exact(vec![0; 8].slice(..4)).await;
/// result?;
/// assert_eq!(part.get_ref(), b"head\0\0\0\0");
/// let (result, part) = stream.read_exact(part.into_inner().slice(4..)).await;
/// result?;
/// assert_eq!(part.into_inner(), b"headtail");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct Slice<B> {
    buf: B,
    begin: usize,
    end: usize,
}

impl<B: IoBuf> Slice<B> {
    pub(super) fn new(buf: B, range: impl RangeBounds<usize>) -> Slice<B> {
        let begin = match range.start_bound() {
            Bound::Included(&n) => n,
            Bound::Excluded(&n) => n + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&n) => n.saturating_add(1),
            Bound::Excluded(&n) => n,
            Bound::Unbounded => usize::MAX,
        };
        let init = buf.as_init().len();
        assert!(begin <= init, "a slice begins at {begin}, after the buffer's {init} bytes");
        assert!(begin <= end, "a slice ends at {end}, before it begins at {begin}");
        Slice { buf, begin, end }
    }
}

impl<B> Slice<B> {
    /// Where the part begins in the buffer, in bytes.
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// Where the part ends at the latest; `usize::MAX` if it has no end of its own.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The buffer.
    pub fn get_ref(&self) -> &B {
        &self.buf
    }

    /// The buffer back.
    pub fn into_inner(self) -> B {
        self.buf
    }
}

impl<B: fmt::Debug> fmt::Debug for Slice<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("begin", &self.begin)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

// SAFETY: the bytes are the inner buffer's, which stay put by its own contract; `begin` and `end`
// are never changed.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn as_init(&self) -> &[u8] {
        let all = self.buf.as_init();
        let end = self.end.min(all.len());
        all.get(self.begin..end).unwrap_or(&[])
    }
}

// SAFETY: as above; both views begin at `begin` in the inner buffer.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let all = self.buf.as_uninit();
        let end = self.end.min(all.len());
        all.get_mut(self.begin..end).unwrap_or(&mut [])
    }

    unsafe fn set_init(&mut self, n: usize) {
        let filled = self.begin + n;
        if self.buf.as_init().len() < filled {
            // SAFETY: the bytes before `begin` were initialised when the slice was made (it
            // asserts so, and lengths only grow here), and the caller says the next `n` are.
            unsafe { self.buf.set_init(filled) }
        }
    }
}
