//! The IOCP backend: a request is a call that says "later", and the answer comes through the core's completion port.
//!
//! ```text
//!    start           the call is over at once (a socket's success says so by itself)
//!   ───────▶ called ─────────────────────────────────────────────▶ (answered, without an event)
//!              │ ERROR_IO_PENDING                                       ▲
//!              ▼              the packet, whatever became of it         │ as an event
//!            pending ───────────────────────────────────────────────────┘
//!              │ cancelled: CancelIoEx asks, and the packet decides
//! ```
//!
//! The OVERLAPPED lies in the operation's slot (`packet.rs`), so its address stays until its packet has come, and nothing is
//! allocated. A handle joins the port with its first request, and stays with it. What Windows can only do by waiting
//! goes to the blocking pool (`call.rs`).
//!
//! A file goes to a stream by TransmitFile, one at a time (`transmit/`).
//!
//! It was run under Wine 8, and never on Windows.

pub(crate) mod access;
mod call;
mod code;
pub(crate) mod errno;
mod extensions;
mod files;
#[path = "../ready/groups.rs"]
mod groups;
pub(super) mod number;
mod own;
pub(crate) mod pipes;
mod pooled;
mod port;
#[cfg(feature = "rio")]
mod registered;
#[cfg(not(feature = "rio"))]
#[path = "unregistered.rs"]
mod registered;
mod remarks;
#[cfg(feature = "rio")]
#[allow(dead_code, unused_imports, reason = "its tests use more of it")]
mod rio;
mod settle;
mod sockets;
mod stat;
mod streams;
mod transmit;

pub(crate) use self::{
    call::call,
    own::{MOST, advise_huge_pages, pin_to_cpu},
    port::Unpark,
    sockets::{borrow, close_now, past_close, reuse_address, reuse_port},
    stat::StatBuf,
    transmit::{TRANSMITS, TRANSMITS_HEAD},
};
use super::{
    at_once::AtOnce,
    event::{Event, Started},
    jobs::Jobs,
    packet::{Answered, PacketAt},
};
use crate::{
    driver::{Descriptor, DriverConfig, Kind, NONE, SlotId, Wait},
    op::{Request, Side},
    rt::BlockingPool,
};
use extensions::Extensions;
use groups::Groups;
use number::Number;
use port::Port;
use registered::Registered;
use std::{collections::VecDeque, io, net::Shutdown, ptr::NonNull, sync::Arc};

pub(crate) struct Backend {
    /// Before the port, to which it wants a packet to come.
    registered: Registered,
    port: Port,
    extensions: Extensions,
    /// What `start` did not say.
    own: VecDeque<Event>,
    groups: Groups,
    /// Receives that go on, to be asked again with the next turn.
    again: Vec<PacketAt>,
    spare: Vec<PacketAt>,
    /// Requests whose end was asked for and that the system did not find: their packets are to come now.
    unheard: Vec<(Number, PacketAt)>,
    jobs: Jobs,
    /// Requests that the system has.
    pending: u32,
    at_once: AtOnce,
    pub(super) calls: u64,
    submitted: u64,
}

/// A handle has joined the port.
const JOINED: u32 = 1;
/// Its successes are known when the call is over, and make no packet.
const SKIPS: u32 = 2;
/// It is a socket of IPv6.
const V6: u32 = 4;

/// So long, in nanoseconds, a core waits for the packet of a request that the system says is over.
const SOON_NS: u64 = 1_000_000;

#[inline(always)]
fn most(len: usize) -> usize {
    len.min(MOST)
}

impl Backend {
    /// Time is the system's.
    pub(crate) const MOVES_CLOCK: bool = false;
    /// A read of a pipe has its buffer from the beginning: of pipes it is not documented that they say when something is there.
    pub(crate) const PICKS_FOR_PIPES: bool = false;

