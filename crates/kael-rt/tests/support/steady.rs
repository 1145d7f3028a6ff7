//! The steady state of an operation: it does not allocate. For programs with `counting` and `rig`; no test is in here.

use crate::counting::allocations;
use crate::rig::is_emulated;
use std::ops::AsyncFnMut;

/// Runs a round often enough to fill the pools, and then counts.
pub(crate) async fn expect_no_allocation(what: &str, rounds: usize, mut round: impl AsyncFnMut()) {
    for _ in 0..1000 {
        round().await;
    }
    // An allocation of each round would show in as many.
    let rounds = if is_emulated() { rounds.min(1_000) } else { rounds };
    let before = allocations();
    for _ in 0..rounds {
        round().await;
    }
    let allocations = allocations() - before;
    assert_eq!(allocations, 0, "allocations in {rounds} rounds of {what}");
}
