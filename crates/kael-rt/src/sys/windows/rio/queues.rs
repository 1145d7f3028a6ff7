//! The request queues of sockets: what each has in flight, and whether it waits for a commit.
//!
//! A queue is *open*, then *closing* (its socket is closed, and no request is taken any more), and gone when the last
//! of its completions was taken out. There is no cancel: closing the socket is what ends its requests.

use super::error::Error;
use super::slab::{Key, Slab};

/// The request queue of a socket, until it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue(pub(super) Key);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Receive = 0,
    Send = 1,
}

pub(super) struct Queues {
    slab: Slab<Entry>,
    /// The queues that wait for a commit, each once. It never holds more than the slab does, so it does not grow.
    touched: Vec<Key>,
}

struct Entry {
    /// The system's name for it.
    id: isize,
    socket: usize,
    /// How many receives and sends it may have in flight.
    limits: [u32; 2],
    in_flight: [u32; 2],
    /// Receives, sends that were deferred and not committed yet.
    deferred: [bool; 2],
    /// Where it stands in `touched`.
    place: Option<u32>,
    closing: bool,
}

impl Queues {
    pub(super) fn new(size: u32) -> Queues {
        Queues { slab: Slab::new(size), touched: Vec::with_capacity(size as usize) }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slab.is_full()
    }

    /// The next key that `insert` gives must be known to the system before there is an id, so the id comes later.
    pub(super) fn insert(&mut self, socket: usize, limits: [u32; 2]) -> Result<Queue, Error> {
        let entry = Entry {
            id: 0,
            socket,
            limits,
            in_flight: [0; 2],
            deferred: [false; 2],
            place: None,
            closing: false,
        };
        self.slab.insert(entry).map(Queue).ok_or(Error::Queues)
    }

    pub(super) fn set_id(&mut self, queue: Queue, id: isize) {
        self.slab.get(queue.0).expect("inserted a moment ago").id = id;
    }

    /// Takes back an `insert` for which the system made no queue.
    pub(super) fn forget(&mut self, queue: Queue) {
        self.slab.remove(queue.0);
    }

    /// The id, if another request may be made.
    pub(super) fn id_for(&mut self, queue: Queue, direction: Direction) -> Result<isize, Error> {
        let entry = self.slab.get(queue.0).filter(|entry| !entry.closing).ok_or(Error::Gone)?;
        if entry.in_flight[direction as usize] == entry.limits[direction as usize] {
            return Err(Error::QueueFull);
        }
        Ok(entry.id)
    }

    /// The system has taken a deferred request.
    pub(super) fn begin(&mut self, queue: Queue, direction: Direction) {
        let entry = self.slab.get(queue.0).expect("asked for its id a moment ago");
        entry.in_flight[direction as usize] += 1;
        entry.deferred[direction as usize] = true;
        if entry.place.is_none() {
            entry.place = Some(self.touched.len() as u32);
            self.touched.push(queue.0);
        }
    }

    /// A completion was taken out. The room that the queue had reserved, if that was the last of a closed queue.
    pub(super) fn end(&mut self, queue: Queue, direction: Direction) -> Option<u32> {
        let entry = self.slab.get(queue.0).expect("not removed while it has requests");
        entry.in_flight[direction as usize] -= 1;
        self.remove_if_over(queue)
    }

    /// A queue that waits for a commit: its id, and of which directions. It does not wait any more.
    pub(super) fn pop_touched(&mut self) -> Option<(Queue, isize, [bool; 2])> {
        let key = self.touched.pop()?;
        let entry = self.slab.get(key).expect("a touched queue has requests, so it exists");
        entry.place = None;
        let deferred = std::mem::take(&mut entry.deferred);
        Some((Queue(key), entry.id, deferred))
    }

    /// As `pop_touched`, for one queue.
    pub(super) fn take_touched(&mut self, queue: Queue) -> Result<(isize, [bool; 2]), Error> {
        let entry = self.slab.get(queue.0).filter(|entry| !entry.closing).ok_or(Error::Gone)?;
        let result = (entry.id, std::mem::take(&mut entry.deferred));
        if let Some(place) = entry.place.take() {
            self.touched.swap_remove(place as usize);
            if let Some(&moved) = self.touched.get(place as usize) {
                self.slab.get(moved).expect("a touched queue exists").place = Some(place);
            }
        }
        Ok(result)
    }

    /// No request is taken any more: the socket, which is about to be closed.
    pub(super) fn close(&mut self, queue: Queue) -> Result<usize, Error> {
        let entry = self.slab.get(queue.0).filter(|entry| !entry.closing).ok_or(Error::Gone)?;
        assert!(
            entry.place.is_none(),
            "what was deferred is committed before the socket is closed"
        );
        entry.closing = true;
        Ok(entry.socket)
    }

    /// Frees a closed queue that has nothing in flight: the room that it had reserved.
    pub(super) fn remove_if_over(&mut self, queue: Queue) -> Option<u32> {
        let entry = self.slab.get(queue.0)?;
        if !entry.closing || entry.in_flight != [0; 2] {
            return None;
        }
        let room = entry.limits.iter().sum();
        self.slab.remove(queue.0);
        Some(room)
    }
}
