//! Streams over registered I/O: what joins the driver of `rio/` to the backend. With the cargo feature `rio` only.
//!
//! A stream gets a request queue with its first transfer, and keeps that way for its life: its bytes go through registered
//! memory and never through WSARecv or WSASend (ARCHITECTURE.md says why). A socket for which there is no queue goes through
//! the completion port instead: one that was made elsewhere, more than [`STREAMS`] of a core, or a system that is short of memory.
//!
//! Each stream has memory of its own, so that a peer that does not read or send holds up nobody else: a slot that is received
//! into and two that are sent from (`state.rs` has the diagrams). A request is answered by a copy between its buffer and
//! these slots, so it can be given up at any time: registered I/O has no cancel, and none is needed.
//!
//! Datagram sockets have a queue likewise (`datagrams/`). Sockets that listen, and files, know nothing of this.

mod datagrams;
mod end;
mod memory;
mod names;
mod receive;
mod send;
mod set_up;
mod state;
mod stream;

use super::{
    Backend,
    number::Number,
    port::{REGISTERED, Unpark},
    rio::{Error, Queue, Rio, Slots},
};
use crate::sys::{
    event::Started,
    packet::{Answered, Packet},
};
use crate::{
    driver::{Kind, SlotId},
    op::Request,
};
use datagrams::Datagrams;
use memory::Memory;
use names::{Ended, Way};
use std::{io, mem, ptr::NonNull};
use stream::{Reader, Stream, Target, Writer};
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_ENTRY};

/// Streams of a core that may have registered memory.
const STREAMS: u32 = 1024;
/// Streams whose memory is registered together, with the first of them.
const BLOCK: u32 = 32;
/// Handles that are looked up by their number. They are small; what has a larger one goes through the port.
const HANDLES: usize = 1 << 20;
/// Sends that are answered at once between two turns, so that a task that has many goes on, and one call hands all of them over.
const SENDS_AT_ONCE: u32 = 256;
/// How long a sleep may be while the system has refused a request for want of memory.
const RETRY_NS: u64 = 1_000_000;

/// What a socket is, by its number: nothing is known of it, it goes through the port, or its way and `FIRST`.
const UNKNOWN: u32 = 0;
const PLAIN: u32 = 1;
const FIRST: u32 = 2;

/// Registered I/O of a core, or the reason why there is none: an error of Winsock.
pub(super) struct Registered {
    io: Result<Box<Io>, i32>,
}

struct Io {
    rio: Rio,
    /// By the quarters of their handles.
    sockets: Vec<u32>,
    streams: Vec<Stream>,
    blocks: Vec<Block>,
    datagrams: Datagrams,
    /// Indices of streams that nobody has.
    free: Vec<u32>,
    /// Sockets with something to ask the system for, each once.
    touched: Vec<Way>,
    spare_touched: Vec<Way>,
    /// Receives that go on, to be answered again with the next turn.
    again: Vec<u32>,
    spare: Vec<u32>,
    /// What the system has said last.
    said: Vec<(u64, i32, u32)>,
    refused: Vec<(Queue, i32)>,
    /// Sends that may still be answered at once.
    at_once: u32,
    /// The packet has come.
    told: bool,
    overlapped: NonNull<OVERLAPPED>,
    /// The packet's port lives as long as this.
    _port: Unpark,
}

/// The memory of some streams.
struct Block {
    receives: Slots,
    sends: Slots,
}

impl Backend {
    /// The socket that a request is about, if it goes this way.
    #[inline]
    pub(super) fn registered_way(&mut self, request: &Request<'_>) -> Option<Way> {
        let io = self.registered.io.as_mut().ok()?;
        match request {
            Request::Recv { fd, .. }
            | Request::RecvPooled { fd, .. }
            | Request::RecvVectored { fd, .. }
            | Request::RecvMessage { fd, .. }
            | Request::Send { fd, .. }
            | Request::SendZeroCopy { fd, .. }
            | Request::SendMessage { fd, .. }
            | Request::SendMessageZeroCopy { fd, .. }
                if matches!(fd.kind(), Kind::Stream | Kind::Datagram) =>
            {
                io.way_of(super::number_of(fd), fd.kind())
            }
            _ => None,
        }
    }

    /// Its sends have to go this way.
    pub(super) fn is_registered(&mut self, number: Number) -> bool {
        self.registered.io.as_mut().is_ok_and(|io| io.way_of(number, Kind::Stream).is_some())
    }

