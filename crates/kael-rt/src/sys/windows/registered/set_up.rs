//! What is made with a core: the table of functions, the driver, and memory for streams when there are more of them.

use super::{
    super::{
        port::{Port, REGISTERED},
        rio::{self, Packet, Purpose, Rio, Sizes, Slots},
    },
    BLOCK, Block, Io, Registered, SENDS_AT_ONCE, STREAMS,
    datagrams::{self, Datagrams},
    state::SLOT,
    stream::Stream,
};
use crate::sys::Remark;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    os::windows::io::{AsRawSocket, FromRawSocket},
    ptr::{self, NonNull},
    sync::OnceLock,
};
use windows_sys::Win32::{
    Networking::WinSock::{
        INVALID_SOCKET, RIO_EXTENSION_FUNCTION_TABLE, SOCKET, WSA_FLAG_NO_HANDLE_INHERIT,
        WSA_FLAG_OVERLAPPED, WSA_FLAG_REGISTERED_IO, WSASocketW,
    },
    System::IO::OVERLAPPED,
};

/// Each block of streams: one region for all that is received, and one for each slot that is sent from.
const REGIONS: u32 = STREAMS / BLOCK * (1 + 2 * BLOCK) + datagrams::REGIONS;

/// Requests that may be with the system at once.
const COMPLETIONS: u32 = 2 * STREAMS + datagrams::REQUESTS;

impl Registered {
    pub(in super::super) fn new(port: &Port) -> Registered {
        Registered { io: Io::new(port).map(Box::new) }
    }

    pub(in super::super) fn interface(&self) -> &'static str {
        if self.io.is_ok() { "IOCP and RIO" } else { "IOCP" }
    }

    /// What follows from having it, or not.
    pub(in super::super) fn remark(&self) -> Option<Remark> {
        Some(match &self.io {
            Ok(_) => Remark::new(
                "Registered I/O",
                format!(
                    "the first {STREAMS} TCP streams of a core that are open at a time have memory that is registered with the \
                     system, {} KiB each, through which their bytes are copied, and so have the first {} UDP sockets, {} KiB each; further \
                     ones, and those from the standard library, use the completion port. It was run over a model of \
                     Windows' registered I/O, and never on Windows.",
                    3 * SLOT / 1024,
                    datagrams::SOCKETS,
                    datagrams::KIB_OF_A_SOCKET
                ),
            ),
            Err(code) => Remark::new(
                "No registered I/O",
                format!(
                    "this build has the feature `rio`, and the system has no registered I/O for it: {}. All streams and datagrams \
                     use the completion port.",
                    io::Error::from_raw_os_error(*code)
                ),
            ),
        })
    }

    /// A TCP socket whose bytes may go this way.
    pub(in super::super) fn stream_socket(&self, domain: Domain) -> io::Result<Socket> {
        self.socket(domain, Type::STREAM, Protocol::TCP)
    }

    /// A UDP socket whose datagrams may.
    pub(in super::super) fn datagram_socket(&self, domain: Domain) -> io::Result<Socket> {
        self.socket(domain, Type::DGRAM, Protocol::UDP)
    }

    fn socket(&self, domain: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        if self.io.is_err() {
            return Socket::new(domain, kind, Some(protocol));
        }
        let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT | WSA_FLAG_REGISTERED_IO;
        let (family, kind, protocol) = (i32::from(domain), i32::from(kind), i32::from(protocol));
        // SAFETY: no pointer but null. (Winsock was started when the table was asked for.)
        let socket = unsafe { WSASocketW(family, kind, protocol, ptr::null(), 0, flags) };
        if socket == INVALID_SOCKET {
            return Err(io::Error::from_raw_os_error(super::super::code::last_socket_error()));
        }
        // SAFETY: a socket that nobody else owns.
        Ok(unsafe { Socket::from_raw_socket(socket as _) })
    }
}

impl Io {
    fn new(port: &Port) -> Result<Io, i32> {
        static TABLE: OnceLock<Result<RIO_EXTENSION_FUNCTION_TABLE, i32>> = OnceLock::new();
        let table = (*TABLE.get_or_init(table))?;
        let overlapped = NonNull::from(Box::leak(Box::new(OVERLAPPED::default())));
        let packet = Packet { port: port.handle(), key: REGISTERED, overlapped };
        let sizes = Sizes {
            completions: COMPLETIONS,
            queues: STREAMS + datagrams::SOCKETS,
            regions: REGIONS,
        };
        // SAFETY: the system's table. We hold the port, and the OVERLAPPED stays until no packet can come (see `drop`).
        let made = unsafe { Rio::new(&table, packet, sizes) };
        let rio = made.map_err(|error| {
            // SAFETY: from a box, and no packet was asked for.
            drop(unsafe { Box::from_raw(overlapped.as_ptr()) });
            error.code()
        })?;
        Ok(Io {
            rio,
            sockets: Vec::new(),
            streams: Vec::new(),
            blocks: Vec::new(),
            datagrams: Datagrams::new(),
            free: Vec::with_capacity(STREAMS as usize),
            touched: Vec::with_capacity((STREAMS + datagrams::SOCKETS) as usize),
            spare_touched: Vec::with_capacity((STREAMS + datagrams::SOCKETS) as usize),
            again: Vec::with_capacity(STREAMS as usize),
            spare: Vec::with_capacity(STREAMS as usize),
            said: Vec::with_capacity(COMPLETIONS as usize),
            refused: Vec::new(),
            at_once: SENDS_AT_ONCE,
            told: false,
            overlapped,
            _port: port.unpark(),
        })
    }

    /// Memory for some more streams. Without it, they go through the port.
    #[cold]
    pub(super) fn grow(&mut self) {
        let Ok(mut receives) = Slots::new(&mut self.rio, Purpose::Receives, BLOCK, SLOT) else {
            return;
        };
        let Ok(mut sends) = Slots::new(&mut self.rio, Purpose::Sends, 2 * BLOCK, SLOT) else {
            let _ = receives.end(&mut self.rio);
            return;
        };
        let first = self.streams.len() as u32;
        for _ in 0..BLOCK {
            let mut slot = || sends.take().expect("two for each");
            let slots = [slot(), slot()];
            self.streams.push(Stream::new(receives.take().expect("one for each"), slots));
        }
        self.free.extend((first..first + BLOCK).rev());
        self.blocks.push(Block { receives, sends });
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if !self.rio.is_armed() {
            // SAFETY: from a box, and no packet with it is on its way.
            drop(unsafe { Box::from_raw(self.overlapped.as_ptr()) });
        }
    }
}

#[cfg(not(kael_rio = "model"))]
fn table() -> Result<RIO_EXTENSION_FUNCTION_TABLE, i32> {
    let code = |error: io::Error| error.raw_os_error().unwrap_or(super::super::errno::EOPNOTSUPP);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
        .or_else(|_| Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)))
        .map_err(code)?;
    rio::load(socket.as_raw_socket() as SOCKET)
}

/// Tests run over a model, a library beside their program.
#[cfg(kael_rio = "model")]
fn table() -> Result<RIO_EXTENSION_FUNCTION_TABLE, i32> {
    // Winsock is started with the first socket.
    let _ = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP));
    let _ = (rio::load, AsRawSocket::as_raw_socket as fn(&Socket) -> _, 0 as SOCKET);
    rio::load_model()
}
