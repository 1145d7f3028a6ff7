//! Where task blocks come from and go to. A pool belongs to one core and is used on its thread only, except for
//! [`alone`], [`give_up`] and [`discard`], which any thread may call under their contracts.
//!
//! Blocks come in size classes, powers of two from 128 bytes to 1 MiB. Classes up to 16 KiB are cut from chunks of
//! up to 128 KiB; larger ones, and those that another thread made for a spawn, are alone in their chunk. What is
//! free is on a list per class; at most [`LARGE_KEPT`] free large blocks are kept per class, and blocks that fit no
//! class, or were made by another thread, go back to the allocator at once.
//!
//! A chunk counts the blocks that are not free for good. While the core lives that is all of them. When it ends it
//! gives up the free ones, and the threads that still hold wakers or handles give up theirs one by one; the last
//! frees the chunk, and with it the chunk's hold on its [`Home`].

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

use super::atomic::{Arc, AtomicUsize, Cell, Ordering};
use super::header::{Header, Task};
use super::home::Home;

/// The smallest block, in bytes; all blocks are multiples of it and aligned to it.
const SMALLEST: usize = 128;
/// The number of classes.
const CLASSES: usize = 14;
/// Classes below this one are cut from chunks; it is the first whose blocks are alone.
const FIRST_LARGE: usize = 8;
/// The class of a block that is never kept.
const NOT_KEPT: usize = usize::MAX;
/// The bound on free blocks kept per large class.
pub(super) const LARGE_KEPT: u32 = 16;
/// The first chunk of a class has this many bytes (or four blocks); each further one twice as many up to the last.
const FIRST_CHUNK: usize = 8 * 1024;
const LAST_CHUNK: usize = 128 * 1024;

/// The head of an allocation that holds blocks.
#[repr(C, align(128))]
pub(crate) struct Chunk {
    /// Blocks that somebody may still use, and one for the pool while the chunk is linked there.
    held: AtomicUsize,
    home: Arc<Home>,
    layout: Layout,
    class: usize,
    /// Where block 0 is, from the start of the chunk, and how far apart they are, in bytes.
    first: usize,
    stride: usize,
    capacity: usize,
    /// Owner: blocks that have a header yet.
    used: Cell<usize>,
    /// Owner: the list of all the core's chunks.
    previous: Cell<*mut Chunk>,
    next: Cell<*mut Chunk>,
}

pub(super) struct Pool {
    free: [Cell<*mut Header>; CLASSES],
    /// The newest chunk of each small class; it may have blocks that were never used.
    newest: [Cell<*mut Chunk>; FIRST_LARGE],
    kept: [Cell<u32>; CLASSES],
    chunks: Cell<*mut Chunk>,
}

/// The size of a block and the class it belongs to; a constant of the future's type.
#[derive(Clone, Copy)]
pub(super) struct Size {
    layout: Layout,
    class: usize,
}

