//! Error codes: the system has three kinds of them, and an operation's result one.
//!
//! A result is a negative code of the Win32 kind, as `std::io::Error` takes them; where sockets have a code of their own
//! for the same thing, it is that one, because only that has the right `ErrorKind`.

use super::errno;
use windows_sys::Win32::{
    Foundation::*,
    Networking::WinSock::{
        WSAECONNABORTED, WSAECONNREFUSED, WSAECONNRESET, WSAEHOSTUNREACH, WSAEMSGSIZE,
        WSAENETUNREACH, WSAENOTCONN, WSAESHUTDOWN, WSAETIMEDOUT, WSAGetLastError,
    },
};

/// The code of the last call of this thread that was not about a socket.
#[cold]
pub(super) fn last_error() -> i32 {
    // SAFETY: a number of this thread's.
    plain(unsafe { GetLastError() })
}

/// The same for sockets.
#[cold]
pub(super) fn last_socket_error() -> i32 {
    // SAFETY: as above.
    of_socket(unsafe { WSAGetLastError() } as u32)
}

/// The code for a status that came through the port.
#[cold]
pub(super) fn of_status(status: NTSTATUS, is_socket: bool) -> i32 {
    // SAFETY: a table of the system's.
    let code = unsafe { RtlNtStatusToDosError(status) };
    if is_socket { of_socket(code) } else { plain(code) }
}

fn plain(code: u32) -> i32 {
    match code {
        // The standard library takes the other one for a time limit.
        ERROR_OPERATION_ABORTED => errno::ECANCELED,
        // Of a pipe without a client. Only the code of sockets has its kind.
        ERROR_PIPE_NOT_CONNECTED | ERROR_PIPE_LISTENING => WSAENOTCONN,
        0 => errno::EIO,
        code => i32::try_from(code).unwrap_or(errno::EIO),
    }
}

const SHUT_DOWN: u32 = WSAESHUTDOWN as u32;

/// Calls about sockets answer with codes of sockets; what they answer later comes with codes of files.
pub(super) fn of_socket(code: u32) -> i32 {
    match code {
        ERROR_NETNAME_DELETED | ERROR_PORT_UNREACHABLE => WSAECONNRESET,
        ERROR_CONNECTION_ABORTED => WSAECONNABORTED,
        ERROR_CONNECTION_REFUSED => WSAECONNREFUSED,
        ERROR_NETWORK_UNREACHABLE => WSAENETUNREACH,
        ERROR_HOST_UNREACHABLE => WSAEHOSTUNREACH,
        ERROR_SEM_TIMEOUT => WSAETIMEDOUT,
        ERROR_MORE_DATA => WSAEMSGSIZE,
        // What is written behind the end. The standard library knows only the code of pipes.
        SHUT_DOWN => ERROR_BROKEN_PIPE as i32,
        ERROR_TOO_MANY_OPEN_FILES => errno::EMFILE,
        ERROR_NOT_ENOUGH_MEMORY | ERROR_OUTOFMEMORY => errno::ENOBUFS,
        code => plain(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    /// What the system says of a connection has the kind that it has on other systems.
    #[test]
    fn a_status_has_the_right_kind() {
        let table = [
            (STATUS_CONNECTION_RESET, ErrorKind::ConnectionReset),
            (STATUS_CONNECTION_REFUSED, ErrorKind::ConnectionRefused),
            (STATUS_CONNECTION_ABORTED, ErrorKind::ConnectionAborted),
            (STATUS_IO_TIMEOUT, ErrorKind::TimedOut),
            (STATUS_NETWORK_UNREACHABLE, ErrorKind::NetworkUnreachable),
            (STATUS_HOST_UNREACHABLE, ErrorKind::HostUnreachable),
        ];
        for (status, kind) in table {
            let code = of_status(status, true);
            assert_eq!(Error::from_raw_os_error(code).kind(), kind, "{status:x}: {code}");
        }
        assert_eq!(Error::from_raw_os_error(of_socket(SHUT_DOWN)).kind(), ErrorKind::BrokenPipe);
        assert_eq!(of_status(STATUS_CANCELLED, true), errno::ECANCELED);
        assert_eq!(of_status(STATUS_CANCELLED, false), errno::ECANCELED);
    }
}
