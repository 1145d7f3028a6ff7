//! Operations that grow while they wait at a gate.

use super::{
    Driver, Fd, ops,
    slot::{NONE, Slot, State},
};
use crate::op::Op;

/// Who stands last at the writing side of a stream.
pub(crate) enum Last<R> {
    /// Nobody is there, or the stream is not this driver's.
    Nobody,
    /// Something else, or something that shall not grow: what comes stands behind it.
    Other,
    /// An operation that may grow, and what the caller did with it.
    Grown(R),
}

impl Driver {
    /// Lets `grow` change the operation that waits last at the writing gate of `fd`, if it is one that may: nobody
    /// has it, neither a future nor the kernel. `grow` runs no user code. `None`: it shall not.
    #[inline]
    pub(crate) fn grow_last<O: Op, R>(
        &self,
        fd: &Fd,
        grow: impl FnOnce(&mut O) -> Option<R>,
    ) -> Last<R> {
        const { assert!(O::TRAITS.grows) };
        let Some(mut inner) = self.borrow() else { return Last::Nobody };
        if !fd.belongs_to_tag(inner.tag()) || fd.write.holder.get() == NONE {
            return Last::Nobody;
        }
        let last = fd.write.last.get();
        if last == NONE {
            return Last::Other;
        }
        let head = inner.slots.head(last);
        if !(head.vtable.traits.grows && head.marks.orphan && head.marks.state == State::Queued) {
            return Last::Other;
        }
        let body = Slot::body(inner.slots.at(last));
        // SAFETY: of all operations one kind grows, so this is an `O` (`Traits::grows` says so). It is an orphan that the
        // kernel has not got yet, and the driver is borrowed: nobody else looks at it.
        let grown = grow(unsafe { ops::in_place::<O>(body) });
        inner.rows_grown += u64::from(grown.is_some());
        grown.map_or(Last::Other, Last::Grown)
    }
}
