//! Files and sockets as the standard library knows them on Unix: by their descriptors.

#[path = "pipe_ends.rs"]
mod pipe_ends;

use super::borrow;
use crate::{
    Error,
    driver::Fd,
    fs::File,
    net::{TcpListener, TcpStream, UdpSocket},
};
use std::{
    io,
    os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd},
};

/// The number of a file that is ours from here on.
pub(crate) fn number_of_file(file: std::fs::File) -> i32 {
    file.into_raw_fd()
}

/// The number of a stream that is ours from here on.
pub(crate) fn number_of_stream(stream: std::net::TcpStream) -> i32 {
    stream.into_raw_fd()
}

/// # Safety
/// The caller gives the number up, and it is a file's.
pub(crate) unsafe fn file_of(number: i32) -> std::fs::File {
    // SAFETY: the caller's word.
    unsafe { std::fs::File::from_raw_fd(number) }
}

/// # Safety
/// The caller gives the number up, and it is a stream's.
pub(crate) unsafe fn stream_of(number: i32) -> std::net::TcpStream {
    // SAFETY: the caller's word.
    unsafe { std::net::TcpStream::from_raw_fd(number) }
}

impl TcpListener {
    /// The descriptor, for calls that Kael does not have. It stays this type's own. `Unsupported`
    /// if it has no number of its own. No system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::TcpListener;
    /// use std::os::fd::AsRawFd;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert!(listener.try_as_fd()?.as_raw_fd() > 2);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        borrowed(self.fd())
    }
}

impl TcpStream {
    /// The descriptor, for calls that Kael does not have. It stays this type's own. `Unsupported`
    /// if it has no number of its own. No system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// use std::os::fd::AsRawFd;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert!(stream.try_as_fd()?.as_raw_fd() > 2);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        borrowed(self.fd())
    }
}

impl UdpSocket {
    /// The descriptor, for calls that Kael does not have. It stays this type's own. `Unsupported`
    /// if it has no number of its own. No system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::UdpSocket;
    /// use std::os::fd::AsRawFd;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// assert!(socket.try_as_fd()?.as_raw_fd() > 2);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        borrowed(self.fd())
    }
}

impl File {
    /// The descriptor, for calls that Kael does not have. It stays this type's own. `Unsupported`
    /// if it has no number of its own. No system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use std::os::fd::AsRawFd;
    /// let file = kael_rt::fs::File::open("/dev/null").await?;
    /// assert!(file.try_as_fd()?.as_raw_fd() > 2);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        borrowed(self.fd())
    }
}

/// The number of a descriptor that is ours from here on.
fn number_of(fd: OwnedFd) -> i32 {
    fd.into_raw_fd()
}

fn borrowed(fd: &Fd) -> io::Result<BorrowedFd<'_>> {
    borrow(fd).ok_or_else(|| {
        if fd.is_direct() { Error::in_table() } else { io::ErrorKind::Unsupported.into() }
    })
}
