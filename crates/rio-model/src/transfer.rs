//! One request in the system: an overlapped WSARecv or WSASend.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::{
    NTSTATUS, RtlNtStatusToDosError, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_RESET, STATUS_HANDLES_CLOSED, STATUS_INVALID_CONNECTION,
    STATUS_LOCAL_DISCONNECT, STATUS_PENDING, STATUS_PIPE_DISCONNECTED, STATUS_REMOTE_DISCONNECT,
    STATUS_SUCCESS,
};
use windows_sys::Win32::Networking::WinSock::{
    SOCKET, WSA_IO_PENDING, WSA_OPERATION_ABORTED, WSABUF, WSAECONNABORTED, WSAECONNRESET,
    WSAENOTCONN, WSAESHUTDOWN, WSAGetLastError, WSARecv, WSASend,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive = 0,
    Send = 1,
}

/// Begun, and perhaps over. If it is dropped before it is over, the OVERLAPPED stays, for the system to write into.
pub(crate) struct Transfer {
    overlapped: *mut OVERLAPPED,
    /// It was refused at once.
    refused: Option<i32>,
}

// SAFETY: the OVERLAPPED belongs to it and to the system, and any thread may look at it.
unsafe impl Send for Transfer {}

impl Transfer {
    /// Begins one in the caller's thread, which must live until it is over (wine lets that thread carry it out).
    /// `event` is set at its end; no packet goes to the port of the socket.
    ///
    /// # Safety
    ///
    /// The memory is the system's until the transfer is over.
    pub(crate) unsafe fn begin(
        direction: Direction,
        socket: SOCKET,
        (at, len): (usize, u32),
        event: usize,
    ) -> Transfer {
        let overlapped = Box::into_raw(Box::new(OVERLAPPED {
            // An event with its lowest bit set keeps the packet away.
            hEvent: (event | 1) as _,
            ..OVERLAPPED::default()
        }));
        let buffer = WSABUF { len, buf: at as *mut u8 };
        let mut flags = 0;
        // SAFETY: the buffer's description is read during the call; memory and OVERLAPPED stay, by our contract and
        // because nobody frees it before the end.
        let result = unsafe {
            match direction {
                Direction::Receive => WSARecv(
                    socket,
                    &raw const buffer,
                    1,
                    ptr::null_mut(),
                    &raw mut flags,
                    overlapped,
                    None,
                ),
                Direction::Send => {
                    WSASend(socket, &raw const buffer, 1, ptr::null_mut(), 0, overlapped, None)
                }
            }
        };
        // SAFETY: this thread's last error.
        let code = if result == 0 { 0 } else { unsafe { WSAGetLastError() } };
        let refused = (code != 0 && code != WSA_IO_PENDING).then_some(code);
        Transfer { overlapped, refused }
    }

    /// One that the system was never asked for.
    pub(crate) fn refused(code: i32) -> Transfer {
        Transfer { overlapped: ptr::null_mut(), refused: Some(code) }
    }

    /// Its status, as an error of Winsock or 0, and its bytes. None: it is not over.
    pub(crate) fn end(&self) -> Option<(i32, u32)> {
        if let Some(code) = self.refused {
            return Some((code, 0));
        }
        // SAFETY: the OVERLAPPED lives as long as we do, and the system writes the status as a whole.
        let status = unsafe { AtomicUsize::from_ptr(&raw mut (*self.overlapped).Internal) };
        let status = status.load(Ordering::Acquire) as NTSTATUS;
        if status == STATUS_PENDING {
            return None;
        }
        // SAFETY: over, so the system does not write any more.
        let bytes = unsafe { (*self.overlapped).InternalHigh } as u32;
        Some(if status == STATUS_SUCCESS { (0, bytes) } else { (error_of(status), 0) })
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.overlapped.is_null() && self.end().is_some() {
            // SAFETY: from a box, and the system does not use it any more.
            drop(unsafe { Box::from_raw(self.overlapped) });
        }
    }
}

/// WSAGetOverlappedResult would know, but wants a socket, and ours may be closed by now.
fn error_of(status: NTSTATUS) -> i32 {
    match status {
        STATUS_CANCELLED | STATUS_HANDLES_CLOSED => WSA_OPERATION_ABORTED,
        STATUS_CONNECTION_RESET | STATUS_REMOTE_DISCONNECT => WSAECONNRESET,
        STATUS_CONNECTION_ABORTED | STATUS_LOCAL_DISCONNECT => WSAECONNABORTED,
        STATUS_PIPE_DISCONNECTED => WSAESHUTDOWN,
        STATUS_INVALID_CONNECTION => WSAENOTCONN,
        // SAFETY: it translates a number.
        other => unsafe { RtlNtStatusToDosError(other) as i32 },
    }
}