impl Size {
    pub(super) const fn of<B>() -> Size {
        let layout = Layout::new::<B>();
        let mut class = 0;
        while class < CLASSES && (SMALLEST << class) < layout.size() {
            class += 1;
        }
        if class == CLASSES || layout.align() > SMALLEST {
            class = NOT_KEPT;
        }
        Size { layout, class }
    }
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool {
            free: std::array::from_fn(|_| Cell::new(ptr::null_mut())),
            newest: std::array::from_fn(|_| Cell::new(ptr::null_mut())),
            kept: std::array::from_fn(|_| Cell::new(0)),
            chunks: Cell::new(ptr::null_mut()),
        }
    }

    /// A free block. Allocates only if none of the class is free.
    ///
    /// # Safety
    /// On the owner thread of `home`, whose pool this is.
    #[inline(always)]
    pub(super) unsafe fn take(&self, home: &Arc<Home>, size: Size) -> Task {
        if size.class < CLASSES
            && let Some(task) = NonNull::new(self.free[size.class].get())
        {
            // SAFETY: blocks on the free list are ours, and their chunks are alive.
            self.free[size.class].set(unsafe { task.as_ref() }.next.get());
            if size.class >= FIRST_LARGE {
                self.kept[size.class].set(self.kept[size.class].get() - 1);
            }
            return task;
        }
        // SAFETY: the caller's contract.
        unsafe { self.take_new(home, size) }
    }

    /// # Safety
    /// As for [`take`](Pool::take).
    #[cold]
    unsafe fn take_new(&self, home: &Arc<Home>, size: Size) -> Task {
        if size.class >= FIRST_LARGE {
            let size = match size.class {
                NOT_KEPT => size,
                class => Size {
                    layout: Layout::from_size_align(SMALLEST << class, SMALLEST)
                        .expect("a power of two"),
                    ..size
                },
            };
            let chunk = new_chunk(home, size.layout, size.class, 1);
            self.link(chunk);
            return next_block(chunk);
        }
        let newest = &self.newest[size.class];
        let mut capacity = FIRST_CHUNK / (SMALLEST << size.class);
        if let Some(chunk) = NonNull::new(newest.get()) {
            // SAFETY: the pool's chunks live as long as it is open.
            let chunk_ref = unsafe { chunk.as_ref() };
            if chunk_ref.used.get() < chunk_ref.capacity {
                return next_block(chunk);
            }
            capacity = (chunk_ref.capacity * 2).min(LAST_CHUNK / chunk_ref.stride);
        }
        let layout =
            Layout::from_size_align(SMALLEST << size.class, SMALLEST).expect("a power of two");
        let chunk = new_chunk(home, layout, size.class, capacity.max(4));
        newest.set(chunk.as_ptr());
        self.link(chunk);
        next_block(chunk)
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// On the owner thread; nobody has a reference to the task, it is in no queue, its stage and joiners are empty,
    /// and its chunk is linked here.
    #[inline]
    pub(super) unsafe fn give(&self, task: Task) {
        // SAFETY: the block is still ours.
        let header = unsafe { task.as_ref() };
        header.word.store(0, Ordering::Relaxed);
        header.flags.set(0);
        // SAFETY: a chunk outlives its blocks.
        let class = unsafe { header.chunk.as_ref() }.class;
        if class >= FIRST_LARGE {
            if class == NOT_KEPT || self.kept[class].get() >= LARGE_KEPT {
                self.unlink(header.chunk);
                // SAFETY: its only block is free, and it is in no list.
                unsafe { discard(header.chunk) };
                return;
            }
            self.kept[class].set(self.kept[class].get() + 1);
        }
        header.next.set(self.free[class].get());
        self.free[class].set(task.as_ptr());
    }

    /// Makes a chunk of another thread's one of this pool's. Owner thread only.
    pub(super) fn link(&self, chunk: NonNull<Chunk>) {
        let old = self.chunks.replace(chunk.as_ptr());
        // SAFETY: linked chunks are alive, and their links are this thread's.
        unsafe {
            chunk.as_ref().previous.set(ptr::null_mut());
            chunk.as_ref().next.set(old);
            if let Some(old) = NonNull::new(old) {
                old.as_ref().previous.set(chunk.as_ptr());
            }
        }
    }

    fn unlink(&self, chunk: NonNull<Chunk>) {
        // SAFETY: as in `link`.
        unsafe {
            let (previous, next) = (chunk.as_ref().previous.get(), chunk.as_ref().next.get());
            match NonNull::new(previous) {
                Some(previous) => previous.as_ref().next.set(next),
                None => self.chunks.set(next),
            }
            if let Some(next) = NonNull::new(next) {
                next.as_ref().previous.set(previous);
            }
        }
    }

    /// Calls `f` for every block that has a header, free or not. `f` must not take or give blocks.
    pub(super) fn for_each(&self, mut f: impl FnMut(Task)) {
        let mut chunk = self.chunks.get();
        while let Some(this) = NonNull::new(chunk) {
            // SAFETY: linked chunks are alive.
            let this_ref = unsafe { this.as_ref() };
            (0..this_ref.used.get()).for_each(|index| f(block(this, index)));
            chunk = this_ref.next.get();
        }
    }

    /// Ends the pool: chunks without a block in use are freed here, the others by whoever gives up their last block.
    ///
    /// # Safety
    /// On the owner thread, once; no block is taken or given afterwards, and all that are in use are `MERGED`.
    pub(super) unsafe fn close(&self) {
        let mut next = self.chunks.replace(ptr::null_mut());
        while let Some(chunk) = NonNull::new(next) {
            // SAFETY: the pool's own count keeps the chunk until the subtraction below.
            let chunk_ref = unsafe { chunk.as_ref() };
            next = chunk_ref.next.get();
            // SAFETY: headers of used blocks are initialised, and the flags are the owner's.
            let in_use = (0..chunk_ref.used.get())
                .filter(|&i| unsafe { block(chunk, i).as_ref() }.flags.get() != 0)
                .count();
            let free = chunk_ref.capacity - in_use + 1;
            if chunk_ref.held.fetch_sub(free, Ordering::AcqRel) == free {
                // SAFETY: nothing is held.
                unsafe { discard(chunk) };
            }
        }
    }
}

