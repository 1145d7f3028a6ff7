//! Linked pairs and the items of multishots: shapes that the tests carry through the driver before
//! public methods rest on them.

use super::{Completion, Done, Driver, Key, ops, ops::Vtable};
use crate::op::Op;
use std::task::Waker;

pub(crate) enum Paired<A, B> {
    Begun(Key, Key),
    /// There is no room for both.
    Full(A, B),
}

impl Driver {
    /// Starts two operations of which the second runs only if the first succeeds.
    pub(crate) fn submit_pair<A: Op, B: Op>(
        &self,
        first: A,
        second: B,
        waker: &Waker,
    ) -> Paired<A, B> {
        let slots = self.with(|inner| {
            let a = inner.reserve(A::TRAITS, Vtable::of::<A>())?;
            match inner.reserve(B::TRAITS, Vtable::of::<B>()) {
                Some(b) => Some((a, b)),
                None => {
                    inner.release(a.0.index());
                    None
                }
            }
        });
        let Some(Some((a, b))) = slots else { return Paired::Full(first, second) };
        // SAFETY: the slots were just reserved for these operations.
        unsafe {
            ops::place(a.1, first);
            ops::place(b.1, second);
        }
        let keys = [a.0, b.0].map(|id| Key { driver: self.clone(), id });
        // SAFETY: the operations are in their bodies, at their final addresses.
        let requests =
            unsafe { ((Vtable::of::<A>().request)(a.1), (Vtable::of::<B>().request)(b.1)) };
        let wakers = (waker.clone(), waker.clone());
        let begun = self.with(|inner| inner.start_pair((a.0, requests.0), (b.0, requests.1)));
        let [key_a, key_b] = keys;
        if begun != Some(true) {
            // SAFETY: the kernel has nothing of them; they are moved out once, and the slots freed.
            let ops = unsafe { (ops::take::<A>(a.1), ops::take::<B>(b.1)) };
            self.release(a.0.index());
            self.release(b.0.index());
            return Paired::Full(ops.0, ops.1);
        }
        drop(self.with(|inner| inner.set_waker(a.0, wakers.0)));
        drop(self.with(|inner| inner.set_waker(b.0, wakers.1)));
        Paired::Begun(key_a, key_b)
    }
}

impl Key {
    /// Reads the next item of a multishot that is under way or has ended.
    pub(crate) fn next_item<R>(&self, read: impl FnOnce(Completion<'_>) -> R) -> Option<R> {
        let driver = &self.driver;
        let item = driver.with(|inner| {
            let (result, flags) = inner.pop_item(self.id.index())?;
            Some(Done { result, flags, ..inner.done(self.id.index()) })
        })??;
        Some(read(item.completion(driver, None)))
    }
}
