//! The driver: the moves between a future and the backend.
//!
//! A future *submits* its operation into a slot, *polls* the slot, or *drops* its key. The loop
//! *turns* the driver: it hands over what is queued, reaps completions, and wakes. The rules of
//! dropped operations (the gates and carries of sockets) are in `gate.rs`, the end in `end.rs`.
//!
//! **No user code runs while the driver is borrowed.** Wakers, buffer methods, the drops of
//! operations and outputs are user code: they may panic, or come back in here. So every move has
//! the form: borrow, decide, let go, act. What must be undone if user code panics has a guard.

mod completion;
mod descriptor;
mod end;
mod gate;
mod inner;
mod ops;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use crate::sys::{PoolJob, Scratch, Unpark};
pub(crate) use completion::Completion;
#[cfg(test)]
pub(crate) use completion::Lent;
pub(crate) use descriptor::{Descriptor, Fd, Kind};
pub(crate) use slot::SlotId;

use crate::{
    error::Fault,
    op::{Gives, Op, Side, Step},
    rt::BlockingPool,
    sys::{Backend, Batch, Granted, buffer_of},
};
use descriptor::Descriptors;
use inner::{Act, Inner, Launch, Taken, Turn};
use ops::Vtable;
use slot::{Body, State};
use std::{
    cell::{Cell, RefCell},
    io, mem,
    os::fd::{IntoRawFd, OwnedFd},
    ptr::NonNull,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
};

/// What a driver is made with.
pub(crate) struct DriverConfig {
    /// Entries of the submission queue.
    pub(crate) queue_depth: u32,
    /// Slots: operations that are with the kernel, waiting, or unread.
    pub(crate) max_in_flight: u32,
    /// The seed of a simulated kernel.
    pub(crate) seed: u64,
}

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
}

/// One core's driver; cloning makes another pointer to it.
#[derive(Clone)]
pub(crate) struct Driver(Rc<Shell>);

struct Shell {
    /// `None` once the driver has ended.
    inner: RefCell<Option<Inner>>,
    batch: RefCell<Batch>,
    descriptors: Descriptors,
    /// What was counted until the end.
    last: Cell<DriverCounters>,
}

