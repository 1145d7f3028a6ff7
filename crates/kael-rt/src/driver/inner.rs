//! What the driver knows, and its decisions. Nothing in here runs user code.

mod answers;
mod carry;
mod chains;
mod ends;
mod items;
mod launch;
mod quiet;
mod spills;
mod waiting;

use super::{
    DriverConfig, DriverCounters, Wait,
    descriptor::Descriptor,
    ops::Vtable,
    slot::{Body, NONE, Slot, SlotId, Slots, State},
    steps::Stepping,
};
use crate::{
    buf::PoolShared,
    error::Fault,
    op::{Gives, Side},
    sys::Backend,
};
use std::{
    any::Any,
    collections::VecDeque,
    io,
    ptr::{self, NonNull},
    rc::Weak,
    task::Waker,
};

/// The longest time between two attempts, in milliseconds.
const MAX_DELAY_MS: u32 = 50;

/// How long a turn waits at most while something waits for room in the submission queue.
const NO_ROOM_NS: u64 = 1_000_000;

pub(super) struct Inner {
    /// Tells this driver from others. Null once it is ending, so that one look finds both.
    tag: *const (),
    pub(super) slots: Slots,
    pub(super) backend: Backend,
    /// Requests that the backend has taken, and those that it has let go of.
    started: u64,
    ended: u64,
    /// Slots that asked for room in the submission queue in vain, and those whose delay is over.
    backlog: List,
    /// Slots whose operation shall be cancelled.
    cancels: Vec<u32>,
    delayed: Vec<(u64, SlotId)>,
    /// Futures that wait for a slot: [prompt, waiting for a peer].
    waiters: [VecDeque<(u64, Waker)>; 2],
    waiting_futures: usize,
    next_ticket: u64,
    /// The pools that the backend may receive into, each at its group's number.
    pub(super) pools: Vec<Weak<PoolShared>>,
    /// Their buffers that nobody will read: (group, buffer).
    pub(super) returned: Vec<(u16, u16)>,
    /// What dropped receives had got in buffers of pools, copied out: the slot of the carry, the bytes.
    spills: Vec<(u32, Vec<u8>)>,
    spare_spills: Vec<Vec<u8>>,
    pub(super) pooled_receives: u64,
    pub(super) pool_starved: u64,
    items: Vec<Item>,
    free_item: u32,
    pub(super) items_seen: u64,
    pub(super) carries: u32,
    /// Carries that were read to their end; their operations are to be dropped.
    pub(super) spent: Vec<SlotId>,
    stale: u64,
    starved: u64,
    zero_copy_sends: u64,
    zero_copy_copied: u64,
    /// Quiet sends whose answers have not been read.
    quiet: u32,
    /// Somebody waits for what one of them holds.
    hurried: bool,
    /// Those that took the short way.
    queued_sends: u64,
    /// Receives of streams that took a buffer before they asked, because their messages are large.
    pub(super) plain_receives: u64,
    /// Buffers that came together with the one behind them.
    bundled: u64,
    /// Queued writes that were put behind another one, to go out with it.
    pub(super) rows_grown: u64,
    pub(super) ending: bool,
    /// Panics in operations' own code, until their futures take them.
    panics: Vec<(SlotId, Panic)>,
}

/// What a panic carries.
pub(super) type Panic = Box<dyn Any + Send>;

/// What is to be done about a completion, with nothing borrowed.
pub(super) enum Act {
    Nothing,
    Wake(Waker),
    /// Its future is woken, and the next writer may go.
    Pump(Waker, NonNull<Descriptor>),
    /// The operation's own code, or the end of an orphan.
    Follow(SlotId),
    /// An operation of nobody's is over. Its slot is free already; it only has to be dropped, at once.
    Discard(unsafe fn(NonNull<Body>), NonNull<Body>),
}

/// What a turn has to do next.
pub(super) enum Turn {
    /// A slot that had to wait is to be started first.
    Start(SlotId),
    Over(io::Result<()>),
}

