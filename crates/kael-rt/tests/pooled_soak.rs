//! Pooled receives for a long time, one in a hundred of them dropped: the pool is whole at the end, the process has
//! no more memory than before, and nothing was allocated.

#![cfg(not(kael_backend = "sim"))] // Its subject is this process's memory.

#[path = "support/counting.rs"]
mod counting;
mod rig;

use counting::{Counting, allocations};
use kael_rt::buf::BufferPool;
use rig::{is_emulated_without, pair, resident, size, within_limit};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGE: &[u8] = &[7; 64];

/// `cargo test --release -p kael-rt --test pooled_soak -- --nocapture`, with KAEL_FULL=1 for ten million.
#[test]
fn r15_many_receives_of_which_some_are_dropped() {
    within_limit(|| {
        kael_rt::block_on(async {
            // Looked at first: that the environment names a size costs an allocation.
            let rounds = size(200_000, 10_000_000);
            let pool = BufferPool::new(64, 1024).unwrap();
            let (a, b) = pair().await;
            let (mut received, mut dropped) = (0, 0);
            let mut receive = async |rounds: usize| {
                for round in 0..rounds {
                    if round % 100 == 99 {
                        // It is with the kernel when it is dropped, and the message comes all the same.
                        let mut receive = pin!(b.recv_pooled(&pool));
                        let polled = receive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                        assert!(matches!(polled, Poll::Pending), "nothing was sent");
                        dropped += 1;
                    }
                    a.write_queued(MESSAGE).await.unwrap();
                    let mut missing = MESSAGE.len();
                    while missing > 0 {
                        let piece = b.recv_pooled(&pool).await.unwrap().expect("it goes on");
                        assert!(piece.iter().all(|byte| *byte == 7));
                        missing -= piece.len();
                        received += 1;
                    }
                }
            };
            receive(20_000).await;
            let (in_memory, before) = (resident(), allocations());
            receive(rounds).await;
            let allocated = allocations() - before;
            let grown = resident().saturating_sub(in_memory) / 1024;
            println!(
                "{received} receives, {dropped} dropped: {allocated} allocations, {grown} KiB more"
            );
            assert!(received >= rounds && dropped >= rounds / 100);
            assert_eq!(pool.available() + pool.lent(), pool.count(), "{pool:?}");
            if !is_emulated_without("allocations and memory of pooled receives") {
                assert_eq!(allocated, 0, "allocations in {rounds} receives");
                assert!(grown <= 1024, "{grown} KiB more than before");
            }
        });
    });
}
