//! What a core's backend is asked for, beyond the size of its queue.

/// Only a ring has these. The other backends leave them aside.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "the simulator has no ring")]
pub(crate) struct RingOptions {
    /// Entries that a submission queue may grow to.
    pub(crate) queue_limit: u32,
    /// How long a wait gathers completions; 0: a wait ends with the first.
    pub(crate) batch_wait_us: u32,
    /// How long a wait polls the network cards before it sleeps; 0: not at all.
    pub(crate) busy_poll_us: u32,
    /// Accepted sockets live in the ring's table and have no number of the process.
    pub(crate) direct: bool,
    /// After how long without work a thread of the kernel that takes submissions sleeps; 0: there is none.
    pub(crate) thread_idle_ms: u32,
    /// Direct I/O is polled.
    pub(crate) poll_direct_io: bool,
}
