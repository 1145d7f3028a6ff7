//! What Windows wants at an address of its own for each request that it has: the OVERLAPPED, and beside it what we want to
//! know when it comes back.

use super::windows::number::Number;
use crate::driver::Descriptor;
use std::{
    mem,
    ptr::{self, NonNull},
};
use windows_sys::Win32::System::IO::OVERLAPPED;

/// Where one lies.
pub(crate) type PacketAt = NonNull<Packet>;

/// One lies in each slot, so its address stays, and no request allocates one.
#[repr(C)]
pub(crate) struct Packet {
    /// First, since its address is what the port gives back.
    pub(super) overlapped: OVERLAPPED,
    /// The slot that the request came from.
    pub(super) user: u64,
    /// What is to be done with the answer.
    pub(super) kind: Answered,
    /// The system has it, and its answer will come through the port.
    pub(super) pending: bool,
    /// What the request is about.
    pub(super) number: Number,
    /// Flags of a receive: the system writes there.
    pub(super) flags: u32,
    /// How much there was room for.
    pub(super) room: u32,
    /// What a pipe is read into, which may be asked again.
    pub(super) memory: *mut u8,
    /// The pipe that is written, which does not say how far a write came that was stopped.
    pub(super) written: Option<NonNull<Descriptor>>,
    /// A buffer of a group, which is filled.
    pub(super) group: u16,
    pub(super) buffer: u16,
    /// A pooled receive is asked again after each answer.
    pub(super) goes_on: bool,
    /// Its end was asked for while the system had it: nothing more is asked for it, whatever its packet says.
    pub(super) stopped: bool,
    /// Successes of the socket make no packet.
    pub(super) skips: bool,
    /// The socket that an accept fills, and where the addresses go.
    pub(super) accepted: Option<Number>,
    pub(super) peer: *mut super::PeerAddr,
}

/// What an answer is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answered {
    /// A count of bytes.
    Count,
    /// A count of bytes of a file, which may have ended.
    File,
    /// A count of bytes of a pipe, or a part of a message.
    Pipe,
    /// A datagram, which may have been longer than its room.
    Datagram,
    /// A buffer of a group.
    Pooled,
    /// Something is there to be received into a buffer of a group.
    Ready,
    /// A connection.
    Accept,
    /// The socket is connected.
    Connect,
    /// The bytes of a send that may keep its buffer.
    ZeroCopy,
}

impl Packet {
    pub(crate) const fn new() -> Packet {
        Packet {
            // SAFETY: an OVERLAPPED is made of integers and a null handle.
            overlapped: unsafe { mem::zeroed() },
            user: 0,
            kind: Answered::Count,
            pending: false,
            number: Number::NONE,
            flags: 0,
            room: 0,
            memory: ptr::null_mut(),
            written: None,
            group: 0,
            buffer: 0,
            goes_on: false,
            stopped: false,
            skips: false,
            accepted: None,
            peer: ptr::null_mut(),
        }
    }

    /// Makes it ready for a read of a pipe, perhaps not the first of its request.
    pub(super) fn prepare_again(&mut self) {
        let (memory, room, skips) = (self.memory, self.room, self.skips);
        self.prepare(self.user, Answered::Pipe, self.number, 0);
        (self.memory, self.room, self.skips, self.pending) = (memory, room, skips, true);
    }

    /// Makes it ready for a request. `at`: where in the file.
    pub(super) fn prepare(&mut self, user: u64, kind: Answered, number: Number, at: u64) {
        self.overlapped.Internal = 0;
        self.overlapped.InternalHigh = 0;
        self.overlapped.hEvent = ptr::null_mut();
        self.overlapped.Anonymous.Anonymous.Offset = at as u32;
        self.overlapped.Anonymous.Anonymous.OffsetHigh = (at >> 32) as u32;
        (self.user, self.kind, self.number) = (user, kind, number);
        (self.flags, self.room, self.accepted, self.written) = (0, 0, None, None);
    }
}
