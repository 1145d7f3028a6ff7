//! Wakes from other threads: against a core that falls asleep (R23), and against its end (R22). The exhaustive
//! versions are the loom models in `src/task/models.rs`; these run on real threads and the real wait.

use std::future::poll_fn;
#[cfg(not(kael_backend = "sim"))]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use kael_rt::runtime::Builder;

const LIMIT: Duration = Duration::from_secs(40);

/// Ping-pong between a task and two threads. Each round the core falls asleep between the wakes, or nearly.
// Virtual time runs on while the other thread has not woken the core yet.
#[cfg(not(kael_backend = "sim"))]
#[test]
fn r23_two_threads_wake_one_core_in_turn() {
    const ROUNDS: u64 = 20_000;
    let count = Arc::new(AtomicU64::new(0));
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|parity| {
            let (count, waker, stop) = (count.clone(), waker.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    // The task makes it even after each of our odd numbers, and the other way round.
                    let now = count.load(Ordering::Acquire);
                    if now % 4 != parity * 2 + 1 {
                        std::hint::spin_loop();
                        thread::yield_now();
                        continue;
                    }
                    count.store(now + 1, Ordering::Release);
                    let waker = waker.lock().unwrap().clone();
                    waker.expect("the task left its waker first").wake();
                }
            })
        })
        .collect();
    let runtime = Builder::new().build().unwrap();
    let ended = runtime.block_on(async {
        let task = kael_rt::spawn({
            let (count, waker) = (count.clone(), waker.clone());
            poll_fn(move |cx| {
                let mut slot = waker.lock().unwrap();
                slot.get_or_insert_with(|| cx.waker().clone());
                drop(slot);
                let now = count.load(Ordering::Acquire);
                if now >= ROUNDS {
                    return Poll::Ready(());
                }
                if now % 2 == 0 {
                    count.store(now + 1, Ordering::Release);
                }
                Poll::Pending
            })
        });
        // A lost wake leaves the core asleep until the watchdog looks. A slow machine gets on all the same.
        let mut task = task;
        let mut reached = u64::MAX;
        loop {
            if kael_rt::time::timeout(LIMIT, &mut task).await.is_ok() {
                return Ok(());
            }
            let now = count.load(Ordering::Acquire);
            if now == std::mem::replace(&mut reached, now) {
                return Err(now);
            }
        }
    });
    stop.store(true, Ordering::Release);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(ended, Ok(()), "lost wake in that round of {ROUNDS}");
    drop(waker.lock().unwrap().take());
}

// Virtual time runs on while the other thread has not woken the core yet.
#[cfg(not(kael_backend = "sim"))]
#[test]
fn r23_a_sleeping_core_is_unparked_once_and_a_waking_one_never() {
    let runtime = Builder::new().build().unwrap();
    let handle = runtime.handle();
    let metrics = || handle.metrics().cores[0].clone();
    runtime.block_on(async {
        let (to_thread, wakers) = mpsc::channel::<Waker>();
        let done = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let done = done.clone();
            move || {
                let waker = wakers.recv().unwrap();
                // Long enough for the core to be asleep, usually; the test holds either way.
                thread::sleep(Duration::from_millis(20));
                done.store(true, Ordering::Release);
                waker.wake();
            }
        });
        let mut sent = false;
        let wait = poll_fn(|cx| {
            if !std::mem::replace(&mut sent, true) {
                to_thread.send(cx.waker().clone()).unwrap();
            }
            if done.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        });
        assert!(kael_rt::time::timeout(LIMIT, wait).await.is_ok(), "lost wake");
        thread.join().unwrap();
    });
    let after = metrics();
    assert_eq!(after.wakes_remote, 1, "{after:?}");
}

#[test]
fn r22_wakers_outlive_the_runtime_on_other_threads() {
    for round in 0..200 {
        let runtime = Builder::new().build().unwrap();
        let (to_thread, wakers) = mpsc::channel::<Waker>();
        let go = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let go = go.clone();
            move || {
                let mut woken = 0;
                for waker in wakers {
                    while !go.load(Ordering::Acquire) {
                        std::hint::spin_loop();
                        thread::yield_now();
                    }
                    let other = waker.clone();
                    waker.wake_by_ref();
                    drop(waker);
                    other.wake();
                    woken += 1;
                }
                woken
            }
        });
        let drops = Arc::new(AtomicU64::new(0));
        runtime.block_on(async {
            for _ in 0..50 {
                let guard = CountDrop(drops.clone());
                let mut to_thread = Some(to_thread.clone());
                drop(kael_rt::spawn(poll_fn(move |cx| {
                    let _ = &guard;
                    if let Some(to_thread) = to_thread.take() {
                        to_thread.send(cx.waker().clone()).unwrap();
                    }
                    Poll::<()>::Pending
                })));
            }
            kael_rt::yield_now().await;
        });
        drop(to_thread);
        go.store(true, Ordering::Release);
        drop(runtime);
        assert_eq!(
            drops.load(Ordering::SeqCst),
            50,
            "round {round}: the runtime's end drops every future"
        );
        assert_eq!(thread.join().unwrap(), 50);
    }
}

struct CountDrop(Arc<AtomicU64>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn r22_spawning_after_the_end_gives_a_cancelled_handle() {
    let runtime = Builder::new().build().unwrap();
    let handle = runtime.handle();
    drop(runtime);
    let drops = Arc::new(AtomicU64::new(0));
    let guard = CountDrop(drops.clone());
    let task = handle.spawn(move || async move { drop(guard) });
    assert!(task.is_finished());
    assert_eq!(drops.load(Ordering::SeqCst), 1, "what the closure held is dropped");
    assert!(kael_rt::block_on(task).unwrap_err().is_cancelled());
}

#[test]
fn r22_spawns_from_another_thread_race_with_the_end() {
    for _ in 0..300 {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        let (begun, drops) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = thread::spawn({
            let (begun, drops) = (begun.clone(), drops.clone());
            move || {
                for _ in 0..100 {
                    let guard = CountDrop(drops.clone());
                    drop(handle.spawn(move || async move {
                        let _guard = guard;
                        std::future::pending::<()>().await
                    }));
                    begun.store(true, Ordering::Release);
                }
            }
        });
        let start = Instant::now();
        while !begun.load(Ordering::Acquire) {
            assert!(start.elapsed() < LIMIT);
            thread::yield_now();
        }
        runtime.block_on(kael_rt::yield_now());
        drop(runtime);
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 100, "every closure or future is dropped");
    }
}
