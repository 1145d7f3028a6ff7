//! [`Guarded`]: the one way to what the driver knows, for moments in which no user code runs.
//!
//! A `RefCell<Option<T>>` that is asked one question instead of two, because it is asked for every
//! transfer and for its answer.

use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};

pub(super) struct Guarded<T> {
    /// It is borrowed, or gone. While it is not set there is a value, and no reference to it.
    barred: Cell<bool>,
    /// There is no value.
    gone: Cell<bool>,
    value: UnsafeCell<Option<T>>,
}

impl<T> Guarded<T> {
    /// Holds nothing yet.
    pub(super) fn gone() -> Guarded<T> {
        Guarded { barred: Cell::new(true), gone: Cell::new(true), value: UnsafeCell::new(None) }
    }

    /// Puts the value in, once.
    pub(super) fn fill(&self, value: T) {
        assert!(self.gone.replace(false), "it is filled once");
        // SAFETY: nobody has a reference while it is gone.
        unsafe { *self.value.get() = Some(value) };
        self.barred.set(false);
    }

    /// The value, until the guard goes; `None` when it is gone.
    ///
    /// # Panics
    /// If it is borrowed: user code ran where none may.
    #[inline(always)]
    pub(super) fn borrow(&self) -> Option<Borrowed<'_, T>> {
        if self.barred.get() {
            return self.refuse();
        }
        self.barred.set(true);
        Some(Borrowed(self))
    }

    /// As [`borrow`](Self::borrow), for a moment that is noted in a debug build only: each transfer has two of them.
    ///
    /// # Safety
    /// Until the guard goes nothing runs that could ask for the value: no code of the user's, no waker's, no drop of what
    /// somebody else made.
    #[inline(always)]
    pub(super) unsafe fn glance(&self) -> Option<Borrowed<'_, T, false>> {
        if self.barred.get() {
            self.refuse()?;
        }
        if cfg!(debug_assertions) {
            self.barred.set(true);
        }
        Some(Borrowed(self))
    }

    /// Runs `f` with the value; otherwise like [`borrow`](Self::borrow).
    #[inline(always)]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        Some(f(&mut *self.borrow()?))
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self) -> Option<Borrowed<'_, T>> {
        assert!(self.gone.get(), "the driver was used from within itself");
        None
    }

    /// Takes the value out for good.
    pub(super) fn take(&self) -> Option<T> {
        self.with(|_| ())?;
        self.barred.set(true);
        self.gone.set(true);
        // SAFETY: it could be borrowed just now, so nobody has a reference.
        unsafe { (*self.value.get()).take() }
    }
}

/// The only reference to the value. It ends also when the borrower panics. Not `NOTED`: in a release build only the borrower's word
/// says that it is the only one.
pub(super) struct Borrowed<'a, T, const NOTED: bool = true>(&'a Guarded<T>);

impl<T, const NOTED: bool> Deref for Borrowed<'_, T, NOTED> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: it was not barred, so there is a value and no other reference; now it is, or none is made by the borrower's word.
        unsafe { (*self.0.value.get()).as_ref().unwrap_unchecked() }
    }
}

impl<T, const NOTED: bool> DerefMut for Borrowed<'_, T, NOTED> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { (*self.0.value.get()).as_mut().unwrap_unchecked() }
    }
}

impl<T, const NOTED: bool> Drop for Borrowed<'_, T, NOTED> {
    #[inline(always)]
    fn drop(&mut self) {
        if NOTED || cfg!(debug_assertions) {
            self.0.barred.set(false);
        }
    }
}
