use std::sync::atomic::{AtomicBool, Ordering};

fn wait(ready: &AtomicBool) {
    while !ready.load(Ordering::Acquire) { //~ busy-loop
        std::hint::spin_loop();
    }
}
