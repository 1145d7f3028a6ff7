//! Completion over readiness: the backend where the system says when a call would not block, and the calls are ours.
//!
//! ```text
//!    start            the call says something
//!   ───────▶ tried ────────────────────────────▶ (answered, without an event)
//!              │ it would block                          ▲
//!              ▼                 a hint: tried again     │ as an event
//!           waiting ─────────────────────────────────────┘
//!              │ cancelled: nothing has happened ─▶ ECANCELED
//! ```
//!
//! Each descriptor and direction has a first-in, first-out list of requests (`watches.rs`) and remembers whether a call
//! may get something, so no call is spent on what is known. The system is asked for hints only after a call would have
//! blocked; every hint is taken for what it is, and the call repeated. Files are always ready and may take long: they go
//! to the blocking pool, a turn's worth at once, unless the system can say that a read would not wait.

mod attempt;
mod calls;
mod demand;
mod files;
mod groups;
mod hints;
mod remarks;
#[cfg(test)]
mod tests;
mod watches;

use super::{
    Poller, Unpark,
    at_once::AtOnce,
    event::{Event, Started},
    jobs::Jobs,
    packet::PacketAt,
    posix, sendfile, splice,
};
use crate::{
    driver::{Descriptor, DriverConfig, Kind, SlotId, Wait},
    op::{Request, Side},
    rt::BlockingPool,
};
use attempt::Answer;
use groups::Groups;
use std::{collections::VecDeque, io, ptr::NonNull, slice, sync::Arc};
use watches::Watches;

/// What the system says of a descriptor: that a call may be worth trying.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint {
    pub(super) number: i32,
    pub(super) generation: u32,
    /// To be read from, to be written to.
    pub(super) ready: [bool; 2],
    /// No further hint will come, for the direction is over or has an error.
    pub(super) ended: [bool; 2],
    /// Why the system would not be asked for these hints; 0 if this is one. The call is tried, and if it would
    /// still block, this is its error.
    pub(super) refused: i32,
}

pub(crate) struct Backend {
    poller: Poller,
    watches: Watches,
    /// What was done without an answer to `start`.
    own: VecDeque<Event>,
    /// What the system has said, and how much of it was looked at.
    hints: Vec<Hint>,
    seen: usize,
    /// How many are followed in this turn.
    follow: usize,
    /// Directions that are to be tried in the next turn: number, use of the number, side.
    listed: Vec<(i32, u32, Side)>,
    spare: Vec<(i32, u32, Side)>,
    groups: Groups,
    jobs: Jobs,
    /// Reads of files whose task has had enough at once.
    late: VecDeque<(SlotId, Request<'static>)>,
    at_once: AtOnce,
    pub(super) calls: u64,
    submitted: u64,
}

/// Hints that are followed in one turn. Of many, the others wait for the next ones, which need no call for them: what was
/// received is better answered while the kernel's memory of its connection is in the cache.
const HINTS: usize = 32;

/// Where a request is carried out.
enum Way {
    /// By a call that does not block, as soon as this side of the descriptor is ready.
    Socket(i32, Side),
    /// By a call that does not wait for anybody.
    Now,
    /// By a call that says `EAGAIN` to whoever asked, if this side of the descriptor is not ready.
    Once(i32, Side),
    Pool,
}

fn way(request: &Request<'_>) -> Way {
    match request {
        Request::Recv { fd, .. }
        | Request::RecvPooled { fd, .. }
        | Request::RecvMessages { fd, .. }
        | Request::RecvVectored { fd, .. }
        | Request::RecvMessage { fd, .. }
        | Request::Accept { fd, .. }
        | Request::AcceptNext { fd, .. } => Way::Socket(fd.number(), Side::Read),
        Request::Send { fd, .. }
        | Request::SendZeroCopy { fd, .. }
        | Request::SendMessage { fd, .. }
        | Request::SendMessageZeroCopy { fd, .. }
        | Request::Connect { fd, .. } => Way::Socket(fd.number(), Side::Write),
        Request::Ready { fd, side } => Way::Socket(fd.number(), *side),
        Request::Take { fd, .. } => Way::Once(fd.number(), Side::Read),
        Request::Give { fd, .. } => Way::Once(fd.number(), Side::Write),
        Request::Transmit { fd, may_wait: false, .. } => Way::Once(fd.number(), Side::Write),
        Request::Fill { may_wait: false, .. } => Way::Now,
        Request::Fill { .. } | Request::Transmit { .. } | Request::Load { .. } => Way::Pool,
        Request::AwaitClient { .. } => unreachable!("a pipe of Windows"),
        Request::Nop | Request::Pass { .. } | Request::Shutdown { .. } => Way::Now,
        Request::Close { fd } if fd.kind() != Kind::File => Way::Now,
        Request::Close { .. }
        | Request::Read { .. }
        | Request::Write { .. }
        | Request::ReadVectored { .. }
        | Request::WriteVectored { .. }
        | Request::Sync { .. }
        | Request::Truncate { .. }
        | Request::Allocate { .. }
        | Request::Stat { .. }
        | Request::StatPath { .. }
        | Request::Open { .. }
        | Request::Unlink { .. }
        | Request::Rename { .. }
        | Request::MakeDir { .. } => Way::Pool,
        #[cfg(test)]
        Request::Stall { .. } => Way::Pool,
    }
}

impl Backend {
    /// Time is the system's.
    pub(crate) const MOVES_CLOCK: bool = false;
    /// A read of a pipe may leave it to the backend which buffer it gets.
    pub(crate) const PICKS_FOR_PIPES: bool = true;
    /// A call that would wait says `EAGAIN` instead.
    pub(crate) const SOCKETS_BLOCK: bool = false;
    /// A multishot receives when its future looks, so that what is received is used at once.
    pub(crate) const ON_DEMAND: bool = true;

