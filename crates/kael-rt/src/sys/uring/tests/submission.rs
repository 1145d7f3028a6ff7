//! A ring whose submissions a thread of the kernel takes: what is shown to it is taken, whether it looks or sleeps.

use super::super::{abi::*, ring::Ring};
use super::{counters, faults, in_time, pair};
use crate::runtime::Builder;
use crate::time::Duration;
use std::thread::yield_now;
use std::time::Instant;

const SOON: Duration = Duration::from_secs(20);

fn ring(entries: u32, idle_ms: u32) -> Ring {
    let mut ring = Ring::with_thread(entries, entries * 4, idle_ms).expect("each kernel has it");
    ring.enable().unwrap();
    ring
}

fn nop(ring: &mut Ring, user_data: u64) {
    if ring.room() == 0 {
        ring.wait_for_room();
    }
    assert!(ring.room() > 0, "for submission {user_data}");
    // SAFETY: it points at nothing.
    unsafe { ring.push(Sqe { opcode: OP_NOP, fd: -1, user_data, ..Sqe::default() }) };
}

/// Looks for the next completion, without a call.
fn look(ring: &mut Ring) -> Option<u64> {
    let began = Instant::now();
    loop {
        if let Some(cqe) = ring.next() {
            return Some(cqe.user_data);
        }
        if began.elapsed() > SOON {
            return None;
        }
        yield_now();
    }
}

fn falls_asleep(ring: &Ring) {
    let began = Instant::now();
    while !ring.thread_sleeps() {
        assert!(began.elapsed() < SOON, "the kernel's thread never sleeps");
        yield_now();
    }
}

#[test]
fn v02_a_sleeping_thread_is_woken_and_one_that_looks_is_not() {
    in_time(|| {
        let mut ring = ring(8, 1);
        for round in 0..20 {
            falls_asleep(&ring);
            let before = ring.syscalls;
            nop(&mut ring, round);
            // Once while handing over, once while waiting.
            if round % 2 == 0 {
                assert_eq!(ring.enter(true, 0, None), Ok(1));
                assert_eq!(look(&mut ring), Some(round), "nobody has woken the thread");
            } else {
                let waited = ring.enter(true, 1, Some(SOON.as_nanos() as u64));
                assert_eq!(waited, Ok(1), "nobody has woken the thread");
                assert_eq!(ring.next().map(|cqe| cqe.user_data), Some(round));
            }
            assert_eq!(ring.syscalls, before + 1);
        }
        assert_eq!(ring.submitted, 20);
    });
}

#[test]
fn v02_what_is_shown_to_a_thread_that_looks_needs_no_call() {
    in_time(|| {
        let mut ring = ring(8, 1_000);
        let before = ring.syscalls;
        for round in 0..1_000 {
            nop(&mut ring, round);
            assert_eq!(ring.enter(true, 0, None), Ok(1));
            assert_eq!(look(&mut ring), Some(round));
        }
        // Where the machine lets it run so seldom that it sleeps in between, it has to be woken.
        let calls = ring.syscalls - before;
        assert!(calls <= 100, "{calls} calls for 1,000 submissions");
    });
}

#[test]
fn v02_a_full_queue_waits_for_the_thread() {
    in_time(|| {
        for idle in [1, 1_000] {
            let mut ring = ring(2, idle);
            let mut seen = 0;
            for round in 0..2_000 {
                nop(&mut ring, round);
                while let Some(cqe) = ring.next() {
                    assert_eq!(cqe.user_data, seen, "in order, each once");
                    seen += 1;
                }
            }
            ring.enter(true, 0, None).unwrap();
            while seen < 2_000 {
                assert_eq!(look(&mut ring), Some(seen));
                seen += 1;
                ring.enter(true, 0, None).unwrap();
            }
            assert_eq!(ring.lost(), 0);
        }
    });
}

/// Whatever the kernel has against it, the same program runs.
#[test]
fn v02_a_thread_that_is_refused_is_done_without() {
    in_time(|| {
        for errno in [libc::EPERM, libc::EINVAL, libc::EAGAIN, libc::ENOMEM] {
            faults::refuse_threads(errno);
            let asked = Builder::new().submission_thread(Duration::from_millis(1));
            let runtime = asked.build().unwrap();
            assert_eq!(faults::hits(), 1);
            faults::clear();
            let granted = runtime.granted();
            assert!(!granted.flags.contains(&"submission thread"));
            assert!(granted.flags.contains(&"DEFER_TASKRUN"));
            runtime.block_on(async {
                let (a, b) = pair().await;
                a.write_all("here").await.0.unwrap();
                assert_eq!(b.read_exact(vec![0; 4]).await.1, b"here");
            });
        }
    });
}

/// Calls that fail while they wake the thread leave nothing lying.
#[test]
fn v02_a_wake_that_failed_is_made_up_for() {
    in_time(|| {
        for errno in [libc::EINTR, libc::EAGAIN, libc::ENOMEM, libc::EBUSY] {
            let asked = Builder::new().submission_thread(Duration::from_millis(1));
            let runtime = asked.build().unwrap();
            runtime.block_on(async {
                let (a, b) = pair().await;
                for round in 0..30u8 {
                    crate::time::sleep(Duration::from_millis(3)).await;
                    faults::fail_enter(1, 2, errno);
                    a.write_all(vec![round; 4]).await.0.unwrap();
                    assert_eq!(b.read_exact(vec![0; 4]).await.1, [round; 4]);
                }
                faults::clear();
                assert_eq!(counters().in_flight, 0);
            });
        }
    });
}
