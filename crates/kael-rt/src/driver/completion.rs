//! The kernel's answer, as an operation reads it.

use super::{
    Driver,
    descriptor::{Fd, Kind},
};
use crate::{
    buf::{IoBufMut, IoBufsMut},
    error::Fault,
    sys::{PeerAddr, Scratch, StatBuf},
};
use std::{io, mem::ManuallyDrop, ptr::NonNull};

/// The kernel's answer to one request. Only the driver makes one.
///
/// A descriptor that the kernel gave with it is inside, and is closed when the completion is dropped
/// unread.
pub(crate) struct Completion<'a> {
    result: i32,
    /// What came with it. Its own drop is behind a look at `brought`, which the compiler can
    /// follow: for an operation that can bring nothing it vanishes.
    handle: ManuallyDrop<Option<Fd>>,
    /// The buffer of its pool that the bytes are in. Its operation takes charge of it.
    buffer: Option<u16>,
    /// The message goes on.
    part: bool,
    brought: bool,
    region: NonNull<u8>,
    region_len: u32,
    vectors: u8,
    /// Only operations that say so in their traits have one.
    scratch: Option<&'a mut Scratch>,
}

impl<'a> Completion<'a> {
    #[inline(always)]
    pub(super) fn new(
        result: i32,
        region: (NonNull<u8>, u32, u8),
        scratch: Option<&'a mut Scratch>,
    ) -> Completion<'a> {
        let (region, region_len, vectors) = region;
        let mut completion = Completion::bare(result);
        completion.region = region;
        completion.region_len = region_len;
        completion.vectors = vectors;
        completion.scratch = scratch;
        completion
    }

    #[inline(always)]
    fn bare(result: i32) -> Completion<'a> {
        Completion {
            result,
            handle: ManuallyDrop::new(None),
            buffer: None,
            part: false,
            brought: false,
            region: NonNull::dangling(),
            region_len: 0,
            vectors: 0,
            scratch: None,
        }
    }

    /// The result, if it is no error, is a descriptor that is now in our charge.
    pub(super) fn bring(&mut self, driver: &Driver, direct: bool) {
        if self.result >= 0 {
            *self.handle = Some(driver.adopt(self.result, Kind::File, direct));
            self.brought = true;
        }
    }

    /// The bytes are in a buffer of the operation's pool.
    pub(super) fn name_buffer(&mut self, buffer: u16) {
        self.buffer = Some(buffer);
    }

    /// The buffer of the operation's pool that the bytes are in, which is now the operation's.
    pub(crate) fn buffer(&self) -> Option<u16> {
        self.buffer
    }

    /// What was received is a part of a message, of which more is to come.
    pub(super) fn mark_part(&mut self) {
        self.part = true;
    }

    /// Whether it is. For operations whose traits say that their answer gives more than a count.
    #[allow(dead_code, reason = "only pipes of Windows have messages with parts")]
    pub(crate) fn is_part(&self) -> bool {
        self.part
    }

    /// An answer of our own to an operation that never reached the kernel.
    pub(crate) fn refused(fault: Fault) -> Completion<'a> {
        Completion::bare(fault.code())
    }

    fn scratch(&self) -> &Scratch {
        self.scratch.as_deref().expect("an operation whose traits name the scratch")
    }

    /// The plain result: a count, or a negative error.
    #[inline]
    pub(crate) fn result(&self) -> i32 {
        self.result
    }

    #[inline(always)]
    pub(crate) fn count(&self) -> io::Result<usize> {
        match self.result {
            0.. => Ok(self.result as usize),
            code => Err(Fault::error(code)),
        }
    }

    pub(crate) fn unit(&self) -> io::Result<()> {
        self.count().map(drop)
    }

    /// The descriptor that the kernel made.
    pub(crate) fn into_fd(mut self, kind: Kind) -> io::Result<Fd> {
        self.count()?;
        let fd = self.handle.take().expect("the answer is a descriptor");
        fd.set_kind(kind);
        Ok(fd)
    }

    pub(crate) fn peer(&self) -> &PeerAddr {
        self.scratch().peer()
    }

    /// The peer's address after a received message.
    pub(crate) fn message_peer(&mut self) -> &PeerAddr {
        if let Some(scratch) = &mut self.scratch {
            scratch.settle_message();
        }
        self.scratch().peer()
    }

    #[cfg_attr(not(test), expect(dead_code, reason = "public with pktinfo"))]
    pub(crate) fn control(&self) -> &[u8] {
        self.scratch().control()
    }

    pub(crate) fn stat(&self) -> &StatBuf {
        self.scratch().stat()
    }

    /// Tells `buf`, in which `kept` bytes were there already, how much the kernel wrote.
    #[inline(always)]
    pub(crate) fn fill<B: IoBufMut>(&self, kept: usize, buf: &mut B) -> io::Result<usize> {
        let n = self.count()?;
        let room = buf.as_uninit();
        assert!(
            n <= self.region_len as usize
                && kept + n <= room.len()
                && room.as_mut_ptr().cast::<u8>().wrapping_add(kept) == self.region.as_ptr(),
            "the buffer is not where it was when it was lent: its IoBufMut breaks its contract"
        );
        // SAFETY: the kernel (or the driver, from a carry) wrote `n` bytes at `region`, which is
        // this buffer's memory from `kept` on, and the operation says that it filled the rest.
        unsafe { buf.set_init(kept + n) };
        Ok(n)
    }

    /// Tells each of `bufs` how much the kernel wrote into it.
    pub(crate) fn fill_vectored(&self, bufs: &mut impl IoBufsMut) -> io::Result<usize> {
        let n = self.count()?;
        let mut rest = n;
        if n == 0 && self.vectors == 0 {
            return Ok(0);
        }
        let regions = self.scratch().regions(usize::from(self.vectors));
        for ((at, len), part) in regions.zip(bufs.parts()) {
            let room = part.room();
            assert!(
                std::ptr::eq(room.as_mut_ptr().cast(), at) && room.len() == len,
                "a buffer is not where it was when it was lent: its IoBufMut breaks its contract"
            );
            let filled = rest.min(len);
            // SAFETY: vectors are filled in order, so this one got `filled` of the `n` bytes.
            unsafe { part.filled(filled) };
            rest -= filled;
        }
        assert_eq!(rest, 0, "more bytes than there was room for");
        Ok(n)
    }
}

impl Drop for Completion<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.brought {
            // SAFETY: dropped once, here; nobody uses the field afterwards.
            unsafe { ManuallyDrop::drop(&mut self.handle) };
        }
    }
}
