//! Whether a socket is still the one that it was.
//!
//! The model is not told when a socket is closed, and its number may be another one's by then. A connection is known
//! by its two addresses.

use windows_sys::Win32::Networking::WinSock::{
    SO_TYPE, SOCK_DGRAM, SOCKADDR, SOCKADDR_STORAGE, SOCKET, SOL_SOCKET, WSAENOTSOCK,
    WSAGetLastError, getpeername, getsockname, getsockopt,
};

#[derive(PartialEq, Eq)]
pub(crate) struct Peers {
    local: Result<Vec<u8>, i32>,
    remote: Result<Vec<u8>, i32>,
}

impl Peers {
    /// The error is WSAENOTSOCK.
    pub(crate) fn of(socket: SOCKET) -> Result<Peers, i32> {
        // SAFETY: `address` gives room for an address, and its size.
        let local = address(|name, len| unsafe { getsockname(socket, name, len) });
        if local == Err(WSAENOTSOCK) {
            return Err(WSAENOTSOCK);
        }
        Ok(Peers { local, remote: remote(socket) })
    }

    /// There is a peer.
    pub(crate) fn are_connected(&self) -> bool {
        self.remote.is_ok()
    }

    /// The peer is the one that it was, or there still is none.
    pub(crate) fn have_the_same_peer(&self, socket: SOCKET) -> bool {
        self.remote.as_ref().ok() == remote(socket).as_ref().ok()
    }

    pub(crate) fn are_still_of(&self, socket: SOCKET) -> bool {
        let Ok(now) = Peers::of(socket) else {
            return false;
        };
        // A connection that was reset has no peer any more.
        self.local == now.local && (now.remote.is_err() || self.remote == now.remote)
    }
}

fn remote(socket: SOCKET) -> Result<Vec<u8>, i32> {
    // SAFETY: `address` gives room for an address, and its size.
    address(|name, len| unsafe { getpeername(socket, name, len) })
}

/// It sends and receives datagrams.
pub(crate) fn is_datagram(socket: SOCKET) -> bool {
    let (mut kind, mut len) = (0_i32, size_of::<i32>() as i32);
    // SAFETY: room for the answer, and its size.
    let asked =
        unsafe { getsockopt(socket, SOL_SOCKET, SO_TYPE, (&raw mut kind).cast(), &raw mut len) };
    asked == 0 && kind == SOCK_DGRAM
}

fn address(call: impl FnOnce(*mut SOCKADDR, *mut i32) -> i32) -> Result<Vec<u8>, i32> {
    let mut storage = SOCKADDR_STORAGE::default();
    let mut len = size_of::<SOCKADDR_STORAGE>() as i32;
    if call((&raw mut storage).cast(), &raw mut len) != 0 {
        // SAFETY: this thread's last error.
        return Err(unsafe { WSAGetLastError() });
    }
    let at = (&raw const storage).cast::<u8>();
    // SAFETY: so many bytes of it were written, and the others are zero.
    Ok(unsafe { std::slice::from_raw_parts(at, len as usize) }.to_vec())
}
