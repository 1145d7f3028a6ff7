//! Systems on which a program does not choose the processor of a thread.

use std::io;

/// The calling thread would be bound to one processor as long as this lives.
pub(crate) struct Pinned;

impl Drop for Pinned {
    fn drop(&mut self) {}
}

pub(crate) fn pin_to_cpu(_: usize) -> io::Result<Pinned> {
    let text =
        "this system has no call that binds a thread to a processor; build without pin_cores";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}