    pub(crate) fn new(_: &DriverConfig, pool: Arc<BlockingPool>) -> io::Result<Backend> {
        let poller = Poller::new()?;
        let jobs = Jobs::new(pool, poller.unpark());
        Ok(Backend {
            poller,
            watches: Watches::default(),
            own: VecDeque::with_capacity(64),
            hints: Vec::with_capacity(256),
            seen: 0,
            follow: 0,
            listed: Vec::with_capacity(64),
            spare: Vec::with_capacity(64),
            groups: Groups::default(),
            jobs,
            late: VecDeque::with_capacity(64),
            at_once: AtOnce::new(),
            calls: 0,
            submitted: 0,
        })
    }

    /// The time that a turn's limit is measured in.
    pub(crate) fn now_ns(&self) -> u64 {
        crate::time::real_now_ns()
    }

    #[inline]
    pub(crate) fn start(
        &mut self,
        id: SlotId,
        _: PacketAt,
        mut request: Request<'static>,
    ) -> Started {
        self.submitted += 1;
        match way(&request) {
            Way::Socket(fd, side) => self.start_on(id, request, fd, side),
            Way::Now => {
                if let Request::Close { fd } = &request {
                    self.give_up(fd.number(), false);
                }
                if let Some(result) = splice::call(&request, &mut self.calls) {
                    return Started::Done(result);
                }
                self.calls += u64::from(!matches!(request, Request::Nop | Request::Pass { .. }));
                Started::Done(posix::call(&mut request))
            }
            Way::Once(fd, side) => {
                let result = splice::call(&request, &mut self.calls)
                    .or_else(|| sendfile::call(&request, &mut self.calls))
                    .unwrap_or(-libc::ENOSYS);
                if result == -libc::EAGAIN {
                    self.watches.side(fd, side).ready = false;
                }
                Started::Done(result)
            }
            Way::Pool => self.start_file(id, request),
        }
    }

    /// Sends what there is room for. `None`: it has to wait, for a hint or for its turn.
    ///
    /// # Safety
    /// Bytes of that length.
    #[inline]
    pub(crate) unsafe fn send_at_once(
        &mut self,
        fd: i32,
        at: NonNull<u8>,
        len: usize,
    ) -> Option<i32> {
        if !self.watches.may_try(fd, Side::Write) || !self.at_once.take() {
            return None;
        }
        self.submitted += 1;
        self.calls += 1;
        // SAFETY: the caller's word.
        let result = posix::send(fd, unsafe { slice::from_raw_parts(at.as_ptr(), len) });
        if result == -libc::EAGAIN {
            self.watches.side(fd, Side::Write).ready = false;
            return None;
        }
        Some(result)
    }

    #[inline]
    fn start_on(
        &mut self,
        id: SlotId,
        mut request: Request<'static>,
        fd: i32,
        side: Side,
    ) -> Started {
        // These come with a turn in any case.
        let is_multishot = matches!(request, Request::RecvPooled { multishot: true, .. });
        let is_late = is_multishot || matches!(request, Request::Ready { .. });
        let direction = self.watches.side(fd, side);
        let (is_first, ready) = (direction.is_free(), direction.ready);
        // To connect is to begin it; all others may wait for the next turn.
        let begins = matches!(request, Request::Connect { .. });
        if is_first && ready && !is_late && (self.at_once.take() || begins) {
            match self.attempt(&mut request, fd, side) {
                Answer { result, .. } if result == -libc::EAGAIN => {}
                Answer { result, flags: 0 } => return Started::Done(result),
                Answer { result, flags } => return Started::Filled(result, flags),
            }
        }
        self.watches.push(id, request, fd, side);
        // Whoever waits before it does not know of it: a multishot has its gate, so nobody does.
        debug_assert!(!is_multishot || is_first, "a multishot waits alone");
        self.watches.get(fd).asks |= is_multishot;
        if !self.watches.side(fd, side).ready {
            if let Err(errno) = self.arm(fd, side) {
                self.watches.remove(id);
                return Started::Done(-errno);
            }
        } else if is_first {
            self.list(fd, side);
        }
        Started::Queued
    }

