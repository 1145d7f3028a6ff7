//! Queued writes that leave together: buffers of pools that wait behind a send of their stream, in one slot.
//!
//! ```text
//!   write_queued(a)   the gate is free: a send of its own
//!   write_queued(b)   a is not sent: a row, in a slot at the gate      (b)
//!   write_queued(c)   the row is the last one there: it is longer now  (b c)
//!   a is sent         one call takes b and c; what is queued now begins the next row
//! ```
//!
//! A buffer of a pool has a size that is known here, so there is a place for it in a slot; others go one by one.
#![forbid(unsafe_code)]

use super::{Op, Request, SendFlags, Step, Traits};
use crate::{
    buf::{IoBufs, PoolBuf, Row},
    driver::{Completion, Fd, Scratch},
    error::Fault,
    sys::MOST,
};
use std::io;

/// Sends a row, and nobody waits to hear of it. It grows while it waits at the gate.
pub(crate) struct SendRow {
    fd: Fd,
    bufs: Row,
    written: usize,
}

impl SendRow {
    /// A row of one. It counts as a queued send of its stream.
    pub(super) fn new(fd: Fd, buf: PoolBuf) -> SendRow {
        let mut row = SendRow { fd, bufs: Row::default(), written: 0 };
        row.push(buf);
        row
    }

    pub(super) fn has_room(&self) -> bool {
        self.bufs.has_room()
    }

    /// The next one of the row, which has room.
    pub(super) fn push(&mut self, buf: PoolBuf) {
        self.fd.queued.set(self.fd.queued.get() + 1);
        self.bufs.push(buf);
    }

    /// What there is no slot for: it was not sent.
    pub(super) fn take_only(mut self) -> (Fd, PoolBuf) {
        let buf = self.bufs.pop().expect("a row of one");
        self.fd.queued.set(self.fd.queued.get() - 1);
        (self.fd.clone(), buf)
    }
}

impl Drop for SendRow {
    fn drop(&mut self) {
        self.fd.queued.set(self.fd.queued.get() - self.bufs.count() as u8);
    }
}

impl Op for SendRow {
    type Output = io::Result<usize>;
    const TRAITS: Traits = Traits { grows: true, ..Traits::SEND };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let total = self.bufs.total_len();
        if self.written >= total {
            return Request::Pass { fd: &self.fd };
        }
        let flags = SendFlags { wait_all: true, quiet: total <= MOST, ..SendFlags::default() };
        if self.bufs.count() == 1 {
            return Request::Send { fd: &self.fd, from: &self.bufs.get(0)[self.written..], flags };
        }
        let message = scratch.message_from(&self.bufs, self.written);
        Request::SendMessage { fd: &self.fd, message, flags }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.written += n.max(0) as usize;
        if n > 0 && self.written < self.bufs.total_len() { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> io::Result<usize> {
        match completion.result() {
            code @ ..0 => Err(Fault::partial(code, self.written)),
            // The last of it was not looked at, if all of it was sent.
            n @ 0.. => Ok(self.bufs.total_len().min(self.written + n as usize)),
        }
    }
}
