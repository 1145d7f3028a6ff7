//! The transitions of a task: schedule, run, finish, abort, post, drain, and the counting of references. The state
//! diagram and the reasons why this is sound are in `task/mod.rs`; the bits are in `state.rs`.

use std::process;

use super::atomic::{Arc, Ordering};
use super::header::{Header, Task, contained};
use super::home::{Home, Stage};
use super::state::*;
use super::{context, pool};
use crate::sys::prefetch;

/// A line of the cache, in bytes, and how many of a task are expected to be looked at.
const LINE: usize = 64;
const LINES: usize = 8;

/// Puts a task at the end of the run queue, unless it is there or done.
///
/// # Safety
/// On the owner thread of `home`, which is the task's; the caller holds a reference.
#[inline(always)]
pub(super) unsafe fn schedule(home: &Home, task: Task) {
    // SAFETY: the caller holds a reference.
    let header = unsafe { task.as_ref() };
    let flags = header.flags.get();
    if flags & (QUEUED | DONE) == 0 {
        header.flags.set(flags | QUEUED);
        // SAFETY: it was not queued; `QUEUED` keeps the block.
        unsafe { home.queue.push(task) };
    }
}

/// A task will be polled soon: what it is is brought into the cache, as far as it is small.
///
/// # Safety
/// The caller holds a reference.
#[inline(always)]
pub(super) unsafe fn expect(task: Task) {
    // SAFETY: the caller holds a reference.
    let size = unsafe { task.as_ref() }.vtable.get().size;
    for line in 1..LINES {
        if line * LINE < size {
            prefetch(task.as_ptr().cast::<u8>().wrapping_add(line * LINE));
        }
    }
}

/// Asks for the future to be dropped at its next run.
///
/// # Safety
/// As for [`schedule`].
pub(super) unsafe fn abort_here(home: &Home, task: Task) {
    // SAFETY: the caller holds a reference.
    let header = unsafe { task.as_ref() };
    if header.flags.get() & DONE == 0 {
        header.flags.set(header.flags.get() | ABORT);
        // SAFETY: the caller's contract.
        unsafe { schedule(home, task) };
    }
}

/// Runs a task that was just popped.
///
/// # Safety
/// On the owner thread; the task came from `home`'s run queue, and no poll is running on this core.
#[inline(always)]
pub(super) unsafe fn run(home: &Home, task: Task) {
    // SAFETY: `QUEUED` kept the block, and a live task keeps itself.
    let header = unsafe { task.as_ref() };
    let flags = header.flags.get() & !QUEUED;
    header.flags.set(flags);
    // SAFETY: a task that is not done holds its future (it is `LIVE`), and its vtable is its type's.
    unsafe {
        if flags & (ABORT | DONE) == 0 {
            if (header.vtable.get().poll)(task) {
                finish(home, task);
            }
        } else {
            run_ended(home, task, flags);
        }
    }
}

/// # Safety
/// As for [`run`].
#[cold]
unsafe fn run_ended(home: &Home, task: Task, flags: u32) {
    // SAFETY: as in `run`.
    unsafe {
        if flags & DONE == 0 {
            (task.as_ref().vtable.get().cancel)(task);
            finish(home, task);
        } else {
            // It ended while queued; the core's reference was left for now.
            drop_counted(task);
        }
    }
}

/// Ends a task whose stage holds its output: publishes it, wakes the joiner, lets go of the core's reference.
///
/// # Safety
/// On the owner thread; the task is `LIVE` and not being polled.
unsafe fn finish(home: &Home, task: Task) {
    // SAFETY: the core's reference is held until the end of this function.
    let header = unsafe { task.as_ref() };
    let flags = header.flags.get();
    header.flags.set((flags & !(LIVE | ABORT)) | DONE);
    home.counts.one_less();
    let mut unread = flags & GONE == 0;
    if !unread {
        // SAFETY: the handle is gone, so the output is ours. `DONE` is set, so nothing that this drop does can
        // queue the task or change `refs`.
        unsafe { (header.vtable.get().drop_output)(task) };
    }
    let joiner = header.joiner.take();
    // A task that is still queued keeps the core's reference until it is popped.
    let leaving = if flags & QUEUED == 0 { 1 } else { 0 };
    let local = header.refs.get() - leaving;
    if local > MAX_REFS {
        process::abort();
    }
    let mut word = header.word.load(Ordering::Acquire);
    loop {
        debug_assert!(word & MERGED == 0);
        if word & LEFT != 0 && unread {
            unread = false;
            // SAFETY: as above; the handle was dropped on another thread, and `Acquire` has seen it.
            unsafe { (header.vtable.get().drop_output)(task) };
        }
        let merged = (word | MERGED).wrapping_add((local as usize).wrapping_mul(ONE));
        if is_free(merged) {
            // Nobody else has a reference, so nobody can make one: no exchange is needed.
            // SAFETY: just found so; the queue does not have it (`leaving` is 1), nor the remote queue.
            unsafe { release(home, task, true) };
            break;
        }
        // With a joiner to take, the core's reference must last a little longer.
        let kept = if word & JOINER != 0 { ONE } else { 0 };
        match header.word.compare_exchange_weak(
            word,
            merged.wrapping_add(kept),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => {
                if kept != 0 {
                    // SAFETY: with `JOINER` and `MERGED` both set the slot is ours; the kept reference keeps the block.
                    let waker = unsafe { (*header.joiner_remote.get()).take() };
                    contained(|| waker.into_iter().for_each(|waker| waker.wake()));
                    // SAFETY: the kept reference.
                    unsafe { drop_counted(task) };
                }
                break;
            }
            Err(seen) => word = seen,
        }
    }
    if let Some(joiner) = joiner {
        contained(|| joiner.wake());
    }
}

