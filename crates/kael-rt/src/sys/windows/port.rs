//! A core's completion port: what is associated with it answers there, and who wakes the core posts there.

use super::{super::packet::PacketAt, code, number::Number};
use crate::error::Error;
use std::{
    io, ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::*},
    },
};
use windows_sys::Win32::{
    Foundation::{CloseHandle, GetLastError, HANDLE, INVALID_HANDLE_VALUE, WAIT_TIMEOUT},
    Storage::FileSystem::SetFileCompletionNotificationModes,
    System::{
        IO::{
            CancelIoEx, CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED_ENTRY,
            PostQueuedCompletionStatus,
        },
        WindowsProgramming::{FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE},
    },
};

/// The key of what is posted to wake a core.
pub(super) const WAKE: usize = 1;
/// The key of what says that registered I/O has something.
#[allow(dead_code, reason = "with the feature `rio`")]
pub(super) const REGISTERED: usize = 2;
/// The key of everything that is associated.
const ASSOCIATED: usize = 0;

/// Entries that one call takes.
pub(super) const BATCH: usize = 128;

struct Handle {
    port: HANDLE,
    posts: AtomicU64,
}

// SAFETY: a port's handle may be used by any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody is left who could use it.
        unsafe { CloseHandle(self.port) };
    }
}

/// Wakes a core that sleeps in its turn. Outlives the core: then it wakes nobody.
#[derive(Clone)]
pub(crate) struct Unpark(Arc<Handle>);

impl Unpark {
    /// One call: PostQueuedCompletionStatus.
    pub(crate) fn unpark(&self) {
        self.0.posts.fetch_add(1, Relaxed);
        // SAFETY: the port is open as long as this is. It fails only for want of memory; then the core has been
        // woken, or will be, by what holds the memory.
        unsafe { PostQueuedCompletionStatus(self.0.port, 0, WAKE, ptr::null()) };
    }

    pub(super) fn posts(&self) -> u64 {
        self.0.posts.load(Relaxed)
    }
}

pub(super) struct Port {
    handle: Unpark,
    entries: Box<[OVERLAPPED_ENTRY; BATCH]>,
    /// Calls that took entries or waited for some.
    pub(super) waits: u64,
}

impl Port {
    pub(super) fn new() -> io::Result<Port> {
        // SAFETY: makes a port for one thread at a time.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        if port.is_null() {
            let error = io::Error::last_os_error();
            let text = format!(
                "CreateIoCompletionPort: {error}; a core needs a completion port: end what holds many handles"
            );
            return Err(Error::setup(error.kind(), text));
        }
        let handle = Unpark(Arc::new(Handle { port, posts: AtomicU64::new(0) }));
        Ok(Port { handle, entries: Box::new([OVERLAPPED_ENTRY::default(); BATCH]), waits: 0 })
    }

    #[allow(dead_code, reason = "registered I/O posts there")]
    pub(super) fn handle(&self) -> HANDLE {
        self.handle.0.port
    }

    pub(super) fn unpark(&self) -> Unpark {
        self.handle.clone()
    }

    /// Everything that is asked of the handle from here on answers here. It cannot leave again.
    pub(super) fn associate(&self, number: Number) -> Result<(), i32> {
        // SAFETY: open handles.
        let port =
            unsafe { CreateIoCompletionPort(number.handle(), self.handle.0.port, ASSOCIATED, 0) };
        if port.is_null() { Err(code::last_error()) } else { Ok(()) }
    }

    /// Takes what is there, and waits for at least one entry until the time is over. `None`: as long as it takes.
    /// Returns how many there are.
    pub(super) fn wait(&mut self, limit_ns: Option<u64>) -> io::Result<usize> {
        self.waits += 1;
        let (room, mut n) = (self.entries.as_mut_ptr(), 0);
        let limit = milliseconds(limit_ns);
        // SAFETY: room for so many entries.
        let taken = unsafe {
            GetQueuedCompletionStatusEx(self.handle.0.port, room, BATCH as u32, &mut n, limit, 0)
        };
        if taken != 0 {
            return Ok(n as usize);
        }
        // SAFETY: a number of this thread's.
        match unsafe { GetLastError() } {
            WAIT_TIMEOUT => Ok(0),
            error => Err(io::Error::from_raw_os_error(error as i32)),
        }
    }

    /// An entry that the last wait has taken.
    pub(super) fn entry(&self, i: usize) -> OVERLAPPED_ENTRY {
        self.entries[i]
    }
}

/// A success that is known when its call is over shall make no packet, and set no event.
pub(super) fn skip_successes(number: Number) -> bool {
    let modes = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE;
    // SAFETY: plain numbers.
    unsafe { SetFileCompletionNotificationModes(number.handle(), modes as u8) != 0 }
}

/// Asks for the end of a request; its packet comes in any case. False: the system has not found it, for it is over. (Wine also says
/// so of one that it is just busy with, and goes on with it.)
pub(super) fn cancel(number: Number, packet: PacketAt) -> bool {
    // SAFETY: an open handle, and the address by which the system knows the request. Nothing is read there.
    unsafe { CancelIoEx(number.handle(), packet.as_ptr().cast()) != 0 }
}

/// Whole milliseconds, and never less than asked: who wakes too early only sleeps again.
fn milliseconds(limit_ns: Option<u64>) -> u32 {
    const FOR_EVER: u32 = u32::MAX;
    limit_ns.map_or(FOR_EVER, |ns| ns.div_ceil(1_000_000).min(u64::from(FOR_EVER - 1)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_shorter_than_asked() {
        assert_eq!(
            [0, 1, 999_999, 1_000_000, 1_000_001].map(|ns| milliseconds(Some(ns))),
            [0, 1, 1, 1, 2]
        );
        assert_eq!(milliseconds(Some(u64::MAX)), u32::MAX - 1);
        assert_eq!(milliseconds(None), u32::MAX);
    }

    #[test]
    fn a_post_ends_a_wait() {
        let mut port = Port::new().unwrap();
        let unpark = port.unpark();
        assert_eq!(port.wait(Some(0)).unwrap(), 0);
        let thread = std::thread::spawn(move || unpark.unpark());
        assert_eq!(port.wait(None).unwrap(), 1);
        assert_eq!(port.entry(0).lpCompletionKey, WAKE);
        thread.join().unwrap();
    }
}
