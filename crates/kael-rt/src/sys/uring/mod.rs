//! The io_uring backend: requests become submissions, completions become events.
//!
//! SQ full, CQ overflow, EINTR, EAGAIN, EBUSY, ETIME and ENOMEM from io_uring_enter(2) are
//! ordinary events here: the first makes the driver try again later, the others end the turn early.

mod abi;
mod accepting;
mod buffers;
mod cached;
mod chain;
mod direct;
#[cfg(test)]
mod faults;
mod files;
mod fixed;
mod granted;
mod growth;
mod jobs;
mod lower;
mod memory;
mod own;
mod pipes;
mod polled;
mod reap;
mod refusal;
mod remarks;
mod restrict;
mod ring;
mod syscall;
#[cfg(test)]
mod tests;

pub(crate) use super::eventfd::Unpark;
use super::{
    event::{Event, Started},
    jobs::Jobs,
    packet::PacketAt,
    shots::{self, Shots},
};
use crate::{
    driver::{Descriptor, DriverConfig, SlotId, Wait},
    op::Request,
    rt::BlockingPool,
};
use abi::*;
use buffers::Group;
use cached::Cached;
use direct::Direct;
use files::FileTable;
use fixed::Fixed;
use growth::Growth;
use polled::Polled;
use ring::{Probe, Ring};
use std::{io, ptr::NonNull, sync::Arc, time::Duration};

/// `user_data` of submissions that belong to no slot. Generations never reach these values,
/// because an index never has all its high bits set.
const NOBODY: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;
const COMMAND: u64 = u64::MAX - 2;

/// The kernel's own bound, IORING_MAX_CQ_ENTRIES.
const MAX_CQ_ENTRIES: u32 = 65_536;

/// How long a turn waits when the kernel could not take submissions for want of memory.
const SHORT_OF_MEMORY_NS: u64 = 2_000_000;

pub(crate) struct Backend {
    ring: Ring,
    probe: Probe,
    unpark: Unpark,
    /// The poll of the wake descriptor is with the kernel.
    wake_armed: bool,
    growth: Growth,
    /// How long a wait gathers completions.
    batch_wait_us: u32,
    /// Waits busy-poll the network.
    busy_polls: bool,
    groups: Vec<Option<Group>>,
    /// Quiet sends that are queued: the call that takes them answers them.
    quiet: u32,
    files: FileTable,
    direct: Direct,
    fixed: Fixed,
    cached: Cached,
    shots: Shots,
    jobs: Jobs,
    /// Where direct I/O is polled.
    polled: Option<Box<Polled>>,
    /// One ring without a thread, as it is unless something else was asked for.
    is_plain: bool,
    /// Events that did not come from the ring.
    own: Vec<Event>,
    /// Calls outside the ring.
    pub(super) calls: u64,
}

/// How often a ring is asked for while there is no memory for it.
const TRIES: u32 = 10;

/// Makes a ring. The kernel frees an ended one only after close(2) has returned, and until then
/// its memory counts against the user's RLIMIT_MEMLOCK; so a refusal for want of memory may be
/// over in a moment. It is taken for final after 0.5 s. A thread that the kernel refuses is done without.
fn make_ring(entries: u32, thread_idle_ms: u32) -> io::Result<Ring> {
    let cq_entries = (entries * 4).min(MAX_CQ_ENTRIES);
    if thread_idle_ms > 0
        && let Ok(ring) = Ring::with_thread(entries, cq_entries, thread_idle_ms)
    {
        return Ok(ring);
    }
    let mut tries = 0;
    loop {
        match Ring::new(entries, cq_entries) {
            Err((libc::ENOMEM, _)) if tries < TRIES - 1 => {
                std::thread::sleep(Duration::from_millis(1 << tries));
                tries += 1;
            }
            made => return made.map_err(|(errno, step)| refusal::explain(errno, step)),
        }
    }
}

/// A quiet send of so many bytes ends a wait as any other does: while few calls carry much, what was received is better
/// sent on from the cache than held back until more has come.
const LARGE: usize = 8 * 1024;

