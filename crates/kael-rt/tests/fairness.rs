//! A task that is always runnable starves nobody (R27). Bounds are counted in its polls, not in time.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// Polls of the greedy task after which a test gives up. Far above every bound, far below a hang.
const GIVE_UP: u64 = 50_000_000;
/// What `rt::run_loop::POLLS_PER_TURN` promises.
const POLLS_PER_TURN: u64 = 127;

/// Spawns a task that wakes itself for ever and counts its polls.
fn greedy() -> Rc<Cell<u64>> {
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    drop(kael_rt::spawn(poll_fn(move |cx| {
        count.set(count.get() + 1);
        // With nobody else polled this is where a starving loop ends, by an assertion of the test.
        if count.get() >= GIVE_UP {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })));
    polls
}

#[test]
fn r27_the_main_future_beside_a_self_waking_task() {
    kael_rt::block_on(async {
        let polls = greedy();
        kael_rt::yield_now().await;
        for round in 0..1_000 {
            let before = polls.get();
            kael_rt::yield_now().await;
            assert!(
                polls.get() - before <= 2,
                "round {round}: {} polls between",
                polls.get() - before
            );
        }
    });
}

#[test]
fn r27_another_task_beside_a_self_waking_task() {
    kael_rt::block_on(async {
        let polls = greedy();
        let worst = kael_rt::spawn(async move {
            let mut worst = 0;
            for _ in 0..1_000 {
                let before = polls.get();
                kael_rt::yield_now().await;
                worst = worst.max(polls.get() - before);
            }
            worst
        });
        assert!(worst.await.unwrap() <= 2);
    });
}

// Virtual time stands still while something is runnable.
#[cfg(not(kael_backend = "sim"))]
#[test]
fn r27_a_timer_beside_a_self_waking_task() {
    kael_rt::block_on(async {
        let polls = greedy();
        for _ in 0..20 {
            kael_rt::time::sleep(Duration::from_millis(1)).await;
            assert!(polls.get() < GIVE_UP, "the timer was starved");
        }
        // Due already when it is armed: the loop must look within one turn.
        for _ in 0..100 {
            let deadline = kael_rt::time::Instant::now() + Duration::from_micros(1);
            let sleep = kael_rt::time::sleep_until(deadline);
            let mut sleep = std::pin::pin!(sleep);
            let first = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
            if first.is_ready() {
                continue;
            }
            while kael_rt::time::Instant::now() < deadline + Duration::from_micros(3) {}
            let due = polls.get();
            sleep.await;
            let between = polls.get() - due;
            assert!(between <= 2 * POLLS_PER_TURN, "{between} polls between due and polled");
        }
    });
}

#[test]
fn r27_a_remote_wake_beside_a_self_waking_task() {
    kael_rt::block_on(async {
        let polls = greedy();
        for _ in 0..100 {
            let (to_thread, wakers) = std::sync::mpsc::channel::<std::task::Waker>();
            let woken = Arc::new(AtomicBool::new(false));
            let thread = thread::spawn({
                let woken = woken.clone();
                move || {
                    let waker = wakers.recv().unwrap();
                    waker.wake();
                    woken.store(true, Ordering::SeqCst);
                }
            });
            let task = kael_rt::spawn(async move {
                let mut sent = false;
                poll_fn(move |cx| {
                    if std::mem::replace(&mut sent, true) {
                        return Poll::Ready(());
                    }
                    to_thread.send(cx.waker().clone()).unwrap();
                    Poll::Pending
                })
                .await;
            });
            // Counts from the first poll of this future that finds the wake done.
            let mut since = None;
            while !task.is_finished() {
                if since.is_none() && woken.load(Ordering::SeqCst) {
                    since = Some(polls.get());
                }
                let waited = since.map_or(0, |since| polls.get() - since);
                assert!(waited <= 2 * POLLS_PER_TURN, "{waited} polls since the wake");
                assert!(polls.get() < GIVE_UP, "the wake was starved");
                kael_rt::yield_now().await;
            }
            thread.join().unwrap();
        }
    });
}
