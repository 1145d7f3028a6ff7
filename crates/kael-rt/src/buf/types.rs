//! The types of the standard library (and of `bytes`) that are buffers.

use super::{IoBuf, IoBufMut};
use std::mem::MaybeUninit;

// SAFETY: the heap block of a Vec moves only when the Vec itself is touched.
unsafe impl IoBuf for Vec<u8> {
    #[inline]
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: as above; the room is the Vec's own block, which begins where its bytes begin.
unsafe impl IoBufMut for Vec<u8> {
    #[inline]
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let (ptr, capacity) = (self.as_mut_ptr(), self.capacity());
        // SAFETY: a Vec owns `capacity` bytes at `ptr`, and MaybeUninit claims nothing of them.
        unsafe { std::slice::from_raw_parts_mut(ptr.cast(), capacity) }
    }

    #[inline]
    unsafe fn set_init(&mut self, n: usize) {
        assert!(n <= self.capacity(), "more bytes than the Vec has room for");
        // SAFETY: the caller says the first `n` bytes are initialised, and they fit.
        unsafe { self.set_len(n) }
    }
}

// SAFETY: a boxed slice's block never moves.
unsafe impl IoBuf for Box<[u8]> {
    #[inline]
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Box<[u8]> {
    #[inline]
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let bytes: &mut [u8] = self;
        // SAFETY: same memory, same length; whoever gets this writes initialised bytes only (the
        // kernel does, and the runtime's own copies do).
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
    }

    #[inline]
    unsafe fn set_init(&mut self, n: usize) {
        assert!(n <= self.len(), "more bytes than the slice is long");
    }
}

// SAFETY: a String is a Vec of bytes.
unsafe impl IoBuf for String {
    fn as_init(&self) -> &[u8] {
        self.as_bytes()
    }
}

// SAFETY: static memory does not move and is not written.
unsafe impl IoBuf for &'static [u8] {
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: as above.
unsafe impl IoBuf for &'static str {
    fn as_init(&self) -> &[u8] {
        self.as_bytes()
    }
}

// SAFETY: as above; the reference is to the array, so it stays put.
unsafe impl<const N: usize> IoBuf for &'static [u8; N] {
    fn as_init(&self) -> &[u8] {
        *self
    }
}

#[cfg(feature = "bytes")]
mod with_bytes {
    use super::{IoBuf, IoBufMut, MaybeUninit};

    // SAFETY: the block behind a Bytes is immutable and stays put while it is referenced.
    unsafe impl IoBuf for bytes::Bytes {
        fn as_init(&self) -> &[u8] {
            self
        }
    }

    // SAFETY: the block moves only when the BytesMut itself is touched, and is not shared.
    unsafe impl IoBuf for bytes::BytesMut {
        fn as_init(&self) -> &[u8] {
            self
        }
    }

    // SAFETY: as above; the room begins where the bytes begin.
    unsafe impl IoBufMut for bytes::BytesMut {
        fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
            let (ptr, capacity) = (self.as_mut_ptr(), self.capacity());
            // SAFETY: a BytesMut owns `capacity` bytes at `ptr`.
            unsafe { std::slice::from_raw_parts_mut(ptr.cast(), capacity) }
        }

        unsafe fn set_init(&mut self, n: usize) {
            assert!(n <= self.capacity(), "more bytes than the buffer has room for");
            // SAFETY: the caller says the first `n` bytes are initialised, and they fit.
            unsafe { self.set_len(n) }
        }
    }
}