/// It is a quiet send, and its answer is not what a wait is for.
#[inline(always)]
fn ends_no_wait(request: &Request<'_>) -> bool {
    match request {
        Request::Send { from, flags, .. } => flags.quiet && !flags.heard && from.len() < LARGE,
        Request::SendMessage { message, flags, .. } => {
            flags.quiet && !flags.heard && message.total() < LARGE
        }
        _ => false,
    }
}

/// The longest wait that does not end with the answer of a quiet send: it may say that the socket is full, and then the
/// rest is to be sent when there is room. A core without anything to do looks once more after so long, and not again.
const UNHEARD_NS: u64 = 20_000_000;

impl Backend {
    /// Time is the system's.
    pub(crate) const MOVES_CLOCK: bool = false;
    /// The kernel waits for us.
    pub(crate) const SOCKETS_BLOCK: bool = true;
    #[cfg(test)]
    pub(crate) const HAS_DIRECT: bool = true;

    pub(crate) fn new(config: &DriverConfig, pool: Arc<BlockingPool>) -> io::Result<Backend> {
        let entries = config.queue_depth.next_power_of_two();
        let mut ring = make_ring(entries, config.ring.thread_idle_ms)?;
        let probe = ring.probe().map_err(|errno| refusal::explain(errno, "io_uring_register"))?;
        if !probe.has(OP_SENDMSG_ZC) {
            return Err(refusal::explain(libc::EINVAL, "io_uring_register(IORING_REGISTER_PROBE)"));
        }
        // The kernel resizes no ring with a thread.
        let can_grow =
            !ring.has_thread() && config.ring.queue_limit >= entries * 2 && ring::resizes_soundly();
        let growth = Growth::new(if can_grow { config.ring.queue_limit } else { 0 });
        ring.restrict(&restrict::allowed(&probe, can_grow, config.ring.direct));
        ring.register_limit();
        let (files, direct) = FileTable::new(&mut ring, &probe, config.ring.direct);
        let fixed = Fixed::new(&mut ring, &probe);
        let busy_poll_us = config.ring.busy_poll_us;
        let busy_polls = busy_poll_us > 0 && ring.busy_poll(busy_poll_us);
        ring.enable().map_err(|errno| {
            refusal::explain(errno, "io_uring_register(IORING_REGISTER_ENABLE_RINGS)")
        })?;
        let batch_wait_us = if ring.can_gather() { config.ring.batch_wait_us } else { 0 };
        let unpark = Unpark::new()
            .map_err(|e| refusal::explain(e.raw_os_error().unwrap_or(0), "eventfd"))?;
        let jobs = Jobs::new(pool, unpark.clone());
        let polls = config.ring.poll_direct_io;
        let polled = if polls { Polled::new(entries).map(Box::new) } else { None };
        Ok(Backend {
            is_plain: !ring.has_thread() && polled.is_none(),
            polled,
            ring,
            probe,
            unpark,
            wake_armed: false,
            growth,
            batch_wait_us,
            busy_polls,
            groups: Vec::new(),
            quiet: 0,
            files,
            direct,
            fixed,
            cached: Cached::new(),
            shots: accepting::shots(),
            jobs,
            own: Vec::with_capacity(16),
            calls: 1,
        })
    }

    /// The time that a turn's limit is measured in.
    pub(crate) fn now_ns(&self) -> u64 {
        crate::time::real_now_ns()
    }

    /// Asks the kernel; `PLAIN`: of a transfer that comes the short way. See `pipes.rs`.
    #[inline(always)]
    pub(super) fn start_as<const PLAIN: bool>(
        &mut self,
        id: SlotId,
        request: Request<'static>,
    ) -> Started {
        if let Request::Close { fd } = &request {
            self.leave_table(fd.take_place());
            self.begins_close(fd);
            if !fd.is_direct() {
                self.forget_listener(fd.number());
            }
        }
        if self.ring.room() == 0 && !self.make_room() {
            return Started::Full;
        }
        let ends_no_wait = ends_no_wait(&request);
        match self.lower::<PLAIN>(request) {
            Ok(sqe) => {
                #[cfg(test)]
                let mut sqe = sqe;
                #[cfg(test)]
                if let Some((result, flags)) = faults::starting(&mut sqe) {
                    self.own.push(Event { user: id.0, result, flags });
                    return Started::Queued;
                }
                // SAFETY: the driver keeps what the request points at until we report the slot.
                unsafe { self.ring.push(Sqe { user_data: id.0, ..sqe }) };
                self.quiet += u32::from(ends_no_wait);
                Started::Queued
            }
            Err(request) => self.start_job(id, request),
        }
    }

