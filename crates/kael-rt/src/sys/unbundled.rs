//! What a backend says of receives that fill several buffers at once, if it has none.

use super::{Backend, event::Bundle};

impl Backend {
    /// Each buffer has a completion of its own.
    pub(crate) fn bundle(&mut self, _: u16, _: u16, _: i32) -> Option<Bundle> {
        None
    }

    pub(crate) fn behind(&mut self, _: u16, _: u16) -> u16 {
        unreachable!("there was no bundle")
    }
}
