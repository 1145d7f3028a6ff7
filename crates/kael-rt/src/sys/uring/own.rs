//! Submissions of the backend's own, and completions that belong to no slot.

use super::{Backend, COMMAND, NOBODY, WAKE, abi::*, files};
use crate::sys::event::{Event, MORE, NOTIFICATION, buffer_flags};

impl Backend {
    /// A multishot poll of the wake descriptor: each write to it makes one completion, and
    /// nothing has to be read back.
    pub(super) fn arm_wake(&mut self) {
        if self.has_room() {
            let sqe = Sqe {
                opcode: OP_POLL_ADD,
                fd: self.unpark.descriptor(),
                len: POLL_ADD_MULTI,
                op_flags: libc::POLLIN as u32,
                user_data: WAKE,
                ..Sqe::default()
            };
            // SAFETY: a poll points at no memory.
            unsafe { self.ring.push(sqe) };
            self.wake_armed = true;
        }
    }

    /// A completion that belongs to no slot. Some: what it is for one that waits. (It comes in parts, so that none has to be in
    /// memory; see `Inner::complete_closely`.)
    #[cold]
    pub(super) fn note_own(&mut self, user_data: u64, result: i32, flags: u32) -> Option<Event> {
        let more = flags & CQE_MORE != 0;
        match user_data {
            WAKE => self.wake_armed = more,
            NOBODY | COMMAND => {}
            change @ files::FIRST.. => self.files.answered(change, result),
            accept => return self.accepted(accept, result, more),
        }
        None
    }

    /// What an event's flags say, in the driver's terms. (Most have none, so they are not looked at
    /// before somebody asks.)
    pub(crate) fn flags(&self, event: Event) -> u32 {
        let mut flags = 0;
        if event.flags & CQE_MORE != 0 {
            flags |= MORE;
        }
        if event.flags & CQE_NOTIF != 0 {
            flags |= NOTIFICATION;
        }
        // An error that names one has put nothing there.
        if event.flags & CQE_BUFFER != 0 && event.result >= 0 {
            flags |= buffer_flags((event.flags >> 16) as u16);
        }
        flags
    }
}