    pub(crate) fn new(_: &DriverConfig, pool: Arc<BlockingPool>) -> io::Result<Backend> {
        let extensions = Extensions::get()?;
        let port = Port::new()?;
        let jobs = Jobs::new(pool, port.unpark());
        Ok(Backend {
            registered: Registered::new(&port),
            port,
            extensions,
            own: VecDeque::with_capacity(2 * port::BATCH),
            groups: Groups::default(),
            again: Vec::with_capacity(64),
            spare: Vec::with_capacity(64),
            unheard: Vec::new(),
            jobs,
            pending: 0,
            at_once: AtOnce::new(),
            calls: 0,
            submitted: 0,
        })
    }

    /// The time that a turn's limit is measured in.
    pub(crate) fn now_ns(&self) -> u64 {
        crate::time::real_now_ns()
    }

    pub(crate) fn start(
        &mut self,
        id: SlotId,
        packet: PacketAt,
        request: Request<'static>,
    ) -> Started {
        self.submitted += 1;
        // SAFETY: it lies in the slot that the request comes from, which has no other request: nobody else uses it.
        let packet = unsafe { &mut *packet.as_ptr() };
        packet.pending = false;
        packet.stopped = false;
        packet.user = id.0;
        match request {
            Request::Nop => Started::Done(0),
            Request::Pass { fd } => {
                self.flush_registered(packet, number_of(fd)).unwrap_or(Started::Done(0))
            }
            Request::Shutdown { fd, how } => {
                let number = number_of(fd);
                Started::Done(self.shut_down_registered(number, how).unwrap_or_else(|| {
                    self.calls += 1;
                    sockets::shut_down(number, how)
                }))
            }
            Request::Close { fd } if fd.kind() != Kind::File => {
                let closed = self.close_number(number_of(fd));
                Started::Done(closed.map_or_else(|code| -code, |()| 0))
            }
            Request::AwaitClient { fd }
            | Request::Recv { fd, .. }
            | Request::RecvVectored { fd, .. }
            | Request::Send { fd, .. }
            | Request::SendMessage { fd, .. }
                if pipes::is_pipe(fd) =>
            {
                let started = self.start_on_pipe(packet, request);
                self.in_time(id, packet.kind, started)
            }
            Request::AwaitClient { .. } => Started::Done(-errno::EINVAL),
            Request::Recv { .. }
            | Request::RecvPooled { .. }
            | Request::RecvMessages { .. }
            | Request::RecvVectored { .. }
            | Request::RecvMessage { .. }
            | Request::Send { .. }
            | Request::SendZeroCopy { .. }
            | Request::SendMessage { .. }
            | Request::SendMessageZeroCopy { .. }
            | Request::Accept { .. }
            | Request::AcceptNext { .. }
            | Request::Connect { .. } => {
                if let Some(way) = self.registered_way(&request) {
                    return self.start_registered(way, packet, request);
                }
                let started = self.start_on_socket(packet, request);
                self.in_time(id, packet.kind, started)
            }
            Request::Transmit { fd, file, head, at, len, .. } => {
                let started = self.start_transmit(packet, [fd, file], head, at, len);
                self.in_time(id, packet.kind, started)
            }
            // A request may be made at any time. Who asks has had much without a turn.
            Request::Ready { side: Side::Write, .. } => {
                self.finish(id.0, 0, 0);
                Started::Queued
            }
            // Bytes do not go through pipes here, and nobody asks whether a socket is ready.
            Request::Fill { .. }
            | Request::Take { .. }
            | Request::Give { .. }
            | Request::Ready { .. } => Started::Done(-errno::EINVAL),
            Request::Read { fd, .. }
            | Request::Write { fd, .. }
            | Request::Load { file: fd, .. }
                if files::is_overlapped(fd) =>
            {
                let started = self.start_on_file(packet, request);
                self.in_time(id, packet.kind, started)
            }
            Request::Close { .. }
            | Request::Read { .. }
            | Request::Write { .. }
            | Request::Load { .. }
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
            | Request::MakeDir { .. } => self.start_job(id, request),
            #[cfg(test)]
            Request::Stall { .. } => self.start_job(id, request),
        }
    }

