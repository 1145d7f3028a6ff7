//! Queued writes of pool buffers that leave together allocate nothing.

#![cfg(not(kael_backend = "sim"))] // The simulated kernel allocates.

#[path = "support/counting.rs"]
mod counting;
mod rig;

use counting::{Counting, allocations};
use kael_rt::buf::BufferPool;
use kael_rt::runtime::Builder;
use rig::{READINESS, pair, within_limit};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn g01_rows_allocate_nothing() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        let gathered = move || handle.metrics().cores[0].gathered_sends;
        runtime.block_on(async {
            const ROUNDS: u64 = 1000;
            let pool = BufferPool::new(32, 1000).unwrap();
            let (a, b) = pair().await;
            // What goes out at once, each by itself, is not to wait for the peer's word.
            a.set_nodelay(true).unwrap();
            let mut answer = vec![0; 10_000];
            let mut run = async || {
                for _ in 0..ROUNDS {
                    for _ in 0..10 {
                        let mut buf = pool.try_get().expect("all are back");
                        buf.put(&[7; 1000]);
                        a.write_queued(buf).await.unwrap();
                    }
                    a.flush().await.unwrap();
                    let n;
                    (n, answer) = b.read_exact(std::mem::take(&mut answer)).await;
                    assert_eq!(n.unwrap(), 10_000);
                }
            };
            run().await;
            let sent = gathered();
            let before = allocations();
            run().await;
            assert_eq!(allocations() - before, 0);
            assert!(READINESS || cfg!(windows) || gathered() - sent >= 8 * ROUNDS);
        });
    });
}
