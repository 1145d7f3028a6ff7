//! The functions of registered I/O. They are no imports of any library: a socket is asked for them, so a program that
//! has this code still starts where they do not exist.

use core::ffi::c_void;
use core::ptr;
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_BUFFERID, RIO_CQ, RIO_EXTENSION_FUNCTION_TABLE, RIO_NOTIFICATION_COMPLETION,
    RIO_RQ, RIORESULT, SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER, SOCKET, WSAGetLastError,
    WSAID_MULTIPLE_RIO, WSAIoctl,
};
use windows_sys::core::{BOOL, GUID, PCSTR};

pub(super) type Transfer =
    unsafe extern "system" fn(RIO_RQ, *const RIO_BUF, u32, u32, *const c_void) -> BOOL;
/// With the addresses of a datagram: our own, the other's, control data and flags, all in registered memory, or null.
pub(super) type TransferEx = unsafe extern "system" fn(
    RIO_RQ,
    *const RIO_BUF,
    u32,
    *const RIO_BUF,
    *const RIO_BUF,
    *const RIO_BUF,
    *const RIO_BUF,
    u32,
    *const c_void,
) -> BOOL;
type CreateQueue =
    unsafe extern "system" fn(SOCKET, u32, u32, u32, u32, RIO_CQ, RIO_CQ, *const c_void) -> RIO_RQ;

/// What the driver uses of the table, all of it there.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) receive: Transfer,
    pub(super) send: Transfer,
    pub(super) receive_ex: TransferEx,
    pub(super) send_ex: TransferEx,
    pub(super) create_queue: CreateQueue,
    pub(super) create_completions:
        unsafe extern "system" fn(u32, *const RIO_NOTIFICATION_COMPLETION) -> RIO_CQ,
    pub(super) close_completions: unsafe extern "system" fn(RIO_CQ),
    pub(super) dequeue: unsafe extern "system" fn(RIO_CQ, *mut RIORESULT, u32) -> u32,
    pub(super) notify: unsafe extern "system" fn(RIO_CQ) -> i32,
    pub(super) register: unsafe extern "system" fn(PCSTR, u32) -> RIO_BUFFERID,
    pub(super) deregister: unsafe extern "system" fn(RIO_BUFFERID),
}

impl Table {
    /// None when one is missing.
    pub(super) fn new(table: &RIO_EXTENSION_FUNCTION_TABLE) -> Option<Table> {
        Some(Table {
            receive: table.RIOReceive?,
            send: table.RIOSend?,
            receive_ex: table.RIOReceiveEx?,
            send_ex: table.RIOSendEx?,
            create_queue: table.RIOCreateRequestQueue?,
            create_completions: table.RIOCreateCompletionQueue?,
            close_completions: table.RIOCloseCompletionQueue?,
            dequeue: table.RIODequeueCompletion?,
            notify: table.RIONotify?,
            register: table.RIORegisterBuffer?,
            deregister: table.RIODeregisterBuffer?,
        })
    }
}

/// Asks a socket for the functions: any TCP or UDP socket will do. The error is Winsock's; WSAEOPNOTSUPP (10045) says
/// that this system has none.
pub(crate) fn load(socket: SOCKET) -> Result<RIO_EXTENSION_FUNCTION_TABLE, i32> {
    let id = WSAID_MULTIPLE_RIO;
    let size = size_of::<RIO_EXTENSION_FUNCTION_TABLE>() as u32;
    let mut table = RIO_EXTENSION_FUNCTION_TABLE { cbSize: size, ..Default::default() };
    let mut written = 0;
    // SAFETY: the id is read and the table is written during the call, each of the size that is said; without an
    // OVERLAPPED the call is over when it returns.
    let result = unsafe {
        WSAIoctl(
            socket,
            SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER,
            (&raw const id).cast(),
            size_of::<GUID>() as u32,
            (&raw mut table).cast(),
            size,
            &raw mut written,
            ptr::null_mut(),
            None,
        )
    };
    if result == 0 { Ok(table) } else { Err(last_error()) }
}

pub(super) fn last_error() -> i32 {
    // SAFETY: this thread's last error, which is always there.
    unsafe { WSAGetLastError() }
}
