//! [`Outcome`]: where a blocking job leaves its result and its handle finds it. It runs nothing.
#![forbid(unsafe_code)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::task::JoinError;

pub(crate) struct Outcome<T> {
    state: Mutex<State<T>>,
}

/// Waiting -> Running -> Done -> Taken, or Waiting -> Done for a job that never runs. The lock is never held while
/// code of the user's runs.
enum State<T> {
    Waiting(Option<Waker>),
    Running(Option<Waker>),
    Done(Result<T, JoinError>),
    Taken,
}

impl<T> Outcome<T> {
    pub(super) fn new() -> Outcome<T> {
        Outcome { state: Mutex::new(State::Waiting(None)) }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if the job was cancelled while it waited.
    pub(super) fn begin(&self) -> bool {
        let mut state = self.lock();
        let State::Waiting(waker) = &mut *state else { return false };
        *state = State::Running(waker.take());
        true
    }

    /// Leaves the result and wakes the handle. Only the first result counts.
    pub(super) fn finish(&self, result: Result<T, JoinError>) {
        let mut state = self.lock();
        let (State::Waiting(waker) | State::Running(waker)) = &mut *state else {
            drop(state);
            return drop(result);
        };
        let waker = waker.take();
        *state = State::Done(result);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let fresh = cx.waker().clone();
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Waiting(old) => {
                *state = State::Waiting(Some(fresh));
                drop(state);
                drop(old);
                Poll::Pending
            }
            State::Running(old) => {
                *state = State::Running(Some(fresh));
                drop(state);
                drop(old);
                Poll::Pending
            }
            State::Done(result) => Poll::Ready(result),
            State::Taken => unreachable!("the handle remembers that it gave the output"),
        }
    }

    /// Cancels a job that has not begun.
    pub(crate) fn abort(&self) {
        if matches!(*self.lock(), State::Waiting(_)) {
            // If it begins in between, `begin` wins the race or finds the result here; a job that has begun and
            // finds it here has its output dropped.
            self.cancel_waiting();
        }
    }

    fn cancel_waiting(&self) {
        let mut state = self.lock();
        let State::Waiting(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = State::Done(Err(JoinError::cancelled()));
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(*self.lock(), State::Done(_) | State::Taken)
    }
}
