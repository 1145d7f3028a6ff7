use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn wait(ready: &AtomicBool) {
    while !ready.load(Ordering::Acquire) {
        std::thread::park();
    }
}

fn lock(taken: &AtomicBool) {
    while taken.swap(true, Ordering::Acquire) {
        while taken.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

fn raise(most: &AtomicU64, to: u64) {
    let mut now = most.load(Ordering::Relaxed);
    while now < to {
        match most.compare_exchange_weak(now, to, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => break,
            Err(other) => now = other,
        }
    }
}
