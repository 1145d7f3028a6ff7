//! The memory that a request names: it rests in the request's slot until the request is answered.

use super::super::most;
use std::{ptr, slice};
use windows_sys::Win32::Networking::WinSock::WSABUF;

/// One buffer, or several.
#[derive(Clone, Copy)]
pub(super) enum Memory {
    One(WSABUF),
    Many(*const WSABUF, usize),
}

impl Memory {
    /// # Safety
    /// Memory of that length, which stays until this is dropped, and which nobody else uses where it is to be filled.
    pub(super) unsafe fn one(at: *mut u8, len: usize) -> Memory {
        Memory::One(WSABUF { len: most(len) as u32, buf: at })
    }

    /// # Safety
    /// As `one`, of each and of the list.
    pub(super) unsafe fn many(vectors: &[WSABUF]) -> Memory {
        Memory::Many(vectors.as_ptr(), vectors.len())
    }

    fn vectors(&self) -> &[WSABUF] {
        match self {
            Memory::One(one) => slice::from_ref(one),
            // SAFETY: `many` has it as its contract.
            Memory::Many(at, len) => unsafe { slice::from_raw_parts(*at, *len) },
        }
    }

    /// Bytes of all together.
    pub(super) fn len(&self) -> usize {
        self.vectors().iter().map(|vector| vector.len as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.vectors().iter().all(|vector| vector.len == 0)
    }

    /// Copies as much of `from` as there is room for; how much that is.
    pub(super) fn fill(&self, from: &[u8]) -> usize {
        let mut done = 0;
        for vector in self.vectors() {
            let n = (vector.len as usize).min(from.len() - done);
            // SAFETY: so many bytes lie in either, which are not the same memory: one is ours, the other an operation's.
            unsafe { ptr::copy_nonoverlapping(from[done..].as_ptr(), vector.buf, n) };
            done += n;
        }
        done
    }

    /// Copies as much as `into` has room for; how much that is.
    pub(super) fn gather(&self, into: &mut [u8]) -> usize {
        let mut done = 0;
        for vector in self.vectors() {
            let n = (vector.len as usize).min(into.len() - done);
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(vector.buf, into[done..].as_mut_ptr(), n) };
            done += n;
        }
        done
    }
}
