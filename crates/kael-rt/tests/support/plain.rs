//! What tests have at the other end of the runtime's operations, without it: connected sockets of the standard library,
//! pipes, and files that are always there.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

pub(crate) use system::{Plain, into_file, null, number, plain_pair, to_tcp, zeros};

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io::PipeReader;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    /// A stream socket without an address. It behaves as TCP does towards everything that is tested with it, and uses up
    /// no ports.
    pub(crate) type Plain = UnixStream;

    pub(crate) fn plain_pair() -> (Plain, Plain) {
        UnixStream::pair().unwrap()
    }

    pub(crate) fn to_tcp(socket: Plain) -> std::net::TcpStream {
        std::net::TcpStream::from(OwnedFd::from(socket))
    }

    /// What the system calls it. Another one gets the number when it is closed.
    pub(crate) fn number(socket: &Plain) -> u64 {
        socket.as_raw_fd() as u64
    }

    pub(crate) fn into_file(reader: PipeReader) -> File {
        File::from(OwnedFd::from(reader))
    }

    /// A file of zeros.
    pub(crate) fn zeros() -> PathBuf {
        "/dev/zero".into()
    }

    /// A file that can be opened.
    pub(crate) fn null() -> PathBuf {
        "/dev/null".into()
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io::PipeReader;
    use std::net::{TcpListener, TcpStream};
    use std::os::windows::io::{AsRawSocket, OwnedHandle};
    use std::path::PathBuf;

    /// There are no pairs of sockets: this is TCP over the loopback.
    pub(crate) type Plain = TcpStream;

    pub(crate) fn plain_pair() -> (Plain, Plain) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (other, peer) = listener.accept().unwrap();
        assert_eq!(peer, one.local_addr().unwrap());
        // Bytes go when they are written, as they do elsewhere.
        one.set_nodelay(true).unwrap();
        other.set_nodelay(true).unwrap();
        (one, other)
    }

    pub(crate) fn to_tcp(socket: Plain) -> TcpStream {
        socket
    }

    /// What the system calls it. Another one gets the number when it is closed.
    pub(crate) fn number(socket: &Plain) -> u64 {
        socket.as_raw_socket()
    }

    pub(crate) fn into_file(reader: PipeReader) -> File {
        File::from(OwnedHandle::from(reader))
    }

    /// A file of 32 MiB of zeros. It stays in the folder for temporary files, for the next program.
    pub(crate) fn zeros() -> PathBuf {
        const LEN: u64 = 32 << 20;
        let path = std::env::temp_dir().join("kael-zeros");
        if std::fs::metadata(&path).map_or(0, |metadata| metadata.len()) != LEN {
            let file = File::options().write(true).create(true).truncate(false).open(&path);
            file.and_then(|file| file.set_len(LEN)).expect("the folder can be written");
        }
        path
    }

    /// A file that can be opened.
    pub(crate) fn null() -> PathBuf {
        "NUL".into()
    }
}
