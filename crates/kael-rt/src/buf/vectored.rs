//! Several buffers read or written by one operation.

use super::{IoBuf, IoBufMut};
use std::{collections::VecDeque, mem::MaybeUninit};

mod sealed {
    pub trait Sealed {}
    impl<B> Sealed for Vec<B> {}
    impl<B, const N: usize> Sealed for [B; N] {}
    impl<B> Sealed for std::collections::VecDeque<B> {}
    impl Sealed for crate::buf::Row {}
}

/// Several buffers for one write: a `Vec`, a `VecDeque`, an array, or a tuple of up to eight that need not
/// be of one type.
///
/// At most [`crate::buf::MAX_VECTORS`] of them travel in one operation; more make it short.
///
/// ```
/// use kael_rt::buf::IoBufs;
/// assert_eq!(["GET /", " HTTP/1.1\r\n"].count(), 2);
/// ```
pub trait IoBufs: sealed::Sealed + 'static {
    /// How many buffers there are.
    fn count(&self) -> usize;
    /// The bytes of buffer `i`.
    ///
    /// ```
    /// use kael_rt::buf::IoBufs;
    ///
    /// fn total(bufs: &impl IoBufs) -> usize {
    ///     (0..bufs.count()).map(|i| bufs.get(i).len()).sum()
    /// }
    /// assert_eq!(total(&["GET /", " HTTP/1.1\r\n"]), 16);
    /// ```
    fn get(&self, i: usize) -> &[u8];
    /// How many bytes there are in all.
    ///
    /// ```
    /// use kael_rt::buf::IoBufs;
    /// assert_eq!(("GET ", String::from("/index.html"), vec![b'\n']).total_len(), 16);
    /// ```
    fn total_len(&self) -> usize {
        (0..self.count()).map(|i| self.get(i).len()).sum()
    }
}

/// Several buffers for one read: a `Vec` or an array of buffers.
///
/// They are filled in order, each over its whole room.
///
/// ```
/// use kael_rt::buf::IoBufsMut;
/// fn is<T: IoBufsMut>() {}
/// is::<Vec<Vec<u8>>>();
/// is::<[Vec<u8>; 2]>();
/// ```
pub trait IoBufsMut: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn rooms(&mut self, each: &mut dyn FnMut(&mut [MaybeUninit<u8>]));
    #[doc(hidden)]
    fn parts(&mut self) -> impl Iterator<Item = &mut dyn Part>;
}

/// One of several buffers, as the driver sees it when it says how much was filled.
#[doc(hidden)]
pub trait Part {
    fn room(&mut self) -> &mut [MaybeUninit<u8>];
    /// # Safety
    /// The first `n` bytes of the room are initialised.
    unsafe fn filled(&mut self, n: usize);
}

impl<B: IoBufMut> Part for B {
    fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        self.as_uninit()
    }

    unsafe fn filled(&mut self, n: usize) {
        // SAFETY: passed on from the caller.
        unsafe { self.set_init(n) }
    }
}

impl<B: IoBuf> IoBufs for Vec<B> {
    fn count(&self) -> usize {
        self.len()
    }
    fn get(&self, i: usize) -> &[u8] {
        self[i].as_init()
    }
}

impl<B: IoBuf, const N: usize> IoBufs for [B; N] {
    fn count(&self) -> usize {
        N
    }
    fn get(&self, i: usize) -> &[u8] {
        self[i].as_init()
    }
}

impl<B: IoBuf> IoBufs for VecDeque<B> {
    fn count(&self) -> usize {
        VecDeque::len(self)
    }
    fn get(&self, i: usize) -> &[u8] {
        self[i].as_init()
    }
}

macro_rules! tuples {
    ($($($name:ident $i:tt)+;)*) => {$(
        impl<$($name),+> sealed::Sealed for ($($name,)+) {}

        impl<$($name: IoBuf),+> IoBufs for ($($name,)+) {
            fn count(&self) -> usize {
                [$($i),+].len()
            }
            fn get(&self, i: usize) -> &[u8] {
                match i {
                    $($i => self.$i.as_init(),)+
                    _ => panic!("the tuple has {} buffers", self.count()),
                }
            }
        }
    )*};
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}

impl<B: IoBufMut> IoBufsMut for Vec<B> {
    fn rooms(&mut self, each: &mut dyn FnMut(&mut [MaybeUninit<u8>])) {
        self.iter_mut().for_each(|b| each(b.as_uninit()));
    }
    fn parts(&mut self) -> impl Iterator<Item = &mut dyn Part> {
        self.iter_mut().map(|b| b as &mut dyn Part)
    }
}

impl<B: IoBufMut, const N: usize> IoBufsMut for [B; N] {
    fn rooms(&mut self, each: &mut dyn FnMut(&mut [MaybeUninit<u8>])) {
        self.iter_mut().for_each(|b| each(b.as_uninit()));
    }
    fn parts(&mut self) -> impl Iterator<Item = &mut dyn Part> {
        self.iter_mut().map(|b| b as &mut dyn Part)
    }
}
