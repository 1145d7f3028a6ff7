//! A read of a stream of reads: into a buffer of a pool, whole unless the file ends.
#![forbid(unsafe_code)]

use super::{Op, Plain, Request, Span, Step, Traits};
use crate::{
    buf::{IoBufMut, PoolBuf},
    driver::{Completion, Fd, Scratch},
};

/// Reads `want` bytes at an offset, again after a short read.
pub(crate) struct ReadAhead {
    fd: Fd,
    at: u64,
    filled: usize,
    read: Ahead,
}

/// What it has brought: the buffer's length says how much.
pub(crate) struct Ahead {
    pub(crate) buf: PoolBuf,
    pub(crate) want: usize,
    /// The error that ended it, or 0.
    pub(crate) code: i32,
}

impl ReadAhead {
    /// `want` is not more than the buffer has room for.
    pub(crate) fn new(fd: Fd, buf: PoolBuf, at: u64, want: usize) -> ReadAhead {
        debug_assert!(want <= buf.capacity() && buf.is_empty());
        ReadAhead { fd, at, filled: 0, read: Ahead { buf, want, code: 0 } }
    }
}

impl Op for ReadAhead {
    type Output = Ahead;
    const TRAITS: Traits =
        Traits { steps: true, cancel_on_drop: true, plain: Some(Plain::Read), ..Traits::PROMPT };

    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        let into = self.read.buf.as_uninit().get_mut(self.filled..self.read.want)?;
        Span::into(&self.fd, into, self.at + self.filled as u64)
    }

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let into = self.read.buf.as_uninit().get_mut(self.filled..self.read.want);
        let into = into.unwrap_or_default();
        Request::Read { fd: &self.fd, into, at: self.at + self.filled as u64 }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        let n = completion.result();
        if n <= 0 || orphan || self.fd.is_end_of_direct(n) {
            return Step::Done;
        }
        self.filled += n as usize;
        Step::Again
    }

    fn complete(mut self, completion: Completion<'_>) -> Ahead {
        // The last one was whole, an error, or met the end of the file.
        let last = completion.result();
        self.read.code = last.min(0);
        let filled = (self.filled + last.max(0) as usize).min(self.read.want);
        self.read.buf.set_len(filled as u32);
        self.read
    }
}
