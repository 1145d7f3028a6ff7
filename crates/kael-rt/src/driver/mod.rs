//! The driver: the moves between a future and the backend.
//!
//! A future *submits* its operation into a slot, *polls* the slot, or *drops* its key. The loop
//! *turns* the driver: it hands over what is queued, reaps completions, and wakes. The rules of
//! dropped operations (the gates and carries of sockets) are in `gate.rs`, the end in `end.rs`.
//!
//! **No user code runs while the driver is borrowed.** Wakers, buffer methods, the drops of
//! operations and outputs are user code: they may panic, or come back in here. So every move has
//! the form: borrow, decide, let go, act. What must be undone if user code panics has a guard.

mod aligned;
mod completion;
mod descriptor;
mod end;
mod gate;
mod group;
mod guarded;
mod inner;
mod key;
mod ops;
mod pools;
mod rows;
mod short;
mod slot;
mod spares;
mod stage;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use crate::sys::{PoolJob, Scratch, Unpark};
pub(crate) use completion::Completion;
pub(crate) use descriptor::{Descriptor, Fd, Kind};
pub(crate) use group::{Group, Seated};
pub(crate) use key::Key;
pub(crate) use pools::Piece;
pub(crate) use rows::Last;
pub(crate) use slot::{NONE, SlotId};
pub(crate) use spares::{BLOCK, Block, Pipe};
pub(crate) use stage::{Stage, Tag};

use crate::{
    error::Fault,
    op::{Gives, Op, Side},
    rt::BlockingPool,
    sys::{Backend, Granted, PART, RingOptions, buffer_of},
};
use descriptor::Descriptors;
use guarded::{Borrowed, Guarded};
use inner::{Act, Inner, Launch, Taken, Turn};
use ops::Vtable;
use slot::{Body, Slot, State};
use spares::Spares;
use std::{
    cell::Cell,
    io,
    mem::{self, ManuallyDrop},
    ptr::NonNull,
    rc::Rc,
    sync::Arc,
    task::Waker,
};

/// What a driver is made with.
pub(crate) struct DriverConfig {
    /// Entries of the submission queue.
    #[allow(dead_code, reason = "only a ring has a queue")]
    pub(crate) queue_depth: u32,
    #[allow(dead_code, reason = "the simulator has no ring")]
    pub(crate) ring: RingOptions,
    /// Slots: operations that are with the kernel, waiting, or unread.
    pub(crate) max_in_flight: u32,
    /// The seed of a simulated kernel. Real ones have none.
    #[allow(dead_code, reason = "only the simulator has one")]
    pub(crate) seed: u64,
}

/// How many completions a turn handles at most, so that tasks get their turn between.
const EVENTS_PER_TURN: u32 = 256;

/// How long a turn may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    No,
    /// Until something happens, or until that time on the core's clock, in nanoseconds.
    Until(Option<u64>),
}

/// What the driver has counted since it was made.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct DriverCounters {
    pub(crate) syscalls: u64,
    pub(crate) submitted: u64,
    pub(crate) completed: u64,
    pub(crate) in_flight: u64,
    pub(crate) slots: u64,
    pub(crate) carries: u64,
    pub(crate) stale: u64,
    pub(crate) starved: u64,
    pub(crate) zero_copy_sends: u64,
    pub(crate) zero_copy_copied: u64,
    pub(crate) queued_sends: u64,
    pub(crate) gathered_sends: u64,
    pub(crate) spliced_bytes: u64,
    pub(crate) pooled_receives: u64,
    pub(crate) bundled_receives: u64,
    pub(crate) plain_receives: u64,
    pub(crate) pool_starved: u64,
    pub(crate) registered_transfers: u64,
}

/// One core's driver; cloning makes another pointer to it.
#[derive(Clone)]
pub(crate) struct Driver(Rc<Shell>);

struct Shell {
    /// Gone once the driver has ended.
    inner: Guarded<Inner>,
    descriptors: Descriptors,
    spares: Spares,
    /// The end has begun, and keys count.
    ending: Cell<bool>,
    /// What was counted until the end.
    last: Cell<DriverCounters>,
}

