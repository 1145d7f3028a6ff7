//! Receiving into buffers of a group.
//!
//! While there are enough, a receive takes one along and is one call a message. When they run short, it asks first, with no
//! room at all, to hear that something is there: so streams on which nothing happens do not keep the buffers of others.
//!
//! ```text
//!          enough buffers                    the packet
//!   ask ─────────────────▶ receiving ───────────────────────▶ answered ─▶ (asked again with the next turn, if it goes on)
//!    │ few                     ▲ a buffer is free
//!    └─────────▶ listening ────┤ the packet
//!                              └─▶ none is free: ENOBUFS
//! ```

use super::{
    super::{
        event::{Event, MORE, Started, buffer_flags},
        packet::{Answered, Packet},
    },
    Backend, errno,
    files::Called,
    streams::outcome,
};
use std::{mem, ptr, ptr::NonNull};
use windows_sys::Win32::Networking::WinSock::{WSABUF, WSARecv};

/// So many stay for those that know that something is there.
const FEW: usize = 8;

impl Backend {
    pub(super) fn start_pooled(
        &mut self,
        packet: &mut Packet,
        group: u16,
        multishot: bool,
        skips: bool,
    ) -> Started {
        packet.group = group;
        packet.goes_on = multishot;
        packet.skips = skips;
        if !multishot {
            return match self.ask(packet) {
                None => Started::Queued,
                Some((result, 0)) => Started::Done(result),
                Some((result, flags)) => Started::Filled(result, flags),
            };
        }
        self.ask_on(packet);
        Started::Queued
    }

    /// Asks for the next message. With an answer, if it is there.
    fn ask(&mut self, packet: &mut Packet) -> Option<(i32, u32)> {
        if self.groups.get(packet.group).free() > FEW {
            return self.receive_pooled(packet);
        }
        packet.kind = Answered::Ready;
        match self.call_receive(packet, WSABUF { len: 0, buf: ptr::null_mut() }) {
            Called::Later => None,
            Called::Moved(_) => self.receive_pooled(packet),
            Called::Failed(code) => Some((-code, 0)),
        }
    }

    /// Receives into a buffer. `None`: later.
    pub(super) fn receive_pooled(&mut self, packet: &mut Packet) -> Option<(i32, u32)> {
        let group = self.groups.get(packet.group);
        let Some(buffer) = group.take() else { return Some((-errno::ENOBUFS, 0)) };
        let room = WSABUF { len: group.size() as u32, buf: group.at(buffer).as_ptr() };
        (packet.kind, packet.buffer) = (Answered::Pooled, buffer);
        match self.call_receive(packet, room) {
            Called::Later => None,
            Called::Moved(n) => Some(self.filled(packet, n)),
            Called::Failed(code) => {
                self.groups.get(packet.group).put_back(buffer);
                Some((-code, 0))
            }
        }
    }

    /// A buffer has so many bytes.
    pub(super) fn filled(&mut self, packet: &Packet, n: u32) -> (i32, u32) {
        if n == 0 {
            self.groups.get(packet.group).put_back(packet.buffer);
            return (0, 0);
        }
        (n as i32, buffer_flags(packet.buffer))
    }

    fn call_receive(&mut self, packet: &mut Packet, room: WSABUF) -> Called {
        let number = packet.number;
        packet.prepare(packet.user, packet.kind, number, 0);
        packet.pending = true;
        self.calls += 1;
        let (overlapped, flags) = (&raw mut packet.overlapped, &raw mut packet.flags);
        let mut moved = 0;
        // SAFETY: an open socket; the buffer is the group's, which waits for it, and the OVERLAPPED and the flags stay where
        // they are until the packet has come.
        let result =
            unsafe { WSARecv(number.socket(), &room, 1, &mut moved, flags, overlapped, None) };
        let called = outcome(result, moved, packet.skips);
        match called {
            Called::Later => self.pending += 1,
            _ => packet.pending = false,
        }
        called
    }

    /// As `ask`, for a receive that goes on: its answers are events.
    fn ask_on(&mut self, packet: &mut Packet) {
        if let Some((result, flags)) = self.ask(packet) {
            self.answer_pooled(packet, result, flags);
        }
    }

    /// Tells of an answer; a receive that goes on is asked again with the next turn, so that others come first.
    pub(super) fn answer_pooled(&mut self, packet: &mut Packet, result: i32, flags: u32) {
        if result > 0 && packet.goes_on {
            self.own.push_back(Event { user: packet.user, result, flags: flags | MORE });
            self.again.push(NonNull::from(packet));
        } else {
            self.finish(packet.user, result, flags);
        }
    }

    pub(super) fn ask_again(&mut self) {
        if self.again.is_empty() {
            return;
        }
        let mut again = mem::replace(&mut self.again, mem::take(&mut self.spare));
        for packet in again.drain(..) {
            // SAFETY: it lies in the slot of a receive that is not over: the slot stays until we say that it is over.
            let packet = unsafe { &mut *packet.as_ptr() };
            match packet.kind {
                Answered::Pipe => self.read_pipe_again(packet),
                _ => self.ask_on(packet),
            }
        }
        self.spare = again;
    }
}
