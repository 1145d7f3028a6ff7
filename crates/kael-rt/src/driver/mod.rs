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
    op::{Op, Step},
    rt::BlockingPool,
    sys::{Backend, Batch, Event, Granted},
};
use descriptor::Descriptors;
use inner::{Inner, Launch};
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
    Full(O),
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
    #[inline]
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
        if let Submitted::Pending(key) = self.submit(op, Waker::noop()) {
            let waker = self.with(|inner| inner.leave_alone(key.id)).flatten();
            key.spent();
            drop(waker);
        }
    }

    /// Puts `op` into a slot and asks the kernel.
    #[inline]
    pub(crate) fn submit<O: Op>(&self, op: O, waker: &Waker) -> Submitted<O> {
        let vtable = Vtable::of::<O>();
        let (id, body) = match self.with(|inner| inner.reserve(vtable)) {
            Some(Some(reserved)) => reserved,
            Some(None) => return Submitted::Full(op),
            None => {
                let mut scratch = Scratch::new();
                return Submitted::Ready(
                    op.complete(Completion::refused(Fault::Ended, &mut scratch)),
                );
            }
        };
        // SAFETY: the slot was just reserved for this operation.
        unsafe { ops::place(body, op) };
        // From here on the key answers for the slot, whatever user code does.
        let key = Key { driver: self.clone(), id };
        // SAFETY: the operation is in the body, at its final address, and nobody else has the slot.
        let request = unsafe { (vtable.request)(body) };
        let waker = waker.clone();
        let launch = self.with(|inner| inner.launch(id, request, false));
        if launch == Some(Launch::Now) {
            self.drop_spent_carries();
        }
        match self.follow(id, launch.unwrap_or(Launch::Now)) {
            Launch::Pending => {
                let old = self.with(|inner| inner.set_waker(id, waker));
                drop(old);
                Submitted::Pending(key)
            }
            Launch::Now => {
                drop(waker);
                let output = self.take::<O>(id);
                key.spent();
                Submitted::Ready(output)
            }
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

    /// Takes the operation out of its slot, which is done, and answers it.
    #[inline]
    fn take<O: Op>(&self, id: SlotId) -> O::Output {
        let Some((done, pump, waker)) = self.with(|inner| inner.taken(id)) else {
            unreachable!("the driver ends only when no future is being polled")
        };
        drop(waker);
        if let Some((node, side)) = pump {
            self.pump(node, side);
        }
        let release = Release { driver: self, index: id.index() };
        // SAFETY: the slot is done and the future is its only owner: the operation is moved out
        // once, and the slot is released after. The scratch is nobody else's either.
        let (op, scratch) =
            unsafe { (ops::take::<O>(done.body), &mut (*done.body.as_ptr()).scratch) };
        let completion = done.completion(self, scratch);
        let output = op.complete(completion);
        drop(release);
        output
    }

    /// Reads a turn's events and acts on them.
    pub(crate) fn turn(&self, wait: Wait) -> io::Result<()> {
        let mut batch = self.0.batch.borrow_mut();
        self.before_turn();
        let Some(turned) = self.with(|inner| inner.turn(wait, &mut batch)) else { return Ok(()) };
        turned?;
        for i in 0..batch.len() {
            self.on_event(batch.get(i));
        }
        batch.clear();
        Ok(())
    }

    /// Starts what had to wait for room or time.
    fn before_turn(&self) {
        while let Some(id) = self.with(Inner::next_waiting).flatten() {
            match self.relaunch(id) {
                Some(Launch::Pending) => {}
                _ => {
                    if self.follow(id, Launch::Now) == Launch::Now {
                        self.conclude(id);
                    }
                }
            }
        }
    }

    fn on_event(&self, event: Event) {
        let Some(Some(id)) = self.with(|inner| inner.complete(event)) else { return };
        let waker = match self.with(|inner| inner.item_of(id)).flatten() {
            Some(waker) => waker,
            None => {
                if self.follow(id, Launch::Now) == Launch::Now {
                    self.conclude(id);
                }
                return;
            }
        };
        if let Some(waker) = waker {
            waker.wake();
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

    fn give_back(&self, group: u16, id: u16) {
        self.with(|inner| inner.backend.give_back(group, id));
    }

    /// Registers `count` buffers of `size` bytes for the backend to receive into.
    #[cfg(test)]
    pub(crate) fn provide(&self, group: u16, count: u16, size: u32) -> io::Result<()> {
        self.control(|backend| backend.provide(group, count, size))
    }
}

impl Key {
    #[inline]
    pub(crate) fn poll<O: Op>(&self, waker: &Waker) -> Poll<O::Output> {
        let driver = &self.driver;
        match driver.with(|inner| inner.look(self.id, waker)) {
            Some(Look::Done) => {}
            Some(Look::Pending) => return Poll::Pending,
            Some(Look::NewWaker) => {
                let waker = waker.clone();
                let old = driver.with(|inner| inner.set_waker(self.id, waker));
                drop(old);
                return Poll::Pending;
            }
            Some(Look::FromCarry) => {
                driver.serve_taker(self.id);
                if driver.follow(self.id, Launch::Now) == Launch::Pending {
                    let waker = waker.clone();
                    let old = driver.with(|inner| inner.set_waker(self.id, waker));
                    drop(old);
                    return Poll::Pending;
                }
            }
            None => panic!("the runtime that this operation belongs to has ended"),
        }
        Poll::Ready(driver.take::<O>(self.id))
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
pub(crate) enum Look {
    Done,
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
    gives: crate::op::Gives,
    lent: Option<(u16, u16, NonNull<u8>)>,
    region: (NonNull<u8>, u32, u8),
}

impl Done {
    #[inline]
    fn completion<'a>(&self, driver: &Driver, scratch: &'a mut Scratch) -> Completion<'a> {
        let lent = self.lent.map(|(group, id, bytes)| completion::Lent {
            driver: driver.clone(),
            group,
            id,
            bytes,
            len: self.result.max(0) as u32,
        });
        Completion::new(driver, self.result, self.gives, lent, self.region, scratch)
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
        let look = Done { gives: crate::op::Gives::Count, lent: None, ..self.done };
        let completion = look.completion(driver, scratch);
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
