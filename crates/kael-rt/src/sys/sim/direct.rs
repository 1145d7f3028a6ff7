//! Direct descriptors, of which a simulated kernel has a table in tests.

use super::Backend;
use crate::driver::Fd;
use std::{io, net::SocketAddr};

impl Backend {
    /// There is a table only in tests.
    pub(crate) fn reserve_direct(&mut self, listener: i32) -> bool {
        !self.shots.has(listener) && self.world.borrow().has_direct_room().is_ok()
    }

    pub(crate) fn unreserve_direct(&mut self) {}

    /// What is connected has a number.
    pub(crate) fn socket_to_connect(&mut self, to: SocketAddr) -> io::Result<(i32, bool)> {
        self.stream_socket(to).map(|number| (number, false))
    }

    pub(crate) fn install(&mut self, _: &Fd) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes a table of direct descriptors.
    #[cfg(test)]
    pub(crate) fn enable_direct(&mut self, count: u32) -> io::Result<()> {
        self.world.borrow_mut().enable_direct(count);
        Ok(())
    }
}
