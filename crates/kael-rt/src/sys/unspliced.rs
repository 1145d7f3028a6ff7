//! Where bytes are not moved through pipes: they are copied through buffers instead, or a file goes by one call
//! (`TRANSMITS`). A simulated kernel has no pages.
#![forbid(unsafe_code)]

use super::Backend;
use crate::op::Request;
use std::io;

/// This system does not.
pub(crate) const SPLICES: bool = false;

/// There is none, and nobody can make one.
pub(crate) struct RawPipe(());

/// No request is one of these: each has a pipe.
#[allow(dead_code, reason = "a simulated kernel makes no calls")]
pub(super) fn call(_: &Request<'_>, _: &mut u64) -> Option<i32> {
    None
}

impl RawPipe {
    pub(crate) fn new(_: &mut Backend, _: bool) -> io::Result<RawPipe> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn room(&self) -> u32 {
        unreachable!("there is no pipe")
    }

    pub(crate) fn is_large(&self) -> bool {
        unreachable!("there is no pipe")
    }

    pub(crate) fn into_numbers(self) -> [i32; 2] {
        let RawPipe(()) = self;
        unreachable!("there is no pipe")
    }
}
