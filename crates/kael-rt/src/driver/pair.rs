//! Linked pairs: a shape that the tests carry through the driver before
//! public methods rest on them.

use super::{Driver, Key, ops, ops::Vtable, slot::Slot};
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
        let wakers = (waker.clone(), waker.clone());
        let slots = self.with(|inner| {
            let a = inner.reserve(&A::TRAITS, Vtable::of::<A>(), wakers.0)?;
            inner.reserve(&B::TRAITS, Vtable::of::<B>(), wakers.1).map(|b| (a, b))
        });
        let Some(Ok((a, b))) = slots else { panic!("the tests leave slots free") };
        // SAFETY: the slots were just reserved for these operations.
        unsafe {
            ops::place(Slot::body(a.0), first);
            ops::place(Slot::body(b.0), second);
        }
        let keys = [a, b].map(|(slot, id)| Key::new(self, slot, id));
        let (body_a, body_b) = (Slot::body(a.0), Slot::body(b.0));
        // SAFETY: the operations are in their bodies, at their final addresses.
        let requests =
            unsafe { ((Vtable::of::<A>().request)(body_a), (Vtable::of::<B>().request)(body_b)) };
        let begun = self.with(|inner| inner.start_pair((a.0, requests.0), (b.0, requests.1)));
        let [key_a, key_b] = keys;
        if begun != Some(true) {
            // SAFETY: the kernel has nothing of them; they are moved out once, and the slots freed.
            let ops = unsafe { (ops::take::<A>(body_a), ops::take::<B>(body_b)) };
            for id in [a.1, b.1] {
                drop(self.with(|inner| inner.slots.head(id.index()).waker.take()));
                self.release(id.index());
            }
            return Paired::Full(ops.0, ops.1);
        }
        Paired::Begun(key_a, key_b)
    }
}