pub(crate) enum Submitted<O: Op> {
    Pending(Key),
    Ready(O::Output),
    /// All slots are taken: wait with [`Driver::wait_for_slot`].
    Full(O, Driver),
}

impl Driver {
    /// The backend keeps the time (a simulated kernel does).
    pub(crate) const MOVES_CLOCK: bool = Backend::MOVES_CLOCK;

    pub(crate) fn new(config: &DriverConfig, pool: Arc<BlockingPool>) -> io::Result<Driver> {
        let backend = Backend::new(config, pool)?;
        let driver = Driver(Rc::new(Shell {
            inner: Guarded::gone(),
            descriptors: Descriptors::new(),
            spares: Spares::default(),
            ending: Cell::new(false),
            last: Cell::new(DriverCounters::default()),
        }));
        driver.0.inner.fill(Inner::new(backend, config, driver.tag()));
        Ok(driver)
    }

    /// Another pointer to it that does not count.
    #[inline(always)]
    fn uncounted(&self) -> ManuallyDrop<Driver> {
        // SAFETY: it is never dropped as it is, and whoever holds it knows that somebody counts.
        ManuallyDrop::new(Driver(unsafe { std::ptr::read(&self.0) }))
    }

    /// From here on keys count, those that there are and those that will be made.
    fn count_keys(&self) {
        let keys = self.with(Inner::keys).unwrap_or(0);
        for _ in 0..keys {
            mem::forget(self.clone());
        }
        self.0.ending.set(true);
    }

    fn is_ending(&self) -> bool {
        self.0.ending.get()
    }

    pub(crate) fn tag(&self) -> *const () {
        Rc::as_ptr(&self.0).cast()
    }

