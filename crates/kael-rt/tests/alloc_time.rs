//! Counts heap allocations of the public operations on time. A file of its own, because the counter is the allocator
//! of the whole process, and one test, because tests of a process run side by side.

#[path = "support/scale.rs"]
mod scale;

use kael_rt::time::{Duration, Sleep, interval, sleep, timeout};
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; the default `realloc` and `alloc_zeroed` come
// through `alloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const US: Duration = Duration::from_micros(1);

/// Runs it once to fill the pools, and then counts.
async fn expect_no_allocation<F: Future>(what: &str, mut run: impl FnMut() -> F) {
    run().await;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run().await;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(allocations, 0, "{what}");
}

/// Many sleeps that are in the wheel together; all of them fire, or none.
async fn crowd(kept: &mut Vec<Sleep>, many: u32, fire: bool) {
    kept.extend((1..=many).map(|nth| sleep(nth * US)));
    poll_fn(|cx| {
        for sleep in kept.iter_mut() {
            assert!(Pin::new(sleep).poll(cx).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    if fire {
        for sleep in kept.iter_mut() {
            sleep.await;
        }
    }
    kept.clear();
}

#[test]
fn sleeping_allocates_nothing() {
    let runtime = kael_rt::runtime::Builder::new().start_paused(true).build().unwrap();
    // Asked for once: to ask allocates.
    let many = scale::size(100_000, 100_000) as u32;
    runtime.block_on(async {
        expect_no_allocation("many sleeps, one after the other", || async {
            for nth in 0..many {
                sleep(nth % 1000 * US).await;
            }
        })
        .await;
        expect_no_allocation("many timeouts that end in time", || async {
            for nth in 0..many {
                assert!(timeout(1000 * US + nth * US, sleep(US)).await.is_ok());
            }
        })
        .await;
        expect_no_allocation("many timeouts that elapse", || async {
            for nth in 0..many {
                assert!(timeout(nth * US, pending::<()>()).await.is_err());
            }
        })
        .await;
        expect_no_allocation("many ticks", || async {
            let mut interval = interval(US);
            for _ in 0..many {
                interval.tick().await;
            }
        })
        .await;

        let mut kept = Vec::with_capacity(many as usize);
        for fire in [true, false] {
            crowd(&mut kept, many, fire).await;
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            crowd(&mut kept, many, fire).await;
            let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
            assert_eq!(
                allocations,
                0,
                "many sleeps at a time, which {}",
                if fire { "fire" } else { "are dropped" }
            );
        }
    });
}
