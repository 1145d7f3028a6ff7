//! Addresses in registered memory: each as a SOCKADDR_INET, which is as long as the longest.

use crate::sys::{PeerAddr, windows::number::Number};
use socket2::SockRef;
use std::{
    net::SocketAddr,
    os::windows::io::{BorrowedSocket, RawSocket},
    ptr,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_STORAGE,
};

const NONE: PeerAddr = PeerAddr {
    // SAFETY: an address is made of integers.
    storage: unsafe { std::mem::zeroed() },
    len: 0,
};

pub(super) fn of(addr: SocketAddr) -> PeerAddr {
    let mut peer = NONE;
    peer.set(addr);
    peer
}

pub(super) fn write(addr: &PeerAddr, into: &mut [u8]) {
    let len = into.len().min(size_of::<SOCKADDR_STORAGE>());
    // SAFETY: so many bytes of either, which are not the same memory.
    unsafe {
        ptr::copy_nonoverlapping((&raw const addr.storage).cast(), into.as_mut_ptr(), len);
    }
}

/// The family says how long it is.
pub(super) fn read(from: &[u8]) -> PeerAddr {
    let mut addr = NONE;
    let len = from.len().min(size_of::<SOCKADDR_STORAGE>());
    // SAFETY: as above.
    unsafe {
        ptr::copy_nonoverlapping(from.as_ptr(), (&raw mut addr.storage).cast(), len);
    }
    addr.len = match addr.storage.ss_family {
        AF_INET => size_of::<SOCKADDR_IN>() as i32,
        AF_INET6 => size_of::<SOCKADDR_IN6>() as i32,
        _ => 0,
    };
    addr
}

/// The system has a peer for the socket.
pub(super) fn has_peer(number: Number) -> bool {
    // SAFETY: the socket is open: its descriptor is held.
    let socket = unsafe { BorrowedSocket::borrow_raw(number.socket() as RawSocket) };
    SockRef::from(&socket).peer_addr().is_ok()
}
