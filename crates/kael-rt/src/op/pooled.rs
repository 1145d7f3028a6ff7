//! Receives into buffers of a pool that the backend picks when something arrives.
#![forbid(unsafe_code)]

use super::{Op, Request, Traits};
use crate::{
    buf::{BufferPool, PoolBuf},
    driver::{Completion, Fd, Scratch},
    error::Fault,
    sys::errno,
};
use std::io;

/// What became of one.
pub(crate) enum Received {
    Bytes(PoolBuf),
    /// The peer has ended its direction.
    End,
    /// Something is there, and no buffer for it.
    NoBuffer,
    /// Something is there that a dropped receive left, to be read as others do.
    LiesElsewhere,
    /// It was stopped because many answers wait; or the kernel stopped it: begin again.
    Stopped,
    Failed(io::Error),
}

impl Received {
    /// What a result means, and the buffer that came with it.
    #[inline]
    pub(crate) fn of(pool: &BufferPool, result: i32, buffer: Option<u16>) -> Received {
        let bytes = buffer
            .map(|index| PoolBuf::received(pool.shared().clone(), index, result.max(0) as usize));
        match (result, bytes) {
            (1.., Some(bytes)) => Received::Bytes(bytes),
            (0.., _) => Received::End,
            (code, _) if code == -errno::ENOBUFS => {
                pool.shared().lend_more();
                Received::NoBuffer
            }
            (code, _) if code == Fault::CarryFirst.code() => Received::LiesElsewhere,
            (code, _) if [errno::ECANCELED, errno::EINTR, errno::EAGAIN].contains(&-code) => {
                Received::Stopped
            }
            (code, _) => Received::Failed(Fault::error(code)),
        }
    }
}

/// Receives once.
pub(crate) struct RecvOne {
    pub(crate) fd: Fd,
    pub(crate) pool: BufferPool,
}

impl Op for RecvOne {
    type Output = Received;
    const TRAITS: Traits = Traits { pooled: true, gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let group = self.pool.shared().its_group();
        Request::RecvPooled { fd: &self.fd, group, multishot: false, bound: 0 }
    }

    fn complete(self, completion: Completion<'_>) -> Received {
        Received::of(&self.pool, completion.result(), completion.buffer())
    }
}

/// Receives again and again.
pub(crate) struct RecvShots {
    pub(crate) fd: Fd,
    pub(crate) pool: BufferPool,
}

impl Op for RecvShots {
    type Output = Received;
    const TRAITS: Traits = Traits { multishot: true, ..RecvOne::TRAITS };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let (group, bound) = (self.pool.shared().its_group(), self.pool.shared().bound());
        Request::RecvPooled { fd: &self.fd, group, multishot: true, bound }
    }

    fn complete(self, completion: Completion<'_>) -> Received {
        Received::of(&self.pool, completion.result(), completion.buffer())
    }
}

/// Receives datagrams again and again.
pub(crate) struct RecvMessages {
    pub(crate) fd: Fd,
    pub(crate) pool: BufferPool,
}

impl Op for RecvMessages {
    type Output = Received;
    const TRAITS: Traits = Traits { framed: true, ..RecvShots::TRAITS };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let (group, bound) = (self.pool.shared().its_group(), self.pool.shared().bound());
        Request::RecvMessages { fd: &self.fd, group, bound, message: scratch.message_named() }
    }

    fn complete(self, completion: Completion<'_>) -> Received {
        Received::of(&self.pool, completion.result(), completion.buffer())
    }
}
