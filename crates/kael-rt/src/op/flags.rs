//! Small words of requests and operations: what a transfer is asked for besides its bytes, what an answer is made of, what follows it.
#![forbid(unsafe_code)]

/// How a receive differs from the plain one.
#[derive(Clone, Copy, Default)]
pub(crate) struct RecvFlags {
    /// Leaves the bytes in the socket.
    pub(crate) peek: bool,
    /// Waits until the whole buffer is full, the peer has closed, or an error came.
    #[allow(dead_code, reason = "where the calls are ours, the operation asks again")]
    pub(crate) wait_all: bool,
}

/// How a send differs from the plain one.
#[derive(Clone, Copy, Default)]
pub(crate) struct SendFlags {
    /// Waits until everything is sent or an error came.
    #[allow(dead_code, reason = "where the calls are ours, the operation asks again")]
    pub(crate) wait_all: bool,
    /// More follows at once, so that a part of a packet may wait for it.
    #[allow(dead_code, reason = "only Linux has such a flag")]
    pub(crate) more: bool,
    /// Sends everything at once or says how far it came, and its answer ends no wait: see
    /// `driver/inner/quiet.rs`.
    pub(crate) quiet: bool,
    /// It is quiet, but its answer ends a wait.
    pub(crate) heard: bool,
}

/// What a good answer is made of. It is noted before the request leaves for the kernel, so that
/// no operation can take a count for a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gives {
    Count,
    /// Bytes that were taken out of a socket: they must not get lost.
    Received,
    /// A descriptor with a number of its own.
    Handle,
    /// A descriptor in the ring's table.
    DirectHandle,
    /// Nothing, but a descriptor is closed, whatever the answer: it must not be asked again.
    Closed,
}

/// Which of a descriptor's gates a request passes: at most one request at a time is with the
/// kernel on either side of a socket, and the others wait in the order of their first poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Read,
    Write,
}

/// What follows a completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The operation is over: [`Op::complete`](super::Op::complete) reads this completion.
    Done,
    /// Ask again: [`Op::request`](super::Op::request) is called once more (a short write, a partial read).
    Again,
    /// Ask again after so many milliseconds (accepting while no descriptor is free).
    Later(u32),
}