/// The right to the operation in one slot. Dropping it drops the operation, by the rules.
pub(crate) struct Key {
    driver: Driver,
    id: SlotId,
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
            inner: RefCell::new(None),
            batch: RefCell::new(Batch::new()),
            descriptors: Descriptors::new(),
            last: Cell::new(DriverCounters::default()),
        }));
        *driver.0.inner.borrow_mut() = Some(Inner::new(backend, config, driver.tag()));
        Ok(driver)
    }

    fn tag(&self) -> *const () {
        Rc::as_ptr(&self.0).cast()
    }

    /// Borrows the inner driver for a moment in which no user code runs.
    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> Option<R> {
        self.0.inner.borrow_mut().as_mut().map(f)
    }

    /// A call that the backend answers at once (making a socket, an option).
    pub(crate) fn control<R>(&self, f: impl FnOnce(&mut Backend) -> io::Result<R>) -> io::Result<R> {
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

    /// Takes charge of a descriptor of the standard library.
    pub(crate) fn adopt_owned(&self, fd: OwnedFd, kind: Kind) -> Fd {
        self.adopt(fd.into_raw_fd(), kind, false)
    }

    /// Starts an operation that nobody waits for. It is finished even if it has to wait its turn.
    pub(crate) fn leave<O: Op>(&self, op: O) {
        if let Submitted::Pending(key) = self.clone().submit(op, Waker::noop()) {
            let waker = self.with(|inner| inner.leave_alone(key.id)).flatten();
            key.spent();
            drop(waker);
        }
    }

    /// Puts `op` into a slot and asks the kernel. The driver goes into the key.
    #[inline]
    pub(crate) fn submit<O: Op>(self, op: O, waker: &Waker) -> Submitted<O> {
        let vtable = Vtable::of::<O>();
        let (id, body) = match self.with(|inner| inner.reserve(O::TRAITS, vtable)) {
            Some(Some(reserved)) => reserved,
            Some(None) => return Submitted::Full(op, self),
            None => return Submitted::Ready(op.complete(Completion::refused(Fault::Ended))),
        };
        // SAFETY: the slot was just reserved for this operation.
        unsafe { ops::place(body, op) };
        // From here on the key answers for the slot, whatever user code does.
        let key = Key { driver: self, id };
        // SAFETY: the operation is in the body, at its final address, and nobody else has the slot.
        let request = unsafe { ops::request::<O>(body) };
        let waker = waker.clone();
        let launch = key.driver.with(|inner| {
            let launch = inner.launch(id, request, false);
            (launch, inner.set_waker(id, waker))
        });
        match launch {
            Some((Launch::Pending, _none)) => Submitted::Pending(key),
            _ => key.answered_at_once(),
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

    /// Runs an operation's own code after a completion, until it is with the kernel or done.
    #[inline]
    fn follow(&self, id: SlotId, launch: Launch) -> Launch {
        if launch == Launch::Pending {
            return launch;
        }
        match self.with(|inner| inner.step_of(id)).flatten() {
            None => Launch::Now,
            Some(stepping) => self.step(id, stepping),
        }
    }

    fn step(&self, id: SlotId, mut stepping: Stepping) -> Launch {
        loop {
            let failed = FailOnPanic { driver: self, id };
            // SAFETY: the operation is in the body and the kernel has let go of it.
            let wants = unsafe { stepping.run(self) };
            mem::forget(failed);
            match wants {
                Step::Done => return Launch::Now,
                Step::Again | Step::Later(_) if stepping.stop.is_some() => {
                    let code = stepping.stop.map_or(0, Fault::code);
                    self.with(|inner| inner.fail(id, code));
                    return Launch::Now;
                }
                Step::Later(ms) => {
                    self.with(|inner| inner.delay(id, ms));
                    return Launch::Pending;
                }
                Step::Again => match self.relaunch(id) {
                    Some(Launch::Pending) => return Launch::Pending,
                    _ => match self.with(|inner| inner.step_of(id)).flatten() {
                        Some(next) => stepping = next,
                        None => return Launch::Now,
                    },
                },
            }
        }
    }

    /// Lowers the operation once more and starts it. It has its gate already.
    fn relaunch(&self, id: SlotId) -> Option<Launch> {
        let (vtable, body) = self.with(|inner| inner.again(id)).flatten()?;
        let failed = FailOnPanic { driver: self, id };
        // SAFETY: the operation is in the body, the kernel has let go of its last request.
        let request = unsafe { (vtable.request)(body) };
        mem::forget(failed);
        self.with(|inner| inner.start(id, request))
    }

    /// Answers an operation that is done. It was taken out of the books already.
    #[inline(always)]
    fn answer<O: Op>(&self, index: u32, taken: Taken) -> O::Output {
        let Taken { done, pump, waker, freed } = taken;
        // SAFETY: the slot is done and its future is the only owner: the operation is moved out
        // once. If the slot is free already, nothing has run since that could have used it again.
        let op = unsafe { ops::take::<O>(done.body) };
        let release = O::TRAITS.scratch.then(|| Release { driver: self, index });
        drop(waker);
        if let Some(waker) = freed {
            waker.wake();
        }
        if let Some((node, side)) = pump {
            self.pump(node, side);
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

    /// Reads a turn's events and acts on them.
    #[inline]
    pub(crate) fn turn(&self, wait: Wait) -> io::Result<()> {
        let mut batch = self.0.batch.borrow_mut();
        loop {
            match self.with(|inner| inner.turn(wait, &mut batch)) {
                Some(Turn::Over(Ok(()))) => break,
                Some(Turn::Over(error)) => return error,
                Some(Turn::Start(id)) => self.start_late(id),
                None => return Ok(()),
            }
        }
        for i in 0..batch.len() {
            let event = batch.get(i);
            match self.with(|inner| inner.complete(event)) {
                Some(Act::Wake(waker)) => waker.wake(),
                None | Some(Act::Nothing) => {}
                Some(Act::Pump(waker, node)) => {
                    // The operation in its slot uses the descriptor until its future takes it.
                    self.pump(node, Side::Write);
                    waker.wake();
                }
                Some(Act::Follow(id)) => self.follow_to_the_end(id),
            }
        }
        batch.clear();
        Ok(())
    }

    #[cold]
    fn follow_to_the_end(&self, id: SlotId) {
        if self.follow(id, Launch::Now) == Launch::Now {
            self.conclude(id);
        }
    }

    /// Starts what had to wait for room or time.
    #[cold]
    fn start_late(&self, id: SlotId) {
        if self.relaunch(id) != Some(Launch::Pending) {
            self.follow_to_the_end(id);
        }
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
        self.with(|inner| inner.counters()).unwrap_or(self.0.last.get())
    }

    fn close(&self, number: i32, direct: bool) {
        if self.with(|inner| inner.backend.close(number, direct)).is_none() && !direct {
            crate::sys::close_now(number);
        }
    }

    fn buffer_at(&self, group: u16, id: u16) -> Option<NonNull<u8>> {
        self.with(|inner| inner.backend.buffer_at(group, id)).flatten()
    }

    fn give_back(&self, group: u16, id: u16) {
        self.with(|inner| inner.backend.give_back(group, id));
    }

    /// Registers `count` buffers of `size` bytes for the backend to receive into.
    #[cfg(test)]
    pub(crate) fn provide(&self, group: u16, count: u16, size: u32) -> io::Result<()> {
        self.control(|backend| backend.provide(group, count, size))
    }
}

#[cfg(test)]
pub(crate) enum Paired<A, B> {
    Begun(Key, Key),
    /// There is no room for both.
    Full(A, B),
}

#[cfg(test)]
impl Driver {
    /// Starts two operations of which the second runs only if the first succeeds.
    pub(crate) fn submit_pair<A: Op, B: Op>(&self, first: A, second: B, waker: &Waker) -> Paired<A, B> {
        let slots = self.with(|inner| {
            let a = inner.reserve(A::TRAITS, Vtable::of::<A>())?;
            match inner.reserve(B::TRAITS, Vtable::of::<B>()) {
                Some(b) => Some((a, b)),
                None => {
                    inner.release(a.0.index());
                    None
                }
            }
        });
        let Some(Some((a, b))) = slots else { return Paired::Full(first, second) };
        // SAFETY: the slots were just reserved for these operations.
        unsafe {
            ops::place(a.1, first);
            ops::place(b.1, second);
        }
        let keys = [a.0, b.0].map(|id| Key { driver: self.clone(), id });
        // SAFETY: the operations are in their bodies, at their final addresses.
        let requests = unsafe {
            ((Vtable::of::<A>().request)(a.1), (Vtable::of::<B>().request)(b.1))
        };
        let wakers = (waker.clone(), waker.clone());
        let begun = self.with(|inner| inner.start_pair((a.0, requests.0), (b.0, requests.1)));
        let [key_a, key_b] = keys;
        if begun != Some(true) {
            // SAFETY: the kernel has nothing of them; they are moved out once, and the slots freed.
            let ops = unsafe { (ops::take::<A>(a.1), ops::take::<B>(b.1)) };
            self.release(a.0.index());
            self.release(b.0.index());
            return Paired::Full(ops.0, ops.1);
        }
        drop(self.with(|inner| inner.set_waker(a.0, wakers.0)));
        drop(self.with(|inner| inner.set_waker(b.0, wakers.1)));
        Paired::Begun(key_a, key_b)
    }
}

#[cfg(test)]
impl Key {
    /// Reads the next item of a multishot that is under way or has ended.
    pub(crate) fn next_item<R>(&self, read: impl FnOnce(Completion<'_>) -> R) -> Option<R> {
        let driver = &self.driver;
        let item = driver.with(|inner| {
            let (result, flags) = inner.pop_item(self.id.index())?;
            Some(Done { result, flags, ..inner.done(self.id.index()) })
        })??;
        Some(read(item.completion(driver, None)))
    }
}

impl Key {
    #[inline(always)]
    pub(crate) fn poll<O: Op>(&self, waker: &Waker) -> Poll<O::Output> {
        let driver = &self.driver;
        match driver.with(|inner| inner.look(self.id, waker, O::TRAITS.scratch)) {
            Some(Look::Done(taken)) => Poll::Ready(driver.answer::<O>(self.id.index(), taken)),
            Some(Look::Pending) => Poll::Pending,
            Some(Look::NewWaker) => self.change_waker(waker),
            Some(Look::FromCarry) => {
                driver.serve_taker(self.id);
                match driver.follow(self.id, Launch::Now) {
                    Launch::Pending => self.change_waker(waker),
                    Launch::Now => Poll::Ready(self.take::<O>()),
                }
            }
            None => panic!("the runtime that this operation belongs to has ended"),
        }
    }

    #[cold]
    fn change_waker<T>(&self, waker: &Waker) -> Poll<T> {
        let waker = waker.clone();
        let old = self.driver.with(|inner| inner.set_waker(self.id, waker));
        drop(old);
        Poll::Pending
    }

    fn take<O: Op>(&self) -> O::Output {
        match self.driver.with(|inner| inner.taken(self.id, O::TRAITS.scratch)) {
            Some(taken) => self.driver.answer::<O>(self.id.index(), taken),
            None => unreachable!("the driver ends only when no future is being polled"),
        }
    }

    /// The answer was known when the operation was started: it was refused, or something that an
    /// earlier one left behind was there.
    #[cold]
    fn answered_at_once<O: Op>(self) -> Submitted<O> {
        self.driver.drop_spent_carries();
        if self.driver.follow(self.id, Launch::Now) == Launch::Pending {
            return Submitted::Pending(self);
        }
        let output = self.take::<O>();
        self.spent();
        Submitted::Ready(output)
    }

    /// Looks at the operation while it rests in its slot.
    pub(crate) fn inspect<O: Op, R>(&self, f: impl FnOnce(&O) -> R) -> Option<R> {
        let body = self.driver.with(|inner| {
            inner.slots.current(self.id)?;
            Some(inner.slots.body(self.id.index()))
        })??;
        // SAFETY: a live key's slot holds its operation. The kernel may use the operation's buffer,
        // but not the operation; our own code changes it only in a turn, which cannot run now.
        Some(f(unsafe { &*(&raw const (*body.as_ptr()).room).cast::<O>() }))
    }

    /// Asks the kernel to stop; the answer says `fault` if it did. The operation stays pending
    /// until the kernel has let go.
    pub(crate) fn cancel(&self, fault: Fault) {
        let done = self.driver.with(|inner| inner.cancel_for(self.id, fault));
        if done == Some(Some(())) {
            self.driver.conclude(self.id);
        }
    }

    /// Gives up the right after the operation was taken.
    #[inline]
    pub(crate) fn spent(self) {
        let key = mem::ManuallyDrop::new(self);
        // SAFETY: the key is never used or dropped again.
        drop(unsafe { std::ptr::read(&key.driver) });
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.driver.orphan(self.id);
    }
}

/// What a future finds in its slot.
enum Look {
    Done(Taken),
    /// Its turn has come, and there is something left behind to read.
    FromCarry,
    Pending,
    NewWaker,
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
        if let Some((group, id)) = buffer_of(self.flags) {
            completion.lend(driver, group, id);
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

/// An operation that wants to see its completion before its future does.
struct Stepping {
    vtable: &'static Vtable,
    done: Done,
    orphan: bool,
    /// It was asked to stop, for this reason.
    stop: Option<Fault>,
}

impl Stepping {
    /// # Safety
    /// The operation is in the body and the kernel has let go of it.
    unsafe fn run(&self, driver: &Driver) -> Step {
        // SAFETY: the scratch is nobody else's while the slot is between two requests.
        let scratch = unsafe { &mut (*self.done.body.as_ptr()).scratch };
        // This is a look only: what the kernel gave stays for the answer.
        let look = Done { gives: Gives::Count, flags: 0, ..self.done };
        let completion = look.completion(driver, Some(scratch));
        // SAFETY: the caller's word.
        unsafe { (self.vtable.advance)(self.done.body, &completion, self.orphan) }
    }
}

/// If an operation's own code panics between two requests, its slot says that it failed.
struct FailOnPanic<'a> {
    driver: &'a Driver,
    id: SlotId,
}

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        self.driver.with(|inner| inner.fail(self.id, -libc::EFAULT));
    }
}

const _: () = assert!(size_of::<Key>() == 16);

impl State {
    /// The kernel, or a job, may touch the body.
    fn is_out(self) -> bool {
        self == State::InFlight
    }
}
