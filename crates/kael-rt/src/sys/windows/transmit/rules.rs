//! What TransmitFile may be asked for, and what its answers mean: plain rules, which are tested on any system.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering::*};

/// More bytes than that one call does not take.
pub(super) const MOST: u64 = i32::MAX as u64 - 1;
/// ERROR_HANDLE_EOF: the file has ended.
const ENDED: i32 = 38;

/// Where Windows is a client's edition it carries out two of these calls at a time, for all programs together, and lets the others
/// wait. So a process has one at most, whoever asks next has none, and nobody waits for it.
pub(super) struct Permit(AtomicBool);

impl Permit {
    pub(super) const fn new() -> Permit {
        Permit(AtomicBool::new(false))
    }

    /// Takes it. False: somebody has it.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Acquire)
    }

    /// By who has it.
    pub(super) fn give_back(&self) {
        self.0.store(false, Release);
    }
}

/// How many bytes of `len` from `at` on one call is asked for, of a file that is `size` bytes long, behind a head of so many bytes:
/// both are in one count. `None`: there is nothing. (A call for no bytes would send all of the file.)
pub(super) fn part(head: u64, at: u64, len: u64, size: u64) -> Option<u32> {
    let n = len.min(size.saturating_sub(at)).min(MOST.saturating_sub(head));
    (n > 0).then_some(n as u32)
}

/// What became of a call that was not over at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    /// A count of bytes, or a negative code.
    pub(super) result: i32,
    /// The stream has got so many bytes and no more.
    pub(super) is_sure: bool,
}

/// It has ended with this code, 0 for none, and a count. No document says that the count of one that has failed or was stopped is
/// right: if it is none, some bytes may have gone all the same.
pub(super) fn sent(code: i32, n: u32) -> Sent {
    match (code, i32::try_from(n).unwrap_or(i32::MAX)) {
        (0, n) | (_, n @ 1..) => Sent { result: n, is_sure: true },
        (ENDED, _) => Sent { result: 0, is_sure: false },
        (code, _) => Sent { result: -code, is_sure: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c02_one_at_a_time_has_the_call_and_nobody_waits() {
        static PERMIT: Permit = Permit::new();
        assert!(PERMIT.take());
        // Another thread is told so at once.
        assert!(!std::thread::spawn(|| PERMIT.take()).join().unwrap());
        assert!(!PERMIT.take());
        PERMIT.give_back();
        assert!(std::thread::spawn(|| PERMIT.take()).join().unwrap());
        PERMIT.give_back();
    }

    #[test]
    fn c02_a_call_is_asked_for_no_more_than_it_takes_and_never_for_nothing() {
        const GIB: u64 = 1 << 30;
        assert_eq!(part(0, 0, 100, 100), Some(100));
        assert_eq!(part(0, 40, 100, 100), Some(60), "the file ends before the range");
        assert_eq!(part(0, 100, 5, 100), None, "no bytes would be all of the file");
        assert_eq!(part(0, 101, 5, 100), None, "it has shrunk");
        assert_eq!(part(0, 7, 0, 100), None);
        let most = part(0, 0, u64::MAX, 8 * GIB).unwrap();
        assert_eq!(most, 0x7fff_fffe);
        assert_eq!(part(100, 0, u64::MAX, 8 * GIB), Some(0x7fff_fffe - 100), "one count has both");
        let (mut at, mut calls) = (3 * GIB, 0);
        while let Some(n) = part(0, at, 8 * GIB - at, 8 * GIB) {
            (at, calls) = (at + u64::from(n), calls + 1);
        }
        assert_eq!((at, calls), (8 * GIB, 3));
    }

    #[test]
    fn c02_what_went_before_an_error_counts_and_what_nobody_counted_is_not_sure() {
        const CANCELLED: i32 = 1223;
        assert_eq!(sent(0, 5), Sent { result: 5, is_sure: true });
        assert_eq!(sent(CANCELLED, 5), Sent { result: 5, is_sure: true });
        assert_eq!(sent(CANCELLED, 0), Sent { result: -CANCELLED, is_sure: false });
        assert_eq!(sent(ENDED, 5), Sent { result: 5, is_sure: true });
        assert_eq!(sent(ENDED, 0), Sent { result: 0, is_sure: false });
    }
}