    /// What is over may be told at once, or with the next turn.
    #[inline]
    fn in_time(&mut self, id: SlotId, kind: Answered, started: Started) -> Started {
        let (result, flags) = match started {
            Started::Done(result) => (result, 0),
            Started::Filled(result, flags) => (result, flags),
            started => return started,
        };
        if self.at_once.take() {
            return started;
        }
        self.report(id.0, kind, result, flags);
        Started::Queued
    }

    fn start_job(&mut self, id: SlotId, request: Request<'static>) -> Started {
        self.jobs.push(id, request);
        Started::Queued
    }

    /// Has the handle answer here; its place says what it has joined with. It costs two calls once, and a third for a listener.
    fn join(&mut self, fd: &Descriptor) -> Result<u32, i32> {
        let marks = pipes::marks(fd);
        if marks & JOINED != 0 {
            return Ok(marks);
        }
        let number = number_of(fd);
        self.calls += 2;
        self.port.associate(number)?;
        let mut place = marks | JOINED;
        // A message of which a part was read would be neither a success nor an error: `pipes/mod.rs`.
        let may_skip = self.extensions.are_handles && marks & pipes::MESSAGES == 0;
        if may_skip && port::skip_successes(number) {
            place |= SKIPS;
        }
        if fd.kind() == Kind::Listener {
            self.calls += 1;
            place |= if sockets::is_v6(number) { V6 } else { 0 };
        }
        fd.set_place(place);
        Ok(place)
    }

    /// Sends go as all requests do.
    ///
    /// # Safety
    /// Bytes of that length.
    #[inline]
    pub(crate) unsafe fn send_at_once(&mut self, _: i32, _: NonNull<u8>, _: usize) -> Option<i32> {
        None
    }

    /// Asks the system to stop a request: its packet will say what became of it. One that is with a thread goes on.
    pub(crate) fn cancel(&mut self, id: SlotId, packet: PacketAt) -> Result<(), ()> {
        // SAFETY: it lies in the slot of a request in flight; the system writes only to its OVERLAPPED, which is not
        // looked at here.
        let (user, pending, number) = unsafe {
            (
                &raw const (*packet.as_ptr()).user,
                &raw const (*packet.as_ptr()).pending,
                &raw const (*packet.as_ptr()).number,
            )
        };
        // SAFETY: as above.
        let (user, pending, number) = unsafe { (*user, *pending, *number) };
        if user == id.0 && pending {
            // SAFETY: as above. What has come already is the last of a receive that goes on.
            unsafe {
                (*packet.as_ptr()).stopped = true;
                (*packet.as_ptr()).goes_on = false;
            }
            self.calls += 1;
            if !port::cancel(number, packet) {
                self.unheard.push((number, packet));
            }
            return Ok(());
        }
        if user == id.0 && self.cancel_registered(user, number) {
            return Ok(());
        }
        let mut stopped = false;
        if let Some(i) = self.again.iter().position(|again| *again == packet) {
            self.again.swap_remove(i);
            stopped = true;
        }
        stopped |= self.jobs.remove(id);
        if stopped {
            self.finish(id.0, -errno::ECANCELED, 0);
        }
        Ok(())
    }

    /// Tells the driver of an answer that `start` did not give.
    fn finish(&mut self, user: u64, result: i32, flags: u32) {
        self.own.push_back(Event { user, result, flags });
    }

    /// Ends a descriptor that nobody uses.
    pub(crate) fn close(&mut self, number: i32, _: bool) {
        let _ = self.close_number(Number::from_driver(number));
    }

    fn close_number(&mut self, number: Number) -> Result<(), i32> {
        self.close_registered(number).unwrap_or_else(|| {
            self.calls += 1;
            number.close()
        })
    }

