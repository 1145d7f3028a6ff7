//! How much may be answered when it is asked for, so that a task whose peer is always ready does not keep the core: what
//! comes after that is answered with the next turn.
#![forbid(unsafe_code)]

use crate::task::context;
use std::mem;

/// Answers in one poll of a task (two polls may share them).
const IN_POLL: u32 = 32;
/// And between two turns, so that timers and other tasks' answers come in time.
const IN_TURN: u32 = 256;

pub(super) struct AtOnce {
    in_poll: u32,
    in_turn: u32,
    /// The count of polls when those were counted anew.
    poll: u64,
}

impl AtOnce {
    pub(super) fn new() -> AtOnce {
        AtOnce { in_poll: IN_POLL, in_turn: IN_TURN, poll: 0 }
    }

    /// A turn begins.
    pub(super) fn renew(&mut self) {
        (self.in_poll, self.in_turn) = (IN_POLL, IN_TURN);
    }

    /// Whether one more may be answered at once.
    #[inline]
    pub(super) fn take(&mut self) -> bool {
        if self.in_poll == 0 && !self.is_another_poll() {
            return false;
        }
        self.in_poll -= 1;
        true
    }

    #[cold]
    fn is_another_poll(&mut self) -> bool {
        let poll = context::try_with(|core| core.tasks.polls()).unwrap_or(0);
        if mem::replace(&mut self.poll, poll) == poll {
            return false;
        }
        self.in_poll = IN_POLL.min(self.in_turn);
        self.in_turn -= self.in_poll;
        self.in_poll > 0
    }
}
