//! What Windows has for a thread and for memory.

use std::{io, ptr::NonNull};
use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadAffinityMask};

/// One call moves at most this many bytes.
pub(crate) const MOST: usize = 1 << 30;

/// Huge pages need a privilege here that programs do not have.
pub(crate) fn advise_huge_pages(_: NonNull<u8>, _: usize) {}

/// The calling thread is bound to one processor as long as this lives.
pub(crate) struct Pinned {
    before: usize,
}

/// Binds the calling thread to one processor, of the first 64.
pub(crate) fn pin_to_cpu(cpu: usize) -> io::Result<Pinned> {
    let mask = u32::try_from(cpu)
        .ok()
        .and_then(|cpu| 1usize.checked_shl(cpu))
        .ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the calling thread, and a number.
    match unsafe { SetThreadAffinityMask(GetCurrentThread(), mask) } {
        0 => Err(io::Error::last_os_error()),
        before => Ok(Pinned { before }),
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: as above. If a processor of the old set is gone, the thread stays where it is.
        unsafe { SetThreadAffinityMask(GetCurrentThread(), self.before) };
    }
}