    /// Room for one submission; enters the kernel if the queue is full.
    pub(crate) fn has_room(&mut self) -> bool {
        self.ring.room() > 0 || self.make_room()
    }

    #[cold]
    fn make_room(&mut self) -> bool {
        if self.ring.has_thread() {
            self.ring.wait_for_room();
            return self.ring.room() > 0;
        }
        self.growth.was_full();
        self.flush();
        self.ring.room() > 0
    }

    /// Hands over what is queued, without waiting.
    #[cold]
    pub(crate) fn flush(&mut self) {
        if self.ring.unsubmitted() > 0 {
            // What the kernel does not take stays queued, and the next turn tries again.
            let _ = self.hand_over::<false>(0, None);
        }
    }

    #[inline(always)]
    fn hand_over<const PLAIN: bool>(
        &mut self,
        want: u32,
        timeout_ns: Option<u64>,
    ) -> Result<u32, i32> {
        let result = if PLAIN {
            self.ring.enter_alone(true, want, timeout_ns)
        } else {
            self.ring.enter(true, want, timeout_ns)
        };
        if self.ring.unsubmitted() == 0 {
            self.quiet = 0;
        }
        result
    }

    /// Asks the kernel to stop an operation. `Err`: there is no room now.
    pub(crate) fn cancel(&mut self, id: SlotId, _: PacketAt) -> Result<(), ()> {
        if self.jobs.remove(id) || self.shots.give_up(id) {
            self.own.push(Event { user: id.0, result: -libc::ECANCELED, flags: 0 });
            return Ok(());
        }
        self.push_own(Sqe { opcode: OP_ASYNC_CANCEL, fd: -1, addr: id.0, ..Sqe::default() })
    }

    /// Queues a submission whose answer concerns nobody.
    fn push_own(&mut self, sqe: Sqe) -> Result<(), ()> {
        if !self.has_room() {
            return Err(());
        }
        let flags = sqe.flags | SQE_CQE_SKIP;
        // SAFETY: no submission that comes here points at memory.
        unsafe { self.ring.push(Sqe { user_data: NOBODY, flags, ..sqe }) };
        Ok(())
    }

