//! What follows from completion ports, for who plans with them.
#![forbid(unsafe_code)]

use super::registered::Registered;
use crate::sys::Remark;

pub(super) fn remarks(registered: &Registered) -> Vec<Remark> {
    let mut remarks = vec![
        Remark::new(
            "Calls, not system calls",
            "the figures count Kael's own calls into ws2_32, kernel32 and ntdll. How many system calls Windows makes of them is \
             its own affair; most are one.",
        ),
        Remark::new(
            "A call for each operation",
            "each request is a call, and one that is over at once is answered by it; one GetQueuedCompletionStatusEx brings \
             the answers of all others, up to 128 of them.",
        ),
        Remark::new(
            "Pooled receives",
            "a stream takes a buffer along while more than 8 are free, and asks without one when they run short, so that \
             streams on which nothing happens do not keep them.",
        ),
        Remark::new(
            "Timers",
            "a wait ends with a whole millisecond, and Windows' clock ticks every 15.6 ms unless some program asked for more: \
             a sleep is never shorter than asked, and may be that much longer.",
        ),
        Remark::new(
            "Never run on Windows",
            "this build was run under Wine 8 only. Its figures say nothing about Windows' speed.",
        ),
    ];
    remarks.extend(registered.remark());
    remarks
}
