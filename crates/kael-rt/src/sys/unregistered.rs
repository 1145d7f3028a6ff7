//! What a backend says of tables and registered memory that has none.
#![forbid(unsafe_code)]

use super::{Backend, SocketOption};
use crate::driver::{Fd, NONE};
use std::{io, net::SocketAddr, ptr::NonNull};

impl Backend {
    /// There is no table of descriptors without numbers.
    #[cfg(test)]
    pub(crate) const HAS_DIRECT: bool = false;

    /// Room for one submission: there always is.
    pub(crate) fn has_room(&mut self) -> bool {
        true
    }

    /// Nobody gives a file a place in a table.
    pub(crate) fn enter_table(&mut self, _: i32) -> u32 {
        NONE
    }

    pub(crate) fn leave_table(&mut self, _: u32) {}

    /// There is no table for what has no number.
    pub(crate) fn reserve_direct(&mut self, _: i32) -> bool {
        false
    }

    pub(crate) fn unreserve_direct(&mut self) {}

    pub(crate) fn direct_stream_socket(&mut self, _: SocketAddr) -> Option<io::Result<i32>> {
        None
    }

    pub(crate) fn install(&mut self, _: &Fd) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn installed(&mut self, _: &Fd) -> io::Result<socket2::Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_direct_option(&mut self, _: &Fd, _: &SocketOption) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn register_memory(&mut self, _: NonNull<u8>, _: usize) -> io::Result<Option<u32>> {
        Ok(None)
    }

    pub(crate) fn unregister_memory(&mut self, _: u32) {}

    pub(crate) fn registered_transfers(&self) -> u64 {
        0
    }

    #[cfg(test)]
    pub(crate) fn enable_direct(&mut self, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A thread of the pool does it in any case.
    #[cfg(test)]
    pub(crate) fn forget_truncate(&mut self) {}
}
