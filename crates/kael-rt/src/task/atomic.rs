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

    /// The driver's `Unpark`, or in a model a token that can be looked at.
    #[derive(Clone)]
    pub(crate) enum Unpark {
        Driver(crate::driver::Unpark),
        Token(Arc<AtomicBool>),
    }

    impl Unpark {
        pub(crate) fn unpark(&self) {
            match self {
                Unpark::Driver(driver) => driver.unpark(),
                Unpark::Token(token) => token.store(true, std::sync::atomic::Ordering::SeqCst),
            }
        }
    }

    impl From<crate::driver::Unpark> for Unpark {
        fn from(driver: crate::driver::Unpark) -> Unpark {
            Unpark::Driver(driver)
        }
    }
}

pub(crate) use chosen::{Arc, AtomicBool, AtomicPtr, AtomicUsize, Cell, Unpark, fence};
pub(crate) use std::sync::atomic::Ordering;
