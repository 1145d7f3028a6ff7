//! The atomics and cells that the task machinery is built from: the standard ones, or loom's under `--cfg loom`.
//!
//! Only what a loom model can observe goes through here. Nothing outside `task/` uses it.

#[cfg(not(loom))]
mod chosen {
    pub(crate) use std::cell::Cell;
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, fence};

    pub(crate) use crate::driver::Unpark;
}

#[cfg(loom)]
mod chosen {
    pub(crate) use loom::cell::Cell;
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, fence};

    /// Stands in for the driver's `Unpark`: a token that a model can look at.
    #[derive(Clone)]
    pub(crate) struct Unpark(pub(crate) Arc<AtomicBool>);

    impl Unpark {
        pub(crate) fn unpark(&self) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
}

pub(crate) use chosen::{Arc, AtomicBool, AtomicPtr, AtomicUsize, Cell, Unpark, fence};
pub(crate) use std::sync::atomic::Ordering;