/// An answer on its way to its future.
pub(super) struct Taken {
    pub(super) done: super::Done,
    pub(super) pump: Option<(NonNull<Descriptor>, Side)>,
    pub(super) waker: Option<Waker>,
    /// Somebody who waits for a slot, if one was freed.
    pub(super) freed: Option<Waker>,
}

/// Whether an operation is with somebody else now, or has its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Launch {
    Pending,
    Now,
}

/// A first-in, first-out list of slots, linked through their heads.
#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// A completion of a multishot that its future has not seen yet.
struct Item {
    result: i32,
    flags: u32,
    next: u32,
}

impl Inner {
    pub(super) fn new(backend: Backend, config: &DriverConfig, tag: *const ()) -> Inner {
        Inner {
            tag,
            slots: Slots::new(config.max_in_flight),
            backend,
            started: 0,
            ended: 0,
            backlog: List { first: NONE, last: NONE },
            cancels: Vec::with_capacity(64),
            delayed: Vec::with_capacity(4),
            waiters: [VecDeque::new(), VecDeque::new()],
            waiting_futures: 0,
            next_ticket: 1,
            pools: Vec::new(),
            returned: Vec::with_capacity(64),
            spills: Vec::with_capacity(16),
            spare_spills: Vec::with_capacity(16),
            pooled_receives: 0,
            pool_starved: 0,
            items: Vec::new(),
            free_item: NONE,
            items_seen: 0,
            carries: 0,
            spent: Vec::with_capacity(4),
            stale: 0,
            starved: 0,
            zero_copy_sends: 0,
            zero_copy_copied: 0,
            quiet: 0,
            hurried: false,
            queued_sends: 0,
            plain_receives: 0,
            bundled: 0,
            rows_grown: 0,
            ending: false,
            panics: Vec::new(),
        }
    }

    pub(super) fn tag(&self) -> *const () {
        self.tag
    }

    /// Makes the answer an error.
    pub(super) fn fail(&mut self, id: SlotId, result: i32) {
        let Some(slot) = self.slots.find(id) else { return };
        let head = self.slots.head_at(slot);
        head.result = result;
        head.marks.state = State::Done;
        if head.chain != NONE {
            self.go_on(slot);
        }
    }

    /// An operation's own code has panicked. Gives the panic back if there is no such operation.
    pub(super) fn panicked(&mut self, id: SlotId, panic: Panic) -> Option<Panic> {
        if self.slots.current(id).is_none() {
            return Some(panic);
        }
        self.fail(id, Fault::Panicked.code());
        self.panics.push((id, panic));
        None
    }

    /// The driver ends: nothing new begins.
    pub(super) fn begin_to_end(&mut self) {
        self.ending = true;
        self.tag = ptr::null();
        for index in 0..self.slots.len() {
            // From here on everything is looked at closely, see `Key`.
            let head = self.slots.head(index);
            head.marks.look_closely();
            head.enough = i32::MAX;
        }
    }

    /// How many slots have a future.
    pub(super) fn keys(&mut self) -> usize {
        let slots = 0..self.slots.len();
        let mut has_key = |index: &u32| {
            let head = self.slots.head(*index);
            !head.marks.orphan && head.marks.state != State::Free
        };
        slots.filter(|index| has_key(index)).count()
    }

    pub(super) fn panic_of(&mut self, id: SlotId) -> Option<Panic> {
        let i = self.panics.iter().position(|(of, _)| *of == id)?;
        Some(self.panics.swap_remove(i).1)
    }

    #[inline]
    pub(super) fn set_waker(&mut self, id: SlotId, waker: Waker) -> Option<Waker> {
        match self.slots.current(id) {
            Some(head) => head.waker.replace(waker),
            None => Some(waker),
        }
    }

    pub(super) fn done(&mut self, index: u32) -> super::Done {
        let body = self.slots.body(index);
        let head = self.slots.head(index);
        let region = (head.region, head.region_len, head.marks.vectors);
        super::Done {
            body,
            result: head.result,
            flags: head.marks.flags,
            gives: head.marks.gives,
            region,
        }
    }