    pub(super) fn start_registered(
        &mut self,
        way: Way,
        packet: &mut Packet,
        request: Request<'static>,
    ) -> Started {
        let number = Number::from_driver(request.fd().expect("a socket's").number());
        packet.prepare(packet.user, Answered::Count, number, 0);
        if request.is_zero_copy() {
            packet.kind = Answered::ZeroCopy;
        }
        let index = match way {
            Way::Stream(index) => index,
            Way::Datagrams(index) => {
                let started = self.start_on_datagrams(index, packet, request);
                return self.in_time(SlotId(packet.user), packet.kind, started);
            }
        };
        let (user, quiet) = (packet.user, request.is_quiet());
        // SAFETY: what a request names rests in its slot until it is answered, and no memory outlives its reader or writer.
        let (into, peek) = unsafe {
            match request {
                Request::Recv { into, flags, .. } => {
                    (Target::Memory(Memory::one(into.as_mut_ptr().cast(), into.len())), flags.peek)
                }
                Request::RecvVectored { message, .. } => {
                    (Target::Memory(Memory::many(message.vectors)), false)
                }
                Request::RecvMessage { message, flags, .. } => {
                    (Target::Memory(Memory::many(message.vectors)), flags.peek)
                }
                Request::RecvPooled { group, multishot, .. } => {
                    (Target::Group { group, goes_on: multishot }, false)
                }
                Request::Send { from, .. } | Request::SendZeroCopy { from, .. } => {
                    let memory = Memory::one(from.as_ptr().cast_mut(), from.len());
                    let writer = Writer { user, kind: packet.kind, memory, quiet, copied: None };
                    return self.send_registered(index, writer);
                }
                Request::SendMessage { message, .. }
                | Request::SendMessageZeroCopy { message, .. } => {
                    let memory = Memory::many(message.vectors);
                    let writer = Writer { user, kind: packet.kind, memory, quiet, copied: None };
                    return self.send_registered(index, writer);
                }
                _ => unreachable!("another request"),
            }
        };
        let started = self.receive_registered(index, Reader { user, into, peek });
        self.in_time(SlotId(user), packet.kind, started)
    }

    /// A request is no longer wanted. `true`: it was one of these, and it is over. What the system has been asked for goes
    /// on, and what comes of it is for the next one.
    pub(super) fn cancel_registered(&mut self, user: u64, number: Number) -> bool {
        let (io, index) = match self.registered.known(number) {
            Some((io, Way::Stream(index))) => (io, index),
            Some((_, Way::Datagrams(index))) => return self.cancel_datagram(index, user),
            None => return false,
        };
        let stream = &mut io.streams[index as usize];
        let reader = stream.reader.take_if(|reader| reader.user == user);
        let writer = stream.writer.take_if(|writer| writer.user == user);
        let flusher = stream.flusher.take_if(|flusher| *flusher == user);
        let is_over = reader.is_some() || writer.is_some() || flusher.is_some();
        if is_over {
            let kind = writer.as_ref().map_or(Answered::Count, |writer| writer.kind);
            let given_up = writer.map_or(-super::errno::ECANCELED, |writer| writer.given_up());
            self.report(user, kind, given_up, 0);
        }
        is_over
    }

    /// A turn: what goes on is answered again, what was asked for is handed over, and what has ended is taken out. Only the
    /// handing over is a call into the system.
    #[inline]
    pub(super) fn exchange(&mut self) -> io::Result<()> {
        if self.registered.has_work() { self.exchange_all() } else { Ok(()) }
    }

    fn exchange_all(&mut self) -> io::Result<()> {
        self.answer_again();
        self.hand_over();
        self.take_out()?;
        // Else a task may have more of it first.
        if !self.is_busy() {
            self.hand_over();
        }
        Ok(())
    }

    /// Nobody may turn for a while: hands over what was asked for, and lets go what that has ended, such as a stream that was
    /// dropped with something to be sent.
    pub(super) fn settle_registered(&mut self) {
        if self.registered.has_work() {
            self.hand_over();
            // An error comes again in the next turn, which tells of it.
            let _ = self.take_out();
            self.hand_over();
        }
    }

