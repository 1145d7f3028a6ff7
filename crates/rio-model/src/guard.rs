//! One thread at a time in a queue: Windows does not lock them, and leaves it to the caller.

use crate::violations::{Violation, record};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use windows_sys::Win32::Networking::WinSock::WSAEINVAL;

/// Whether somebody is in the queue.
pub(crate) type Door = Arc<AtomicBool>;

/// The caller is in the queue, until this is dropped.
pub(crate) struct Inside(Door);

type Hook = Arc<dyn Fn() + Send + Sync>;

static HOOK: Mutex<Option<Hook>> = Mutex::new(None);

/// Calls this in each call that uses a queue, while the queue is in use. So a test can have a second thread there at
/// the same time, without luck.
pub fn inside(hook: Option<Hook>) {
    *HOOK.lock().unwrap_or_else(PoisonError::into_inner) = hook;
}

/// The caller comes in, or is the second one.
pub(crate) fn enter(door: Door) -> Result<Inside, i32> {
    if door.swap(true, Ordering::Acquire) {
        return Err(record(Violation::Concurrent, WSAEINVAL));
    }
    let inside = Inside(door);
    let hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(hook) = hook {
        hook();
    }
    Ok(inside)
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
