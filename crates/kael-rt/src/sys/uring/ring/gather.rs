//! Waits that gather completions (`min_wait_usec` of io_uring_enter(2), Linux 6.12).

use super::{super::abi::*, Ring};

/// So many completions end the gathering at once: a turn handles no more.
const ENOUGH: u32 = 256;

/// The limit of a wait that has none, a year. The kernel would take one without a limit for over when
/// the gathering is, whether there is a completion or not.
const FOREVER_NS: u64 = 365 * 24 * 3600 * 1_000_000_000;

impl Ring {
    pub(in super::super) fn can_gather(&self) -> bool {
        self.features & FEATURE_MIN_TIMEOUT != 0
    }

    /// Lets the next `enter`, which waits, gather completions for `gather_us`: what there is then ends
    /// the wait, and if there is nothing, the first one. Returns what that `enter` must want, and until
    /// when at most, in nanoseconds.
    #[cold]
    pub(in super::super) fn gather(
        &mut self,
        until: Option<u64>,
        now_ns: u64,
        gather_us: u32,
    ) -> (u32, Option<u64>) {
        let until = until.unwrap_or(u64::MAX).min(now_ns + FOREVER_NS);
        // The limit of the wait comes first. The kernel looks at it only after the gathering.
        let left_us = until.saturating_sub(now_ns) / 1_000;
        self.min_wait_us = gather_us.min(u32::try_from(left_us).unwrap_or(u32::MAX));
        let want = if self.min_wait_us > 0 { ENOUGH.min(self.cq.entries) } else { 1 };
        (want, Some(until))
    }
}
