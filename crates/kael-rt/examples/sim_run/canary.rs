//! An allocator that keeps freed blocks for a while, filled with a pattern: who writes to one is
//! found when the block leaves, and who is about to write to one can ask.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

pub(crate) struct Canary;

/// Blocks that are kept.
const KEPT: usize = 2048;
/// Longer blocks are freed at once.
const LONGEST: usize = 128 * 1024;
const FREED: u8 = 0xdb;
const LEFT: u8 = 0xaa;

struct Quarantine {
    blocks: [(usize, usize, usize); KEPT],
    next: usize,
}

static QUARANTINE: Mutex<Quarantine> =
    Mutex::new(Quarantine { blocks: [(0, 0, 0); KEPT], next: 0 });
static LATE_WRITES: AtomicU64 = AtomicU64::new(0);

/// Freed blocks that somebody has written to, so far.
pub(crate) fn late_writes() -> u64 {
    LATE_WRITES.load(Relaxed)
}

/// The memory lies in a freed block that is still kept.
pub(crate) fn is_freed(at: *const u8, len: usize) -> bool {
    // A look at a few bytes spares the search in most cases.
    // SAFETY: the caller is about to use that memory; freed blocks are kept, so it is readable.
    let looks_freed =
        len > 0 && (0..len.min(8)).all(|i| unsafe { at.add(i).read_volatile() } == FREED);
    looks_freed && {
        let quarantine = QUARANTINE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blocks = quarantine.blocks.iter();
        blocks.any(|(block, size, _)| (*block..block + size).contains(&(at as usize)))
    }
}

// SAFETY: every block comes from the system's allocator and goes back there once, with its layout.
unsafe impl GlobalAlloc for Canary {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's word.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if layout.size() > LONGEST {
            // SAFETY: the caller's word.
            return unsafe { System.dealloc(at, layout) };
        }
        // SAFETY: the block is the caller's, who gives it up.
        unsafe { at.write_bytes(FREED, layout.size()) };
        let mut quarantine = QUARANTINE.lock().unwrap_or_else(PoisonError::into_inner);
        let i = quarantine.next;
        quarantine.next = (i + 1) % KEPT;
        let (old, size, align) = quarantine.blocks[i];
        quarantine.blocks[i] = (at as usize, layout.size(), layout.align());
        drop(quarantine);
        if old != 0 {
            let old = old as *mut u8;
            // SAFETY: the block was put there by an earlier call, and is nobody else's.
            unsafe {
                if (0..size).any(|i| old.add(i).read() != FREED) {
                    LATE_WRITES.fetch_add(1, Relaxed);
                }
                old.write_bytes(LEFT, size);
                // Writes to what is freed next are dead, says the compiler.
                let old = std::hint::black_box(old);
                System.dealloc(old, Layout::from_size_align_unchecked(size, align));
            }
        }
    }
}
