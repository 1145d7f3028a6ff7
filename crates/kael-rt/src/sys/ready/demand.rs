//! Receives into buffers of a group that are made when their future looks.
//!
//! ```text
//!                 a hint: the future is woken, and looks
//!   asks ────────────────────────────────────────────────▶ the call is made ──▶ a buffer, used at once
//!    ▲                                                            │
//!    └────────────────────────────────────────────────────────────┘ the socket is empty
//! ```
//!
//! So what is received is used while it, and what the kernel has of its connection, are in the cache; and what nobody
//! looks for stays in the kernel.

use super::{Backend, attempt::Answer, calls};
use crate::{
    driver::{Descriptor, NONE, SlotId},
    op::{Request, Side},
    sys::event::{Event, LOOK},
};
use std::{mem, ptr::NonNull};

impl Backend {
    /// Somebody is to look.
    #[inline(always)]
    pub(super) fn look_of(index: u32) -> Event {
        Event { user: u64::from(index), result: 0, flags: LOOK }
    }

    /// The slot of whoever waits to read from the descriptor of the next hint but `after`, if there is one.
    #[inline(always)]
    pub(crate) fn soon(&self, after: u32) -> u32 {
        self.hints
            .get(self.seen + after as usize)
            .map_or(NONE, |hint| self.watches.reader(hint.number))
    }

    /// Whether a multishot, whose future looks, may receive now. If not, the future will be told.
    #[inline(always)]
    pub(crate) fn may_receive(&mut self, id: SlotId, fd: i32) -> bool {
        let watch = self.watches.get(fd);
        let direction = &watch.sides[Side::Read as usize];
        // Else it is stopped, and will hear of that.
        if !direction.is_first(id.index()) {
            return false;
        }
        if direction.ready && self.at_once.take() {
            return true;
        }
        self.ask(id, fd);
        false
    }

    /// A buffer of a group, to receive into. `None`: none is left, of which the future will hear if something is there.
    #[cold]
    pub(crate) fn take_lent(
        &mut self,
        id: SlotId,
        fd: &Descriptor,
        group: u16,
    ) -> Option<(NonNull<u8>, u16)> {
        let group = self.groups.get(group);
        if let Some(buffer) = group.free.pop() {
            return Some((group.at(buffer), buffer));
        }
        self.calls += 1;
        self.received(id, fd.number(), calls::look(fd));
        None
    }

    /// Receives for a multishot that may. Not a positive number: nothing was received, and the future will be told why.
    ///
    /// # Safety
    /// Room for `len` bytes, which nobody else uses.
    #[inline(always)]
    pub(crate) unsafe fn receive_waiting(
        &mut self,
        id: SlotId,
        fd: &Descriptor,
        at: NonNull<u8>,
        len: usize,
    ) -> i32 {
        self.calls += 1;
        // SAFETY: the caller's word.
        let result = unsafe { calls::receive(fd, at, len) };
        if result <= 0 {
            self.received(id, fd.number(), result);
        } else {
            let direction = self.watches.side(fd.number(), Side::Read);
            // See `Try::note`.
            direction.ready &= result as usize >= len || direction.ended;
        }
        result
    }

    #[cold]
    fn received(&mut self, id: SlotId, fd: i32, result: i32) {
        if result == -libc::EAGAIN {
            self.watches.side(fd, Side::Read).ready = false;
            self.ask(id, fd);
        } else {
            self.end_waiting(id, result);
        }
    }

    /// The future of a multishot is to be told: of the next hint, or in the next turn.
    #[inline(always)]
    fn ask(&mut self, id: SlotId, fd: i32) {
        let watch = self.watches.get(fd);
        watch.asks = true;
        let direction = &watch.sides[Side::Read as usize];
        if direction.ready || !direction.armed {
            self.ask_otherwise(id, fd);
        }
    }

    #[cold]
    fn ask_otherwise(&mut self, id: SlotId, fd: i32) {
        if self.watches.side(fd, Side::Read).ready {
            self.list(fd, Side::Read);
        } else if let Err(errno) = self.arm(fd, Side::Read) {
            self.end_waiting(id, -errno);
        }
    }

    /// A multishot has its last answer.
    #[cold]
    fn end_waiting(&mut self, id: SlotId, result: i32) {
        if let Some(request) = self.watches.remove(id) {
            self.report(id, &request, Answer { result, flags: 0 });
        }
    }

    /// The future of the multishot that is first in its line is to look; if it has not asked, it will. `refused`: no hint
    /// will come, so what is not there now is an error.
    pub(super) fn tell(&mut self, id: SlotId, fd: i32, refused: i32) {
        if refused != 0 {
            self.calls += 1;
            let found = match self.watches.first(fd, Side::Read) {
                Some((_, Request::RecvPooled { fd, .. }, _)) => calls::look(fd),
                _ => unreachable!("it is the first that waits"),
            };
            match found {
                code if code == -libc::ENOBUFS => {}
                code if code == -libc::EAGAIN => return self.end_waiting(id, -refused),
                code => return self.end_waiting(id, code),
            }
        }
        let watch = self.watches.get(fd);
        if mem::take(&mut watch.asks) {
            self.own.push_back(Self::look_of(id.index()));
        }
    }
}
