//! Wakers of tasks: a pointer to the header. Cloning, dropping and waking on the owner thread touches cells only.

use std::mem;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::header::{Header, Task};
use super::run;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake_by_value, wake_by_ref, drop);

/// A waker that counts nothing.
///
/// # Safety
/// The task outlives the waker, which must not be dropped.
#[inline(always)]
pub(super) unsafe fn uncounted(task: Task) -> Waker {
    // SAFETY: the functions of the table keep the contract of `RawWakerVTable` for any header that is alive; they
    // may be called on any thread.
    unsafe { Waker::from_raw(RawWaker::new(task.as_ptr().cast_const().cast(), &VTABLE)) }
}

/// As `waker.clone()`. For a task of the core that runs here it is a few instructions and no call,
/// which is worth a look: each operation keeps a waker.
#[inline(always)]
pub(crate) fn clone_waker(waker: &Waker) -> Waker {
    if let Some(task) = here(waker) {
        // SAFETY: the waker holds a reference, and this is the owner thread.
        unsafe { run::add_reference_here(task) };
        // SAFETY: the reference that was just counted is the new waker's.
        return unsafe { uncounted(task) };
    }
    waker.clone()
}

/// Wakes a task of the core that runs here, which runs no code of the user's. Any other waker comes
/// back.
#[inline(always)]
pub(crate) fn wake_here(waker: Waker) -> Result<(), Waker> {
    let Some(task) = here(&waker) else { return Err(waker) };
    mem::forget(waker);
    // SAFETY: the reference was the waker's, which is forgotten, and this is the owner thread.
    unsafe { run::wake_here(task) };
    Ok(())
}

/// As `wake_here`, and the waker stays. False: it is any other waker.
#[inline(always)]
pub(crate) fn wake_here_by_ref(waker: &Waker) -> bool {
    let Some(task) = here(waker) else { return false };
    // SAFETY: the waker holds a reference, and this is the owner thread of the task's home, which its core's own
    // reference keeps.
    unsafe { run::schedule(&*task.as_ref().home, task) };
    // SAFETY: the waker holds a reference.
    unsafe { run::expect(task) };
    true
}

/// The task of a waker, if it is one of the core that runs on this thread, and not done.
#[inline(always)]
fn here(waker: &Waker) -> Option<Task> {
    if !ptr::eq(waker.vtable(), &VTABLE) {
        return None;
    }
    // SAFETY: the table is ours, so the pointer is a header, which the waker keeps alive.
    let task = unsafe { task(waker.data()) };
    // SAFETY: as above.
    unsafe { run::is_here(task) }.then_some(task)
}

/// # Safety
/// `data` is a waker's pointer, which is never null.
#[inline(always)]
unsafe fn task(data: *const ()) -> Task {
    // SAFETY: made by `uncounted`.
    unsafe { Task::new_unchecked(data.cast::<Header>().cast_mut()) }
}

/// # Safety
/// `data` is the pointer of a waker that is alive.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned holds a reference.
    unsafe { run::add_reference(task(data)) };
    RawWaker::new(data, &VTABLE)
}

/// # Safety
/// `data` is the pointer of a waker that is alive.
unsafe fn wake_by_value(data: *const ()) {
    // SAFETY: the waker's reference is given up only after the wake.
    unsafe {
        run::wake(task(data));
        run::drop_reference(task(data));
    }
}

/// # Safety
/// `data` is the pointer of a waker that is alive.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker holds a reference.
    unsafe { run::wake(task(data)) };
}

/// # Safety
/// `data` is the pointer of a waker that is alive.
unsafe fn drop(data: *const ()) {
    // SAFETY: the waker held a reference.
    unsafe { run::drop_reference(task(data)) };
}