    /// Asks for what sockets want, and commits it: a call for each socket and direction.
    fn hand_over(&mut self) {
        let Ok(io) = &mut self.registered.io else { return };
        io.at_once = SENDS_AT_ONCE;
        if io.touched.is_empty() {
            return;
        }
        let mut touched = mem::replace(&mut io.touched, mem::take(&mut io.spare_touched));
        for &way in &touched {
            io.untouch(way);
            if let Err(code) = io.ask(way)
                && let Some(queue) = io.queue_of(way)
            {
                io.refused.push((queue, code));
            }
        }
        touched.clear();
        io.spare_touched = touched;
        self.send_waiting();
        let Ok(io) = &mut self.registered.io else { return };
        let Io { rio, refused, .. } = &mut **io;
        rio.commit(|queue, code| refused.push((queue, code)));
        while let Some((queue, code)) = self.registered.next_refused() {
            self.break_queue(queue, code);
        }
    }

    /// Takes out what has ended.
    fn take_out(&mut self) -> io::Result<()> {
        let Ok(io) = &mut self.registered.io else { return Ok(()) };
        if io.rio.in_flight() == 0 {
            return Ok(());
        }
        let Io { rio, said, .. } = &mut **io;
        rio.drain(|context, status, bytes| said.push((context, status, bytes)))
            .map_err(|error| io::Error::from_raw_os_error(error.code()))?;
        let mut said = mem::take(said);
        for (context, status, bytes) in said.drain(..) {
            let code = code_of(status);
            match Ended::from_bits(context) {
                Ended::Receive(index) => self.received(index, code, bytes),
                Ended::Send(index) => self.sent(index, code, bytes),
                Ended::Datagram { socket, slot } => {
                    self.received_datagram(socket, slot, code, bytes);
                }
                Ended::SentDatagram { slot } => self.sent_datagram(slot, code),
            }
        }
        if let Ok(io) = &mut self.registered.io {
            io.said = said;
        }
        Ok(())
    }

    /// The core is about to wait for so long: asks for a packet when something ends. The limit may become less.
    pub(super) fn prepare_to_sleep(&mut self, limit: Option<u64>) -> Option<u64> {
        let Ok(io) = &mut self.registered.io else { return limit };
        if limit == Some(0) {
            return limit;
        }
        let told = io.rio.before_sleep().is_ok();
        if told && io.touched.is_empty() {
            return limit;
        }
        // Nobody will tell, so it is looked at again.
        Some(limit.map_or(RETRY_NS, |limit| limit.min(RETRY_NS)))
    }

    /// Whether an entry of the port is the packet of registered I/O.
    #[inline]
    pub(super) fn is_registered_packet(&mut self, entry: &OVERLAPPED_ENTRY) -> bool {
        if entry.lpCompletionKey != REGISTERED {
            return false;
        }
        if let Ok(io) = &mut self.registered.io {
            io.rio.notified();
            io.told = true;
        }
        true
    }

    /// After a wait.
    pub(super) fn take_out_if_told(&mut self) -> io::Result<()> {
        let Ok(io) = &mut self.registered.io else { return Ok(()) };
        if mem::take(&mut io.told) { self.take_out() } else { Ok(()) }
    }
}

impl Registered {
    /// Calls into the system that registered I/O has made.
    pub(super) fn calls(&self) -> u64 {
        self.io.as_ref().map_or(0, |io| {
            io.rio.calls().set_up + io.rio.calls().system_calls() + io.datagrams.asked
        })
    }

    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.io.as_ref().is_ok_and(|io| {
            io.rio.in_flight() > 0 || !io.touched.is_empty() || !io.again.is_empty()
        })
    }

    /// The way of a socket that has a queue.
    fn known(&mut self, number: Number) -> Option<(&mut Io, Way)> {
        let io = self.io.as_mut().ok()?;
        let known = *io.sockets.get(place_of(number)?)?;
        (known >= FIRST).then(|| (&mut **io, Way::from_bits(known - FIRST)))
    }

    /// The stream of a socket that has become one.
    fn known_stream(&mut self, number: Number) -> Option<(&mut Io, u32)> {
        match self.known(number)? {
            (io, Way::Stream(index)) => Some((io, index)),
            _ => None,
        }
    }

    fn next_refused(&mut self) -> Option<(Queue, i32)> {
        self.io.as_mut().ok()?.refused.pop()
    }

    /// A socket that was made elsewhere has no registered I/O. (The model knows no difference, and tests take many from elsewhere.)
    pub(super) fn is_foreign(&mut self, number: Option<Number>) {
        if !cfg!(kael_rio = "model")
            && let Ok(io) = &mut self.io
            && let Some(place) = number.and_then(place_of)
        {
            io.note(place, PLAIN);
        }
    }

    /// Nothing is known of the number from here on.
    pub(super) fn forget(&mut self, number: Number) {
        if let Ok(io) = &mut self.io
            && let Some(place) = place_of(number)
            && let Some(known) = io.sockets.get_mut(place)
        {
            *known = UNKNOWN;
        }
    }
}

