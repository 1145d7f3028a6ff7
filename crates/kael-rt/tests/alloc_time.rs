//! Counts heap allocations of the public operations on time: none, once the pools are full.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/scale.rs"]
mod scale;

use counting::{Counting, allocations};
use kael_rt::time::{Duration, Sleep, interval, sleep, timeout};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const US: Duration = Duration::from_micros(1);

/// Runs it once to fill the pools, and then counts.
async fn expect_no_allocation<F: Future>(what: &str, mut run: impl FnMut() -> F) {
    run().await;
    let before = allocations();
    run().await;
    let allocations = allocations() - before;
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
            let before = allocations();
            crowd(&mut kept, many, fire).await;
            let allocations = allocations() - before;
            assert_eq!(
                allocations,
                0,
                "many sleeps at a time, which {}",
                if fire { "fire" } else { "are dropped" }
            );
        }
    });
}