    /// As `with`, for what shall be compiled into its place.
    #[inline(always)]
    fn borrow(&self) -> Option<Borrowed<'_, Inner>> {
        self.0.inner.borrow()
    }

    /// As `borrow`, for a few instructions.
    ///
    /// # Safety
    /// As of [`Guarded::glance`].
    #[inline(always)]
    unsafe fn glance(&self) -> Option<Borrowed<'_, Inner, false>> {
        // SAFETY: the caller's word.
        unsafe { self.0.inner.glance() }
    }

    /// Borrows the inner driver for a moment in which no user code runs.
    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> Option<R> {
        self.0.inner.with(f)
    }

    /// A call that the backend answers at once (making a socket, an option).
    pub(crate) fn control<R>(
        &self,
        f: impl FnOnce(&mut Backend) -> io::Result<R>,
    ) -> io::Result<R> {
        self.with(|inner| f(&mut inner.backend))
            .unwrap_or_else(|| Err(Fault::error(Fault::Ended.code())))
    }

    fn descriptors(&self) -> &Descriptors {
        &self.0.descriptors
    }

    /// Takes charge of a descriptor that nobody else owns.
    pub(crate) fn adopt(&self, number: i32, kind: Kind, direct: bool) -> Fd {
        self.descriptors().take(self, number, kind, direct)
    }

    /// Starts an operation that nobody waits for. It is finished even if it has to wait its turn.
    pub(crate) fn leave<O: Op>(&self, op: O) {
        drop(self.clone().queue(op));
    }

    /// Starts an operation that its future leaves to itself at once. It comes back if there is no slot
    /// for it, and its output if the answer is known.
    pub(crate) fn queue<O: Op>(self, op: O) -> Result<(), Submitted<O>> {
        match self.submit(op, Waker::noop()) {
            Submitted::Pending(key) => {
                let waker = key.driver.with(|inner| inner.leave_alone(key.id)).flatten();
                key.spend();
                drop(waker);
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Puts `op` into a slot and asks the kernel. The driver goes into the key.
    pub(crate) fn submit<O: Op>(self, op: O, waker: &Waker) -> Submitted<O> {
        let waker = waker.clone();
        let (slot, id) =
            match self.with(|inner| inner.reserve(&O::TRAITS, Vtable::of::<O>(), waker)) {
                Some(Ok(reserved)) => reserved,
                Some(Err(_)) => return Submitted::Full(op, self),
                None => return Submitted::Ready(op.complete(Completion::refused(Fault::Ended))),
            };
        let body = Slot::body(slot);
        // SAFETY: the slot was just reserved for this operation.
        unsafe { ops::place(body, op) };
        // From here on the key answers for the slot, whatever user code does.
        let key = Key::new(&self, slot, id);
        // SAFETY: the operation is in the body, at its final address, and nobody else has the slot.
        let request = unsafe { ops::request::<O>(body) };
        match key.driver.with(|inner| inner.launch(slot, request, &O::TRAITS, false)) {
            Some(Launch::Pending) => Submitted::Pending(key),
            Some(Launch::Now) | None => key.answered_at_once(),
        }
    }

    /// Reserves nothing, but has `waker` woken when a slot comes free. Returns the place in the
    /// queue, to be given to [`stop_waiting`](Self::stop_waiting).
    pub(crate) fn wait_for_slot<O: Op>(&self, ticket: Option<u64>, waker: &Waker) -> u64 {
        let waker = waker.clone();
        let peer = O::TRAITS.waits_for_peer;
        let (ticket, old) =
            self.with(|inner| inner.wait_for_slot(peer, ticket, waker)).unwrap_or((0, None));
        drop(old);
        ticket
    }

    /// Leaves the queue with a slot in hand.
    pub(crate) fn leave_queue<O: Op>(&self, ticket: u64) {
        let own = self.with(|inner| inner.leave_queue(O::TRAITS.waits_for_peer, ticket));
        drop(own);
    }

    /// Leaves the queue for a slot. If the turn had come already, it goes to the next.
    pub(crate) fn stop_waiting<O: Op>(&self, ticket: u64) {
        let woken = self.with(|inner| inner.stop_waiting(O::TRAITS.waits_for_peer, ticket));
        if let Some((own, next)) = woken {
            drop(own);
            if let Some(waker) = next {
                waker.wake();
            }
        }
    }

    /// Answers an operation that is done. It was taken out of the books already.
    fn answer<O: Op>(&self, id: SlotId, taken: Taken) -> O::Output {
        let Taken { done, pump, waker, freed } = taken;
        // SAFETY: the slot is done and its future is the only owner: the operation is moved out
        // once. If the slot is free already, nothing has run since that could have used it again.
        let op = unsafe { ops::take::<O>(done.body) };
        let release = O::TRAITS.scratch.then(|| Release { driver: self, index: id.index() });
        drop(waker);
        if let Some(waker) = freed {
            waker.wake();
        }
        if let Some((node, side)) = pump {
            self.pump(node, side);
        }
        if done.result == Fault::Panicked.code() {
            self.pass_on(id, op, release);
        }
        if !O::TRAITS.scratch {
            return op.complete(done.completion_of::<O>(self, None));
        }
        // SAFETY: the slot is released only after, so its scratch is nobody else's.
        let scratch = unsafe { &mut (*done.body.as_ptr()).scratch };
        let output = op.complete(done.completion_of::<O>(self, Some(scratch)));
        drop(release);
        output
    }

    /// Reads a turn's events and acts on them. What a panic leaves of them is for the next turn,
    /// and no event is seen twice: a slot may be with the kernel again under the same name.
    #[inline]
    pub(crate) fn turn(&self, mut wait: Wait) -> io::Result<()> {
        loop {
            match self.with(|inner| inner.turn(wait)) {
                Some(Turn::Over(Ok(()))) => break,
                Some(Turn::Over(error)) => return error,
                Some(Turn::Start(id)) => {
                    if self.start_late(id) == Launch::Now {
                        // Its future was woken.
                        wait = Wait::No;
                    }
                }
                None => return Ok(()),
            }
        }
        let mut left = EVENTS_PER_TURN;
        while let Some(Some(act)) = self.borrow().map(|mut inner| inner.reap(&mut left)) {
            match act {
                Act::Wake(waker) => waker.wake(),
                Act::Nothing => {}
                Act::Pump(waker, node) => {
                    // The operation in its slot uses the descriptor until its future takes it.
                    self.pump(node, Side::Write);
                    waker.wake();
                }
                Act::Follow(id) => self.follow_to_the_end(id),
                // SAFETY: the kernel has let go of the operation, which is nobody's. Its slot is free, and
                // nothing has run since that could have used it again.
                Act::Discard(discard, body) => unsafe { discard(body) },
            }
        }
        self.return_buffers();
        Ok(())
    }

    pub(crate) fn flush(&self) {
        self.with(Inner::flush);
    }

    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        self.with(|inner| inner.has_work()).unwrap_or(false)
    }

    /// When the first back-off of the driver ends, in nanoseconds on the core's clock.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.with(|inner| inner.deadline()).flatten()
    }

    /// What the system granted.
    pub(crate) fn granted(&self) -> Option<Granted> {
        self.with(|inner| inner.backend.describe())
    }

    pub(crate) fn unpark(&self) -> Unpark {
        self.with(|inner| inner.backend.unpark()).expect("the driver is alive")
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.with(|inner| inner.in_flight()).unwrap_or(0)
    }

    pub(crate) fn counters(&self) -> DriverCounters {
        match self.with(|inner| inner.counters()) {
            Some(counters) => {
                DriverCounters { spliced_bytes: self.0.spares.spliced_bytes(), ..counters }
            }
            None => self.0.last.get(),
        }
    }

    fn close(&self, number: i32, direct: bool) {
        if self.with(|inner| inner.backend.close(number, direct)).is_none() && !direct {
            crate::sys::close_now(number);
        }
        // Outside its runtime no turn follows that would hand the close over.
        if crate::task::context::try_with(|core| core.driver.tag() == self.tag()) != Some(true) {
            self.flush();
        }
    }
}