    /// Ends a descriptor that nobody uses. It is closed by the ring, with whatever is submitted
    /// next; what was queued before it about the same number comes first.
    pub(crate) fn close(&mut self, number: i32, direct: bool) {
        if !direct {
            self.forget_listener(number);
        }
        match (self.push_own(lower::close(number, direct)), direct) {
            (Ok(()), true) => self.unreserve_direct(),
            (Err(()), true) => self.files.close_later(number),
            (Ok(()), false) => {}
            (Err(()), false) => {
                self.calls += 1;
                super::close_now(number);
            }
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

    /// Ends a stream in both directions; its descriptor stays.
    pub(crate) fn shut_down(&mut self, fd: &Descriptor) {
        let sqe = Sqe {
            opcode: OP_SHUTDOWN,
            fd: fd.number(),
            len: libc::SHUT_RDWR as u32,
            ..Sqe::default()
        };
        let flags = if fd.is_direct() { SQE_FIXED_FILE } else { 0 };
        let _ = self.push_own(Sqe { flags, ..sqe });
    }

    /// A look at memory: is there anything to do for a turn?
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        self.ring.ready() > 0
            || self.ring.unsubmitted() > 0
            || self.ring.wants_entry()
            || !self.own.is_empty()
            || self.shots.are_leaving()
            || self.jobs.has_work()
            || (!self.is_plain && self.is_polling())
    }

    /// Hands over what is queued, and waits as told; a patient wait is for an answer that is not a quiet send's.
    #[inline]
    pub(crate) fn turn(&mut self, wait: Wait, patient: bool) -> io::Result<()> {
        if self.is_plain {
            self.turn_as::<true>(wait, patient)
        } else {
            self.turn_beside(wait, patient)
        }
    }

    #[cold]
    #[inline(never)]
    fn turn_beside(&mut self, wait: Wait, patient: bool) -> io::Result<()> {
        self.turn_as::<false>(wait, patient)
    }

    /// A turn of one ring without a thread does not pay for what others need.
    #[inline(always)]
    fn turn_as<const PLAIN: bool>(&mut self, wait: Wait, patient: bool) -> io::Result<()> {
        if !self.wake_armed {
            self.arm_wake();
        }
        if self.files.has_leaving() {
            self.empty_places();
        }
        if PLAIN {
            self.cached.turn(self.ring.unsubmitted());
        }
        if self.shots.are_leaving() {
            self.stop_repeating();
        }
        #[cfg(test)]
        self.own.extend(faults::take_forged());
        let ready = self.ring.ready() > 0 || !self.own.is_empty() || self.jobs.is_done();
        // A thread sends when it comes to it: then no answer is known to be there when a wait begins.
        let has_thread = !PLAIN && self.ring.has_thread();
        let polling = !PLAIN && self.is_polling();
        let unheard = if patient && !has_thread { self.quiet } else { 0 };
        let (mut want, mut until) = match wait {
            // The answers to changes of the table come at once, and are not what is waited for.
            Wait::Until(until) if !ready && !polling => {
                (1 + unheard + self.files.outstanding(), until)
            }
            _ => (0, None),
        };
        if self.batch_wait_us > 0 && want > 0 {
            (want, until) = self.ring.gather(until, self.now_ns(), self.batch_wait_us);
        }
        if want > 0 || self.ring.unsubmitted() > 0 || self.ring.wants_entry() || has_thread {
            let mut timeout = until.map(|until| until.saturating_sub(self.now_ns()));
            if unheard > 0 {
                timeout = Some(timeout.map_or(UNHEARD_NS, |timeout| timeout.min(UNHEARD_NS)));
            }
            match self.hand_over::<PLAIN>(want, timeout) {
                Ok(_) | Err(libc::EINTR | libc::ETIME) => {}
                Err(libc::EAGAIN | libc::EBUSY | libc::ENOMEM) => {
                    // The kernel could not take a submission. What is in flight may free memory:
                    // wait for that, or for a while, but do not spin.
                    if want > 0 {
                        let short = timeout.unwrap_or(u64::MAX).min(SHORT_OF_MEMORY_NS);
                        let _ = self.ring.enter(false, 1, Some(short));
                    }
                }
                Err(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        if polling {
            self.look_at_devices();
        }
        while let Some(event) = self.jobs.next() {
            self.own.push(event);
        }
        if self.ring.ready() >= growth::MANY {
            return self.relieve();
        }
        Ok(())
    }

    /// The next event that did not come from the ring.
    #[inline]
    pub(crate) fn next_own(&mut self) -> Option<Event> {
        self.own.pop()
    }

    pub(crate) fn unpark(&self) -> Unpark {
        self.unpark.clone()
    }

    pub(crate) fn syscalls(&self) -> u64 {
        let polled = self.polled.as_ref().map_or(0, |polled| polled.calls());
        self.ring.syscalls + self.calls + self.unpark.writes() + polled
    }

    pub(crate) fn submitted(&self) -> u64 {
        self.ring.submitted + self.polled.as_ref().map_or(0, |polled| polled.submitted())
    }

    /// Behaves as a kernel that lacks ftruncate in the ring (before 6.9).
    #[cfg(test)]
    pub(crate) fn forget_truncate(&mut self) {
        self.probe.without(OP_FTRUNCATE);
    }
}

impl Drop for Backend {
    /// What was to be closed with the next submission is closed without one.
    fn drop(&mut self) {
        self.leave_nothing();
        if self.ring.has_thread() {
            self.ring.settle();
        }
        while let Some(sqe) = self.ring.take_back() {
            if sqe.opcode == OP_CLOSE && sqe.file_index == 0 {
                super::close_now(sqe.fd);
            }
        }
    }
}
