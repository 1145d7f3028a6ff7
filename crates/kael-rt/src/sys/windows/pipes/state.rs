//! What a named pipe is made with, and what its answers mean: plain data, which any system can test.
//!
//! The server's end of a pipe has one client after the other (`net/windows/named_pipe/mod.rs` has the diagram). A client that has opened it, and
//! of which no connect() has been told, is handed to the next one, also when it has gone meanwhile: what it wrote can still be read. Windows
//! says ERROR_PIPE_CONNECTED of one that is there and ERROR_NO_DATA of one that has gone; it also says ERROR_NO_DATA of a client
//! that was *served* and has gone, and only that is an error.
#![forbid(unsafe_code)]

pub(super) const ERROR_BROKEN_PIPE: i32 = 109;
pub(super) const ERROR_NO_DATA: i32 = 232;
pub(super) const ERROR_MORE_DATA: i32 = 234;
pub(super) const ERROR_PIPE_CONNECTED: i32 = 535;

/// The most instances of a name that may be asked for; one more stands for any number.
pub(crate) const MOST_INSTANCES: u8 = 254;

/// How a pipe is made.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The server reads.
    pub(crate) inbound: bool,
    /// The server writes.
    pub(crate) outbound: bool,
    pub(crate) messages: bool,
    pub(crate) first: bool,
    pub(crate) reject_remote: bool,
    /// `None`: any number.
    pub(crate) instances: Option<u8>,
    pub(crate) in_buffer: u32,
    pub(crate) out_buffer: u32,
}

pub(super) const PIPE_ACCESS_INBOUND: u32 = 1;
pub(super) const PIPE_ACCESS_OUTBOUND: u32 = 2;
pub(super) const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;
pub(super) const FILE_FLAG_FIRST_PIPE_INSTANCE: u32 = 0x0008_0000;
pub(super) const PIPE_READMODE_MESSAGE: u32 = 2;
pub(super) const PIPE_TYPE_MESSAGE: u32 = 4;
pub(super) const PIPE_REJECT_REMOTE_CLIENTS: u32 = 8;
pub(super) const PIPE_UNLIMITED_INSTANCES: u32 = 255;

impl Shape {
    /// As CreateNamedPipe takes it: the way of the bytes, and how the handle works.
    pub(super) fn open_mode(&self) -> u32 {
        let when = |on: bool, flag: u32| if on { flag } else { 0 };
        when(self.inbound, PIPE_ACCESS_INBOUND)
            | when(self.outbound, PIPE_ACCESS_OUTBOUND)
            | when(self.first, FILE_FLAG_FIRST_PIPE_INSTANCE)
            | FILE_FLAG_OVERLAPPED
    }

    /// Likewise: bytes or messages, and for whom.
    pub(super) fn pipe_mode(&self) -> u32 {
        let messages = if self.messages { PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE } else { 0 };
        messages | if self.reject_remote { PIPE_REJECT_REMOTE_CLIENTS } else { 0 }
    }

    pub(super) fn most_instances(&self) -> u32 {
        self.instances.map_or(PIPE_UNLIMITED_INSTANCES, u32::from)
    }
}

/// What a read has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Read {
    Bytes(u32),
    /// Of a message of which more is to come.
    Part(u32),
    /// Somebody has written no bytes at all. That is not the end, and says nothing.
    Nothing,
    /// Nobody is left who could write.
    End,
    Failed(i32),
}

/// The answer to a read: 0 or an error, and a count.
pub(super) fn read(code: i32, n: u32) -> Read {
    match (code, n) {
        (0, 0) => Read::Nothing,
        (0, n) => Read::Bytes(n),
        (ERROR_MORE_DATA, n) => Read::Part(n),
        (ERROR_BROKEN_PIPE, _) => Read::End,
        (code, _) => Read::Failed(code),
    }
}

/// The answer to a wait for a client: whether there is one whom nobody has been told of.
pub(super) fn connected(code: i32, is_served: bool) -> Result<(), i32> {
    match code {
        0 | ERROR_PIPE_CONNECTED => Ok(()),
        ERROR_NO_DATA if !is_served => Ok(()),
        code => Err(code),
    }
}