/// A slot whose operation was moved out; it is freed when the answer has been read.
struct Release<'a> {
    driver: &'a Driver,
    index: u32,
}

impl Drop for Release<'_> {
    #[inline]
    fn drop(&mut self) {
        self.driver.release(self.index);
    }
}

impl Driver {
    #[inline]
    fn release(&self, index: u32) {
        if let Some(Some(waker)) = self.with(|inner| inner.release(index)) {
            waker.wake();
        }
    }

    /// Drops the operation in a slot unanswered, with nothing borrowed, and frees the slot.
    fn discard(&self, id: SlotId) {
        let Some((vtable, body, waker)) = self.with(|inner| inner.discarded(id)).flatten() else {
            return;
        };
        let release = Release { driver: self, index: id.index() };
        drop(waker);
        // SAFETY: the operation is in the body, the kernel has let go of it, and the slot's state
        // says that nobody else will use it.
        unsafe { (vtable.discard)(body) };
        drop(release);
    }
}

/// An operation whose answer is there.
struct Done {
    body: NonNull<Body>,
    result: i32,
    flags: u32,
    gives: Gives,
    region: (NonNull<u8>, u32, u8),
}

impl Done {
    #[inline(always)]
    fn completion<'a>(&self, driver: &Driver, scratch: Option<&'a mut Scratch>) -> Completion<'a> {
        let mut completion = Completion::new(self.result, self.region, scratch);
        match self.gives {
            Gives::Count | Gives::Received | Gives::Closed => {}
            Gives::Handle => completion.bring(driver, false),
            Gives::DirectHandle => completion.bring(driver, true),
        }
        if let Some(buffer) = buffer_of(self.flags) {
            completion.name_buffer(buffer);
        }
        if self.flags & PART != 0 {
            completion.mark_part();
        }
        completion
    }

    /// As `completion`, for an operation whose traits say what cannot come with it.
    #[inline(always)]
    fn completion_of<'a, O: Op>(
        &self,
        driver: &Driver,
        scratch: Option<&'a mut Scratch>,
    ) -> Completion<'a> {
        if O::TRAITS.gives_more {
            return self.completion(driver, scratch);
        }
        debug_assert!(!matches!(self.gives, Gives::Handle | Gives::DirectHandle));
        Completion::new(self.result, self.region, scratch)
    }
}

impl State {
    /// The kernel, or a job, may touch the body.
    fn is_out(self) -> bool {
        self == State::InFlight
    }
}
