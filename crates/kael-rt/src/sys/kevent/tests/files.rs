//! Files of all kinds, for tests.

use super::*;
use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
};

pub(super) fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (near, far)
}

pub(super) fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    near.set_nonblocking(true).unwrap();
    (near, far)
}

pub(super) trait IntoFiles {
    fn into_files(self) -> (File, File);
}

impl<A: Into<OwnedFd>, B: Into<OwnedFd>> IntoFiles for (A, B) {
    fn into_files(self) -> (File, File) {
        (File::from(self.0.into()), File::from(self.1.into()))
    }
}

pub(super) fn pipe() -> (File, File) {
    std::io::pipe().unwrap().into_files()
}

pub(super) fn socket() -> TcpStream {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: makes a descriptor.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    assert!(fd >= 0);
    // SAFETY: just made.
    unsafe { TcpStream::from_raw_fd(fd) }
}

pub(super) fn connecting(port: u16) -> TcpStream {
    let stream = socket();
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    let length = size_of_val(&address) as u32;
    // SAFETY: an address of that length.
    let result = unsafe { libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length) };
    assert!(result == 0 || errno() == libc::EINPROGRESS);
    stream
}

/// The same file under that number, which is closed first if it is open.
pub(super) fn duplicate_to(file: &impl AsRawFd, number: c_int) -> OwnedFd {
    // SAFETY: what had the number has been given up by its owner.
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
    // SAFETY: just made.
    unsafe { OwnedFd::from_raw_fd(number) }
}