    /// Stops a request that waits: nothing of it has happened. One that is with a thread goes on.
    pub(crate) fn cancel(&mut self, id: SlotId, _: PacketAt) -> Result<(), ()> {
        let mut stopped = self.watches.remove(id).is_some();
        if !stopped && let Some(i) = self.late.iter().position(|(late, _)| *late == id) {
            self.late.remove(i);
            stopped = true;
        }
        stopped |= self.jobs.remove(id);
        if stopped {
            self.finish(id, -libc::ECANCELED, 0);
        }
        Ok(())
    }

    /// Ends a descriptor that nobody uses.
    pub(crate) fn close(&mut self, number: i32, _: bool) {
        self.give_up(number, false);
        self.calls += 1;
        super::close_now(number);
    }

    /// A number is closed, or goes elsewhere.
    fn give_up(&mut self, number: i32, stays_open: bool) {
        if self.watches.forget(number) {
            self.poller.forget(number, stays_open);
        }
    }

    /// Somebody else owns a number from here on: it blocks, as others expect.
    pub(crate) fn let_go(&mut self, fd: &Descriptor) {
        self.give_up(fd.number(), true);
        self.calls += 1;
        let _ = super::sockets::set_blocking(fd.number(), true);
    }

    /// Ends a stream in both directions; its descriptor stays.
    pub(crate) fn shut_down(&mut self, fd: &Descriptor) {
        self.calls += 1;
        posix::shut_down(fd.number(), std::net::Shutdown::Both);
    }

    /// Is there anything to do for a turn, or anything that only the system knows?
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.own.is_empty()
            || !self.listed.is_empty()
            || self.jobs.has_work()
            || !self.late.is_empty()
            || self.seen < self.hints.len()
            || self.watches.waiting() > 0
    }

    /// Hands over what is for the pool, waits as told, and tries what may be ready.
    pub(crate) fn turn(&mut self, wait: Wait, _: bool) -> io::Result<()> {
        self.at_once.renew();
        if !self.late.is_empty() {
            self.read_late();
        }
        self.flush();
        let has_hints = self.seen < self.hints.len();
        let busy =
            has_hints || !self.own.is_empty() || !self.listed.is_empty() || self.jobs.is_done();
        let limit = match wait {
            Wait::Until(until) if !busy => until.map(|until| until.saturating_sub(self.now_ns())),
            _ => Some(0),
        };
        // What nobody waits for need not be asked for.
        if !has_hints && (limit != Some(0) || self.watches.waiting() > 0) {
            self.hints.clear();
            self.seen = 0;
            self.poller.wait(limit, &mut self.hints)?;
        }
        self.follow = self.hints.len().min(self.seen + HINTS);
        if !self.listed.is_empty() {
            self.try_listed();
        }
        while let Some(Event { user, result, flags }) = self.jobs.next() {
            self.finish(SlotId(user), result, flags);
        }
        Ok(())
    }

    /// Nothing that did not come from the system is apart.
    #[inline]
    pub(crate) fn next_own(&mut self) -> Option<Event> {
        None
    }

    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.own.pop_front() {
            return Some(event);
        }
        while self.seen < self.follow {
            let hint = self.hints[self.seen];
            self.seen += 1;
            let told = self.take_hint(hint);
            if told.is_some() {
                return told;
            }
            if let Some(event) = self.own.pop_front() {
                return Some(event);
            }
        }
        None
    }

    #[inline]
    pub(crate) fn flags(&self, event: Event) -> u32 {
        event.flags
    }

    pub(crate) fn unpark(&self) -> Unpark {
        self.poller.unpark()
    }

    pub(crate) fn syscalls(&self) -> u64 {
        self.calls + self.poller.syscalls()
    }

    pub(crate) fn submitted(&self) -> u64 {
        self.submitted
    }

    pub(crate) fn describe(&self) -> super::Granted {
        super::Granted {
            interface: Poller::INTERFACE,
            model: Poller::MODEL,
            remarks: remarks::remarks(),
            flags: self.poller.describe(),
            queue_entries: [0, 0],
            bytes_mapped: 0,
            lost_completions: 0,
        }
    }
}
