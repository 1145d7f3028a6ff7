//! The state of one stream, without its memory and without the system: plain data, which any system can test.
//!
//! What is received:
//!
//! ```text
//!            a request comes             handed over                    the completion
//!   empty ───────────────────▶ wanted ───────────────▶ posted ───────────────────────────────▶ full
//!     ▲                          │ dropped               │ dropped: the system goes on          │
//!     │◀─────────────────────────┘                       ▼                                      │
//!     │                                            posted for nobody ──▶ full for nobody        │
//!     │                                                  ▲ the next request waits for the same  │
//!     └──────────────────────────────────────────────────────────────── everything was copied ──┘
//! ```
//!
//! The end of the stream and errors stay: each later request has them once everything before was copied.
//!
//! What is sent is copied into the *front* slot. A queued send is answered then, any other when the system has sent its bytes. Handing over makes the front slot the *back*
//! slot, of which one send is in flight, and the other one is the front. A request that finds no room waits for the completion of
//! that send; an error of it is for who waits for it, or the next request, and stays.
//!
//! A stream that is closed has its socket until its last byte was sent, or cannot be; then the socket is closed, which
//! ends a receive that is posted, and the place is free when the completions have come.
#![forbid(unsafe_code)]

use core::{mem, ops::Range};

/// Bytes of a slot: what one receive brings at most, and one send takes.
pub(super) const SLOT: u32 = 32 * 1024;

#[derive(Default)]
pub(super) struct Receive {
    /// The system may write into the slot.
    posted: bool,
    /// Where in the slot the bytes are that nobody has had.
    held: Range<u32>,
    /// 0, or an error: the answer to every request once those are gone.
    ended: Option<i32>,
}

impl Receive {
    /// Bytes of the slot that the next request gets. There are none while a receive is posted.
    pub(super) fn held(&self) -> Range<usize> {
        self.held.start as usize..self.held.end as usize
    }

    /// So many of them were copied.
    pub(super) fn take(&mut self, bytes: usize) {
        self.held.start += bytes as u32;
        debug_assert!(self.held.start <= self.held.end);
    }

    /// The answer when nothing is held any more, if the stream is over.
    pub(super) fn ended(&self) -> Option<i32> {
        self.ended
    }

    pub(super) fn is_posted(&self) -> bool {
        self.posted
    }

    /// Whether a request that waits needs a receive to be posted.
    pub(super) fn may_post(&self) -> bool {
        !self.posted && self.held.is_empty() && self.ended.is_none()
    }

    pub(super) fn post(&mut self) {
        debug_assert!(self.may_post());
        self.posted = true;
    }

    /// The completion: an error, or a count of bytes, whether anybody waits for them or not.
    pub(super) fn came(&mut self, code: i32, bytes: u32) {
        self.posted = false;
        match (code, bytes) {
            (0, 0) => self.end(0),
            (0, bytes) => self.held = 0..bytes.min(SLOT),
            (code, _) => self.end(-code),
        }
    }

    /// The first end stays.
    pub(super) fn end(&mut self, result: i32) {
        self.ended.get_or_insert(result);
    }
}

#[derive(Default)]
pub(super) struct Send {
    /// The slot that is copied into, and what is in it.
    front: usize,
    filled: u32,
    /// What of the back slot was sent, and what there is in it.
    sent: u32,
    total: u32,
    /// A send is in flight.
    posted: bool,
    /// Bytes that were copied, and that were sent, since the stream began.
    written: u64,
    through: u64,
    /// The error that every request has, and whether one had it.
    failed: Option<i32>,
    heard: bool,
    /// The direction ends when everything was sent.
    ends: bool,
}

/// What is to be sent: of which slot, from where, how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) slot: usize,
    pub(super) offset: u32,
    pub(super) len: u32,
}

impl Send {
    /// Something was written that the system has not said to have sent.
    pub(super) fn is_pending(&self) -> bool {
        self.posted || self.sent < self.total || self.filled > 0
    }

    pub(super) fn is_posted(&self) -> bool {
        self.posted
    }

    /// The code that a request has that writes behind an error.
    pub(super) fn failed(&self) -> Option<i32> {
        self.failed
    }

    /// As [`Send::failed`], for who is to be told what nobody was told.
    pub(super) fn unheard(&self) -> Option<i32> {
        self.failed.filter(|_| !self.heard)
    }

    /// Somebody was told of the error.
    pub(super) fn hear(&mut self) {
        self.heard |= self.failed.is_some();
    }

    /// The end of the direction waits for what is to be sent.
    pub(super) fn ends(&self) -> bool {
        self.ends
    }

    /// The slot that may be copied into, and from where on.
    pub(super) fn front(&self) -> (usize, Range<usize>) {
        (self.front, self.filled as usize..SLOT as usize)
    }

    pub(super) fn has_room(&self) -> bool {
        self.filled < SLOT
    }

    /// So much was copied into the front slot.
    pub(super) fn filled(&mut self, bytes: usize) {
        self.filled += bytes as u32;
        self.written += bytes as u64;
        debug_assert!(self.filled <= SLOT);
    }

    /// A place in the stream: behind all that was written.
    pub(super) fn mark(&self) -> u64 {
        self.written
    }

    /// Everything before that place was sent.
    pub(super) fn is_through(&self, mark: u64) -> bool {
        self.through >= mark
    }

    /// What may be sent now. What was written becomes what is sent; asked again, it is the same until it was posted.
    pub(super) fn next(&mut self) -> Option<Part> {
        if self.posted {
            return None;
        }
        if self.sent == self.total {
            if self.filled == 0 {
                return None;
            }
            (self.sent, self.total, self.filled) = (0, self.filled, 0);
            self.front ^= 1;
        }
        Some(Part { slot: self.front ^ 1, offset: self.sent, len: self.total - self.sent })
    }

    pub(super) fn post(&mut self) {
        debug_assert!(!self.posted && self.sent < self.total);
        self.posted = true;
    }

    /// The completion of the send: so much of it has been sent.
    pub(super) fn came(&mut self, bytes: u32) {
        self.posted = false;
        let bytes = bytes.min(self.total - self.sent);
        self.sent += bytes;
        self.through += u64::from(bytes);
    }

    /// As [`Send::fail`], while a send may be in flight: its completion is still to come.
    pub(super) fn give_up(&mut self, code: i32) {
        self.failed.get_or_insert(code);
        self.forget();
    }

    /// The send is over with an error. What was not sent is lost: the peer has lost it, too.
    pub(super) fn fail(&mut self, code: i32) {
        self.posted = false;
        self.give_up(code);
    }

    /// Nothing that is not in flight will be sent.
    pub(super) fn forget(&mut self) {
        (self.filled, self.sent, self.total) = (0, 0, 0);
    }

    /// Nothing more is written. Whether the direction may end at once, with `code` for who writes all the same.
    pub(super) fn end(&mut self, code: i32) -> bool {
        self.ends = self.is_pending() && self.failed.is_none();
        if !self.ends {
            self.shut(code);
        }
        !self.ends
    }

    /// Everything was sent that there was. Whether the direction is to end now.
    pub(super) fn ends_now(&mut self, code: i32) -> bool {
        let ends = mem::take(&mut self.ends);
        if ends {
            self.shut(code);
        }
        ends
    }

    /// What is no error of the stream's.
    fn shut(&mut self, code: i32) {
        self.heard |= self.failed.is_none();
        self.failed.get_or_insert(code);
    }
}