impl Io {
    fn note(&mut self, place: usize, what: u32) {
        if place >= self.sockets.len() {
            self.sockets.resize((place + 1).next_power_of_two(), UNKNOWN);
        }
        self.sockets[place] = what;
    }

    #[inline]
    fn way_of(&mut self, number: Number, kind: Kind) -> Option<Way> {
        let place = place_of(number)?;
        match self.sockets.get(place).copied().unwrap_or(UNKNOWN) {
            UNKNOWN => self.open(number, kind, place),
            PLAIN => None,
            known => Some(Way::from_bits(known - FIRST)),
        }
    }

    /// The first transfer of a socket decides how its bytes go.
    #[cold]
    fn open(&mut self, number: Number, kind: Kind, place: usize) -> Option<Way> {
        let opened = match kind {
            Kind::Datagram => self.open_datagrams(number),
            _ => self.open_stream(number),
        };
        self.note(place, opened.map_or(PLAIN, |way| way.to_bits() + FIRST));
        opened
    }

    fn open_stream(&mut self, number: Number) -> Option<Way> {
        let index = self.free_stream()?;
        match self.rio.open_queue(number.socket(), 1, 1) {
            Ok(queue) => {
                self.streams[index as usize].begin(number, queue);
                Some(Way::Stream(index))
            }
            Err(_) => {
                self.free.push(index);
                None
            }
        }
    }

    fn free_stream(&mut self) -> Option<u32> {
        if self.free.is_empty() && (self.streams.len() as u32) < STREAMS {
            self.grow();
        }
        self.free.pop()
    }

    /// A list of what asks for something has each socket once.
    fn touch(&mut self, way: Way) {
        let touched = match way {
            Way::Stream(index) => &mut self.streams[index as usize].touched,
            Way::Datagrams(index) => self.datagrams.touched(index),
        };
        if !mem::replace(touched, true) {
            self.touched.push(way);
        }
    }

    fn untouch(&mut self, way: Way) {
        match way {
            Way::Stream(index) => self.streams[index as usize].touched = false,
            Way::Datagrams(index) => *self.datagrams.touched(index) = false,
        }
    }

    fn queue_of(&self, way: Way) -> Option<Queue> {
        match way {
            Way::Stream(index) => self.streams[index as usize].queue,
            Way::Datagrams(index) => self.datagrams.queue(index),
        }
    }

    /// Asks for what a socket wants. What there is no room for is asked again with the next turn.
    fn ask(&mut self, way: Way) -> Result<(), i32> {
        let asked = match way {
            Way::Stream(index) => self.ask_stream(index),
            Way::Datagrams(index) => [self.ask_datagrams(index), Ok(())],
        };
        for error in asked.into_iter().filter_map(Result::err) {
            if !error.is_full() {
                return Err(error.code());
            }
            self.touch(way);
        }
        Ok(())
    }

    fn ask_stream(&mut self, index: u32) -> [Result<(), Error>; 2] {
        let Io { rio, streams, blocks, .. } = self;
        let stream = &mut streams[index as usize];
        let block = &blocks[(index / BLOCK) as usize];
        [
            stream.ask_to_receive(rio, block, Ended::Receive(index).to_bits()),
            stream.ask_to_send(rio, block, Ended::Send(index).to_bits()),
        ]
    }
}

fn place_of(number: Number) -> Option<usize> {
    let place = number.handle() as usize >> 2;
    (place < HANDLES).then_some(place)
}

/// The code of a status: an error of Winsock, as far as is documented, or of the kernel's own kind.
fn code_of(status: i32) -> i32 {
    match status {
        0 => 0,
        status if status < 0 => super::code::of_status(status, true),
        status => super::code::of_socket(status as u32),
    }
}
