//! Sockets that every program begins with, set up alike.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;

/// Room for every connection of the client to arrive before the first is accepted.
const BACKLOG: i32 = 4096;

/// Size of each connection's buffer in every echo server.
pub const ECHO_BUFFER: usize = 16 * 1024;

/// Listens on 127.0.0.1 with TCP_NODELAY, which accepted sockets inherit. The standard library offers no backlog.
pub fn listener(port: u16, nonblocking: bool) -> TcpListener {
    let kind =
        libc::SOCK_STREAM | libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: takes integers only.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    check("socket", fd);
    // SAFETY: `fd` is a socket that was just made and that nothing else owns.
    let listener = unsafe { TcpListener::from_raw_fd(fd) };

    for (level, option) in
        [(libc::SOL_SOCKET, libc::SO_REUSEADDR), (libc::IPPROTO_TCP, libc::TCP_NODELAY)]
    {
        let on: i32 = 1;
        // SAFETY: the value is an i32 that lives across the call, and its size is passed with it.
        let status = unsafe {
            libc::setsockopt(fd, level, option, (&raw const on).cast(), size_of_val(&on) as u32)
        };
        check("setsockopt", status);
    }
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: the address is a sockaddr_in that lives across the call, and its size is passed with it.
    let status =
        unsafe { libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as u32) };
    check("bind", status);
    // SAFETY: takes integers only.
    check("listen", unsafe { libc::listen(fd, BACKLOG) });
    listener
}

/// Two ends of one TCP connection over loopback.
pub fn connected_pair(nonblocking: bool) -> (TcpStream, TcpStream) {
    let listener = listener(0, false);
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for end in [&near, &far] {
        end.set_nodelay(true).unwrap();
        end.set_nonblocking(nonblocking).unwrap();
    }
    (near, far)
}

fn check(call: &str, status: i32) {
    assert!(status >= 0, "{call}: {}", io::Error::last_os_error());
}
