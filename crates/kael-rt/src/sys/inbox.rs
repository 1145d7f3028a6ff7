//! What the pool has done for one core, until the core looks.

use super::{Unpark, event::Event};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::*},
};

/// Where the pool puts what it has done for one core.
pub(crate) struct Inbox {
    done: Mutex<Vec<Event>>,
    filled: AtomicBool,
    unpark: Unpark,
}

impl Inbox {
    pub(in crate::sys) fn new(unpark: Unpark) -> Inbox {
        Inbox { done: Mutex::new(Vec::with_capacity(64)), filled: AtomicBool::new(false), unpark }
    }

    pub(in crate::sys) fn is_filled(&self) -> bool {
        self.filled.load(Acquire)
    }

    /// Only who fills it wakes the core: what comes until the core looks is found with that.
    pub(super) fn put(&self, event: Event) {
        let mut done = self.done.lock().unwrap_or_else(|e| e.into_inner());
        done.push(event);
        let was_filled = self.filled.swap(true, AcqRel);
        drop(done);
        if !was_filled {
            self.unpark.unpark();
        }
    }

    /// Moves what is done to `events`; returns how many.
    pub(in crate::sys) fn take(&self, events: &mut Vec<Event>) -> u32 {
        if !self.is_filled() {
            return 0;
        }
        let mut done = self.done.lock().unwrap_or_else(|e| e.into_inner());
        let taken = done.len() as u32;
        events.append(&mut done);
        self.filled.store(false, Release);
        taken
    }
}
