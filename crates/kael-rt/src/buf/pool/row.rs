//! [`Row`]: buffers of pools, one behind the other, as many as there is a place for.
#![forbid(unsafe_code)]

use super::PoolBuf;
use crate::buf::{IoBuf, IoBufs, MAX_VECTORS};

/// How many: with what a send must know besides they fill a slot.
const MOST: usize = 14;

const _: () = assert!(MOST <= MAX_VECTORS, "one call takes them all");

#[derive(Default)]
pub(crate) struct Row {
    bufs: [Option<PoolBuf>; MOST],
    len: usize,
}

impl Row {
    pub(crate) fn has_room(&self) -> bool {
        self.len < MOST
    }

    /// There is room.
    #[inline]
    pub(crate) fn push(&mut self, buf: PoolBuf) {
        self.bufs[self.len] = Some(buf);
        self.len += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<PoolBuf> {
        self.len = self.len.checked_sub(1)?;
        self.bufs[self.len].take()
    }
}

impl IoBufs for Row {
    fn count(&self) -> usize {
        self.len
    }

    #[inline]
    fn get(&self, i: usize) -> &[u8] {
        self.bufs[i].as_ref().expect("so many were put in").as_init()
    }
}
