//! [`Stage`]: where an operation is, as its future holds it, and how it gets on from there.
//!
//! What an enum would say, with the parts laid out by hand: every transfer goes through here, and
//! an enum that is taken apart is copied whole first.

use super::{Driver, Key, Submitted, inner::Launch, ops, short::Short, slot::Slot};
use crate::{op::Op, task::context};
use std::{
    mem::ManuallyDrop,
    task::{Context, Poll},
};

/// ```text
///            first poll, a slot is free              polled with the answer there
///   Fresh ──────────────────────────────▶ Begun ──────────────────────────────────▶ Over
///     │ first poll, all are taken           ▲
///     └───────────────────────▶ Waiting ────┘ polled in its turn
/// ```
pub(crate) struct Stage<O: Op> {
    tag: Tag,
    /// What the tag says. Not over the operation: the compiler kept the addresses that both have, all of them in memory.
    place: Place,
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
    /// Nothing is here: the output was given out.
    Over,
}

/// Whether an output was left to be handed out.
enum IsReady {
    Yes,
    No,
}

union Place {
    nowhere: (),
    key: ManuallyDrop<Key>,
    /// In the queue for a slot.
    waiting: ManuallyDrop<(Driver, u64)>,
}

union Held<O: Op> {
    op: ManuallyDrop<O>,
    nothing: (),
    /// For a moment, on its way out.
    output: ManuallyDrop<O::Output>,
}

impl<O: Op> Stage<O> {
    #[inline(always)]
    pub(crate) fn fresh(op: O) -> Stage<O> {
        let held = Held { op: ManuallyDrop::new(op) };
        Stage { tag: Tag::Fresh, place: Place { nowhere: () }, held }
    }

    /// An operation that was begun elsewhere.
    pub(crate) fn begun(key: Key) -> Stage<O> {
        let place = Place { key: ManuallyDrop::new(key) };
        Stage { tag: Tag::Begun, place, held: Held { nothing: () } }
    }

    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// The operation, while it is here.
    pub(crate) fn op(&self) -> Option<&O> {
        match self.tag {
            // SAFETY: the tag says what is held.
            Tag::Fresh | Tag::Waiting => Some(unsafe { &self.held.op }),
            Tag::Begun | Tag::Over => None,
        }
    }

    /// The right to the operation, while it is in its slot.
    pub(crate) fn key(&self) -> Option<&Key> {
        // SAFETY: the tag says what is held.
        (self.tag == Tag::Begun).then(|| &**unsafe { &self.place.key })
    }

    /// The operation back, if it has not begun.
    pub(crate) fn take_unbegun(&mut self) -> Option<O> {
        if let Some((op, driver, ticket)) = self.take_waiting() {
            driver.stop_waiting::<O>(ticket);
            return Some(op);
        }
        if self.tag != Tag::Fresh {
            return None;
        }
        self.tag = Tag::Over;
        // SAFETY: the tag said that it is here, and says now that it is not.
        Some(unsafe { ManuallyDrop::take(&mut self.held.op) })
    }

    fn take_waiting(&mut self) -> Option<(O, Driver, u64)> {
        if self.tag != Tag::Waiting {
            return None;
        }
        self.tag = Tag::Over;
        // SAFETY: as in `take_unbegun`.
        let (op, (driver, ticket)) = unsafe {
            (ManuallyDrop::take(&mut self.held.op), ManuallyDrop::take(&mut self.place.waiting))
        };
        Some((op, driver, ticket))
    }

    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<O::Output> {
        match self.tag {
            Tag::Begun => {
                // SAFETY: the tag says so. From here on the fields are used one by one: the key is
                // not moved, so that this needs no copy.
                let key = unsafe { &*self.place.key };
                if const { !O::TRAITS.scratch && !O::TRAITS.gives_more }
                    // SAFETY: nothing is run by the one call that is made with it.
                    && let Some(mut inner) = unsafe { key.driver.glance() }
                    && let Some(plain) = inner.take_plain(key.slot, key.id, &O::TRAITS)
                {
                    drop(inner);
                    // SAFETY: the slot had the answer, and we who have its key are the only owner:
                    // the operation is moved out once. The slot is free already, but nothing has
                    // run since that could have used it again.
                    let op = unsafe { ops::take::<O>(Slot::body(key.slot)) };
                    // The key is spent. It has no count to give back, since the driver is not ending:
                    // nothing is plain then.
                    self.tag = Tag::Over;
                    return Poll::Ready(op.complete(plain));
                }
                let is_ready = self.poll_closely(cx);
                self.hand_out(is_ready)
            }
            Tag::Fresh => {
                self.tag = Tag::Over;
                // SAFETY: the tag said that it is here, and says now that it is not.
                let op = unsafe { ManuallyDrop::take(&mut self.held.op) };
                match Driver::submit_plain(op, cx.waker()) {
                    Short::Begun(key, Launch::Pending) => {
                        self.begin(key);
                        Poll::Pending
                    }
                    Short::Begun(key, Launch::Now) => {
                        let is_ready = self.answered(key);
                        self.hand_out(is_ready)
                    }
                    Short::Answered(op, completion) => Poll::Ready(op.complete(completion)),
                    Short::Barred(op) => {
                        let is_ready = self.begin_closely(op, cx);
                        self.hand_out(is_ready)
                    }
                }
            }
            Tag::Waiting | Tag::Over => {
                let is_ready = self.begin_late(cx);
                self.hand_out(is_ready)
            }
        }
    }

