//! Drops the outputs of ended tasks without recursion: an output may hold the handle of another ended task, whose
//! output holds a third, and so on for a million. The outermost drop does them all, in a loop.

use std::cell::RefCell;

use super::header::Task;
use super::run;

/// Ended tasks whose handles were dropped inside the drop of an output. Empty unless one is going on; grows only
/// then, by one for each handle in the outputs that is dropped but not yet looked into.
struct Waiting {
    busy: bool,
    tasks: Vec<Task>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = const { RefCell::new(Waiting { busy: false, tasks: Vec::new() }) };
}

/// Drops the output (unless it was taken) and then the handle's reference.
///
/// # Safety
/// The task has ended, the caller is its handle and uses it no more.
pub(super) unsafe fn drop_output_and_reference(task: Task) {
    if cfg!(loom) {
        // The threads of a model share one real thread and its thread-locals.
        // SAFETY: the caller's contract.
        return unsafe { drop_one(task) };
    }
    let is_outermost = WAITING.try_with(|waiting| {
        let mut waiting = waiting.borrow_mut();
        if waiting.busy {
            waiting.tasks.push(task);
        }
        !std::mem::replace(&mut waiting.busy, true)
    });
    match is_outermost {
        // SAFETY: the caller's contract.
        Err(_) => unsafe { drop_one(task) },
        Ok(false) => {}
        Ok(true) => {
            let mut next = Some(task);
            while let Some(task) = next {
                // SAFETY: the caller's contract, or that of the call that left it here.
                unsafe { drop_one(task) };
                next = WAITING.with(|waiting| {
                    let mut waiting = waiting.borrow_mut();
                    let next = waiting.tasks.pop();
                    waiting.busy = next.is_some();
                    next
                });
            }
        }
    }
}

/// # Safety
/// As for [`drop_output_and_reference`].
unsafe fn drop_one(task: Task) {
    // SAFETY: the caller's contract; the reference is what keeps the block.
    unsafe {
        (task.as_ref().vtable.get().drop_output)(task);
        run::drop_counted(task);
    }
}