    /// Somebody else owns a number from here on: it blocks, as others expect.
    pub(crate) fn let_go(&mut self, fd: &Descriptor) {
        let number = number_of(fd);
        if number.kind() == number::Kind::Socket {
            self.registered.forget(number);
            self.calls += 1;
            sockets::make_blocking(number);
        }
    }

    /// Ends a stream in both directions; its descriptor stays.
    pub(crate) fn shut_down(&mut self, fd: &Descriptor) {
        self.calls += 1;
        if pipes::is_pipe(fd) {
            return pipes::shut_down(number_of(fd));
        }
        sockets::shut_down(number_of(fd), Shutdown::Both);
    }

    /// Is there anything to do for a turn, or anything that only the system knows?
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.own.is_empty()
            || self.jobs.has_work()
            || !self.again.is_empty()
            || self.pending > 0
            || self.registered.has_work()
    }

    /// What is there need not be waited for.
    #[inline]
    fn is_busy(&self) -> bool {
        !self.own.is_empty() || self.jobs.is_done()
    }

    /// Hands over what is for the pool.
    pub(crate) fn flush(&mut self) {
        self.settle_registered();
        let own = &mut self.own;
        self.jobs.hand_over(|event| own.push_back(event));
    }

    /// Asks again what goes on, waits as told, and takes what has come: one call for a whole batch.
    pub(crate) fn turn(&mut self, wait: Wait, _: bool) -> io::Result<()> {
        self.at_once.renew();
        let own = &mut self.own;
        self.jobs.hand_over(|event| own.push_back(event));
        self.ask_again();
        self.exchange()?;
        let busy = self.is_busy();
        let limit = match wait {
            Wait::Until(until) if !busy => until.map(|until| until.saturating_sub(self.now_ns())),
            _ => Some(0),
        };
        let limit = self.prepare_to_sleep(limit);
        let limit = if self.unheard.is_empty() {
            limit
        } else {
            Some(limit.unwrap_or(SOON_NS).min(SOON_NS))
        };
        // What nobody waits for need not be asked for.
        if limit != Some(0) || self.pending > 0 {
            for i in 0..self.port.wait(limit)? {
                self.take(self.port.entry(i));
            }
            self.take_out_if_told()?;
        }
        self.calls += self.unheard.len() as u64;
        self.unheard.retain(|(number, packet)| !port::cancel(*number, *packet));
        while let Some(Event { user, result, flags }) = self.jobs.next() {
            self.finish(user, result, flags);
        }
        Ok(())
    }

    /// Nothing that did not come from the system is apart.
    #[inline]
    pub(crate) fn next_own(&mut self) -> Option<Event> {
        None
    }

    /// The slot of the next event but `after`, or what is no slot's index.
    pub(crate) fn soon(&self, after: u32) -> u32 {
        self.own.get(after as usize).map_or(NONE, |event| SlotId(event.user).index())
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.own.pop_front()
    }

    #[inline]
    pub(crate) fn flags(&self, event: Event) -> u32 {
        event.flags
    }

    pub(crate) fn unpark(&self) -> Unpark {
        self.port.unpark()
    }

    /// Calls of ours into the system's libraries. They are not the system calls that Windows makes of them.
    pub(crate) fn syscalls(&self) -> u64 {
        self.calls + self.registered.calls() + self.port.waits + self.port.unpark().posts()
    }

    pub(crate) fn submitted(&self) -> u64 {
        self.submitted
    }

    pub(crate) fn describe(&self) -> super::Granted {
        super::Granted {
            interface: self.registered.interface(),
            model: "completion: requests are calls with an OVERLAPPED, and a port per core gives their answers in batches",
            remarks: remarks::remarks(&self.registered),
            flags: if self.extensions.are_handles {
                vec!["FILE_SKIP_COMPLETION_PORT_ON_SUCCESS"]
            } else {
                vec![]
            },
            queue_entries: [0, 0],
            bytes_mapped: 0,
            lost_completions: 0,
        }
    }
}

fn number_of(fd: &Descriptor) -> Number {
    Number::from_driver(fd.number())
}
