//! One case of the echo measurements, and which of them each section runs by itself.

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EchoCase {
    pub(crate) conns: u32,
    /// Bytes of a request.
    pub(crate) size: u32,
    /// Requests in flight on each connection.
    pub(crate) depth: u32,
}

const fn case(conns: u32, size: u32, depth: u32) -> EchoCase {
    EchoCase { conns, size, depth }
}

pub(crate) const ECHO: [EchoCase; 7] = [
    case(1, 64, 1),
    case(64, 64, 1),
    case(512, 64, 1),
    case(2000, 64, 1),
    case(64, 1024, 1),
    case(64, 16384, 1),
    case(64, 64, 16),
];

pub(crate) const SYSCALLS: [EchoCase; 3] = [case(1, 64, 1), case(64, 64, 1), case(64, 64, 16)];

pub(crate) const INSTRUCTIONS: [EchoCase; 2] = [case(64, 64, 1), case(1, 64, 1)];

impl fmt::Display for EchoCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections, {} bytes, depth {}", self.conns, self.size, self.depth)
    }
}