    /// The operation's own code, if it wants to see its completion.
    pub(super) fn step_of(&mut self, id: SlotId) -> Option<Stepping> {
        let head = self.slots.current(id)?;
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        if !head.vtable.traits.steps
            || whole
            || (head.marks.orphan && head.marks.side == Some(Side::Read))
        {
            return None;
        }
        head.marks.seen = true;
        head.marks.begun = true;
        head.marks.repeats = 0;
        let (vtable, orphan, stop) = (head.vtable, head.marks.orphan, head.marks.stop);
        Some(Stepping { vtable, done: self.done(id.index()), orphan, stop })
    }

    pub(super) fn again(&mut self, id: SlotId) -> Option<(&'static Vtable, NonNull<Slot>)> {
        if self.ending {
            self.fail(id, Fault::Ended.code());
            return None;
        }
        let slot = self.slots.find(id)?;
        let head = self.slots.head_at(slot);
        head.marks.state = State::Reserved;
        Some((head.vtable, slot))
    }

    #[inline]
    pub(super) fn turn(&mut self, mut wait: Wait) -> Turn {
        if (self.backlog.first != NONE || !self.delayed.is_empty())
            && let Some(id) = self.next_waiting()
        {
            return Turn::Start(id);
        }
        while let Some(index) = self.cancels.pop() {
            let head = self.slots.head(index);
            if head.marks.cancelled && head.marks.state == State::InFlight {
                let id = head.id;
                let packet = Slot::packet(self.slots.at(index));
                if self.backend.cancel(id, packet).is_err() {
                    self.cancels.push(index);
                    break;
                }
            }
        }
        // What there was no room for must not wait for a completion that may never come.
        if let Wait::Until(until) = wait
            && (!self.cancels.is_empty() || self.backlog.first != NONE)
        {
            let soon = self.backend.now_ns() + NO_ROOM_NS;
            wait = Wait::Until(Some(until.map_or(soon, |until| until.min(soon))));
        }
        let patient = self.is_patient();
        Turn::Over(self.backend.turn(wait, patient))
    }

    pub(super) fn flush(&mut self) {
        self.backend.flush();
    }

    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.backend.has_work()
            || !self.cancels.is_empty()
            || self.backlog.first != NONE
            || (!self.delayed.is_empty() && self.is_due())
    }

    pub(super) fn in_flight(&self) -> u32 {
        (self.started - self.ended) as u32
    }

    pub(super) fn release(&mut self, index: u32) -> Option<Waker> {
        let slot = self.slots.at(index);
        let waits_for_peer = self.slots.head_at(slot).vtable.traits.waits_for_peer;
        self.slots.release(slot, waits_for_peer);
        if self.waiting_futures == 0 {
            return None;
        }
        self.next_waiter(true)
    }

    pub(super) fn discarded(
        &mut self,
        id: SlotId,
    ) -> Option<(&'static Vtable, NonNull<Body>, Option<Waker>)> {
        let head = self.slots.current(id)?;
        head.marks.state = State::Reserved;
        let (vtable, waker) = (head.vtable, head.waker.take());
        Some((vtable, self.slots.body(id.index()), waker))
    }

    pub(super) fn counters(&self) -> DriverCounters {
        DriverCounters {
            syscalls: self.backend.syscalls(),
            submitted: self.backend.submitted(),
            completed: self.ended + self.items_seen,
            in_flight: self.started - self.ended,
            slots: u64::from(self.slots.used()),
            carries: u64::from(self.carries),
            stale: self.stale,
            starved: self.starved,
            zero_copy_sends: self.zero_copy_sends,
            zero_copy_copied: self.zero_copy_copied,
            queued_sends: self.queued_sends,
            gathered_sends: self.rows_grown,
            spliced_bytes: 0,
            pooled_receives: self.pooled_receives,
            bundled_receives: self.bundled,
            plain_receives: self.plain_receives,
            pool_starved: self.pool_starved,
            registered_transfers: self.backend.registered_transfers(),
        }
    }
}

/// What a request's memory is, for requests that receive.
impl Gives {
    pub(super) fn may_be_lost(self) -> bool {
        matches!(self, Gives::Received | Gives::Handle | Gives::DirectHandle)
    }
}
