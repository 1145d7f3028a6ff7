//! The right to the operation in one slot: looking for the answer, stopping it, dropping it.

use super::{
    Completion, Driver, Submitted,
    inner::{Launch, Taken},
    ops,
    slot::{Slot, SlotId},
};
use crate::{error::Fault, op::Op};
use std::{
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{Poll, Waker},
};

/// The right to the operation in one slot. Dropping it drops the operation, by the rules.
pub(crate) struct Key {
    pub(super) driver: Driver,
    /// Used only inside `Driver::with`: the slots go with what it gives access to.
    pub(super) slot: NonNull<Slot>,
    pub(super) id: SlotId,
}

const _: () = assert!(size_of::<Key>() == 24);

impl Key {
    #[inline(always)]
    pub(crate) fn poll<O: Op>(&self, waker: &Waker) -> Poll<O::Output> {
        if const { !O::TRAITS.scratch && !O::TRAITS.gives_more }
            && let Some(mut inner) = self.driver.borrow()
            && let Some(plain) = inner.take_plain(self.slot, self.id, &O::TRAITS)
        {
            drop(inner);
            // SAFETY: the slot had the answer, and its future, which has this key, is the only
            // owner: the operation is moved out once. The slot is free already, but nothing has
            // run since that could have used it again.
            let op = unsafe { ops::take::<O>(Slot::body(self.slot)) };
            let completion = Completion::new(plain.result, plain.region, None);
            return Poll::Ready(op.complete(completion));
        }
        self.poll_closely::<O>(waker)
    }

    #[inline(never)]
    fn poll_closely<O: Op>(&self, waker: &Waker) -> Poll<O::Output> {
        let driver = &self.driver;
        match driver.with(|inner| inner.look(self.id, waker, O::TRAITS.scratch)) {
            Some(Look::Done(taken)) => Poll::Ready(driver.answer::<O>(self.id, taken)),
            Some(Look::Pending) => Poll::Pending,
            Some(Look::NewWaker) => self.change_waker(waker),
            Some(Look::FromCarry) => {
                driver.serve_taker(self.id);
                match driver.follow(self.id, Launch::Now) {
                    Launch::Pending => self.change_waker(waker),
                    Launch::Now => Poll::Ready(self.take::<O>()),
                }
            }
            None => panic!("the runtime that this operation belongs to has ended"),
        }
    }

    #[cold]
    fn change_waker<T>(&self, waker: &Waker) -> Poll<T> {
        let waker = waker.clone();
        let old = self.driver.with(|inner| inner.set_waker(self.id, waker));
        drop(old);
        Poll::Pending
    }

    fn take<O: Op>(&self) -> O::Output {
        match self.driver.with(|inner| inner.taken(self.id, O::TRAITS.scratch)) {
            Some(taken) => self.driver.answer::<O>(self.id, taken),
            None => unreachable!("the driver ends only when no future is being polled"),
        }
    }

    /// The answer was known when the operation was started: it was refused, or something that an
    /// earlier one left behind was there.
    #[cold]
    pub(super) fn answered_at_once<O: Op>(self) -> Submitted<O> {
        self.driver.drop_spent_carries();
        if self.driver.follow(self.id, Launch::Now) == Launch::Pending {
            return Submitted::Pending(self);
        }
        let output = self.take::<O>();
        self.spend();
        Submitted::Ready(output)
    }

    /// Looks at the operation while it rests in its slot.
    pub(crate) fn inspect<O: Op, R>(&self, f: impl FnOnce(&O) -> R) -> Option<R> {
        let body = self.driver.with(|inner| {
            inner.slots.current(self.id)?;
            Some(inner.slots.body(self.id.index()))
        })??;
        // SAFETY: a live key's slot holds its operation. The kernel may use the operation's buffer,
        // but not the operation; our own code changes it only in a turn, which cannot run now.
        Some(f(unsafe { &*(&raw const (*body.as_ptr()).room).cast::<O>() }))
    }

    /// Asks the kernel to stop; the answer says `fault` if it did. The operation stays pending
    /// until the kernel has let go.
    pub(crate) fn cancel(&self, fault: Fault) {
        let done = self.driver.with(|inner| inner.cancel_for(self.id, fault));
        if done == Some(Some(())) {
            self.driver.conclude(self.id);
        }
    }

    /// Gives up the right: the operation was taken.
    #[inline(always)]
    pub(crate) fn spend(self) {
        let key = ManuallyDrop::new(self);
        // SAFETY: the key is never used or dropped again.
        drop(unsafe { std::ptr::read(&key.driver) });
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.driver.orphan(self.id);
    }
}

/// What a future finds in its slot.
pub(super) enum Look {
    Done(Taken),
    /// Its turn has come, and there is something left behind to read.
    FromCarry,
    Pending,
    NewWaker,
}
