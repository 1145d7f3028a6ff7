//! Memory does not grow with the number of timers there have been. A file of its own, because other tests of the
//! same process would show in its memory.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use kael_rt::time::{Duration, sleep};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Resident memory in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn r29_sleeps_created_and_dropped_leave_rss_flat() {
    const SLEEPS: usize = if cfg!(debug_assertions) { 500_000 } else { 10_000_000 };
    const AT_A_TIME: usize = 100;
    kael_rt::block_on(poll_fn(|cx| {
        let mut round = |rounds: usize| {
            for round in 0..rounds {
                let mut sleeps: Vec<_> = (0..AT_A_TIME)
                    .map(|nth| sleep((1 + nth * round) as u32 * Duration::from_millis(1)))
                    .collect();
                for sleep in &mut sleeps {
                    assert!(Pin::new(sleep).poll(cx).is_pending());
                }
            }
        };
        round(SLEEPS / AT_A_TIME / 100);
        let before = resident();
        round(SLEEPS / AT_A_TIME);
        let grown = resident().saturating_sub(before);
        // Two bytes a sleep would be seen, in a debug build too.
        assert!(grown <= 1 << 20, "{grown} bytes more after {SLEEPS} sleeps");
        Poll::Ready(())
    }));
}
