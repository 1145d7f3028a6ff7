//! One try of a request, and what is known of its descriptor afterwards.

use super::{Backend, Cheap, is_zero_copy};
use crate::{
    driver::{Kind, SlotId},
    op::{Request, Side},
    sys::{
        event::{COPIED, Event, MORE, NOTIFICATION, buffer_flags},
        own, posix,
    },
};
use std::mem::MaybeUninit;

/// What a try has given: a count, a descriptor or a negative errno, and the buffer that was filled.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Backend {
    /// Makes the call. `again`: it was tried before. `EAGAIN`: it is to be tried after a hint.
    #[inline]
    pub(super) fn attempt(
        &mut self,
        request: &mut Request<'static>,
        fd: i32,
        side: Side,
        again: bool,
    ) -> Answer {
        self.calls += 1;
        let (answer, asked) = match request {
            Request::RecvPooled { group, .. } => self.receive_pooled(fd, *group),
            Request::Connect { .. } if again => {
                self.calls += 1;
                (Answer { result: posix::connected(fd), flags: 0 }, 0)
            }
            request => {
                let result = posix::call(request);
                (Answer { result, flags: 0 }, asked(request))
            }
        };
        let direction = self.watches.side(fd, side);
        if answer.result == -libc::EAGAIN {
            direction.ready = false;
        } else if answer.result > 0 && (answer.result as usize) < asked && !direction.ended {
            // A stream that gave less is empty, and what comes next is a new hint.
            direction.ready = false;
        }
        answer
    }

    /// Receives into a buffer of a group. A buffer is taken only for what is there.
    fn receive_pooled(&mut self, fd: i32, group: u16) -> (Answer, usize) {
        let Some(buffer) = self.group(group).take() else {
            return (Answer { result: posix::look(fd), flags: 0 }, 0);
        };
        let size = self.group(group).size();
        let room = self.group(group).at(buffer);
        // SAFETY: a buffer that was lent to us, of that size.
        let result = unsafe { posix::receive(fd, room, size) };
        if result > 0 {
            return (Answer { result, flags: buffer_flags(buffer) }, size);
        }
        self.group(group).put_back(buffer);
        (Answer { result, flags: 0 }, 0)
    }

    /// Tells the driver of an answer that `start` did not give.
    pub(super) fn report(&mut self, id: SlotId, request: &Request<'_>, answer: Answer) {
        if answer.result >= 0 && is_zero_copy(request) {
            // The bytes were copied, and the buffer is free.
            self.own.push_back(Event { user: id.0, result: answer.result, flags: MORE });
            self.finish(id, COPIED, NOTIFICATION);
            return;
        }
        self.finish(id, answer.result, answer.flags);
    }

    pub(super) fn finish(&mut self, id: SlotId, result: i32, flags: u32) {
        self.own.push_back(Event { user: id.0, result, flags });
        #[cfg(test)]
        self.go_on(id, result);
    }

    /// Reads a file if its bytes are in memory. `None`: a thread shall read it.
    #[inline]
    pub(super) fn read_cached(
        &mut self,
        fd: i32,
        into: &mut [MaybeUninit<u8>],
        at: u64,
    ) -> Option<i32> {
        let watch = self.watches.get(fd);
        if watch.cheap == Cheap::No {
            return None;
        }
        if watch.cheap == Cheap::Unknown {
            self.calls += 2;
            let cheap = own::may_read_cached(fd);
            self.watches.get(fd).cheap = if cheap { Cheap::Yes } else { Cheap::No };
            if !cheap {
                return None;
            }
        }
        self.calls += 1;
        let n = own::read_cached(fd, into, at);
        if n == -libc::EOPNOTSUPP {
            self.watches.get(fd).cheap = Cheap::No;
        }
        if n < 0 {
            return None;
        }
        if n == 0 || n as usize == own::most(into.len()) {
            return Some(n);
        }
        // Less than was asked: is it the end of the file, or of what is in memory?
        self.calls += 1;
        let rest = &mut into[n as usize..];
        (own::read_cached(fd, rest, at + n as u64) == 0).then_some(n)
    }
}

/// How many bytes a receive of a stream has asked for, if less of them means that no more are there.
#[inline]
fn asked(request: &Request<'_>) -> usize {
    match request {
        Request::Recv { fd, into, flags } if fd.kind() == Kind::Stream && !flags.peek => {
            own::most(into.len())
        }
        Request::RecvVectored { fd, message } if fd.kind() == Kind::Stream => message.room(),
        _ => 0,
    }
}
