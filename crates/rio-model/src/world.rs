//! All that exists: registered buffers, completion queues, request queues. One lock for everything; a model may be slow.
//!
//! Numbers are never used twice, so one that is stale is always found out.

use crate::chance::Chance;
use crate::guard::Door;
use crate::peers::Peers;
use crate::pump::Events;
use crate::transfer::{Direction, Transfer};
use crate::violations::{Violation, record};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use windows_sys::Win32::Networking::WinSock::{RIORESULT, SOCKET, WSAEINVAL};

pub(crate) struct World {
    last: isize,
    pub(crate) buffers: BTreeMap<isize, Buffer>,
    pub(crate) completions: BTreeMap<isize, Completions>,
    pub(crate) queues: BTreeMap<isize, Queue>,
}

pub(crate) struct Buffer {
    pub(crate) at: usize,
    pub(crate) len: u32,
    /// Parts that receives, sends name whose completions were not taken out.
    pub(crate) in_flight: [Vec<Range<u32>>; 2],
}

impl Buffer {
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.iter().any(|parts| !parts.is_empty())
    }
}

/// A part of a registered buffer.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) buffer: isize,
    pub(crate) range: Range<u32>,
    /// Where it lies.
    pub(crate) at: usize,
}

/// What a request names: its bytes, and an address.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) data: Option<Part>,
    pub(crate) address: Option<Part>,
}

impl Parts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.data.iter().chain(&self.address)
    }
}

/// A completion queue.
pub(crate) struct Completions {
    pub(crate) size: u32,
    /// By all its request queues.
    pub(crate) reserved: u32,
    /// Port, key and OVERLAPPED of the packet that notifies. None: it is only polled.
    pub(crate) packet: Option<[usize; 3]>,
    pub(crate) armed: bool,
    /// Of receives and of sends; held back until there are enough of either.
    pub(crate) held: [VecDeque<Completion>; 2],
    pub(crate) ready: VecDeque<Completion>,
    pub(crate) chance: Chance,
    pub(crate) door: Door,
    pub(crate) events: Events,
    /// The one that waits for the events.
    pub(crate) thread: Option<JoinHandle<()>>,
}

/// One that was not taken out yet.
pub(crate) struct Completion {
    pub(crate) result: RIORESULT,
    pub(crate) queue: isize,
    pub(crate) direction: Direction,
    pub(crate) parts: Parts,
    pub(crate) notifies: bool,
}

/// A request queue.
pub(crate) struct Queue {
    pub(crate) socket: SOCKET,
    pub(crate) is_datagram: bool,
    pub(crate) peers: Peers,
    pub(crate) context: u64,
    /// Of receives and of sends; so all pairs here.
    pub(crate) completions: [isize; 2],
    pub(crate) limits: [u32; 2],
    /// Charged until the completion is taken out, as on Windows.
    pub(crate) charged: [u32; 2],
    pub(crate) deferred: [VecDeque<Request>; 2],
    pub(crate) begun: [VecDeque<Request>; 2],
    /// The error that every further request of it ends with.
    pub(crate) broken: Option<i32>,
    pub(crate) door: Door,
}

pub(crate) struct Request {
    pub(crate) context: u64,
    pub(crate) parts: Parts,
    /// It receives as many bytes at most.
    pub(crate) most: u32,
    pub(crate) notifies: bool,
    pub(crate) looks: u32,
    /// An error that it ends with, and no other.
    pub(crate) fails: Option<i32>,
    /// None: deferred.
    pub(crate) transfer: Option<Transfer>,
}

static WORLD: Mutex<World> = Mutex::new(World {
    last: 0,
    buffers: BTreeMap::new(),
    completions: BTreeMap::new(),
    queues: BTreeMap::new(),
});

pub(crate) fn lock() -> MutexGuard<'static, World> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn next_number(&mut self) -> isize {
        // Not consecutive, so that one is not taken for an index.
        self.last += 16;
        self.last
    }

    pub(crate) fn completions(&mut self, number: isize) -> Result<&mut Completions, i32> {
        self.completions.get_mut(&number).ok_or_else(|| record(Violation::UnknownQueue, WSAEINVAL))
    }

    pub(crate) fn queue(&mut self, number: isize) -> Result<&mut Queue, i32> {
        self.queues.get_mut(&number).ok_or_else(|| record(Violation::UnknownQueue, WSAEINVAL))
    }

    pub(crate) fn wake_all(&self) {
        for completions in self.completions.values() {
            completions.events.wake();
        }
    }

    /// Forgets the queues whose sockets are closed and whose completions were all taken out, and gives back what they
    /// had reserved.
    pub(crate) fn sweep(&mut self) {
        let over =
            |queue: &Queue| queue.charged == [0; 2] && !queue.peers.are_still_of(queue.socket);
        let gone: Vec<isize> = self
            .queues
            .iter()
            .filter_map(|(&number, queue)| over(queue).then_some(number))
            .collect();
        for number in gone {
            let Some(queue) = self.queues.remove(&number) else { continue };
            for (completions, places) in queue.completions.into_iter().zip(queue.limits) {
                if let Some(completions) = self.completions.get_mut(&completions) {
                    completions.reserved -= places;
                }
            }
        }
    }
}
