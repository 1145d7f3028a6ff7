//! What a backend says whose sends are the system's as soon as they are answered.
#![forbid(unsafe_code)]

use super::Backend;

impl Backend {
    /// Nothing is left to be sent when all operations are over.
    pub(crate) fn lingers(&self) -> bool {
        false
    }

    /// A number may go to somebody who makes calls of his own on it.
    pub(crate) fn may_let_go(&mut self, _: i32) -> bool {
        true
    }

    /// The peer of a datagram socket is the system's to know.
    pub(crate) fn own_peer(&mut self, _: i32) -> Option<std::net::SocketAddr> {
        None
    }
}
