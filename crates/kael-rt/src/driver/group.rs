//! Groups: operations that are begun together, as a chain, or not at all.

use super::{
    Driver, Key, ops,
    ops::Vtable,
    slot::{Slot, SlotId},
};
use crate::op::Op;
use std::{array, ptr::NonNull, task::Waker};

/// Operations that have their slots, all of them, and are not begun yet.
pub(crate) trait Group: Sized {
    /// One for each.
    type Keys;

    /// Takes slots for all of them. If there are not so many, they come back.
    fn sit(self, driver: &Driver, waker: &Waker) -> Result<Self::Keys, Self>;
}

/// What became of beginning a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seated {
    /// Each has its answer, or will have it.
    Begun,
    /// The submission queue has no room for all of them now.
    NoRoom,
}

impl Driver {
    /// Slots for operations that wait for no peer, as many as there are, or none.
    fn seats<const N: usize>(
        &self,
        of: [&'static Vtable; N],
        waker: &Waker,
    ) -> Option<[(NonNull<Slot>, SlotId); N]> {
        let mut wakers: [Option<Waker>; N] = array::from_fn(|_| Some(waker.clone()));
        self.with(|inner| {
            if inner.slots.max() - inner.slots.used() < N as u32 {
                return None;
            }
            Some(array::from_fn(|i| {
                let waker = wakers[i].take().expect("one for each");
                let seat = inner.reserve(&of[i].traits, of[i], waker);
                seat.unwrap_or_else(|_| unreachable!("so many slots are free"))
            }))
        })
        .unwrap_or_else(|| panic!("the runtime that this operation belongs to has ended"))
    }

    /// Begins operations that have just got their slots, as a chain.
    pub(crate) fn begin_chain<const N: usize>(&self, keys: &[Key; N]) -> Seated {
        let requests = keys.each_ref().map(|key| {
            let vtable = self.with(|inner| inner.slots.head(key.id.index()).vtable);
            let vtable = vtable.expect("the driver ends only when no future is being polled");
            // SAFETY: the operation rests in the body, and the kernel has nothing of it.
            unsafe { (vtable.request)(Slot::body(key.slot)) }
        });
        let slots = keys.each_ref().map(|key| key.slot);
        match self.with(|inner| inner.start_chain(slots, requests)) {
            Some(true) => Seated::Begun,
            Some(false) | None => Seated::NoRoom,
        }
    }
}

/// For each number of operations: in one tuple.
macro_rules! group {
    ($n:literal: $($op:ident $at:tt),*) => {
        impl<$($op: Op),*> Group for ($($op,)*) {
            type Keys = [Key; $n];

            fn sit(self, driver: &Driver, waker: &Waker) -> Result<[Key; $n], Self> {
                const { $(assert!(!$op::TRAITS.waits_for_peer && !$op::TRAITS.steps);)* }
                let Some(seats) = driver.seats([$(Vtable::of::<$op>()),*], waker) else {
                    return Err(self);
                };
                // SAFETY: the slots were just reserved for these operations, in this order.
                $(unsafe { ops::place(Slot::body(seats[$at].0), self.$at) };)*
                // From here on the keys answer for the slots, whatever user code does.
                Ok(seats.map(|(slot, id)| Key::new(driver, slot, id)))
            }
        }
    };
}

group!(2: A 0, B 1);
group!(3: A 0, B 1, C 2);
group!(4: A 0, B 1, C 2, D 3);
