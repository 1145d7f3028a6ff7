//! What the tests of the driver share: a completion port, sockets for registered I/O, clients that verify each byte.

pub(crate) mod datagrams;
pub(crate) mod echo;

use crate::rio::{Packet, Rio, Sizes};
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::windows::io::FromRawSocket;
use std::ptr::{self, NonNull};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, INVALID_SOCKET, IPPROTO_TCP, IPPROTO_UDP, RIO_EXTENSION_FUNCTION_TABLE, SOCK_DGRAM,
    SOCK_STREAM, SOCKADDR_IN, SOCKET, WSA_FLAG_OVERLAPPED, WSA_FLAG_REGISTERED_IO, WSADATA,
    WSASocketW, WSAStartup, bind, closesocket, listen,
};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED,
};

/// No test waits longer than this for anything.
const LIMIT_MS: u32 = 30_000;

/// A completion port with the OVERLAPPED that packets of registered I/O have.
pub(crate) struct Port {
    handle: HANDLE,
    overlapped: *mut OVERLAPPED,
    pub(crate) waits: u64,
}

// SAFETY: only the system looks behind the two pointers.
unsafe impl Sync for Port {}

const KEY: usize = 77;

impl Port {
    pub(crate) fn new() -> Port {
        // SAFETY: a new port that nothing belongs to.
        let handle = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        assert!(!handle.is_null());
        let overlapped = Box::into_raw(Box::new(OVERLAPPED::default()));
        Port { handle, overlapped, waits: 0 }
    }

    pub(crate) fn packet(&self) -> Packet {
        let overlapped = NonNull::new(self.overlapped).unwrap();
        Packet { port: self.handle, key: KEY, overlapped }
    }

    /// As the backend does it. Registered transfers must not make packets of their own.
    pub(crate) fn associate(&self, socket: SOCKET) {
        // SAFETY: an open port and an open socket.
        let port = unsafe { CreateIoCompletionPort(socket as HANDLE, self.handle, 0, 0) };
        assert_eq!(port, self.handle);
    }

    /// Waits for the packet of registered I/O, the only one that comes here.
    pub(crate) fn wait(&mut self) {
        assert!(self.try_wait(LIMIT_MS), "time limit: no packet has come");
    }

    pub(crate) fn try_wait(&mut self, limit_ms: u32) -> bool {
        self.waits += 1;
        let (mut bytes, mut key, mut overlapped) = (0, 0, ptr::null_mut());
        // SAFETY: an open port, and room for what is written.
        let result = unsafe {
            GetQueuedCompletionStatus(
                self.handle,
                &raw mut bytes,
                &raw mut key,
                &raw mut overlapped,
                limit_ms,
            )
        };
        assert!(result == 0 || (key, overlapped) == (KEY, self.overlapped), "a foreign packet");
        result != 0
    }

    pub(crate) fn rio(&self, table: &RIO_EXTENSION_FUNCTION_TABLE, sizes: Sizes) -> Rio {
        // SAFETY: a whole table; the port outlives the driver in these tests, and the OVERLAPPED is never freed.
        unsafe { Rio::new(table, self.packet(), sizes) }.unwrap()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // SAFETY: ours. The OVERLAPPED stays: a few bytes, and nobody has to prove that no packet is left.
        unsafe { CloseHandle(self.handle) };
    }
}

/// A TCP socket for registered I/O.
pub(crate) fn socket() -> SOCKET {
    socket_of(SOCK_STREAM, IPPROTO_TCP)
}

/// A UDP socket for registered I/O, bound, and its address.
pub(crate) fn datagram_socket() -> (SOCKET, SocketAddr) {
    let socket = socket_of(SOCK_DGRAM, IPPROTO_UDP);
    bind_here(socket);
    // SAFETY: a socket that its caller owns; this handle of it is not closed.
    let std = ManuallyDrop::new(unsafe { UdpSocket::from_raw_socket(socket as u64) });
    (socket, std.local_addr().unwrap())
}

