//! Why the driver refuses a request, or the system does.

/// What was refused. Nothing of it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// As many regions are registered as there is room for.
    Regions,
    /// As many queues are open as there is room for.
    Queues,
    /// The completion queue has no room left to reserve for another request queue.
    CompletionRoom,
    /// The queue has as many requests of this kind in flight as it was opened for.
    QueueFull,
    /// A request in flight uses the region, and while it does, nothing else may.
    RegionBusy,
    /// The region was registered for the other direction.
    Purpose,
    /// A slice that does not lie in its region, or a size that the interface cannot have.
    Bounds,
    /// The region is deregistered, or the queue is closed.
    Gone,
    /// What came out of the completion queue was never put in, or the system says itself that the queue is corrupt.
    Corrupt,
    /// The system's own answer, a Winsock error.
    System(i32),
}

const WSAEFAULT: i32 = 10014;
const WSAEINVAL: i32 = 10022;
const WSAENOTSOCK: i32 = 10038;
const WSAENOBUFS: i32 = 10055;

impl Error {
    /// The Winsock error that says the same, for `io::Error::from_raw_os_error`.
    pub(crate) fn code(self) -> i32 {
        match self {
            Error::Regions | Error::Queues | Error::CompletionRoom | Error::QueueFull => WSAENOBUFS,
            Error::RegionBusy | Error::Purpose | Error::Corrupt => WSAEINVAL,
            Error::Bounds => WSAEFAULT,
            Error::Gone => WSAENOTSOCK,
            Error::System(code) => code,
        }
    }

    /// A bound was reached: the same request may succeed when another has ended.
    pub(crate) fn is_full(self) -> bool {
        self.code() == WSAENOBUFS || self == Error::RegionBusy
    }
}
