//! [`Guarded`]: the one way to what the driver knows, for moments in which no user code runs.
//!
//! A `RefCell<Option<T>>` with one state instead of two, because it is asked four times an
//! operation: free, borrowed, or gone.

use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};

pub(super) struct Guarded<T> {
    state: Cell<State>,
    /// Holds a value unless the state is `Gone`. A reference exists only while it is `Borrowed`.
    value: UnsafeCell<Option<T>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Borrowed,
    Gone,
}

impl<T> Guarded<T> {
    /// Holds nothing yet.
    pub(super) fn gone() -> Guarded<T> {
        Guarded { state: Cell::new(State::Gone), value: UnsafeCell::new(None) }
    }

    /// Puts the value in, once.
    pub(super) fn fill(&self, value: T) {
        assert!(self.state.get() == State::Gone, "it is filled once");
        // SAFETY: nobody has a reference while the state is `Gone`.
        unsafe { *self.value.get() = Some(value) };
        self.state.set(State::Free);
    }

    /// The value, until the guard goes; `None` when it is gone.
    ///
    /// # Panics
    /// If it is borrowed: user code ran where none may.
    #[inline(always)]
    pub(super) fn borrow(&self) -> Option<Borrowed<'_, T>> {
        if self.state.get() != State::Free {
            return self.refuse();
        }
        self.state.set(State::Borrowed);
        Some(Borrowed(self))
    }

    /// Runs `f` with the value; otherwise like [`borrow`](Self::borrow).
    #[inline(always)]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        Some(f(&mut *self.borrow()?))
    }

    #[cold]
    fn refuse(&self) -> Option<Borrowed<'_, T>> {
        assert!(self.state.get() == State::Gone, "the driver was used from within itself");
        None
    }

    /// Takes the value out for good.
    pub(super) fn take(&self) -> Option<T> {
        self.with(|_| ())?;
        self.state.set(State::Gone);
        // SAFETY: it was `Free`, so nobody has a reference.
        unsafe { (*self.value.get()).take() }
    }
}

/// The only reference to the value. It ends also when the borrower panics.
pub(super) struct Borrowed<'a, T>(&'a Guarded<T>);

impl<T> Deref for Borrowed<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the state was `Free`, so there is a value, and it is `Borrowed` by this alone.
        unsafe { (*self.0.value.get()).as_ref().unwrap_unchecked() }
    }
}

impl<T> DerefMut for Borrowed<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { (*self.0.value.get()).as_mut().unwrap_unchecked() }
    }
}

impl<T> Drop for Borrowed<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.state.set(State::Free);
    }
}
