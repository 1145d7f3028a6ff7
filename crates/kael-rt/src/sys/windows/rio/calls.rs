//! How often the driver called the system, by kind.

/// Calls of one driver since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Regions, request queues and the completion queue: made and ended, never in a turn.
    pub(crate) set_up: u64,
    /// Receives and sends: a write into memory that is shared with the system.
    pub(crate) requests: u64,
    /// Requests that a queue had deferred were handed over.
    pub(crate) commits: u64,
    /// Looks at the completion queue: a read of memory that is shared with the system.
    pub(crate) dequeues: u64,
    /// The system was asked for a packet.
    pub(crate) notifies: u64,
}

impl Calls {
    /// Those in turns that enter the system, as far as Microsoft documents it; to wait on the port is the backend's.
    pub(crate) fn system_calls(&self) -> u64 {
        self.commits + self.notifies
    }
}
