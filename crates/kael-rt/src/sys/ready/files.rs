//! Files: always ready, and as slow as their device. A thread of the pool does what cannot be said to be in memory.

use super::{Backend, watches::Cheap};
use crate::{
    driver::SlotId,
    op::{Request, Side},
    sys::{event::Started, own},
};
impl Backend {
    /// What a file does may wait for a device, so a thread of the pool does it.
    pub(super) fn start_file(&mut self, id: SlotId, mut request: Request<'static>) -> Started {
        if let Request::Close { fd } = &request {
            self.watches.forget(fd.number());
        }
        if let Request::Transmit { fd, .. } = &request {
            // The thread learns whether the stream has room left. Here it is not known, unless no hint would come.
            let direction = self.watches.side(fd.number(), Side::Write);
            direction.ready = direction.ended;
        }
        if let Request::Read { .. } | Request::ReadVectored { .. } | Request::Load { .. } = request
        {
            if !self.at_once.take() {
                self.late.push_back((id, request));
                return Started::Queued;
            }
            if let Some(n) = self.read_cached(&mut request) {
                return Started::Done(n);
            }
        }
        self.jobs.push(id, request);
        Started::Queued
    }

    /// Reads that had to wait for a turn: at once now, or by the pool.
    pub(super) fn read_late(&mut self) {
        for _ in 0..self.late.len() {
            let Some((id, mut request)) = self.late.pop_front() else { return };
            match self.read_cached(&mut request) {
                Some(n) => self.finish(id, n, 0),
                None => self.jobs.push(id, request),
            }
        }
    }

    /// Hands over to the pool what is for it.
    pub(crate) fn flush(&mut self) {
        let own = &mut self.own;
        self.jobs.hand_over(|event| own.push_back(event));
    }

    /// Reads a file if its bytes are in memory. `None`: a thread shall do it.
    #[inline]
    fn read_cached(&mut self, request: &mut Request<'_>) -> Option<i32> {
        let one;
        let (fd, vectors, at) = match request {
            Request::Read { fd, into, at } | Request::Load { file: fd, into, at, .. } => {
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
