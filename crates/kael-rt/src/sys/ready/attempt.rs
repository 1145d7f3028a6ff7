//! One try of a request, and what is known of its descriptor afterwards.

use super::{Backend, calls, groups::Groups, watches::Direction};
use crate::{
    driver::{Descriptor, SlotId},
    op::{Request, Side},
    sys::{
        event::{COPIED, Event, MORE, NOTIFICATION, buffer_flags},
        own, posix,
    },
};

/// What a try has given: a count, a descriptor or a negative errno, and the buffer that was filled.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) result: i32,
    pub(super) flags: u32,
}

/// A try: its answer, and how many bytes a stream was asked for.
pub(super) struct Try {
    pub(super) answer: Answer,
    asked: usize,
    pub(super) calls: u64,
}

impl Try {
    fn of(result: i32) -> Try {
        Try { answer: Answer { result, flags: 0 }, asked: 0, calls: 1 }
    }

    /// Makes the call. `again`: it was tried before. `EAGAIN`: it is to be tried after a hint.
    #[inline]
    pub(super) fn make(request: &mut Request<'_>, groups: &mut Groups, again: bool) -> Try {
        match request {
            Request::RecvMessages { .. } => unreachable!("datagrams come one by one"),
            Request::RecvPooled { fd, group, .. } => receive_pooled(fd, *group, groups),
            Request::Connect { fd, .. } if again => {
                Try { calls: 2, ..Try::of(calls::connected(fd.number())) }
            }
            Request::Ready { .. } => Try { calls: 0, ..Try::of(0) },
            request => {
                let result = posix::call(request);
                Try { asked: asked(request), ..Try::of(result) }
            }
        }
    }

    /// Notes what follows from it.
    #[inline]
    pub(super) fn note(&self, direction: &mut Direction) {
        let result = self.answer.result;
        // A stream that gave less is empty, and what comes next is a new hint.
        let is_empty = result > 0 && (result as usize) < self.asked && !direction.ended;
        if result == -libc::EAGAIN || is_empty {
            direction.ready = false;
        }
    }
}

/// Receives into a buffer of a group. A buffer is taken only for what is there.
fn receive_pooled(fd: &Descriptor, group: u16, groups: &mut Groups) -> Try {
    let group = groups.get(group);
    let Some(buffer) = group.take() else { return Try::of(calls::look(fd)) };
    let asked = group.size();
    // SAFETY: a buffer that was lent to us, of that size.
    let result = unsafe { calls::receive(fd, group.at(buffer), asked) };
    if result <= 0 {
        group.put_back(buffer);
        return Try::of(result);
    }
    Try { answer: Answer { result, flags: buffer_flags(buffer) }, asked, calls: 1 }
}

impl Backend {
    /// Tries a request for the first time.
    #[inline]
    pub(super) fn attempt(
        &mut self,
        request: &mut Request<'static>,
        fd: i32,
        side: Side,
    ) -> Answer {
        let tried = Try::make(request, &mut self.groups, false);
        self.calls += tried.calls;
        tried.note(self.watches.side(fd, side));
        tried.answer
    }

    /// Tells the driver of an answer that `start` did not give.
    pub(super) fn report(&mut self, id: SlotId, request: &Request<'_>, answer: Answer) {
        if answer.result >= 0 && request.is_zero_copy() {
            // The bytes were copied, and the buffer is free.
            self.own.push_back(Event { user: id.0, result: answer.result, flags: MORE });
            self.finish(id, COPIED, NOTIFICATION);
            return;
        }
        self.finish(id, answer.result, answer.flags);
    }

    #[inline]
    pub(super) fn finish(&mut self, id: SlotId, result: i32, flags: u32) {
        self.own.push_back(Event { user: id.0, result, flags });
    }
}

/// How many bytes a receive of a stream has asked for, if less of them means that no more are there.
#[inline]
fn asked(request: &Request<'_>) -> usize {
    match request {
        Request::Recv { fd, into, flags } if fd.is_stream() && !flags.peek => own::most(into.len()),
        Request::RecvVectored { fd, message } if fd.is_stream() => message.room(),
        _ => 0,
    }
}
