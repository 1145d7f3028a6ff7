//! One try of a request, and what is known of its descriptor afterwards.

use super::{Backend, Cheap};
use crate::{
    driver::{Kind, SlotId},
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
        if answer.result >= 0 && request.is_zero_copy() {
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

    /// Reads a file if its bytes are in memory. `None`: a thread shall do it.
    #[inline]
    pub(super) fn read_cached(&mut self, request: &mut Request<'_>) -> Option<i32> {
        let one;
        let (fd, vectors, at) = match request {
            Request::Read { fd, into, at } => {
                let iov_len = own::most(into.len());
                one = [libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len }];
                (fd.number(), &one[..], *at)
            }
            Request::ReadVectored { fd, into, at } => (fd.number(), &*into.vectors, *at),
            _ => return None,
        };
        let watch = self.watches.get(fd);
        if watch.cheap == Cheap::Unknown {
            self.calls += 1;
            watch.cheap = if own::may_read_cached(fd) { Cheap::Yes } else { Cheap::No };
        }
        if watch.cheap == Cheap::No {
            return None;
        }
        self.calls += 1;
        // SAFETY: the memory is the request's own.
        let n = unsafe { own::read_cached(fd, vectors, at) };
        if n == -libc::EOPNOTSUPP {
            self.watches.get(fd).cheap = Cheap::No;
        }
        let asked: usize = vectors.iter().map(|vector| vector.iov_len).sum();
        if n <= 0 || n as usize == asked {
            return (n >= 0).then_some(n);
        }
        // Less than was asked: is it the end of the file, or of what is in memory?
        let mut byte = 0u8;
        let next = [libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 }];
        self.calls += 1;
        // SAFETY: room for one byte, which is ours.
        (unsafe { own::read_cached(fd, &next, at + n as u64) } == 0).then_some(n)
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