/// Lets go of an atomically counted reference, from any thread.
///
/// # Safety
/// The caller gives up one reference that is counted in `Header::word`.
#[inline]
pub(super) unsafe fn drop_counted(task: Task) {
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    let home = header.home;
    let word = header.word.load(Ordering::Acquire);
    // The only reference there is, and it is ours: nobody can make another, so no read-modify-write is needed.
    let last = is_free(word.wrapping_sub(ONE))
        || is_free(header.word.fetch_sub(ONE, Ordering::AcqRel).wrapping_sub(ONE));
    if last {
        // SAFETY: the block is ours alone, and it keeps its chunk, which keeps the home.
        unsafe { release(home, task, context::is_current(home)) };
    }
}

/// Returns a block that nobody has a reference to: to the pool here, or by mail, or (after the end) to the chunk.
///
/// # Safety
/// `is_free` was found true by the caller, who is the only one to find it. `here`: this is the owner thread.
#[inline]
unsafe fn release(home: *const Home, task: Task, here: bool) {
    // SAFETY: the block keeps the home until it is given away, and `stage` is read on the owner thread only.
    if here && unsafe { (*home).stage.get() } != Stage::Ended {
        // SAFETY: the owner thread, and the block is free.
        unsafe { (*home).pool.give(task) };
    } else {
        // SAFETY: the caller's contract.
        unsafe { send_home(home, task) };
    }
}

/// # Safety
/// As for [`release`].
#[cold]
unsafe fn send_home(home: *const Home, task: Task) {
    // No reference is left, though the last may not have been subtracted: see `drop_counted`.
    // SAFETY: the block is ours alone.
    unsafe { task.as_ref() }.word.store(MERGED | POSTED, Ordering::Relaxed);
    // SAFETY: we have just set `POSTED`. The core is not unparked for this: memory can wait, and once posted neither
    // the block nor the home may be touched from here again.
    if unsafe { (*home).remote.push(task) }.is_err() {
        // SAFETY: the queue is closed, and the block is ours alone.
        unsafe { pool::give_up(task) };
    }
}

/// Wakes, or also aborts, a task from any thread.
///
/// # Safety
/// The caller holds a reference throughout.
pub(super) unsafe fn post(task: Task, cancel: usize) {
    // SAFETY: the caller's reference; it keeps the chunk and so the home.
    let (header, home) = unsafe { (task.as_ref(), &*task.as_ref().home) };
    let mut word = header.word.load(Ordering::Relaxed);
    loop {
        if word & MERGED != 0 {
            return;
        }
        // Even if it is posted already this is a write, so that what the waker did before is seen by the poll.
        match header.word.compare_exchange_weak(
            word,
            word | POSTED | cancel,
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            Ok(_) => break,
            Err(seen) => word = seen,
        }
    }
    if word & POSTED != 0 {
        return;
    }
    // SAFETY: we have just set `POSTED`.
    if unsafe { home.remote.push(task) }.is_err() {
        // The core ended meanwhile, and the task with it. Our reference keeps the block, so there is nothing to free.
        header.word.fetch_and(!POSTED, Ordering::Release);
    } else if home.remote.must_unpark() {
        home.unpark.unpark();
    }
}

