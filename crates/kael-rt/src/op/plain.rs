//! The transfers that go the short way: what they are, and the memory that they name.
#![forbid(unsafe_code)]

use crate::{driver::Descriptor, sys::MOST};
use std::{mem::MaybeUninit, ptr::NonNull};

/// A transfer of one buffer that needs neither scratch nor a final address: a buffer's bytes stay
/// put when their owner moves. So it is handed over before the operation comes to rest.
#[derive(Clone, Copy)]
pub(crate) enum Plain {
    Recv { wait_all: bool },
    Send { wait_all: bool },
    Read,
    Write,
}

/// The memory of a plain transfer: bytes of a buffer that the operation owns, as many as one call
/// can move.
pub(crate) struct Span<'a> {
    pub(crate) fd: &'a Descriptor,
    pub(crate) at: NonNull<u8>,
    pub(crate) len: usize,
    /// Where in the file.
    pub(crate) offset: u64,
}

impl<'a> Span<'a> {
    /// Memory to be filled. `None`: it is none, or more than one call moves.
    #[inline(always)]
    pub(super) fn into(
        fd: &'a Descriptor,
        room: &mut [MaybeUninit<u8>],
        offset: u64,
    ) -> Option<Span<'a>> {
        let (len, at) = (room.len(), NonNull::new(room.as_mut_ptr())?.cast());
        (len > 0 && len <= MOST).then_some(Span { fd, at, len, offset })
    }

    /// Memory to be sent or written, and not written to. `None` as above.
    #[inline(always)]
    pub(super) fn from(fd: &'a Descriptor, bytes: &[u8], offset: u64) -> Option<Span<'a>> {
        let (len, at) = (bytes.len(), NonNull::new(bytes.as_ptr().cast_mut())?);
        (len > 0 && len <= MOST).then_some(Span { fd, at, len, offset })
    }
}
