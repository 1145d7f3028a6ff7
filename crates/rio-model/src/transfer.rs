//! One request in the system: an overlapped WSARecv or WSASend, or with an address WSARecvFrom or WSASendTo.

use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use windows_sys::Win32::Foundation::{
    NTSTATUS, RtlNtStatusToDosError, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED,
    STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_HANDLES_CLOSED,
    STATUS_INVALID_CONNECTION, STATUS_LOCAL_DISCONNECT, STATUS_PENDING, STATUS_PIPE_DISCONNECTED,
    STATUS_REMOTE_DISCONNECT, STATUS_SUCCESS,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, SOCKADDR, SOCKADDR_IN, SOCKADDR_INET, SOCKET, WSA_IO_PENDING, WSA_OPERATION_ABORTED,
    WSABUF, WSAECONNABORTED, WSAECONNRESET, WSAEMSGSIZE, WSAENOTCONN, WSAESHUTDOWN,
    WSAGetLastError, WSARecv, WSARecvFrom, WSASend, WSASendTo,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Receive = 0,
    Send = 1,
}

/// Begun, and perhaps over. If it is dropped before it is over, the OVERLAPPED stays, for the system to write into.
pub(crate) struct Transfer {
    system: *mut System,
    /// It was refused at once.
    refused: Option<i32>,
}

/// What the system writes into.
#[repr(C)]
struct System {
    overlapped: OVERLAPPED,
    flags: u32,
    address_len: i32,
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
        address: Option<usize>,
        event: usize,
    ) -> Transfer {
        let system = Box::into_raw(Box::new(System {
            // An event with its lowest bit set keeps the packet away.
            overlapped: OVERLAPPED { hEvent: (event | 1) as _, ..OVERLAPPED::default() },
            flags: 0,
            address_len: size_of::<SOCKADDR_INET>() as i32,
        }));
        let buffer = WSABUF { len, buf: at as *mut u8 };
        let (buffer, none) = (&raw const buffer, ptr::null_mut());
        // SAFETY: the buffer's description is read during the call; memory, address and what the system writes into
        // stay, by our contract and because nobody frees it before the end.
        let result = unsafe {
            let overlapped = &raw mut (*system).overlapped;
            let (flags, address_len) = (&raw mut (*system).flags, &raw mut (*system).address_len);
            match (direction, address) {
                (Direction::Receive, None) => {
                    WSARecv(socket, buffer, 1, none, flags, overlapped, None)
                }
                (Direction::Receive, Some(address)) => {
                    let from = address as *mut SOCKADDR;
                    WSARecvFrom(socket, buffer, 1, none, flags, from, address_len, overlapped, None)
                }
                (Direction::Send, None) => WSASend(socket, buffer, 1, none, 0, overlapped, None),
                (Direction::Send, Some(address)) => {
                    let to = address as *const SOCKADDR;
                    let len = length_of((*to).sa_family);
                    WSASendTo(socket, buffer, 1, none, 0, to, len, overlapped, None)
                }
            }
        };
        // SAFETY: this thread's last error.
        let code = if result == 0 { 0 } else { unsafe { WSAGetLastError() } };
        let refused = (code != 0 && code != WSA_IO_PENDING).then_some(code);
        Transfer { system, refused }
    }

    /// One that the system was never asked for.
    pub(crate) fn refused(code: i32) -> Transfer {
        Transfer { system: ptr::null_mut(), refused: Some(code) }
    }

    /// Its status, as an error of Winsock or 0, and its bytes. None: it is not over.
    pub(crate) fn end(&self) -> Option<(i32, u32)> {
        if let Some(code) = self.refused {
            return Some((code, 0));
        }
        // SAFETY: the OVERLAPPED lives as long as we do, and the system writes the status as a whole.
        let status = unsafe { AtomicUsize::from_ptr(&raw mut (*self.system).overlapped.Internal) };
        let status = status.load(Ordering::Acquire) as NTSTATUS;
        if status == STATUS_PENDING {
            return None;
        }
        // SAFETY: over, so the system does not write any more.
        let bytes = unsafe { (*self.system).overlapped.InternalHigh } as u32;
        Some(match status {
            STATUS_SUCCESS => (0, bytes),
            // A datagram that was cut.
            STATUS_BUFFER_OVERFLOW => (WSAEMSGSIZE, bytes),
            _ => (error_of(status), 0),
        })
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.system.is_null() && self.end().is_some() {
            // SAFETY: from a box, and the system does not use it any more.
            drop(unsafe { Box::from_raw(self.system) });
        }
    }
}

/// The length of an address that lies in a SOCKADDR_INET. One of an unknown family is the system's to refuse.
fn length_of(family: u16) -> i32 {
    match family {
        AF_INET => size_of::<SOCKADDR_IN>() as i32,
        _ => size_of::<SOCKADDR_INET>() as i32,
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