fn socket_of(kind: i32, protocol: i32) -> SOCKET {
    let mut data = WSADATA::default();
    // SAFETY: room for what is written. Once more than std does it harms nobody.
    assert_eq!(unsafe { WSAStartup(0x202, &raw mut data) }, 0);
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_REGISTERED_IO;
    // SAFETY: no pointer but null.
    let socket = unsafe { WSASocketW(AF_INET.into(), kind, protocol, ptr::null(), 0, flags) };
    assert_ne!(socket, INVALID_SOCKET, "{}", std::io::Error::last_os_error());
    socket
}

/// A listener whose accepted sockets are for registered I/O, because it is.
pub(crate) fn listener() -> TcpListener {
    let socket = socket();
    bind_here(socket);
    // SAFETY: no pointers.
    assert_eq!(unsafe { listen(socket, 256) }, 0);
    // SAFETY: a socket that nobody else owns.
    unsafe { TcpListener::from_raw_socket(socket as u64) }
}

/// To this machine's own address, at any port.
fn bind_here(socket: SOCKET) {
    let mut name = SOCKADDR_IN { sin_family: AF_INET, ..Default::default() };
    name.sin_addr.S_un.S_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
    let len = size_of::<SOCKADDR_IN>() as i32;
    // SAFETY: an address of that size.
    assert_eq!(unsafe { bind(socket, (&raw const name).cast(), len) }, 0);
}

/// So many connections: the clients, and the sockets that were accepted for them.
pub(crate) fn connect(listener: &TcpListener, count: usize) -> (Vec<TcpStream>, Vec<SOCKET>) {
    let address: SocketAddr = listener.local_addr().unwrap();
    let pair = |_| {
        let client = TcpStream::connect(address).unwrap();
        client.set_nodelay(true).unwrap();
        let limit = std::time::Duration::from_millis(LIMIT_MS.into());
        client.set_read_timeout(Some(limit)).unwrap();
        let server = ManuallyDrop::new(listener.accept().unwrap().0);
        server.set_nodelay(true).unwrap();
        (client, std::os::windows::io::AsRawSocket::as_raw_socket(&*server) as SOCKET)
    };
    (0..count).map(pair).unzip()
}

pub(crate) fn close(socket: SOCKET) {
    // SAFETY: a socket that its caller owns.
    assert_eq!(unsafe { closesocket(socket) }, 0);
}

/// The byte at this place of a connection's stream.
fn byte(connection: usize, at: usize) -> u8 {
    let mixed = (at as u64 ^ (connection as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

/// Each connection sends so many bytes, then each wants them back, and so on. How many rounds were whole, over all: a
/// connection that was lost has no more. What comes back must be what was sent, always.
pub(crate) fn verify(mut clients: Vec<TcpStream>, rounds: usize, size: usize) -> usize {
    let mut alive = vec![true; clients.len()];
    let mut buffer = vec![0; size];
    let mut whole = 0;
    for round in 0..rounds {
        for (index, client) in clients.iter_mut().enumerate() {
            if !alive[index] {
                continue;
            }
            for (place, byte_of_it) in buffer.iter_mut().enumerate() {
                *byte_of_it = byte(index, round * size + place);
            }
            alive[index] = client.write_all(&buffer).is_ok();
        }
        for (index, client) in clients.iter_mut().enumerate() {
            if !alive[index] {
                continue;
            }
            let mut got = 0;
            while got < size {
                match client.read(&mut buffer[got..]) {
                    Ok(count) if count > 0 => got += count,
                    Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                        panic!("time limit: no echo")
                    }
                    _ => break,
                }
            }
            for (place, &it) in buffer[..got].iter().enumerate() {
                assert_eq!(it, byte(index, round * size + place), "connection {index}");
            }
            alive[index] = got == size;
            whole += usize::from(alive[index]);
        }
    }
    whole
}
