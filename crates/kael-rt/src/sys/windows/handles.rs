//! Files and sockets as the standard library knows them on Windows: by their handles.

use super::{
    borrow,
    windows::number::{Kind, Number},
};
use crate::{
    driver::Fd,
    fs::File,
    io::{PipeReader, PipeWriter},
    net::{TcpListener, TcpStream, UdpSocket, windows::named_pipe::NamedPipe},
};
use std::{
    io,
    os::windows::io::{
        BorrowedHandle, BorrowedSocket, FromRawHandle, FromRawSocket, IntoRawHandle, IntoRawSocket,
        RawHandle, RawSocket,
    },
};
use windows_sys::Win32::{Foundation::HANDLE, Networking::WinSock::SOCKET};

/// The number of a file that is ours from here on. The standard library's files wait in their calls.
pub(crate) fn number_of_file(file: std::fs::File) -> i32 {
    let handle = file.into_raw_handle() as HANDLE;
    Number::of_handle(handle, Kind::Waiting).expect("the system's handles are small").for_driver()
}

/// The number of a stream that is ours from here on.
pub(crate) fn number_of_stream(stream: std::net::TcpStream) -> i32 {
    let socket = stream.into_raw_socket() as SOCKET;
    Number::of_socket(socket).expect("the system's handles are small").for_driver()
}

/// # Safety
/// The caller gives the number up, and it is a file's.
pub(crate) unsafe fn file_of(number: i32) -> std::fs::File {
    // SAFETY: the caller's word.
    unsafe { std::fs::File::from_raw_handle(Number::from_driver(number).handle() as RawHandle) }
}

/// # Safety
/// The caller gives the number up, and it is a stream's.
pub(crate) unsafe fn stream_of(number: i32) -> std::net::TcpStream {
    // SAFETY: the caller's word.
    unsafe {
        std::net::TcpStream::from_raw_socket(Number::from_driver(number).socket() as RawSocket)
    }
}

impl TcpListener {
    /// The socket, for calls that Kael does not have. It stays this type's own. No call into the system.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::TcpListener;
    /// use std::os::windows::io::AsRawSocket;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// assert!(listener.try_as_socket()?.as_raw_socket() > 0);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_socket(&self) -> io::Result<BorrowedSocket<'_>> {
        borrowed(self.fd())
    }
}

impl TcpStream {
    /// The socket, for calls that Kael does not have. It stays this type's own. No call into the system.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::{TcpListener, TcpStream};
    /// use std::os::windows::io::AsRawSocket;
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert!(stream.try_as_socket()?.as_raw_socket() > 0);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_socket(&self) -> io::Result<BorrowedSocket<'_>> {
        borrowed(self.fd())
    }
}

impl UdpSocket {
    /// The socket, for calls that Kael does not have. It stays this type's own. No call into the system.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::UdpSocket;
    /// use std::os::windows::io::AsRawSocket;
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// assert!(socket.try_as_socket()?.as_raw_socket() > 0);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_socket(&self) -> io::Result<BorrowedSocket<'_>> {
        borrowed(self.fd())
    }
}

impl File {
    /// The handle, for calls that Kael does not have. It stays this type's own. No call into the system.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use std::os::windows::io::AsRawHandle;
    /// # let path = std::env::temp_dir().join(format!("kael-doc-handle-{}", std::process::id()));
    /// let file = kael_rt::fs::File::create(&path).await?;
    /// assert!(!file.try_as_handle()?.as_raw_handle().is_null());
    /// # drop(file);
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_handle(&self) -> io::Result<BorrowedHandle<'_>> {
        borrow_handle(self.fd())
    }
}

impl NamedPipe {
    /// The handle, for calls that Kael does not have. It stays this type's own. No call into the system.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::net::windows::named_pipe::ServerOptions;
    /// use std::os::windows::io::AsRawHandle;
    /// let server = ServerOptions::new().create(r"\\.\pipe\example")?;
    /// assert!(!server.try_as_handle()?.as_raw_handle().is_null());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_handle(&self) -> io::Result<BorrowedHandle<'_>> {
        borrow_handle(self.fd())
    }
}

impl PipeReader {
    /// The handle, for calls that Kael does not have. It stays this type's own. No call into the system.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use std::os::windows::io::AsRawHandle;
    /// let (reader, writer) = kael_rt::io::pipe()?;
    /// assert_ne!(reader.try_as_handle()?.as_raw_handle(), writer.try_as_handle()?.as_raw_handle());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_handle(&self) -> io::Result<BorrowedHandle<'_>> {
        borrow_handle(self.fd())
    }
}

impl PipeWriter {
    /// The handle, for calls that Kael does not have. It stays this type's own. No call into the system.
    pub fn try_as_handle(&self) -> io::Result<BorrowedHandle<'_>> {
        borrow_handle(self.fd())
    }
}

fn borrowed(fd: &Fd) -> io::Result<BorrowedSocket<'_>> {
    borrow(fd).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn borrow_handle(fd: &Fd) -> io::Result<BorrowedHandle<'_>> {
    let number = Number::from_driver(fd.number());
    if fd.number() < 0 || number.kind() == Kind::Socket {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: the handle is open as long as `fd` is held: only its last user closes it.
    Ok(unsafe { BorrowedHandle::borrow_raw(number.handle() as RawHandle) })
}
