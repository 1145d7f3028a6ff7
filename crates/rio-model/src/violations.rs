//! What breaks the contract of registered I/O, and how often each has happened in this process.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Violation {
    /// A slice that does not lie in its registered buffer. Refused with WSAEINVAL.
    Bounds = 0,
    /// A buffer that was never registered, or is not any more. Refused with WSAEFAULT.
    UnknownBuffer = 1,
    /// A buffer is deregistered while a request uses it. Undefined on Windows; here it stays registered.
    DeregisteredInUse = 2,
    /// A registration that a send in flight uses is used again, or memory that a receive in flight has. Undefined on
    /// Windows; refused with WSAEINVAL.
    ReusedInFlight = 3,
    /// More requests in flight than the request queue was made for. Refused with WSAENOBUFS.
    RequestRoom = 4,
    /// Request queues that reserve more than the completion queue has. Refused with WSAENOBUFS.
    CompletionRoom = 5,
    /// A notification is asked for before the last one has come. Refused with WSAEALREADY.
    NotifiedTwice = 6,
    /// Two threads use one queue at once. Undefined on Windows; refused with WSAEINVAL.
    Concurrent = 7,
    /// A queue that does not exist. Refused with WSAEINVAL.
    UnknownQueue = 8,
    /// Arguments that do not go together. Refused with WSAEINVAL.
    Arguments = 9,
    /// Memory for an address that is shorter than a SOCKADDR_INET, not aligned for one, or has the bytes in it, too.
    /// Refused with WSAEINVAL.
    Address = 10,
    /// A datagram without an address from a socket that is not connected. Refused with WSAENOTCONN.
    NoPeer = 11,
    /// A datagram is sent through a queue whose socket was connected after the queue was made, or connected anew. Not
    /// among the calls that are documented for such a socket; refused with WSAEINVAL.
    ConnectedLate = 12,
}

pub const KINDS: [Violation; 13] = [
    Violation::Bounds,
    Violation::UnknownBuffer,
    Violation::DeregisteredInUse,
    Violation::ReusedInFlight,
    Violation::RequestRoom,
    Violation::CompletionRoom,
    Violation::NotifiedTwice,
    Violation::Concurrent,
    Violation::UnknownQueue,
    Violation::Arguments,
    Violation::Address,
    Violation::NoPeer,
    Violation::ConnectedLate,
];

static COUNTS: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];

/// How often this has happened.
pub fn count(kind: Violation) -> u64 {
    COUNTS[kind as usize].load(Ordering::Relaxed)
}

/// How many violations there were, of all kinds.
pub fn total() -> u64 {
    KINDS.into_iter().map(count).sum()
}

/// Counts one. Gives back the error that the caller is refused with.
pub(crate) fn record(kind: Violation, code: i32) -> i32 {
    COUNTS[kind as usize].fetch_add(1, Ordering::Relaxed);
    code
}