/// Posts a task that this thread has built. False if the core has ended: then the task is gone, its captures
/// dropped here.
///
/// # Safety
/// The task is `NEW` and nobody else knows it. It counts two references, the core's and the handle's.
pub(super) unsafe fn post_new(home: &Arc<Home>, task: Task) -> bool {
    // SAFETY: ours alone.
    let header = unsafe { task.as_ref() };
    header.word.store(POSTED, Ordering::Relaxed);
    home.remote.arrives();
    // SAFETY: we have just set `POSTED`.
    if unsafe { home.remote.push(task) }.is_err() {
        home.remote.arrived();
        // SAFETY: ours alone again; the future was never polled, so its captures may be dropped here.
        unsafe {
            (header.vtable.get().cancel)(task);
            (header.vtable.get().drop_output)(task);
            pool::discard(header.chunk);
        }
        return false;
    }
    // The caller's `Arc` keeps the home, whatever the core does with the task.
    if home.remote.must_unpark() {
        home.unpark.unpark();
    }
    true
}

/// Takes in what other threads have posted, oldest first.
///
/// # Safety
/// On the owner thread; `list` is what `Remote::take` or `Remote::close` has just returned.
pub(super) unsafe fn drain(home: &Home, mut list: *mut Header) {
    while let Some(task) = Task::new(list) {
        // SAFETY: `POSTED` keeps the block.
        let header = unsafe { task.as_ref() };
        // The link first: once the bit is clear another thread may post, and link, this header again.
        list = header.posted_next.load(Ordering::Relaxed);
        let word = header.word.fetch_and(!(POSTED | CANCEL), Ordering::AcqRel);
        if word & MERGED != 0 {
            if is_free(word & !POSTED) {
                // SAFETY: nobody has a reference, and it is in no queue.
                unsafe { home.pool.give(task) };
            }
            continue;
        }
        let flags = header.flags.get();
        if flags & NEW != 0 {
            home.pool.link(header.chunk);
            // In this order, so that nobody finds it in neither count.
            home.counts.one_more();
            home.remote.arrived();
            header.flags.set(LIVE | if home.stage.get() == Stage::Open { 0 } else { ABORT });
        } else {
            home.counts.wakes_remote.set(home.counts.wakes_remote.get() + 1);
        }
        // SAFETY: on the owner thread; a task that is not merged is held by its core.
        unsafe {
            if word & CANCEL != 0 {
                abort_here(home, task);
            } else {
                schedule(home, task);
            }
        }
    }
}

/// Whether this is the owner thread of a task that is not done. Then its core holds a reference of
/// its own, and `refs` counts.
///
/// # Safety
/// The caller holds a reference.
#[inline(always)]
pub(super) unsafe fn is_here(task: Task) -> bool {
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    context::is_current(header.home) && header.flags.get() & DONE == 0
}

/// Counts one more reference.
///
/// # Safety
/// The caller holds a reference, and `is_here` was just true.
#[inline(always)]
pub(super) unsafe fn add_reference_here(task: Task) {
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    // Wakers can be forgotten without end. `finish` looks at the smaller bound of `word`.
    let Some(refs) = header.refs.get().checked_add(1) else { process::abort() };
    header.refs.set(refs);
}

/// Wakes a task and gives up a reference.
///
/// # Safety
/// The caller held it, and `is_here` was just true.
#[inline(always)]
pub(super) unsafe fn wake_here(task: Task) {
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    // The core's own reference is still there, so this is not the last.
    header.refs.set(header.refs.get() - 1);
    // SAFETY: on the owner thread of its home, which the core's reference keeps.
    unsafe { schedule(&*header.home, task) };
}

/// Counts one more reference, on the owner thread or on any other.
///
/// # Safety
/// The caller holds a reference.
#[inline]
pub(super) unsafe fn add_reference(task: Task) {
    // SAFETY: the caller's reference.
    if unsafe { is_here(task) } {
        // SAFETY: just found so.
        return unsafe { add_reference_here(task) };
    }
    // SAFETY: the caller's reference.
    let header = unsafe { task.as_ref() };
    if count(header.word.fetch_add(ONE, Ordering::Relaxed)) > MAX_REFS {
        process::abort();
    }
}

/// Gives up a reference, on the owner thread or on any other.
///
/// # Safety
/// The caller held it.
#[inline]
pub(super) unsafe fn drop_reference(task: Task) {
    // SAFETY: the caller's reference.
    if unsafe { is_here(task) } {
        // SAFETY: as above.
        let header = unsafe { task.as_ref() };
        // The core's own reference is still there, so this is not the last.
        header.refs.set(header.refs.get() - 1);
    } else {
        // SAFETY: before `DONE` the sum is formed by `finish`; after it, or elsewhere, all counts are in the word.
        unsafe { drop_counted(task) };
    }
}

/// Wakes a task, from any thread.
///
/// # Safety
/// The caller holds a reference throughout.
#[inline]
pub(super) unsafe fn wake(task: Task) {
    // SAFETY: the caller's reference.
    let home = unsafe { task.as_ref() }.home;
    // SAFETY: on the owner thread, if so; the reference keeps the home.
    unsafe { if context::is_current(home) { schedule(&*home, task) } else { post(task, 0) } }
}
