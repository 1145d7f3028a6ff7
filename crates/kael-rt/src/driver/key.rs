//! The right to the operation in one slot: looking for the answer, stopping it, dropping it.

use super::{
    Driver, Submitted,
    inner::{Launch, Taken},
    slot::{Slot, SlotId},
};
use crate::{error::Fault, op::Op};
use std::{
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{Poll, Waker},
};

/// The right to the operation in one slot. Dropping it drops the operation, by the rules.
///
/// A key is made and spent for every transfer, so it does not count as a user of the driver: the
/// core keeps the driver until it begins to end it. From then on each key that there is counts, and
/// each that is made; see [`Driver::count_keys`].
pub(crate) struct Key {
    /// Without a count of its own while the driver is not ending.
    pub(super) driver: ManuallyDrop<Driver>,
    /// Used only inside `Driver::with`: the slots go with what it gives access to.
    pub(super) slot: NonNull<Slot>,
    pub(super) id: SlotId,
}

const _: () = assert!(size_of::<Key>() == 24);

impl Key {
    pub(crate) fn poll<O: Op>(&self, waker: &Waker) -> Poll<O::Output> {
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

    /// A key for a slot that was just reserved.
    pub(super) fn new(driver: &Driver, slot: NonNull<Slot>, id: SlotId) -> Key {
        let driver =
            if driver.is_ending() { ManuallyDrop::new(driver.clone()) } else { driver.uncounted() };
        Key { driver, slot, id }
    }

    /// Gives up the right: the operation was taken.
    pub(crate) fn spend(self) {
        ManuallyDrop::new(self).uncount();
    }

    /// The key goes.
    fn uncount(&mut self) {
        if self.driver.is_ending() {
            // SAFETY: since the driver is ending the key has a count, and it is not used again.
            unsafe { ManuallyDrop::drop(&mut self.driver) };
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.driver.orphan(self.id);
        self.uncount();
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
