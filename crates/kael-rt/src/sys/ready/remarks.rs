//! What follows from completing by ourselves what the system says is ready, for who plans with it.
#![forbid(unsafe_code)]

use crate::sys::Remark;

pub(super) fn remarks() -> Vec<Remark> {
    vec![
        Remark::new(
            "A call for each operation",
            "it is made when the operation is first polled, and again when the system says that it may get something. One \
             wait brings the news of all descriptors, so it is shared by what is in flight; the call itself is not.",
        ),
        Remark::new(
            "A read that fills its buffer",
            "may have left something, so the next one asks the socket first; one that gets less than it has room for knows \
             that the socket is empty. Give reads more room than a message needs.",
        ),
        Remark::new(
            "Files",
            "are always ready and may take as long as the device: a thread of the blocking pool does what cannot be said \
             to be in memory. Keep several in flight, and see `Builder::blocking_threads`.",
        ),
    ]
}
