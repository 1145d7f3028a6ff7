//! A kernel made of a seed: files, sockets and time in memory, for tests.
//!
//! Order, delays, short transfers and refusals come from `Builder::seed`; time is virtual, and
//! moves only when a core has nothing else to do. A request goes through these stages, and
//! everything that a real kernel may do between two of them, this one does sooner or later:
//!
//! ```text
//!   start          submission        carried out                  answered
//!  ───────▶ Queued ─────────▶ Begun ─────────────▶ Settled ─────────────────▶ (gone)
//!                               ▲ │ must wait        the memory is written only now
//!                        change │ ▼
//!                              Parked
//! ```
//!
//! What a test program may ask and set is in `control.rs`. The laws that are looked after here:
//! L1 (memory that a request names is not free), L2 (each descriptor is closed once), and that
//! nothing stands still for ever.

mod accepting;
mod attempt;
mod buffers;
mod calls;
mod chain;
pub(crate) mod control;
mod direct;
mod files;
mod memory;
mod pool;
mod random;
mod sockets;
mod work;
mod world;

use super::{
    event::{Buffers, Event, Started},
    packet::PacketAt,
    shots::{self, Shots},
};
use crate::{
    driver::{Descriptor, DriverConfig, NONE, SlotId, Wait},
    op::Request,
    rt::BlockingPool,
    task::context,
};
use attempt::Answer;
use buffers::Group;
pub(crate) use calls::{
    MOST, O_DIRECT, SocketOption, advise_huge_pages, borrow, close_now, pin_to_cpu,
};
use control::Faults;
pub(crate) use pool::{PoolJob, Unpark};
use random::Random;
use std::{
    cell::{Cell, RefCell},
    collections::{BinaryHeap, HashMap, VecDeque},
    io, mem,
    os::fd::{FromRawFd, OwnedFd},
    ptr::NonNull,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use work::Due;
use world::{Object, Woken, World};

pub(crate) struct Backend {
    world: Rc<RefCell<World>>,
    faults: Faults,
    random: Random,
    /// Virtual time, in nanoseconds.
    now: u64,
    queue: VecDeque<Submission>,
    entries: usize,
    /// The requests that the kernel has, by their slot ids.
    ops: HashMap<u64, Op>,
    due: BinaryHeap<Due>,
    /// Counts what is put into `due`.
    puts: u64,
    /// Requests that waited for a change that has come.
    woken: Woken,
    /// What was given in the last turn.
    answers: VecDeque<Event>,
    groups: Vec<Option<Group>>,
    shots: Shots,
    unpark: Unpark,
    pool: Arc<BlockingPool>,
    /// Jobs that are with the pool.
    jobs: u32,
    turns: u64,
    /// A law was violated, and the program was told.
    failed: bool,
    /// Looks since the last turn that could move time.
    looks: Cell<u32>,
    calls: u64,
    submitted: u64,
}

/// What is handed over at the next turn, in order.
enum Submission {
    Start(u64),
    Cancel(u64),
    Close(i32, bool),
    ShutDown(i32, bool),
}

/// A request in the kernel's hands.
struct Op {
    request: Request<'static>,
    /// The descriptor's number, and whether it is a direct one.
    fd: Option<(i32, bool)>,
    /// What the number stood for when the request was submitted. The kernel holds it.
    object: Option<Rc<Object>>,
    stage: Stage,
    /// The bytes of a transfer that is not complete.
    moved: Vec<u8>,
    /// The request that begins when this one has succeeded.
    then: Option<u64>,
    /// When the last of its answers is due: they come in order.
    last: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Queued,
    /// Begins when the one before it in the chain has succeeded.
    Linked,
    Begun,
    Parked,
    /// Its last answer is on its way.
    Settled,
}

/// How many answers a turn gives at most.
const ANSWERS_PER_TURN: usize = 256;
/// A busy core moves time only after so many looks, so that tests of timers stay exact.
const PATIENT_LOOKS: u32 = 1000;
/// How far a turn without waiting moves time.
const STEP_NS: u64 = 1000;

impl Backend {
    /// Time is virtual.
    pub(crate) const MOVES_CLOCK: bool = true;
    /// A read of a pipe may leave it to the backend which buffer it gets.
    pub(crate) const PICKS_FOR_PIPES: bool = true;
    #[cfg(test)]
    pub(crate) const HAS_DIRECT: bool = true;

    pub(crate) fn new(config: &DriverConfig, pool: Arc<BlockingPool>) -> io::Result<Backend> {
        Ok(Backend {
            world: control::world(),
            faults: control::faults(),
            random: Random::new(config.seed ^ seed_of_the_suite()),
            now: 0,
            queue: VecDeque::new(),
            entries: config.queue_depth as usize,
            ops: HashMap::new(),
            due: BinaryHeap::new(),
            puts: 0,
            woken: Woken::default(),
            answers: VecDeque::new(),
            groups: Vec::new(),
            shots: Shots::new(shots::LISTENERS),
            unpark: Unpark::new(),
            pool,
            jobs: 0,
            turns: 0,
            failed: false,
            looks: Cell::new(0),
            calls: 1,
            submitted: 0,
        })
    }

    /// The time that a turn's limit is measured in.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now
    }

    pub(crate) fn start(&mut self, id: SlotId, _: PacketAt, request: Request<'static>) -> Started {
        #[cfg(test)]
        if matches!(request, Request::Stall { .. }) {
            return self.start_job(id, request);
        }
        if !self.has_room() || self.random.chance(self.faults.full) {
            return Started::Full;
        }
        let (kind, detail) = work::describe(&request);
        control::note(kind, id.0, detail);
        let request = match self.start_accept(id, request) {
            Ok(started) => return started,
            Err(request) => request,
        };
        if let Request::Close { fd } = &request {
            self.forget_listener(fd.number());
        }
        self.take_in(id, request, Stage::Queued);
        self.queue.push_back(Submission::Start(id.0));
        Started::Queued
    }

    fn take_in(&mut self, id: SlotId, request: Request<'static>, stage: Stage) {
        let fd = request.works_on().map(|fd| (fd.number(), fd.is_direct()));
        let moved = Vec::new();
        let op = Op { request, fd, object: None, stage, moved, then: None, last: 0 };
        if self.ops.insert(id.0, op).is_some() {
            control::violation(format!("L4: slot {:#x} was used again while it was out", id.0));
        }
    }

    fn start_job(&mut self, id: SlotId, request: Request<'static>) -> Started {
        let job = PoolJob::new(id.0, request, self.unpark.clone());
        let mut refused = None;
        self.pool.submit_requests([job], |_, error| refused = Some(error));
        if let Some(error) = refused {
            return Started::Done(-error.raw_os_error().unwrap_or(libc::EAGAIN));
        }
        self.jobs += 1;
        Started::Queued
    }

    /// Room for one submission; hands over what is queued if there is none.
    pub(crate) fn has_room(&mut self) -> bool {
        if self.queue.len() >= self.entries {
            self.flush();
        }
        true
    }

    /// Hands over what is queued, without waiting.
    pub(crate) fn flush(&mut self) {
        if !self.queue.is_empty() {
            self.calls += 1;
            self.submit();
        }
    }

    /// Asks for an operation to be stopped. `Err`: there is no room now.
    pub(crate) fn cancel(&mut self, id: SlotId, _: PacketAt) -> Result<(), ()> {
        if self.jobs > 0 && self.pool.remove_request(self.tag(), id.0).is_some() {
            self.jobs -= 1;
            self.put(self.now, work::What::Answer(id.0, Answer::error(libc::ECANCELED)));
            return Ok(());
        }
        if self.shots.give_up(id) {
            self.put(self.now, work::What::Answer(id.0, Answer::error(libc::ECANCELED)));
            return Ok(());
        }
        if !self.has_room() || self.random.chance(self.faults.full) {
            return Err(());
        }
        self.queue.push_back(Submission::Cancel(id.0));
        Ok(())
    }

    /// Ends a descriptor that nobody uses, in order with what is queued.
    pub(crate) fn close(&mut self, number: i32, direct: bool) {
        if !direct && number < world::FIRST {
            close_real(number);
        } else if self.has_room() {
            if !direct {
                self.forget_listener(number);
            }
            self.queue.push_back(Submission::Close(number, direct));
        }
    }

    /// Answers come with a turn.
    ///
    /// # Safety
    /// Bytes of that length.
    #[inline(always)]
    pub(crate) unsafe fn send_at_once(&mut self, _: i32, _: NonNull<u8>, _: usize) -> Option<i32> {
        None
    }

    /// Somebody else owns a number from here on.
    pub(crate) fn let_go(&mut self, fd: &Descriptor) {
        self.forget_listener(fd.number());
    }

    /// Ends a stream in both directions; its descriptor stays.
    pub(crate) fn shut_down(&mut self, fd: &Descriptor) {
        if self.has_room() {
            self.queue.push_back(Submission::ShutDown(fd.number(), fd.is_direct()));
        }
    }

    /// A simulated kernel finds its files without a table.
    pub(crate) fn enter_table(&mut self, _: i32) -> u32 {
        NONE
    }

    pub(crate) fn leave_table(&mut self, _: u32) {}

    /// Is there anything to do for a turn that does not wait?
    pub(crate) fn has_work(&self) -> bool {
        let looks = self.looks.get().saturating_add(1);
        self.looks.set(looks);
        !self.queue.is_empty()
            || self.shots.are_leaving()
            || !self.due.is_empty()
            || !self.woken.borrow().is_empty()
            || looks > PATIENT_LOOKS
            || self.unpark.is_woken()
    }

    /// Hands over what is queued, waits as told, and has the answers that are due ready.
    pub(crate) fn turn(&mut self, wait: Wait, _: bool) -> io::Result<()> {
        self.turns += 1;
        if self.turns == self.faults.max_turns {
            control::violation(format!("L5: {} turns, and no end", self.turns));
        }
        // Once: the turns of the runtime's end follow.
        if control::is_violated() && !mem::replace(&mut self.failed, true) {
            panic!("simulation: a law is violated");
        }
        self.stop_repeating();
        if !self.queue.is_empty() || wait != Wait::No {
            self.calls += 1;
        }
        self.submit();
        match wait {
            Wait::No => {
                let step = if self.looks.get() > PATIENT_LOOKS { STEP_NS } else { 0 };
                let next = self.due.peek().map_or(u64::MAX, |due| due.at);
                let near =
                    if next == u64::MAX { 0 } else { STEP_NS.min(next.saturating_sub(self.now)) };
                self.move_to(self.now + step.max(near));
                self.unpark.take_wake();
                self.answer();
            }
            Wait::Until(until) => {
                self.looks.set(0);
                self.wait(until);
            }
        }
        Ok(())
    }

    /// All events of a simulated kernel are answers.
    pub(crate) fn next_own(&mut self) -> Option<Event> {
        None
    }

    /// The slot of the next event but `after`, or what is no slot's index.
    pub(crate) fn soon(&self, after: u32) -> u32 {
        self.answers.get(after as usize).map_or(NONE, |event| SlotId(event.user).index())
    }

    /// The next answer that is there.
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.answers.pop_front()
    }

    /// What an event's flags say, in the driver's terms.
    pub(crate) fn flags(&self, event: Event) -> u32 {
        event.flags
    }

    /// Until an answer is there, another thread wakes the core, or it is `until`.
    fn wait(&mut self, until: Option<u64>) {
        loop {
            self.answer();
            if !self.answers.is_empty() || self.unpark.take_wake() {
                return;
            }
            let next = self.due.peek().map(|due| due.at);
            let target = match (next, until) {
                (Some(next), Some(until)) => next.min(until),
                (next, until) => match next.or(until) {
                    Some(target) => target,
                    None => {
                        self.stand_still();
                        continue;
                    }
                },
            };
            // A job on a real thread takes real time, and virtual time must not run away from it.
            let real = Duration::from_nanos(target.saturating_sub(self.now));
            if self.jobs > 0 && next.is_none() && self.unpark.wait(real) {
                continue;
            }
            self.move_to(target);
            if until.is_some_and(|until| until <= self.now) {
                self.answer();
                return;
            }
        }
    }

    /// Nothing will come from this kernel; only another thread can help.
    fn stand_still(&mut self) {
        if !self.unpark.wait(self.faults.patience) {
            control::violation("L5, L6: nothing will ever happen".to_owned());
            self.failed = true;
            panic!("simulation: nothing will ever happen");
        }
    }

    fn move_to(&mut self, time: u64) {
        if time > self.now {
            self.now = time;
            control::note(work::CLOCK, time, 0);
        }
        context::try_with(|core| core.timers.clock().set_virtual(self.now));
    }

    pub(crate) fn unpark(&self) -> Unpark {
        self.unpark.clone()
    }

    fn tag(&self) -> usize {
        self.unpark.tag()
    }

    pub(crate) fn syscalls(&self) -> u64 {
        self.calls + self.unpark.wakes()
    }

    pub(crate) fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Nothing is registered here.
    pub(crate) fn register_memory(&mut self, _: NonNull<u8>, _: usize) -> io::Result<Option<u32>> {
        Ok(None)
    }

    pub(crate) fn unregister_memory(&mut self, _: u32) {}

    pub(crate) fn registered_transfers(&self) -> u64 {
        0
    }

    /// Registers a group of buffers, none of which is given to the kernel yet.
    pub(crate) fn provide(&mut self, group: u16, buffers: Buffers) -> io::Result<()> {
        let made = Group::new(buffers);
        let groups = self.groups.len().max(usize::from(group) + 1);
        self.groups.resize_with(groups, || None);
        self.groups[usize::from(group)] = Some(made);
        Ok(())
    }

    /// The kernel forgets a group. Nothing that is under way could receive into it.
    pub(crate) fn withdraw(&mut self, group: u16) {
        self.groups[usize::from(group)] = None;
    }

    fn group(&mut self, group: u16) -> &mut Group {
        self.groups[usize::from(group)].as_mut().expect("a group in use is there")
    }

    pub(crate) fn buffer_at(&mut self, group: u16, buffer: u16) -> NonNull<u8> {
        self.group(group).at(buffer)
    }

    /// Lets the kernel pick a buffer.
    #[inline]
    pub(crate) fn give_back(&mut self, group: u16, buffer: u16) {
        if !self.group(group).give_back(buffer) {
            control::violation(format!("L4: buffer {buffer} was given back twice"));
        }
    }

    /// The kernel has picked a buffer and put `result` bytes there. False: that cannot be.
    #[inline]
    pub(crate) fn claim(&mut self, group: u16, buffer: u16, result: i32) -> bool {
        self.group(group).claim(buffer, result)
    }

    /// Simulated kernels always have ftruncate in the ring.
    #[cfg(test)]
    pub(crate) fn forget_truncate(&mut self) {}

    pub(crate) fn describe(&self) -> super::Granted {
        super::Granted {
            interface: "simulation",
            model: "completion, by a kernel that is made of a seed",
            remarks: Vec::new(),
            flags: Vec::new(),
            queue_entries: [self.entries as u32, self.entries as u32 * 4],
            bytes_mapped: 0,
            lost_completions: 0,
        }
    }
}

impl Drop for Backend {
    /// A kernel outlives its ring: what it still has, it may still write. So that memory must have
    /// been leaked, not freed.
    fn drop(&mut self) {
        if self.failed {
            return;
        }
        let mut left: Vec<_> = self.ops.drain().collect();
        left.sort_by_key(|(user, _)| *user);
        for (_, mut op) in left {
            memory::check(&mut op.request);
        }
    }
}

/// Closes a descriptor of the system that a program has handed over.
fn close_real(number: i32) {
    // SAFETY: the caller owns the number and gives it up.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}

/// `KAEL_SIM_SEED` runs the suites, whose runtimes have no seeds of their own, in other orders.
fn seed_of_the_suite() -> u64 {
    std::env::var("KAEL_SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

fn to_event(user: u64, answer: &Answer) -> Event {
    Event { user, result: answer.result, flags: answer.flags }
}
