//! [`Stage`]: where an operation is, as its future holds it.
//!
//! What an enum would say, with the parts laid out by hand: an operation goes through here for
//! every transfer, and an enum that is taken apart is copied whole first.

use super::{Driver, Key};
use std::mem::ManuallyDrop;

/// ```text
///   Fresh ──── take_op ────▶ Over ──── begin ────▶ Begun ──── spend ────▶ Over
///     │                       │  ▲
///     │ take_op               │  │ take_op
///     ▼                 wait  ▼  │
///    Over                    Waiting
/// ```
pub(crate) struct Stage<O> {
    tag: Tag,
    /// What the tag says.
    held: Held<O>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Tag {
    /// Nothing has happened yet: the operation is here.
    Fresh,
    /// The operation rests in its slot; here is the right to it.
    Begun,
    /// All slots are taken: the operation is here, and its place in the queue for one.
    Waiting,
    /// Nothing is here: the output was given out, or it is on its way from one stage to the next.
    Over,
}

union Held<O> {
    op: ManuallyDrop<O>,
    key: ManuallyDrop<Key>,
    waiting: ManuallyDrop<(O, Driver, u64)>,
}

impl<O> Stage<O> {
    #[inline(always)]
    pub(crate) fn fresh(op: O) -> Stage<O> {
        Stage { tag: Tag::Fresh, held: Held { op: ManuallyDrop::new(op) } }
    }

    /// An operation that was begun elsewhere.
    #[cfg(test)]
    pub(crate) fn begun(key: Key) -> Stage<O> {
        Stage { tag: Tag::Begun, held: Held { key: ManuallyDrop::new(key) } }
    }

    #[inline(always)]
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// The operation, while it is here.
    pub(crate) fn op(&self) -> Option<&O> {
        match self.tag {
            // SAFETY: the tag says what is held.
            Tag::Fresh => Some(unsafe { &self.held.op }),
            // SAFETY: as above.
            Tag::Waiting => Some(&unsafe { &self.held.waiting }.0),
            Tag::Begun | Tag::Over => None,
        }
    }

    /// The right to the operation, while it is in its slot.
    #[inline(always)]
    pub(crate) fn key(&self) -> Option<&Key> {
        // SAFETY: the tag says what is held.
        (self.tag == Tag::Begun).then(|| &**unsafe { &self.held.key })
    }

    /// Takes the operation out, if it has not begun and waits for nothing.
    #[inline(always)]
    pub(crate) fn take_fresh(&mut self) -> Option<O> {
        if self.tag != Tag::Fresh {
            return None;
        }
        self.tag = Tag::Over;
        // SAFETY: the tag said that it is here, and says now that it is not.
        Some(unsafe { ManuallyDrop::take(&mut self.held.op) })
    }

    /// Takes the operation and its place in the queue out.
    pub(crate) fn take_waiting(&mut self) -> Option<(O, Driver, u64)> {
        if self.tag != Tag::Waiting {
            return None;
        }
        self.tag = Tag::Over;
        // SAFETY: as in `take_fresh`.
        Some(unsafe { ManuallyDrop::take(&mut self.held.waiting) })
    }

    /// The operation is in its slot now.
    #[inline(always)]
    pub(crate) fn begin(&mut self, key: Key) {
        debug_assert_eq!(self.tag, Tag::Over);
        self.held.key = ManuallyDrop::new(key);
        self.tag = Tag::Begun;
    }

    /// The operation waits for a slot: its place in the driver's queue.
    pub(crate) fn wait(&mut self, op: O, driver: Driver, ticket: u64) {
        debug_assert_eq!(self.tag, Tag::Over);
        self.held.waiting = ManuallyDrop::new((op, driver, ticket));
        self.tag = Tag::Waiting;
    }

    /// The operation was taken out of its slot, by the key that is here.
    #[inline(always)]
    pub(crate) fn spend(&mut self) {
        debug_assert_eq!(self.tag, Tag::Begun);
        if self.tag == Tag::Begun {
            self.tag = Tag::Over;
            // SAFETY: as in `take_fresh`.
            unsafe { ManuallyDrop::take(&mut self.held.key) }.spend();
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_held(&mut self) {
        // SAFETY: the tag says what is held, and nobody looks at it again.
        unsafe {
            match self.tag {
                Tag::Fresh => ManuallyDrop::drop(&mut self.held.op),
                Tag::Begun => ManuallyDrop::drop(&mut self.held.key),
                Tag::Waiting => ManuallyDrop::drop(&mut self.held.waiting),
                Tag::Over => {}
            }
        }
    }
}

impl<O> Drop for Stage<O> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.tag != Tag::Over {
            self.drop_held();
        }
    }
}
