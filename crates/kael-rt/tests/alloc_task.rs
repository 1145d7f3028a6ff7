//! Tasks allocate nothing once their pool is warm: spawn and join, and wakes from another thread. Counted on each
//! thread that takes part.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/scale.rs"]
mod scale;

use counting::{Counting, allocations};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: u64 = 1_000;

#[test]
fn r41_tasks_allocate_nothing_in_the_steady_state() {
    let runtime = kael_rt::runtime::Builder::new().build().unwrap();
    let handle = runtime.handle();
    // Asked for once: to ask allocates.
    let rounds = scale::size(100_000, 100_000) as u64;
    runtime.block_on(async {
        spawn_and_join(WARM_UP).await;
        let before = allocations();
        spawn_and_join(rounds).await;
        assert_eq!(allocations() - before, 0, "spawn and join");

        for _ in 0..WARM_UP {
            handle.spawn(|| async { 1 }).await.unwrap();
        }
        let before = allocations();
        for _ in 0..rounds {
            handle.spawn(|| async { 1 }).await.unwrap();
        }
        assert_eq!(allocations() - before, 0, "spawn through the handle on its own core");

        // A future of 40 KiB has a block of its own, which is kept.
        for round in 0..WARM_UP + 10_000 {
            let before = allocations();
            let big = [round as u8; 40 * 1024];
            let task = async move {
                kael_rt::yield_now().await;
                big[7]
            };
            assert_eq!(kael_rt::spawn(task).await.unwrap(), round as u8);
            assert!(round < WARM_UP || allocations() == before, "spawn and join of a large future");
        }

        remote_wakes(rounds).await;
    });
}

async fn spawn_and_join(rounds: u64) {
    for round in 0..rounds {
        assert_eq!(kael_rt::spawn(async move { round }).await.unwrap(), round);
    }
}

/// A thread that wakes this future whenever it has asked for it.
async fn remote_wakes(rounds: u64) {
    let asked = Arc::new(AtomicU64::new(0));
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let (thread_asked, thread_waker): (Arc<AtomicU64>, Waker) = (asked.clone(), waker);
    let thread = thread::spawn(move || {
        let mut answered = 0;
        let mut before = 0;
        while answered < WARM_UP + rounds {
            if answered == WARM_UP {
                before = allocations();
            }
            let asked = thread_asked.load(Ordering::Acquire);
            // Odd: asked. Even: answered.
            if asked % 2 == 1 {
                thread_asked.store(asked + 1, Ordering::Release);
                // A clone and a drop on this thread, as a real owner of a waker would have them.
                let waker = thread_waker.clone();
                waker.wake_by_ref();
                answered += 1;
            } else {
                thread::yield_now();
            }
        }
        allocations() - before
    });
    let mut before = 0;
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            before = allocations();
        }
        asked.fetch_add(1, Ordering::AcqRel);
        poll_fn(|_| {
            if asked.load(Ordering::Acquire).is_multiple_of(2) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
    assert_eq!(allocations() - before, 0, "wakes from another thread");
    assert_eq!(thread.join().unwrap(), 0, "waking a task of another thread");
}
