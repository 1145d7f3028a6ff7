//! Accepting one connection after the other.
#![forbid(unsafe_code)]

use super::{Op, Request, Step, Traits, net::after_accept};
use crate::{
    driver::{Completion, Fd, Kind, Scratch},
    net::TcpStream,
};
use std::io;

/// Takes a connection, one of many, without its address.
pub(crate) struct AcceptNext {
    pub(crate) fd: Fd,
}

impl Op for AcceptNext {
    type Output = io::Result<TcpStream>;
    const TRAITS: Traits = Traits { steps: true, gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::AcceptNext { fd: &self.fd, peer: scratch.peer_mut() }
    }

    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        after_accept(&self.fd, completion, orphan)
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let fd = completion.into_fd(Kind::Stream)?;
        self.fd.starved.set(false);
        fd.enter_table();
        Ok(TcpStream::from_fd(fd))
    }
}

impl Request<'_> {
    /// The descriptor that it asks for gets a number after all.
    pub(crate) fn set_ordinary(&mut self) {
        if let Request::Accept { direct, .. } = self {
            *direct = false;
        }
    }
}
