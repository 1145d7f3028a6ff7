//! What a test asks of the model.

use crate::world;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

static GATHER: AtomicUsize = AtomicUsize::new(0);

/// The seed of completion queues that this thread will make. None: that of `KAEL_RIO_SEED`, and without that nothing
/// is left to chance.
pub fn seed(seed: Option<u64>) {
    SEED.set(seed);
}

/// Completions of receives are held back until there are so many, and then come together; so are those of sends. So a test can measure what a batch
/// costs, whatever the machine does meanwhile. 0: each comes when it is there.
pub fn gather(completions: usize) {
    GATHER.store(completions, Ordering::Relaxed);
    world::lock().wake_all();
}

pub(crate) fn current_seed() -> Option<u64> {
    SEED.get().or_else(|| std::env::var("KAEL_RIO_SEED").ok()?.parse().ok())
}

pub(crate) fn current_gather() -> usize {
    GATHER.load(Ordering::Relaxed)
}