fn block(chunk: NonNull<Chunk>, index: usize) -> Task {
    // SAFETY: the index is below the capacity, so this is inside the chunk's allocation.
    unsafe { chunk.byte_add(chunk.as_ref().first + index * chunk.as_ref().stride).cast() }
}

/// Makes the header of the chunk's next block.
fn next_block(chunk: NonNull<Chunk>) -> Task {
    // SAFETY: the caller has just looked at or made this chunk.
    let chunk_ref = unsafe { chunk.as_ref() };
    let index = chunk_ref.used.get();
    assert!(index < chunk_ref.capacity);
    chunk_ref.used.set(index + 1);
    let task = block(chunk, index);
    // SAFETY: inside the chunk, aligned, and not used before.
    unsafe { task.write(Header::new(&raw const *chunk_ref.home, chunk)) };
    task
}

fn new_chunk(home: &Arc<Home>, each: Layout, class: usize, capacity: usize) -> NonNull<Chunk> {
    let stride = each.size().next_multiple_of(each.align());
    let first = size_of::<Chunk>().next_multiple_of(each.align());
    let layout =
        Layout::from_size_align(first + stride * capacity, each.align().max(align_of::<Chunk>()))
            .expect("a future that a program can hold has a layout");
    // SAFETY: the size is not zero.
    let Some(chunk) = NonNull::new(unsafe { alloc(layout) }.cast::<Chunk>()) else {
        handle_alloc_error(layout)
    };
    // SAFETY: fresh memory of that layout.
    unsafe {
        chunk.write(Chunk {
            held: AtomicUsize::new(capacity + 1),
            home: home.clone(),
            layout,
            class,
            first,
            stride,
            capacity,
            used: Cell::new(0),
            previous: Cell::new(ptr::null_mut()),
            next: Cell::new(ptr::null_mut()),
        });
    }
    chunk
}

/// A block of its own, for a thread that is not the owner. It belongs to the caller alone.
pub(super) fn alone(home: &Arc<Home>, size: Size) -> Task {
    next_block(new_chunk(home, size.layout, NOT_KEPT, 1))
}

/// After the pool's end: gives up the last reference to a block.
///
/// # Safety
/// The core has closed its remote queue, the task is free (`state::is_free`), and the caller found it so.
pub(super) unsafe fn give_up(task: Task) {
    // SAFETY: the block is held until the subtraction.
    let chunk = unsafe { task.as_ref() }.chunk;
    // SAFETY: as above.
    if unsafe { chunk.as_ref() }.held.fetch_sub(1, Ordering::AcqRel) == 1 {
        // SAFETY: nothing is held, and the pool does not list it any more.
        unsafe { discard(chunk) };
    }
}

/// Frees a chunk.
///
/// # Safety
/// None of its blocks is in use, and it is in no list.
pub(super) unsafe fn discard(chunk: NonNull<Chunk>) {
    // SAFETY: the caller's contract. Free blocks own nothing, so their headers need no drop.
    unsafe {
        let layout = chunk.as_ref().layout;
        ptr::drop_in_place(chunk.as_ptr());
        dealloc(chunk.as_ptr().cast(), layout);
    }
}
