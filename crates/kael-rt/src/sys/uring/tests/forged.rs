//! Completions that the kernel never made, or made before: they are ignored and counted, and reach nobody.

use super::super::abi::OP_RECV;
use super::faults::{self, Fault};
use super::{counters, in_time, pair};
use crate::driver::SlotId;
use crate::fs::File;
use crate::sys::event::{Event, MORE, NOTIFICATION};
use crate::time::{Duration, sleep};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// Lets the loop read what was forged.
async fn a_few_turns() {
    for _ in 0..3 {
        sleep(Duration::from_micros(200)).await;
    }
}

#[test]
fn r20_completions_of_operations_that_are_over_reach_nobody() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            let file = File::open("/dev/zero").await.unwrap();
            faults::keep_seen();
            for _ in 0..3 {
                assert_eq!(file.read_at(vec![1; 8], 0).await.1, [0; 8]);
            }
            let old = faults::seen();
            assert_eq!(old.len(), 3);
            let before = counters();
            // Their slots are in use again.
            let read = crate::spawn(async move { b.read(Vec::with_capacity(16)).await });
            crate::yield_now().await;
            for event in &old {
                faults::forge(*event);
                faults::forge(Event { result: 16, ..*event });
            }
            a_few_turns().await;
            assert!(!read.is_finished());
            assert_eq!(counters().stale - before.stale, 6);
            assert_eq!(counters().in_flight, 1);
            a.write_all("real").await.0.unwrap();
            let (n, buf) = read.await.unwrap();
            assert_eq!((n.unwrap(), &buf[..]), (4, &b"real"[..]));
            assert_eq!(counters().in_flight, 0);
        });
    });
}

/// A completion that comes twice before the future has looked.
#[test]
fn r20_a_completion_that_comes_twice_counts_once() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            let before = counters();
            for round in 0..20u8 {
                faults::keep_seen();
                a.write_all(vec![round; 4]).await.0.unwrap();
                let (n, buf) = b.read(Vec::with_capacity(16)).await;
                assert_eq!((n.unwrap(), &buf[..]), (4, &[round; 4][..]));
                faults::seen().into_iter().for_each(faults::forge);
            }
            a_few_turns().await;
            let after = counters();
            assert_eq!(after.stale - before.stale, 40);
            assert_eq!(after.completed - before.completed, 40);
            assert_eq!(after.in_flight, 0);
            assert_eq!(after.slots, before.slots);
        });
    });
}

#[test]
fn r20_completions_of_slots_that_never_were_are_ignored() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            faults::keep_seen();
            a.write_all("x").await.0.unwrap();
            assert_eq!(b.read(vec![0; 4]).await.1, b"x");
            let slot = SlotId(faults::seen()[0].user);
            let read = crate::spawn(async move { b.read(Vec::with_capacity(16)).await });
            crate::yield_now().await;
            let before = counters();
            let (index, generation) = (slot.index(), slot.generation());
            let forged = [
                // Of generations that are over or not yet, of slots that are free or do not exist.
                SlotId::new(index, generation),
                SlotId::new(index, generation.wrapping_add(7)),
                SlotId::new(index + 1, u32::MAX),
                SlotId::new(63, 0),
                SlotId::new(1_000_000, 0),
                SlotId::new(u32::MAX, 12),
            ];
            for id in forged {
                for flags in [0, MORE, NOTIFICATION] {
                    faults::forge(Event { user: id.0, result: 4, flags });
                }
            }
            a_few_turns().await;
            assert_eq!(counters().stale - before.stale, 18);
            assert!(!read.is_finished());
            a.write_all("real").await.0.unwrap();
            assert_eq!(read.await.unwrap().1, b"real");
        });
    });
}

/// The notification of a zero-copy send, for an operation that is none: the kernel still has the buffer.
#[test]
fn r20_a_notification_that_nobody_waits_for_frees_nothing() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            faults::keep_seen();
            a.write_all("x").await.0.unwrap();
            assert_eq!(b.read(vec![0; 4]).await.1, b"x");
            // Slots are used last in, first out: the next read has the slot of this one, one generation on.
            let slot = SlotId(faults::seen()[1].user);
            let read = crate::spawn(async move { b.read(Vec::with_capacity(16)).await });
            crate::yield_now().await;
            let before = counters();
            for index in 0..8 {
                for generation in 0..slot.generation() + 4 {
                    let user = SlotId::new(index, generation).0;
                    faults::forge(Event { user, result: 0, flags: NOTIFICATION });
                }
            }
            a_few_turns().await;
            assert_eq!(counters().in_flight, 1, "the kernel has it");
            assert!(!read.is_finished());
            assert!(counters().stale > before.stale);
            a.write_all("real").await.0.unwrap();
            let (n, buf) = read.await.unwrap();
            assert_eq!((n.unwrap(), &buf[..]), (4, &b"real"[..]));
        });
    });
}

/// Panics when it is woken.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        resume_unwind(Box::new("a waker"));
    }
}

/// A waker's panic leaves the turn between two completions. Those before it have been acted on, and one of them has
/// been asked again under the same name: seen twice, it would end an operation that the kernel still has.
#[test]
fn r20_a_panic_between_two_completions_repeats_none() {
    in_time(|| {
        let runtime = crate::runtime::Builder::new().build().unwrap();
        let (read, c) = runtime.block_on(async {
            let ((a, a_peer), (b, b_peer), (c, c_peer)) =
                (pair().await, pair().await, pair().await);
            let peers = [a_peer, b_peer, c_peer].map(|peer| peer.into_std().unwrap());
            faults::meet(OP_RECV, Fault::Shorten(4), 1);
            let read = crate::spawn(async move { a.read_exact(vec![0; 8]).await });
            crate::yield_now().await;
            crate::yield_now().await;
            let woken = crate::spawn(async move {
                let waker = Waker::from(Arc::new(Panics));
                let mut read = b.read(vec![0; 4]);
                assert!(Pin::new(&mut read).poll(&mut Context::from_waker(&waker)).is_pending());
                std::future::pending::<()>().await;
                drop(read);
            });
            let c = crate::spawn(async move { c.read(vec![0; 4]).await });
            sleep(Duration::from_millis(1)).await;
            drop(woken);
            // All three come in one turn.
            for (mut peer, bytes) in peers.iter().zip(["0123", "b", "c"]) {
                peer.write_all(bytes.as_bytes()).unwrap();
            }
            std::mem::forget(peers);
            (read, c)
        });
        let again = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(sleep(Duration::from_millis(50)));
        }));
        assert!(again.is_err(), "the waker panicked in the turn");
        runtime.block_on(async {
            assert_eq!(c.await.unwrap().1, b"c", "the completion after it is not lost");
            sleep(Duration::from_millis(5)).await;
            assert!(!read.is_finished(), "the kernel still has it");
        });
    });
}
