//! How the driver names what the system has given us.
//!
//! Handles of Windows, and sockets among them, are multiples of four, and have fewer than 31 bits. So a number of the
//! driver's is the handle, and its two lowest bits say what kind of a handle it is.

use windows_sys::Win32::{
    Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE},
    Networking::WinSock::{INVALID_SOCKET, SOCKET, closesocket},
};

/// A handle and its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Number(i32);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A file whose calls do not wait.
    File = 0,
    Socket = 1,
    /// A file from elsewhere, whose calls wait: the pool makes them.
    Waiting = 2,
    /// As `File`, past the system's cache.
    Direct = 3,
}

impl Number {
    pub(crate) const NONE: Number = Number(-1);

    /// `None`: it is no handle, or not one as the system makes them. (Its owner closes it.)
    fn new(handle: usize, kind: Kind) -> Option<Number> {
        let number = i32::try_from(handle).ok().filter(|number| number & 3 == 0)?;
        Some(Number(number | kind as i32))
    }

    pub(crate) fn of_socket(socket: SOCKET) -> Option<Number> {
        (socket != INVALID_SOCKET).then(|| Number::new(socket, Kind::Socket)).flatten()
    }

    pub(crate) fn of_handle(handle: HANDLE, kind: Kind) -> Option<Number> {
        (handle != INVALID_HANDLE_VALUE).then(|| Number::new(handle as usize, kind)).flatten()
    }

    /// As the driver has it.
    pub(crate) fn from_driver(number: i32) -> Number {
        Number(number)
    }

    pub(crate) fn for_driver(self) -> i32 {
        self.0
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::File,
            1 => Kind::Socket,
            2 => Kind::Waiting,
            _ => Kind::Direct,
        }
    }

    pub(crate) fn socket(self) -> SOCKET {
        self.handle() as SOCKET
    }

    pub(crate) fn handle(self) -> HANDLE {
        (self.0 & !3) as usize as HANDLE
    }

    /// Closes it; what the system says of that, as an error code.
    pub(crate) fn close(self) -> Result<(), i32> {
        if self.kind() == Kind::Socket {
            // SAFETY: plain numbers; the caller owns the socket and gives it up.
            match unsafe { closesocket(self.socket()) } {
                0 => Ok(()),
                _ => Err(super::code::last_socket_error()),
            }
        } else {
            // SAFETY: as above.
            match unsafe { CloseHandle(self.handle()) } {
                0 => Err(super::code::last_error()),
                _ => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Number};

    #[test]
    fn a_number_keeps_its_handle_and_its_kind() {
        for kind in [Kind::File, Kind::Socket, Kind::Waiting, Kind::Direct] {
            let number = Number::new(0x1234, kind).unwrap();
            assert_eq!((number.handle() as usize, number.kind()), (0x1234, kind));
            assert!(number.for_driver() > 0);
            assert_eq!(Number::from_driver(number.for_driver()), number);
        }
    }

    #[test]
    fn what_is_no_handle_gets_no_number() {
        for handle in [0x1235, 0x8000_0000, usize::MAX, usize::MAX - 1] {
            assert_eq!(Number::new(handle, Kind::File), None);
        }
    }
}
