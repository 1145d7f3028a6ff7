//! The short way: plain transfers with nothing in their way.

use super::{
    Completion, Driver, Key,
    inner::Launch,
    ops::{self, Vtable},
    slot::Slot,
};
use crate::{
    op::{Op, Plain, Side, Span},
    task::clone_waker,
};
use std::task::Waker;

/// What became of a transfer that tried the short way.
pub(super) enum Short<O: Op> {
    /// It is in its slot.
    Begun(Key, Launch),
    /// It is over, and had no slot.
    Answered(O, Completion<'static>),
    /// Something is in its way, and nothing has happened.
    Barred(O),
}

impl Driver {
    /// Starts a plain transfer whose way is free, by the driver of its descriptor, if that is the
    /// one that runs here. Else the operation comes back, for [`submit`](Self::submit).
    ///
    /// Nothing is allocated, and nothing but the waker's clone and the buffer's own methods can run
    /// code of the user's.
    #[inline(always)]
    pub(super) fn submit_plain<O: Op>(mut op: O, waker: &Waker) -> Short<O> {
        let Some(plain) = O::TRAITS.plain else { return Short::Barred(op) };
        // User code may run in these two, and not between the look at the gate and the placing.
        let waker = clone_waker(waker);
        let Some(span) = op.span() else { return Short::Barred(op) };
        let Some(driver) = span.fd.may_pass(O::TRAITS.side) else { return Short::Barred(op) };
        // The long way says what is not aligned.
        if O::TRAITS.side.is_none() && !span.is_aligned() {
            return Short::Barred(op);
        }
        // It is current here, so the core keeps it, and is not ending: a key needs no count.
        let driver = driver.uncounted();
        let vtable = Vtable::of::<O>();
        // SAFETY: until it is launched nothing runs but code of the driver and the backend.
        let Some(mut inner) = (unsafe { driver.glance() }) else { return Short::Barred(op) };
        if let Plain::Read = plain
            && let Some(result) = inner.read_at_once(&span)
        {
            let region = (span.at, span.len as u32, 0);
            drop(inner);
            return Short::Answered(op, Completion::new(result, region, None));
        }
        // SAFETY: the operation goes to its slot below, and rests there. The bytes are a buffer's:
        // they stay put when their owner moves (the contract of `IoBuf`).
        let launched = unsafe { inner.launch_plain(span, plain, &O::TRAITS, vtable, waker) };
        drop(inner);
        let Ok((slot, id, launch)) = launched else { return Short::Barred(op) };
        let key = Key { driver, slot, id };
        // SAFETY: the slot was reserved for this operation and holds none yet.
        unsafe { ops::place(Slot::body(slot), op) };
        Short::Begun(key, launch)
    }

    /// Sends a span of what `from` owns as a queued send, if its way is free, with one borrow; how long it is. What is not
    /// sent at once is taken out of `from`, which runs no user code. `None`: nothing has happened, see
    /// [`queue`](Self::queue).
    #[inline(always)]
    pub(crate) fn queue_plain<F, O: Op>(
        from: &mut F,
        span: impl FnOnce(&mut F) -> Option<Span<'_>>,
        take: impl FnOnce(&mut F) -> Option<O>,
    ) -> Option<usize> {
        // User code may run in here, and not between the look at the gate and the placing.
        let span = span(from)?;
        let driver = span.fd.may_pass(Some(Side::Write))?.uncounted();
        let mut inner = driver.borrow()?;
        let len = span.len;
        let known = inner.send_at_once(&span);
        if known == Some(len as i32) {
            // All of it is sent, and it needs no slot.
            return Some(len);
        }
        // SAFETY: as in `submit_plain`.
        let (slot, launch) =
            unsafe { inner.launch_quiet(span, &O::TRAITS, Vtable::of::<O>(), known)? };
        drop(inner);
        let op = take(from).expect("its span is there");
        // SAFETY: the slot was reserved for this operation and holds none yet.
        unsafe { ops::place(Slot::body(slot), op) };
        if let Some(id) = launch {
            driver.follow_to_the_end(id);
        }
        Some(len)
    }
}
