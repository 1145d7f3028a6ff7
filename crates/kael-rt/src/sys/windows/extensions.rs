//! The functions of sockets that are not in a library but are asked for.

use super::code;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, mem, os::windows::io::AsRawSocket, sync::OnceLock};
use windows_sys::{
    Win32::Networking::WinSock::{
        IPPROTO_TCP, LPFN_ACCEPTEX, LPFN_CONNECTEX, LPFN_GETACCEPTEXSOCKADDRS, LPFN_TRANSMITFILE,
        SIO_GET_EXTENSION_FUNCTION_POINTER, SO_PROTOCOL_INFOW, SOCKET, SOL_SOCKET, WSAID_ACCEPTEX,
        WSAID_CONNECTEX, WSAID_GETACCEPTEXSOCKADDRS, WSAID_TRANSMITFILE, WSAIoctl,
        WSAPROTOCOL_INFOW, XP1_IFS_HANDLES, getsockopt,
    },
    core::GUID,
};

/// What the system's own provider of TCP has.
#[derive(Clone, Copy)]
pub(super) struct Extensions {
    pub(super) accept: LPFN_ACCEPTEX,
    pub(super) accepted_addrs: LPFN_GETACCEPTEXSOCKADDRS,
    pub(super) connect: LPFN_CONNECTEX,
    /// A provider without it can do without it.
    pub(super) transmit: LPFN_TRANSMITFILE,
    /// Sockets are handles of the system, and not of a layer above it that may want to see each completion.
    pub(super) are_handles: bool,
}

impl Extensions {
    /// Asked for once in the life of the program.
    pub(super) fn get() -> io::Result<Extensions> {
        static ASKED: OnceLock<Extensions> = OnceLock::new();
        if let Some(known) = ASKED.get() {
            return Ok(*known);
        }
        let asked = Extensions::ask()?;
        Ok(*ASKED.get_or_init(|| asked))
    }

    fn ask() -> io::Result<Extensions> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
            .or_else(|_| Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)))?;
        let socket = socket.as_raw_socket() as SOCKET;
        debug_assert_eq!(IPPROTO_TCP, 6);
        // SAFETY: the types belong to the names.
        unsafe {
            Ok(Extensions {
                accept: function(socket, &WSAID_ACCEPTEX)?,
                accepted_addrs: function(socket, &WSAID_GETACCEPTEXSOCKADDRS)?,
                connect: function(socket, &WSAID_CONNECTEX)?,
                transmit: function(socket, &WSAID_TRANSMITFILE).unwrap_or(None),
                are_handles: are_handles(socket),
            })
        }
    }
}

/// # Safety
/// `F` is the optional function pointer that belongs to the name.
unsafe fn function<F: Copy>(socket: SOCKET, name: &GUID) -> io::Result<F> {
    let mut function: Option<unsafe extern "system" fn()> = None;
    const { assert!(size_of::<F>() == size_of::<Option<unsafe extern "system" fn()>>()) };
    let mut len = 0;
    // SAFETY: a name, and room for a function pointer.
    let asked = unsafe {
        WSAIoctl(
            socket,
            SIO_GET_EXTENSION_FUNCTION_POINTER,
            std::ptr::from_ref(name).cast(),
            size_of::<GUID>() as u32,
            (&raw mut function).cast(),
            size_of::<F>() as u32,
            &mut len,
            std::ptr::null_mut(),
            None,
        )
    };
    if asked != 0 || function.is_none() {
        return Err(io::Error::from_raw_os_error(code::last_socket_error()));
    }
    // SAFETY: of the same size, and the caller's word.
    Ok(unsafe { mem::transmute_copy(&function) })
}

fn are_handles(socket: SOCKET) -> bool {
    // SAFETY: a structure of integers.
    let mut info: WSAPROTOCOL_INFOW = unsafe { mem::zeroed() };
    let mut len = size_of::<WSAPROTOCOL_INFOW>() as i32;
    // SAFETY: room for the answer, by its address and size.
    let asked = unsafe {
        getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, (&raw mut info).cast(), &mut len)
    };
    asked == 0 && info.dwServiceFlags1 & XP1_IFS_HANDLES != 0
}
