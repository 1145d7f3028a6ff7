//! Wakers of tasks: a pointer to the header. Cloning, dropping and waking on the owner thread touches cells only.

use std::task::{RawWaker, RawWakerVTable, Waker};

use super::header::{Header, Task};
use super::run;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

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
unsafe fn wake(data: *const ()) {
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
