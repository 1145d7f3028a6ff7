#![forbid(unsafe_code)]
//! [`JoinError`]: why a task or a blocking job gave no output.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Mutex;

type Payload = Box<dyn Any + Send + 'static>;

/// Why a task or a blocking job gave no output: it panicked, it was cancelled, or the blocking pool did not take it.
///
/// ```
/// use kael_rt::{JoinError, JoinHandle};
///
/// /// The output, or nothing if the job was not done; a panic goes on in the caller.
/// fn output<T>(result: Result<T, JoinError>) -> Option<T> {
///     match result {
///         Ok(output) => Some(output),
///         Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
///         Err(error) => {
///             assert!(error.is_cancelled() || error.is_rejected());
///             None
///         }
///     }
/// }
/// kael_rt::block_on(async {
///     assert_eq!(output(kael_rt::spawn_blocking(|| 3).await), Some(3));
///     let idle: JoinHandle<()> = kael_rt::spawn(std::future::pending());
///     idle.abort();
///     assert_eq!(output(idle.await), None);
/// });
/// ```
pub struct JoinError {
    kind: Kind,
}

/// Two words, so that a small output's `Result` stays small.
enum Kind {
    Cancelled,
    Panicked(Box<Panic>),
    Rejected(Box<io::Error>),
}

struct Panic {
    message: Option<String>,
    /// Never locked: the lock only makes the error `Sync`.
    payload: Mutex<Payload>,
}

impl JoinError {
    pub(crate) fn cancelled() -> JoinError {
        JoinError { kind: Kind::Cancelled }
    }

    #[cold]
    pub(crate) fn panicked(payload: Payload) -> JoinError {
        let message = match payload.downcast_ref::<&'static str>() {
            Some(message) => Some((*message).to_owned()),
            None => payload.downcast_ref::<String>().cloned(),
        };
        JoinError {
            kind: Kind::Panicked(Box::new(Panic { message, payload: Mutex::new(payload) })),
        }
    }

    #[cold]
    pub(crate) fn rejected(reason: io::Error) -> JoinError {
        JoinError { kind: Kind::Rejected(Box::new(reason)) }
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panicked(_))
    }

    /// Whether the task was cancelled: by [`abort`](super::JoinHandle::abort), or because its runtime ended.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, Kind::Cancelled)
    }

    /// Whether the blocking pool did not take the job: its queue is full, or it could not start a thread. The job
    /// has not run.
    pub fn is_rejected(&self) -> bool {
        matches!(self.kind, Kind::Rejected(_))
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    /// If the error is not a panic; see [`is_panic`](JoinError::is_panic).
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.kind {
            Kind::Panicked(panic) => {
                panic.payload.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
            }
            Kind::Cancelled | Kind::Rejected(_) => {
                panic!("JoinError::into_panic: the task did not panic: {self}")
            }
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Cancelled => f.write_str("the task was cancelled"),
            Kind::Panicked(panic) => match &panic.message {
                Some(message) => write!(f, "the task panicked: {message}"),
                None => f.write_str("the task panicked"),
            },
            Kind::Rejected(reason) => write!(f, "the blocking job was not taken: {reason}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<JoinError>();
    assert!(size_of::<JoinError>() == 2 * size_of::<usize>());
};
