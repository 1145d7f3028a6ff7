//! Direct I/O without interrupts (`IORING_SETUP_IOPOLL`): reads and writes of files that were opened for direct I/O go by
//! a second ring, and the core looks for their completions instead of being told.
//!
//! Nothing ends a wait when such an operation is done, so a core does not wait while one is under way: each turn looks once. Whether a
//! device has queues that can be polled shows only in the answer (EOPNOTSUPP, after up to some milliseconds of looking). So what
//! is under way is kept, and what was refused is asked again by the ordinary ring; the first refusal ends it for the core.
//!
//! ```text
//!   start ──▶ under way ── a result ──▶ an event, as any other
//!                │ EOPNOTSUPP, EAGAIN
//!                ▼
//!             refused ── room in the ordinary ring ──▶ under way there
//! ```

use super::{Backend, abi::*, ring::Ring};
use crate::{
    driver::SlotId,
    op::Request,
    sys::{
        event::{Event, Started, clamp},
        packet::PacketAt,
    },
};

/// What such a ring is for, and nothing else.
pub(super) const OPCODES: [u8; 4] = [OP_READV, OP_WRITEV, OP_READ, OP_WRITE];

pub(super) struct Polled {
    ring: Ring,
    /// Submissions without an answer, no more than the queue has entries.
    under_way: Vec<Sqe>,
    refused: Vec<Sqe>,
    /// The device of a file has said that it cannot.
    is_over: bool,
}

impl Polled {
    /// `None`: this kernel makes no such ring.
    pub(super) fn new(entries: u32) -> Option<Polled> {
        let mut ring = Ring::polling(entries).ok()?;
        let allow = |kind, value| Restriction { kind, value, ..Restriction::default() };
        let opcodes = OPCODES.map(|opcode| allow(RESTRICT_OPCODE, opcode));
        ring.restrict(&opcodes);
        ring.enable().ok()?;
        let under_way = Vec::with_capacity(ring.sq_entries() as usize);
        Some(Polled { ring, under_way, refused: Vec::new(), is_over: false })
    }

    /// Whether a turn has to look.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        !self.under_way.is_empty() || !self.refused.is_empty()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn calls(&self) -> u64 {
        self.ring.syscalls
    }

    pub(super) fn submitted(&self) -> u64 {
        self.ring.submitted
    }

    /// Takes a request that is for this ring, if there is room. It is handed over with the next look.
    ///
    /// # Safety
    /// What it points at stays until the slot is reported.
    pub(super) unsafe fn take(&mut self, user_data: u64, request: &Request<'_>) -> bool {
        let full = self.under_way.len() == self.ring.sq_entries() as usize;
        if self.is_over || full || self.ring.room() == 0 {
            return false;
        }
        let Some(sqe) = lower(request) else { return false };
        let sqe = Sqe { user_data, ..sqe };
        // SAFETY: the caller's word.
        unsafe { self.ring.push(sqe) };
        self.under_way.push(sqe);
        true
    }

    /// Hands over what is queued, lets the kernel look at the device once, and reports what is done.
    #[cold]
    pub(super) fn look(&mut self, done: &mut Vec<Event>) {
        if self.under_way.is_empty() {
            return;
        }
        // What the kernel does not take stays queued, and the next turn tries again.
        let _ = self.ring.enter(true, 0, None);
        while let Some(cqe) = self.ring.next() {
            let is_its = |sqe: &Sqe| sqe.user_data == cqe.user_data;
            let Some(at) = self.under_way.iter().position(is_its) else { continue };
            let sqe = self.under_way.swap_remove(at);
            let result = answer(cqe.res);
            self.is_over |= result == -libc::EOPNOTSUPP;
            if result == -libc::EOPNOTSUPP || result == -libc::EAGAIN {
                self.refused.push(sqe);
                continue;
            }
            done.push(Event { user: sqe.user_data, result, flags: 0 });
        }
    }

    fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The next submission that the ordinary ring has to carry out.
    pub(super) fn next_refused(&mut self) -> Option<Sqe> {
        self.refused.pop()
    }
}

impl Backend {
    /// Direct I/O has a ring of its own, so it does not go the short way.
    pub(crate) fn polls_direct(&self) -> bool {
        self.polled.is_some()
    }

    /// Asks the kernel by the ring that is for such a request.
    #[inline]
    pub(crate) fn start_by_kind(
        &mut self,
        id: SlotId,
        at: PacketAt,
        request: Request<'static>,
    ) -> Started {
        if let Some(polled) = &mut self.polled
            // SAFETY: the driver keeps what the request points at until we report the slot.
            && unsafe { polled.take(id.0, &request) }
        {
            return Started::Queued;
        }
        self.start(id, at, request)
    }

    /// Direct I/O is under way of which nobody will be told.
    #[inline]
    pub(super) fn is_polling(&self) -> bool {
        self.polled.as_ref().is_some_and(|polled| polled.is_busy())
    }

    #[cold]
    pub(super) fn look_at_devices(&mut self) {
        let Some(mut polled) = self.polled.take() else { return };
        polled.look(&mut self.own);
        while polled.has_refused() && self.has_room() {
            let Some(sqe) = polled.next_refused() else { break };
            // SAFETY: the driver keeps what it points at until we report the slot.
            unsafe { self.ring.push(sqe) };
        }
        self.polled = Some(polled);
    }
}

/// The submission, if the request is a transfer of a file that was opened for direct I/O.
fn lower(request: &Request<'_>) -> Option<Sqe> {
    let fd = request.fd().filter(|fd| !fd.is_direct() && fd.direct_alignment().is_some())?;
    let (opcode, addr, len, off) = match request {
        Request::Read { into, at, .. } => (OP_READ, into.as_ptr() as u64, clamp(into.len()), *at),
        Request::Write { from, at, .. } => (OP_WRITE, from.as_ptr() as u64, clamp(from.len()), *at),
        Request::ReadVectored { into, at, .. } => {
            (OP_READV, into.vectors.as_ptr() as u64, into.vectors.len() as u32, *at)
        }
        Request::WriteVectored { from, at, .. } => {
            (OP_WRITEV, from.vectors.as_ptr() as u64, from.vectors.len() as u32, *at)
        }
        // All else has nothing that could be polled.
        _ => return None,
    };
    Some(Sqe { opcode, fd: fd.number(), addr, len, off, ..Sqe::default() })
}

fn answer(result: i32) -> i32 {
    #[cfg(test)]
    if let Some(errno) = super::faults::refusing_polls() {
        return -errno;
    }
    result
}
