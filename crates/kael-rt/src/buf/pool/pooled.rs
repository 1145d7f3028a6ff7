//! [`PoolBuf`]: one buffer of a pool.

use super::Shared;
use crate::buf::{IoBuf, IoBufMut};
use std::{
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    rc::Rc,
    slice,
};

/// A buffer of a [`BufferPool`](super::BufferPool), empty or with what was received. Dropping it gives it
/// back, without a system call. It keeps the pool's memory, and may outlive pool and runtime.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{buf::BufferPool, net::{TcpListener, TcpStream}};
/// let pool = BufferPool::new(4, 16)?;
/// let mut buf = pool.try_get().expect("none is used yet");
/// assert_eq!((buf.len(), buf.capacity()), (0, 16));
/// assert_eq!(buf.put(b"more than sixteen bytes"), 16);
/// buf.truncate(9);
/// buf[0] = b'M';
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (stream, _) = listener.accept().await?;
/// let (n, mut buf) = client.write_all(buf).await;
/// assert_eq!(n?, 9);
/// buf.clear();
/// assert_eq!(&stream.read(buf).await.1[..], b"More than");
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct PoolBuf {
    shared: Rc<Shared>,
    place: Place,
}

/// Which buffer it is, and how much of it is filled: one number, so that a buffer is moved in two registers.
#[derive(Clone, Copy)]
struct Place(u64);

impl Place {
    #[inline]
    fn new(index: u16, len: u32) -> Place {
        Place(u64::from(index) << 32 | u64::from(len))
    }

    #[inline]
    fn index(self) -> u16 {
        (self.0 >> 32) as u16
    }

    #[inline]
    fn len(self) -> u32 {
        self.0 as u32
    }
}

impl PoolBuf {
    #[inline]
    pub(crate) fn new(shared: Rc<Shared>, index: u16, len: u32) -> PoolBuf {
        PoolBuf { shared, place: Place::new(index, len) }
    }

    /// One that the kernel had, with the first `len` bytes filled.
    #[inline]
    pub(crate) fn received(shared: Rc<Shared>, index: u16, len: usize) -> PoolBuf {
        debug_assert!(len <= shared.size());
        shared.received();
        PoolBuf { shared, place: Place::new(index, len as u32) }
    }

    /// How many bytes it has room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.shared.size()
    }

    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.set_len(0);
    }

    /// Leaves the first `len` bytes, if there are more.
    pub fn truncate(&mut self, len: usize) {
        self.set_len(self.place.len().min(u32::try_from(len).unwrap_or(u32::MAX)));
    }

    /// Appends as many of `bytes` as there is room for, and says how many.
    pub fn put(&mut self, bytes: &[u8]) -> usize {
        let len = self.place.len() as usize;
        let n = bytes.len().min(self.capacity() - len);
        // SAFETY: the room of this buffer, which nobody else uses; all of it is initialised (zeros at first).
        let room = unsafe { slice::from_raw_parts_mut(self.at().add(len), n) };
        room.copy_from_slice(&bytes[..n]);
        self.set_len((len + n) as u32);
        n
    }

    #[inline]
    fn at(&self) -> *mut u8 {
        self.shared.at(self.place.index()).as_ptr()
    }

    /// The first `len` bytes, not more than it has room for, are filled.
    #[inline]
    pub(crate) fn set_len(&mut self, len: u32) {
        debug_assert!(len as usize <= self.capacity());
        self.place = Place::new(self.place.index(), len);
    }
}

impl Deref for PoolBuf {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: this buffer's bytes: of the pool's memory, which `shared` keeps, initialised, and nobody
        // else's while this value lives.
        unsafe { slice::from_raw_parts(self.at(), self.place.len() as usize) }
    }
}

impl DerefMut for PoolBuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; and `self` is borrowed for as long.
        unsafe { slice::from_raw_parts_mut(self.at(), self.place.len() as usize) }
    }
}

impl AsRef<[u8]> for PoolBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

// SAFETY: the bytes lie in the pool's memory, which stays where it is, and are this value's alone.
unsafe impl IoBuf for PoolBuf {
    #[inline]
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: as above; both begin at the beginning of the buffer.
unsafe impl IoBufMut for PoolBuf {
    #[inline]
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the whole room of this buffer.
        unsafe { slice::from_raw_parts_mut(self.at().cast(), self.shared.size()) }
    }

    #[inline]
    unsafe fn set_init(&mut self, n: usize) {
        self.set_len(n as u32);
    }
}

impl Drop for PoolBuf {
    #[inline]
    fn drop(&mut self) {
        self.shared.put_back(self.place.index());
    }
}

impl std::fmt::Debug for PoolBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolBuf")
            .field("len", &self.place.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