    /// The output that was left in `held`, if one was. (Handed over by reference, an output would be
    /// kept in memory on the short way too.)
    #[inline(always)]
    fn hand_out(&mut self, is_ready: IsReady) -> Poll<O::Output> {
        match is_ready {
            // SAFETY: it was just left there, and the tag is `Over`: nobody else looks.
            IsReady::Yes => Poll::Ready(unsafe { ManuallyDrop::take(&mut self.held.output) }),
            IsReady::No => Poll::Pending,
        }
    }

    fn leave(&mut self, polled: Poll<O::Output>) -> IsReady {
        let Poll::Ready(output) = polled else { return IsReady::No };
        debug_assert_eq!(self.tag, Tag::Over);
        self.held.output = ManuallyDrop::new(output);
        IsReady::Yes
    }

    #[inline(always)]
    fn begin(&mut self, key: Key) {
        debug_assert_eq!(self.tag, Tag::Over);
        self.place.key = ManuallyDrop::new(key);
        self.tag = Tag::Begun;
    }

    /// It is in its slot, and its answer is more than a count, or not there, or something waits.
    #[inline(never)]
    fn poll_closely(&mut self, cx: &mut Context<'_>) -> IsReady {
        let key = self.key().expect("the caller looked at the tag");
        let polled = key.poll::<O>(cx.waker());
        if polled.is_ready() {
            self.tag = Tag::Over;
            // SAFETY: as in `take_unbegun`.
            unsafe { ManuallyDrop::take(&mut self.place.key) }.spend();
        }
        self.leave(polled)
    }

    /// The backend had the answer at once.
    #[inline(never)]
    fn answered(&mut self, key: Key) -> IsReady {
        match key.answered_at_once::<O>() {
            Submitted::Pending(key) => {
                self.begin(key);
                IsReady::No
            }
            Submitted::Ready(output) => self.leave(Poll::Ready(output)),
            Submitted::Full(..) => unreachable!("it has its slot"),
        }
    }

    /// Begins what is more than a plain transfer, or has something in its way.
    #[inline(never)]
    fn begin_closely(&mut self, op: O, cx: &mut Context<'_>) -> IsReady {
        let driver = context::with("an I/O operation", |core| core.driver.clone());
        let polled = self.submit(op, driver, None, cx);
        self.leave(polled)
    }

    /// Its turn for a slot may have come. Or it is over.
    #[cold]
    fn begin_late(&mut self, cx: &mut Context<'_>) -> IsReady {
        let Some((op, driver, ticket)) = self.take_waiting() else {
            panic!("an operation was polled after it was ready")
        };
        let polled = self.submit(op, driver, Some(ticket), cx);
        self.leave(polled)
    }

    /// `ticket`: its place in the queue for a slot, which it leaves when it has one.
    fn submit(
        &mut self,
        op: O,
        driver: Driver,
        ticket: Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<O::Output> {
        let queue = ticket.map(|ticket| (driver.clone(), ticket));
        let polled = match driver.submit(op, cx.waker()) {
            Submitted::Pending(key) => {
                self.begin(key);
                Poll::Pending
            }
            Submitted::Ready(output) => Poll::Ready(output),
            Submitted::Full(op, driver) => {
                let ticket = driver.wait_for_slot::<O>(ticket, cx.waker());
                self.held.op = ManuallyDrop::new(op);
                self.place.waiting = ManuallyDrop::new((driver, ticket));
                self.tag = Tag::Waiting;
                return Poll::Pending;
            }
        };
        if let Some((driver, ticket)) = queue {
            driver.leave_queue::<O>(ticket);
        }
        polled
    }

    #[cold]
    #[inline(never)]
    fn drop_held(&mut self) {
        match self.tag {
            // SAFETY: the tag says what is held, and the stage is not used again.
            Tag::Begun => unsafe { ManuallyDrop::drop(&mut self.place.key) },
            Tag::Fresh | Tag::Waiting => drop(self.take_unbegun()),
            Tag::Over => {}
        }
    }
}

impl<O: Op> Drop for Stage<O> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.tag != Tag::Over {
            self.drop_held();
        }
    }
}
