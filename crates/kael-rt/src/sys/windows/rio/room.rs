//! The room in a completion queue, which is fixed when the queue is made.
//!
//! A request queue reserves a place for each request that it may ever have in flight, so the completion queue cannot
//! overflow. The system keeps the same account and refuses with WSAENOBUFS; ours says it without a call, and gives
//! room back at a moment that we know: when the queue's socket is closed *and* its last completion was taken out.

use super::error::Error;

#[derive(Debug)]
pub(super) struct Room {
    size: u32,
    reserved: u32,
}

impl Room {
    pub(super) fn new(size: u32) -> Room {
        Room { size, reserved: 0 }
    }

    /// Places that a new request queue could have.
    pub(super) fn left(&self) -> u32 {
        self.size - self.reserved
    }

    pub(super) fn reserve(&mut self, places: u32) -> Result<(), Error> {
        if places > self.left() {
            return Err(Error::CompletionRoom);
        }
        self.reserved += places;
        Ok(())
    }

    pub(super) fn release(&mut self, places: u32) {
        assert!(places <= self.reserved, "room is given back that was never reserved");
        self.reserved -= places;
    }
}
