//! Files: reads and writes that the system carries out while the core goes on.

use super::{
    super::packet::{Answered, Packet},
    Backend, SKIPS, code, most,
    number::Kind,
    number_of,
};
use crate::{driver::Descriptor, op::Request, sys::event::Started};
use std::ptr;
use windows_sys::Win32::{
    Foundation::{ERROR_HANDLE_EOF, ERROR_IO_PENDING, GetLastError},
    Storage::FileSystem::{ReadFile, WriteFile},
};

/// The file's calls do not wait.
pub(super) fn is_overlapped(fd: &Descriptor) -> bool {
    matches!(number_of(fd).kind(), Kind::File | Kind::Direct)
}

impl Backend {
    pub(super) fn start_on_file(
        &mut self,
        packet: &mut Packet,
        request: Request<'static>,
    ) -> Started {
        let (fd, at, memory, len, is_read) = match request {
            Request::Read { fd, into, at } | Request::Load { file: fd, into, at, .. } => {
                (fd, at, into.as_mut_ptr().cast::<u8>(), into.len(), true)
            }
            Request::Write { fd, from, at } => {
                (fd, at, from.as_ptr().cast_mut(), from.len(), false)
            }
            _ => unreachable!("another request"),
        };
        let number = number_of(fd);
        let len = most(len);
        let place = match self.join(fd) {
            Ok(place) => place,
            Err(code) => return Started::Done(-code),
        };
        packet.prepare(packet.user, Answered::File, number, at);
        packet.pending = true;
        self.calls += 1;
        let overlapped = &raw mut packet.overlapped;
        // SAFETY: an open handle; the memory is the operation's, of that length, and both it and the OVERLAPPED stay where
        // they are until the packet has come.
        let done = unsafe {
            if is_read {
                ReadFile(number.handle(), memory, len as u32, ptr::null_mut(), overlapped)
            } else {
                WriteFile(number.handle(), memory, len as u32, ptr::null_mut(), overlapped)
            }
        };
        let called = match done {
            0 => {
                // SAFETY: a number of this thread's.
                match unsafe { GetLastError() } {
                    ERROR_IO_PENDING => Called::Later,
                    ERROR_HANDLE_EOF => Called::Moved(0),
                    _ => Called::Failed(code::last_error()),
                }
            }
            _ if place & SKIPS != 0 => Called::Moved(packet.overlapped.InternalHigh as u32),
            _ => Called::Later,
        };
        self.called(packet, called)
    }
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Called {
    /// A packet will come.
    Later,
    /// It is over, and no packet comes.
    Moved(u32),
    Failed(i32),
}

impl Backend {
    /// What the driver is told of a call that was made for it.
    #[inline]
    pub(super) fn called(&mut self, packet: &mut Packet, called: Called) -> Started {
        match called {
            Called::Later => {
                self.pending += 1;
                Started::Queued
            }
            Called::Moved(n) => {
                packet.pending = false;
                Started::Done(n as i32)
            }
            Called::Failed(code) => {
                packet.pending = false;
                Started::Done(-code)
            }
        }
    }
}
