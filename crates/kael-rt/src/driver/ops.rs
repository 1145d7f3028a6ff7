//! What the driver must know of an operation whose type it no longer knows.

use super::{
    Completion,
    slot::{Body, Marks, ROOM, State},
};
use crate::op::{Gives, Op, Plain, Request, Step, Traits};
use std::{ptr::NonNull, ptr::addr_of_mut};

pub(crate) struct Vtable {
    pub(crate) traits: Traits,
    /// How an operation begins whose request is not lowered yet, and a plain transfer.
    pub(crate) reserved: Marks,
    pub(crate) launched: Marks,
    /// The same of a send that is left to itself.
    pub(crate) left: Marks,
    /// # Safety
    /// The body holds the operation; nobody else touches the body until the request is gone.
    pub(crate) request: unsafe fn(NonNull<Body>) -> Request<'static>,
    /// # Safety
    /// The body holds the operation, and the kernel has let go of it.
    pub(crate) advance: unsafe fn(NonNull<Body>, &Completion<'_>, bool) -> Step,
    /// # Safety
    /// As `advance`.
    pub(crate) kept: unsafe fn(NonNull<Body>) -> usize,
    /// Reads the answer and drops the output.
    /// # Safety
    /// As `advance`; the operation is moved out, and nobody uses it again.
    pub(crate) finish: unsafe fn(NonNull<Body>, Completion<'_>),
    /// Drops the operation unanswered.
    /// # Safety
    /// As `finish`.
    pub(crate) discard: unsafe fn(NonNull<Body>),
}

struct Of<O>(O);

impl<O: Op> Of<O> {
    const VTABLE: Vtable = Vtable {
        traits: O::TRAITS,
        reserved: Marks::new(State::Reserved, O::TRAITS.side, Gives::Count),
        launched: Marks::new(State::InFlight, O::TRAITS.side, gives(O::TRAITS.plain)),
        left: Marks {
            orphan: true,
            quiet: true,
            ..Marks::new(State::InFlight, O::TRAITS.side, Gives::Count)
        },
        request: request::<O>,
        advance: advance::<O>,
        kept: kept::<O>,
        finish: finish::<O>,
        discard: discard::<O>,
    };
}

/// What the answer of a plain transfer is.
const fn gives(plain: Option<Plain>) -> Gives {
    match plain {
        Some(Plain::Recv { .. }) => Gives::Received,
        Some(Plain::Send { .. } | Plain::Read | Plain::Write) | None => Gives::Count,
    }
}

impl Vtable {
    #[inline]
    pub(crate) fn of<O: Op>() -> &'static Vtable {
        const {
            assert!(
                size_of::<O>() <= ROOM && align_of::<O>() <= align_of::<Body>(),
                "too large for a slot"
            )
        };
        &Of::<O>::VTABLE
    }

    /// For a slot that holds nothing.
    pub(crate) fn none() -> &'static Vtable {
        const { &Of::<Nothing>::VTABLE }
    }
}

/// The operation that was.
struct Nothing;

impl Op for Nothing {
    type Output = ();
    const TRAITS: Traits = Traits::PROMPT;
    fn request<'a>(&'a mut self, _: &'a mut crate::sys::Scratch) -> Request<'a> {
        unreachable!("a free slot was asked what it wants")
    }
    fn complete(self, _: Completion<'_>) {}
}

/// # Safety
/// See [`Vtable::request`].
pub(crate) unsafe fn request<O: Op>(body: NonNull<Body>) -> Request<'static> {
    // SAFETY: the body is alive and nobody else has a reference into it (the caller's word). The
    // operation is at its final address, and neither it nor the scratch is touched before the
    // backend has let go of the request: so the borrow may live that long.
    unsafe {
        let op = &mut *addr_of_mut!((*body.as_ptr()).room).cast::<O>();
        op.request(&mut *addr_of_mut!((*body.as_ptr()).scratch))
    }
}

/// # Safety
/// See [`Vtable::advance`].
unsafe fn advance<O: Op>(body: NonNull<Body>, completion: &Completion<'_>, orphan: bool) -> Step {
    // SAFETY: the operation is there and the kernel has let go of it.
    let op = unsafe { &mut *addr_of_mut!((*body.as_ptr()).room).cast::<O>() };
    op.advance(completion, orphan)
}

/// # Safety
/// See [`Vtable::kept`].
unsafe fn kept<O: Op>(body: NonNull<Body>) -> usize {
    // SAFETY: the operation is there and the kernel has let go of it.
    unsafe { &*addr_of_mut!((*body.as_ptr()).room).cast::<O>() }.kept()
}

/// # Safety
/// See [`Vtable::finish`].
unsafe fn finish<O: Op>(body: NonNull<Body>, completion: Completion<'_>) {
    // SAFETY: the caller hands over the operation.
    let op = unsafe { take::<O>(body) };
    drop(op.complete(completion));
}

/// # Safety
/// See [`Vtable::discard`].
unsafe fn discard<O: Op>(body: NonNull<Body>) {
    // SAFETY: the caller hands over the operation.
    drop(unsafe { take::<O>(body) });
}

/// Moves the operation out of its slot.
///
/// # Safety
/// The body holds an `O`, the kernel has let go of it, and nobody uses it again.
#[inline]
pub(crate) unsafe fn take<O: Op>(body: NonNull<Body>) -> O {
    // SAFETY: the caller's word.
    unsafe { addr_of_mut!((*body.as_ptr()).room).cast::<O>().read() }
}

/// The operation where it rests.
///
/// # Safety
/// The body holds an `O`, and nobody else touches the body while the reference lives.
#[inline]
pub(crate) unsafe fn in_place<'a, O: Op>(body: NonNull<Body>) -> &'a mut O {
    // SAFETY: the caller's word.
    unsafe { &mut *addr_of_mut!((*body.as_ptr()).room).cast::<O>() }
}

/// Puts an operation to rest in its slot.
///
/// # Safety
/// The slot is reserved by the caller and holds nothing.
#[inline]
pub(crate) unsafe fn place<O: Op>(body: NonNull<Body>, op: O) {
    // SAFETY: the room is large and aligned enough (asserted in `Vtable::of`), and ours.
    unsafe { addr_of_mut!((*body.as_ptr()).room).cast::<O>().write(op) }
}
