//! What passes between the driver and a backend.

use super::MOST;
use crate::op::Request;
use std::ptr::NonNull;

/// More completions of this operation follow.
pub(crate) const MORE: u32 = 1;
/// Not a result but the notice that a zero-copy send has let go of its buffer.
pub(crate) const NOTIFICATION: u32 = 2;
/// No completion: a multishot may have something for its future, which is to look. Its slot's index is all that is said.
#[allow(dead_code, reason = "only readiness says so")]
pub(crate) const LOOK: u32 = 8;
/// What was received is a part of a message, of which more is to come.
pub(crate) const PART: u32 = 16;
/// The result of a notification: the kernel had to copy the bytes after all
/// (IORING_NOTIF_USAGE_ZC_COPIED, and so the only bit of it).
pub(crate) const COPIED: i32 = i32::MIN;
/// A buffer of a group comes with it.
const BUFFER: u32 = 4;

/// The flags that say which buffer of its group the backend has picked.
pub(crate) fn buffer_flags(buffer: u16) -> u32 {
    BUFFER | u32::from(buffer) << 16
}

/// The buffer that flags name.
#[inline]
pub(crate) fn buffer_of(flags: u32) -> Option<u16> {
    (flags & BUFFER != 0).then_some((flags >> 16) as u16)
}

/// Buffers of one size, one behind the other, that a backend may receive into.
#[derive(Clone, Copy)]
pub(crate) struct Buffers {
    pub(crate) at: NonNull<u8>,
    pub(crate) count: u16,
    pub(crate) size: u32,
    /// From the beginning of one to the beginning of the next.
    pub(crate) stride: usize,
}

/// Several buffers that a receive has filled, and told of at once.
#[derive(Clone, Copy)]
pub(crate) struct Bundle {
    pub(crate) count: u16,
    /// The bytes in each but the last.
    pub(crate) filled: i32,
}

impl Buffers {
    pub(crate) fn get(&self, buffer: u16) -> NonNull<u8> {
        assert!(buffer < self.count, "a buffer of these is named");
        // SAFETY: in bounds of the memory that `at` stands for.
        unsafe { self.at.add(usize::from(buffer) * self.stride) }
    }
}

/// One completion, as the backend reports it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// The slot id that the request was started with.
    pub(crate) user: u64,
    /// A count, a descriptor's number, or a negative errno.
    pub(crate) result: i32,
    pub(crate) flags: u32,
}

/// What became of a request.
pub(crate) enum Started {
    /// A completion will come.
    Queued,
    /// It is done, and none will come. (A ring answers so only of splice(2); readiness mostly does.)
    #[allow(dead_code, reason = "a simulated kernel hardly answers so")]
    Done(i32),
    /// As `Done`, and a buffer of its group comes with the result: flags as an event has them.
    #[allow(dead_code, reason = "only readiness answers so")]
    Filled(i32, u32),
    /// There is no room for it now; nothing was kept.
    #[allow(dead_code, reason = "only a queue can be full")]
    Full,
}

/// The memory that a request names, for a receive.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    pub(crate) at: NonNull<u8>,
    pub(crate) len: u32,
    pub(crate) vectors: u8,
    /// A result of that many bytes is everything that was asked for; 0: any success is.
    pub(crate) asked: u32,
}

impl Region {
    /// Nothing to be filled.
    const NONE: Region = Region { at: NonNull::dangling(), len: 0, vectors: 0, asked: 0 };
    /// Several buffers: only an error is known to be short.
    const MANY: Region = Region { asked: u32::MAX, ..Region::NONE };

    /// One buffer to be filled.
    #[inline(always)]
    pub(crate) fn room(at: *const u8, len: usize) -> Region {
        let at = NonNull::new(at.cast_mut()).unwrap_or(NonNull::dangling());
        Region { at, len: clamp(len), vectors: 0, asked: Region::asked(len) }
    }

    /// What a result must be to be all of `len` bytes. Nothing is all of what one call cannot move.
    #[inline(always)]
    pub(crate) fn asked(len: usize) -> u32 {
        if len <= clamp(len) as usize { len as u32 } else { u32::MAX }
    }

    #[inline(always)]
    pub(crate) fn of(request: &Request<'_>) -> Region {
        match request {
            Request::Read { into, .. } | Request::Recv { into, .. } => {
                Region::room(into.as_ptr().cast(), into.len())
            }
            Request::Write { from, .. }
            | Request::Send { from, .. }
            | Request::SendZeroCopy { from, .. } => {
                Region { asked: Region::asked(from.len()), ..Region::NONE }
            }
            Request::ReadVectored { into, .. } => {
                Region { vectors: into.count() as u8, ..Region::MANY }
            }
            Request::WriteVectored { .. }
            | Request::SendMessage { .. }
            | Request::SendMessageZeroCopy { .. } => Region::MANY,
            #[cfg(test)]
            Request::Stall { into, .. } => Region::room(into.as_ptr().cast(), into.len()),
            Request::RecvVectored { message, .. } => {
                Region { vectors: message.count() as u8, ..Region::MANY }
            }
            Request::RecvMessage { message, .. } => message.region(),
            // What is one of several steps is looked at after each.
            Request::Load { into, .. } => {
                Region { asked: u32::MAX, ..Region::room(into.as_ptr().cast(), into.len()) }
            }
            Request::Fill { .. }
            | Request::Take { .. }
            | Request::Give { .. }
            | Request::Transmit { .. }
            | Request::Ready { .. } => Region::MANY,
            // The others fill nothing whose count matters.
            _ => Region::NONE,
        }
    }
}

#[inline(always)]
pub(crate) fn clamp(len: usize) -> u32 {
    len.min(MOST) as u32
}
