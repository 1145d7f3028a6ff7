//! An operation's own code between its requests: what it makes of a short completion, and asking
//! again.

use super::{
    Done, Driver, Release,
    inner::Launch,
    ops::Vtable,
    slot::{Slot, SlotId},
};
use crate::{
    error::Fault,
    op::{Gives, Op, Step},
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

impl Driver {
    /// Runs an operation's own code after a completion, until it is with the kernel or done.
    #[inline]
    pub(super) fn follow(&self, id: SlotId, launch: Launch) -> Launch {
        if launch == Launch::Pending {
            return launch;
        }
        match self.with(|inner| inner.step_of(id)).flatten() {
            None => Launch::Now,
            Some(stepping) => self.step(id, stepping),
        }
    }

    pub(super) fn step(&self, id: SlotId, mut stepping: Stepping) -> Launch {
        loop {
            // SAFETY: the operation is in the body and the kernel has let go of it.
            let Some(wants) = self.guarded(id, || unsafe { stepping.run(self) }) else {
                return Launch::Now;
            };
            match wants {
                Step::Done => return Launch::Now,
                Step::Again | Step::Later(_) if stepping.stop.is_some() => {
                    let code = stepping.stop.map_or(0, Fault::code);
                    self.with(|inner| inner.fail(id, code));
                    return Launch::Now;
                }
                Step::Later(ms) => {
                    self.with(|inner| inner.delay(id, ms));
                    return Launch::Pending;
                }
                Step::Again => match self.relaunch(id) {
                    Some(Launch::Pending) => return Launch::Pending,
                    _ => match self.with(|inner| inner.step_of(id)).flatten() {
                        Some(next) => stepping = next,
                        None => return Launch::Now,
                    },
                },
            }
        }
    }

    /// Lowers the operation once more and starts it. It has its gate already.
    pub(super) fn relaunch(&self, id: SlotId) -> Option<Launch> {
        let (vtable, slot) = self.with(|inner| inner.again(id)).flatten()?;
        let body = Slot::body(slot);
        // SAFETY: the operation is in the body, the kernel has let go of its last request.
        let request = self.guarded(id, || unsafe { (vtable.request)(body) })?;
        self.with(|inner| inner.start(slot, request))
    }

    /// Runs an operation's own code, perhaps on behalf of another one. If it panics, the operation
    /// is over, and the panic goes to its future.
    pub(super) fn guarded<R>(&self, id: SlotId, code: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(code)) {
            Ok(done) => Some(done),
            Err(panic) => {
                let nobody = self.with(|inner| inner.panicked(id, panic));
                drop(nobody);
                None
            }
        }
    }

    /// The future of an operation whose own code has panicked gets the panic.
    #[cold]
    pub(super) fn pass_on<O: Op>(&self, id: SlotId, op: O, release: Option<Release<'_>>) -> ! {
        let panic = self.with(|inner| inner.panic_of(id)).flatten();
        drop(op);
        drop(release);
        resume_unwind(panic.unwrap_or_else(|| Box::new("an operation panicked")))
    }

    #[cold]
    pub(super) fn follow_to_the_end(&self, id: SlotId) {
        if self.follow(id, Launch::Now) == Launch::Now {
            self.conclude(id);
        }
    }

    /// Starts what had to wait for room or time.
    #[cold]
    pub(super) fn start_late(&self, id: SlotId) -> Launch {
        if self.relaunch(id) == Some(Launch::Pending) {
            return Launch::Pending;
        }
        self.follow_to_the_end(id);
        Launch::Now
    }
}

/// An operation that wants to see its completion before its future does.
pub(super) struct Stepping {
    pub(super) vtable: &'static Vtable,
    pub(super) done: Done,
    pub(super) orphan: bool,
    /// It was asked to stop, for this reason.
    pub(super) stop: Option<Fault>,
}

impl Stepping {
    /// # Safety
    /// The operation is in the body and the kernel has let go of it.
    unsafe fn run(&self, driver: &Driver) -> Step {
        // SAFETY: the scratch is nobody else's while the slot is between two requests.
        let scratch = unsafe { &mut (*self.done.body.as_ptr()).scratch };
        // This is a look only: what the kernel gave stays for the answer.
        let look = Done { gives: Gives::Count, flags: 0, ..self.done };
        let completion = look.completion(driver, Some(scratch));
        // SAFETY: the caller's word.
        unsafe { (self.vtable.advance)(self.done.body, &completion, self.orphan) }
    }
}
