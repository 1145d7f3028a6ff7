//! An allocator that keeps what is freed: blocks are filled with a pattern when they are freed and not given out again
//! until they have been checked, so that a late write into one is seen. (Sanitizers do not see the kernel's writes.) It
//! also counts the bytes that are in use.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const FREED: u8 = 0xa5;
const PATTERN: [u8; 4096] = [FREED; 4096];

/// Smaller blocks go back to the system at once. Buffers of operations and the slots themselves are larger.
const SMALLEST: usize = 256;

const MOST: usize = 16 << 10;

struct Kept {
    blocks: [(usize, usize, usize); MOST],
    len: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { blocks: [(0, 0, 0); MOST], len: 0 });
static IN_USE: AtomicUsize = AtomicUsize::new(0);

struct Canary;

#[global_allocator]
static ALLOCATOR: Canary = Canary;

// SAFETY: every block comes from the system's allocator and goes back to it once: here, or from `damaged`, which gives
// back what nobody owns any more. The default `realloc` and `alloc_zeroed` come through these.
unsafe impl GlobalAlloc for Canary {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        if layout.size() >= SMALLEST {
            let mut kept = KEPT.lock().unwrap_or_else(|error| error.into_inner());
            let len = kept.len;
            if len < MOST {
                // SAFETY: the block is that long, and nobody owns it any more.
                unsafe { block.write_bytes(FREED, layout.size()) };
                kept.blocks[len] = (block as usize, layout.size(), layout.align());
                kept.len += 1;
                return;
            }
        }
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(block, layout) };
    }
}

/// How many of the blocks that were freed since the last call have been written to since. Call it when nobody can
/// write any more: the thread whose operations they were has ended.
pub(crate) fn damaged() -> usize {
    let mut kept = KEPT.lock().unwrap_or_else(|error| error.into_inner());
    assert!(kept.len < MOST, "more blocks were freed than there is room to keep");
    let mut damaged = 0;
    for i in 0..kept.len {
        let (block, size, align) = kept.blocks[i];
        let block = block as *mut u8;
        // SAFETY: the block is kept, so the memory is there and nobody's.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        damaged +=
            usize::from(bytes.chunks(PATTERN.len()).any(|part| *part != PATTERN[..part.len()]));
        // SAFETY: it came from the system's allocator with this layout.
        unsafe { System.dealloc(block, Layout::from_size_align(size, align).unwrap_unchecked()) };
    }
    kept.len = 0;
    damaged
}

/// Bytes that were allocated and not freed.
pub(crate) fn in_use() -> usize {
    IN_USE.load(Relaxed)
}
