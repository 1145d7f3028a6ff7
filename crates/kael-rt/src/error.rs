//! The errors that are ours and not the kernel's.
#![forbid(unsafe_code)]

use crate::sys::errno;
use std::{error, fmt, io};

/// An error of the runtime itself, found inside an [`io::Error`].
///
/// What the kernel answers is passed on as it is; this type is for what only the runtime knows.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{Error, net::TcpListener, time::Duration};
/// let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
/// let late = listener.accept().timeout(Duration::from_millis(1)).await.unwrap_err();
/// assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
/// assert!(Error::of(&late).is_none_or(|e| e.is_timed_out()));
/// # });
/// ```
///
/// An operation that moves all or nothing says how far it was.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// use kael_rt::{Error, time::Duration};
/// client.write_all("abc").await.0?;
/// let (result, _buf) = stream.read_exact(vec![0; 8]).timeout(Duration::from_millis(20)).await;
/// let error = result.unwrap_err();
/// let ours = Error::of(&error).expect("the time limit is the runtime's own");
/// assert!(ours.is_timed_out() && !ours.is_cancelled());
/// assert_eq!(ours.transferred(), Some(3));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// So does what goes from one descriptor to another.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (a, _) = listener.accept().await?;
/// # let server = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// use kael_rt::{Error, io::copy_bidirectional};
/// let copy = kael_rt::spawn(async move { copy_bidirectional(&a, &b).await });
/// client.write_all("hello").await.0?;
/// server.read_exact(vec![0; 5]).await.0?;
/// // The server's end is reset.
/// server.set_linger(Some(std::time::Duration::ZERO))?;
/// drop(server);
/// let error = copy.await.unwrap().unwrap_err();
/// let ours = Error::of(&error).expect("it has counts");
/// assert_eq!(ours.copied(), Some((5, 0)));
/// assert!(ours.os_error().is_some());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// A socket is used in the runtime that made it.
///
/// ```
/// use kael_rt::{Error, net::UdpSocket};
/// let socket = kael_rt::block_on(UdpSocket::bind("127.0.0.1:0"))?;
/// let (result, _buf) = kael_rt::block_on(socket.recv(vec![0; 8]));
/// assert!(Error::of(&result.unwrap_err()).is_some_and(|e| e.is_wrong_runtime()));
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Error {
    what: What,
}

#[derive(Debug)]
enum What {
    Fault(Fault),
    /// A transfer that was stopped after some bytes.
    Partial {
        fault: Fault,
        transferred: usize,
    },
    /// What ended a transfer, and how many bytes were moved to either side.
    Moved {
        code: i32,
        moved: [u64; 2],
    },
    /// What direct I/O wants in steps of so many bytes.
    Unaligned(Unaligned, u32),
    Setup(String),
    Pool(String),
    #[allow(dead_code, reason = "only Windows has pipes with names")]
    Pipe(String),
    /// The system's number.
    Direct(i32),
    #[allow(dead_code, reason = "only a ring has such descriptors")]
    InTable,
}

/// What is not aligned of a transfer past the page cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unaligned {
    Offset = 0,
    Length = 1,
    Memory = 2,
}

/// What can befall an operation besides the kernel's errors. It travels in a completion's result
/// as a number that no kernel uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    OtherRuntime = 1,
    Ended = 2,
    TimedOut = 3,
    CarryFull = 4,
    Closed = 5,
    /// Becomes the kernel's own ECANCELED.
    Cancelled = 6,
    /// A method of the operation's buffer panicked.
    Panicked = 7,
    /// The kernel's ENOMEM where memory would have been pinned.
    NotPinned = 8,
    /// Something that was received before is to be read first, into a buffer of the reader's.
    CarryFirst = 9,
    /// Bytes that were on their way into a stream are gone.
    Lost = 10,
    /// A file has fewer bytes than were asked of it.
    Shrunk = 11,
    /// A write was stopped of which nobody says how far it came.
    #[allow(dead_code, reason = "only pipes of Windows do not say it")]
    Torn = 12,
    /// Direct I/O on the file wants what the transfer has not. Its code says what: see `unaligned`.
    Unaligned = 13,
    /// A chain has more operations than the submission queue has entries.
    TooLong = 14,
}

/// The systems' error codes are smaller: those of Unix have three digits, those of Windows five.
const BASE: i32 = -(1 << 20);

impl Fault {
    pub(crate) fn code(self) -> i32 {
        BASE - self as i32
    }

    /// The code of a transfer that is not aligned: what of it is not, and to how many bytes, a power of two.
    pub(crate) fn unaligned(what: Unaligned, step: u32) -> i32 {
        BASE - (1 << 16 | (what as i32) << 8 | step.trailing_zeros() as i32)
    }

    fn of(code: i32) -> Option<Fault> {
        match BASE.wrapping_sub(code) {
            0x1_0000..=0x1_ffff => Some(Fault::Unaligned),
            1 => Some(Fault::OtherRuntime),
            2 => Some(Fault::Ended),
            3 => Some(Fault::TimedOut),
            4 => Some(Fault::CarryFull),
            5 => Some(Fault::Closed),
            6 => Some(Fault::Cancelled),
            7 => Some(Fault::Panicked),
            8 => Some(Fault::NotPinned),
            9 => Some(Fault::CarryFirst),
            10 => Some(Fault::Lost),
            11 => Some(Fault::Shrunk),
            12 => Some(Fault::Torn),
            14 => Some(Fault::TooLong),
            _ => None,
        }
    }

    /// The number is one of ours: the kernel never saw the request.
    pub(crate) fn is(code: i32) -> bool {
        Fault::of(code).is_some()
    }

    fn kind(self) -> io::ErrorKind {
        match self {
            Fault::TimedOut => io::ErrorKind::TimedOut,
            Fault::Cancelled | Fault::Panicked => io::ErrorKind::Other,
            Fault::OtherRuntime | Fault::Unaligned | Fault::TooLong => io::ErrorKind::InvalidInput,
            Fault::Ended | Fault::Closed => io::ErrorKind::NotConnected,
            Fault::CarryFull | Fault::Lost | Fault::Torn => io::ErrorKind::ConnectionAborted,
            Fault::CarryFirst => io::ErrorKind::WouldBlock,
            Fault::NotPinned => io::ErrorKind::OutOfMemory,
            Fault::Shrunk => io::ErrorKind::UnexpectedEof,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Fault::OtherRuntime => {
                "this file or socket belongs to another Kael runtime: use it on the thread and in \
                 the runtime that opened it, or move it with detach()"
            }
            Fault::Ended => "the Kael runtime that this file or socket belongs to has ended",
            Fault::TimedOut => "the operation's time limit passed",
            Fault::Cancelled => "the operation was cancelled",
            Fault::CarryFull => {
                "too many dropped reads left bytes behind (an eighth of Builder::max_in_flight): \
                 the connection was shut down rather than lose any in silence"
            }
            Fault::CarryFirst => "something that was received before is to be read first",
            Fault::Shrunk => "the file ended before the range that was asked of it",
            Fault::Lost => {
                "a copy was dropped when no slot was free to finish it in (Builder::max_in_flight): the \
                 connection was shut down rather than lose its bytes in silence"
            }
            Fault::Torn => {
                "a write to this pipe was stopped when it had begun, and how much of it the other end has is not known: \
                 close or disconnect it"
            }
            Fault::Closed => "this file or socket was closed",
            Fault::TooLong => {
                "a link of so many operations does not fit into the submission queue, and would not be one: make \
                 it larger (Builder::queue_depth) or the link shorter"
            }
            Fault::Unaligned => "direct I/O on this file wants another alignment",
            Fault::Panicked => {
                "a dropped write did not get through: its buffer panicked in the middle"
            }
            Fault::NotPinned => {
                "the kernel may not hold so much of this user's memory at once for sends without a \
                 copy: send less at once, raise RLIMIT_MEMLOCK (ulimit -l), or let it be copied"
            }
        }
    }

    /// The `io::Error` for a negative result.
    pub(crate) fn error(code: i32) -> io::Error {
        match Fault::of(code) {
            None => io::Error::from_raw_os_error(-code),
            // A time limit is part of ordinary work, and must not allocate.
            Some(Fault::TimedOut) => io::ErrorKind::TimedOut.into(),
            Some(Fault::Cancelled) => io::Error::from_raw_os_error(errno::ECANCELED),
            Some(fault @ Fault::Unaligned) => {
                io::Error::new(fault.kind(), Error { what: What::unaligned(BASE - code) })
            }
            Some(fault) => io::Error::new(fault.kind(), Error { what: What::Fault(fault) }),
        }
    }

    /// The error of a transfer that tells how many bytes went in the end, in each direction.
    pub(crate) fn moved(code: i32, moved: [u64; 2]) -> io::Error {
        match moved {
            [0, 0] => Fault::error(code),
            _ => io::Error::new(
                Fault::error(code).kind(),
                Error { what: What::Moved { code, moved } },
            ),
        }
    }

    /// The error of a transfer that had moved some bytes already.
    pub(crate) fn partial(code: i32, transferred: usize) -> io::Error {
        match Fault::of(code) {
            Some(fault) if transferred > 0 => {
                let what = What::Partial { fault, transferred };
                io::Error::new(fault.kind(), Error { what })
            }
            _ => Fault::error(code),
        }
    }
}

impl What {
    /// See [`Fault::unaligned`].
    fn unaligned(code: i32) -> What {
        let what = match code >> 8 & 0xff {
            0 => Unaligned::Offset,
            1 => Unaligned::Length,
            _ => Unaligned::Memory,
        };
        What::Unaligned(what, 1 << (code & 0x1f))
    }
}

impl Error {
    /// The runtime's own error inside `error`, if there is one.
    pub fn of(error: &io::Error) -> Option<&Error> {
        error.get_ref()?.downcast_ref()
    }

    pub(crate) fn setup(kind: io::ErrorKind, text: impl Into<String>) -> io::Error {
        io::Error::new(kind, Error { what: What::Setup(text.into()) })
    }

    pub(crate) fn pool_count(count: usize, most: usize) -> io::Error {
        Error::pool(
            io::ErrorKind::InvalidInput,
            format!("a BufferPool of {count} buffers: it has 1 to {most}"),
        )
    }

    pub(crate) fn pool_bytes(count: usize, size: usize, most: usize) -> io::Error {
        let text = format!(
            "a BufferPool of {count} buffers of {size} bytes: a buffer has 1 byte at least, and a pool {most} \
             bytes at most (sizes are rounded up to whole pages); make several pools"
        );
        Error::pool(io::ErrorKind::InvalidInput, text)
    }

    pub(crate) fn pool_not_registered(error: io::Error, bytes: usize) -> io::Error {
        let why: &dyn fmt::Display = match error.raw_os_error() {
            Some(errno::ENOMEM) => {
                &"RLIMIT_MEMLOCK does not allow this user to pin so much: raise it (ulimit -l) or make \
                  the pool smaller"
            }
            Some(errno::EPERM | errno::EACCES) => &"the system does not allow it",
            _ if error.kind() == io::ErrorKind::QuotaExceeded => {
                &"a core registers 16 pools at most: make fewer and larger ones"
            }
            _ => &error,
        };
        Error::pool(
            error.kind(),
            format!("the pool's {bytes} bytes are not registered with the ring: {why}"),
        )
    }

    /// What the system says of opening a file for direct I/O, if that may be why.
    pub(crate) fn not_direct(error: io::Error) -> io::Error {
        match error.raw_os_error() {
            Some(code @ errno::EINVAL) => {
                io::Error::new(error.kind(), Error { what: What::Direct(code) })
            }
            _ => error,
        }
    }

    /// A number was asked for of what has none.
    #[allow(dead_code, reason = "only a ring has such descriptors")]
    pub(crate) fn in_table() -> io::Error {
        io::Error::new(io::ErrorKind::Unsupported, Error { what: What::InTable })
    }

    fn pool(kind: io::ErrorKind, text: String) -> io::Error {
        io::Error::new(kind, Error { what: What::Pool(text) })
    }

    /// What is wrong with a named pipe that was asked for.
    #[allow(dead_code, reason = "only Windows has pipes with names")]
    pub(crate) fn pipe(kind: io::ErrorKind, text: String) -> io::Error {
        io::Error::new(kind, Error { what: What::Pipe(text) })
    }

    /// All instances of a pipe have their clients.
    #[allow(dead_code, reason = "likewise")]
    pub(crate) fn pipe_busy(name: &str) -> io::Error {
        let text = format!(
            "all instances of `{name}` have a client: open it again in a moment (ClientOptions shows how)"
        );
        Error::pipe(io::ErrorKind::ResourceBusy, text)
    }

    /// The number that an error came from.
    pub(crate) fn code_of(error: &io::Error) -> i32 {
        match (error.raw_os_error(), Error::of(error).and_then(Error::fault)) {
            (Some(errno), _) => -errno,
            (None, Some(fault)) => fault.code(),
            (None, None) => -errno::EIO,
        }
    }

    fn fault(&self) -> Option<Fault> {
        match self.what {
            What::Fault(fault) | What::Partial { fault, .. } => Some(fault),
            What::Moved { code, .. } => Fault::of(code),
            What::Unaligned(..) => Some(Fault::Unaligned),
            What::Setup(_) | What::Pool(_) | What::Pipe(_) | What::Direct(_) | What::InTable => {
                None
            }
        }
    }

    /// A time limit set with `.timeout()` passed.
    pub fn is_timed_out(&self) -> bool {
        self.fault() == Some(Fault::TimedOut)
    }

    /// The operation was cancelled by its token after it had moved some bytes. (Before that, the
    /// error is the kernel's ECANCELED.)
    pub fn is_cancelled(&self) -> bool {
        self.fault() == Some(Fault::Cancelled)
    }

    /// The file or socket belongs to another runtime, or its runtime has ended.
    pub fn is_wrong_runtime(&self) -> bool {
        matches!(self.fault(), Some(Fault::OtherRuntime | Fault::Ended))
    }

    /// The runtime could not be set up; the text says what to do.
    ///
    /// ```
    /// use kael_rt::{Error, runtime::Builder};
    /// match Builder::new().build() {
    ///     Ok(runtime) => runtime.block_on(async {}),
    ///     Err(error) if Error::of(&error).is_some_and(|e| e.is_setup()) => {
    ///         eprintln!("this system is not ready for Kael: {error}");
    ///     }
    ///     Err(error) => eprintln!("{error}"),
    /// }
    /// ```
    pub fn is_setup(&self) -> bool {
        matches!(self.what, What::Setup(_))
    }

    /// A transfer past the page cache was not aligned as the file wants it
    /// ([`File::direct_alignment`](crate::fs::File::direct_alignment)): the text says what of it, to how many bytes, and what
    /// to do. No system call was spent on it.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("kael-doc-unaligned-{}", std::process::id()));
    /// # kael_rt::fs::write(&path, vec![7; 8192]).await?;
    /// use kael_rt::{Error, fs::File};
    /// if let Ok(file) = File::options().read(true).direct(true).open(&path).await
    ///     && file.direct_alignment().is_some()
    /// {
    ///     let (result, _buf) = file.read_at(vec![0; 4096], 1).await;
    ///     assert!(Error::of(&result.unwrap_err()).is_some_and(|e| e.is_unaligned()));
    /// }
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn is_unaligned(&self) -> bool {
        matches!(self.what, What::Unaligned(..))
    }

    /// How many bytes an operation that moves all or nothing had moved when it was stopped.
    pub fn transferred(&self) -> Option<usize> {
        match self.what {
            What::Partial { transferred, .. } => Some(transferred),
            What::Moved { moved: [to, _], .. } => usize::try_from(to).ok(),
            _ => None,
        }
    }

    /// How many bytes a [`copy_bidirectional`](crate::io::copy_bidirectional) had delivered in each direction
    /// when an error ended it.
    pub fn copied(&self) -> Option<(u64, u64)> {
        match self.what {
            What::Moved { moved: [to, fro], .. } => Some((to, fro)),
            _ => None,
        }
    }

    /// What the system said, if that is why a transfer ended early: its number, as `raw_os_error` gives it.
    pub fn os_error(&self) -> Option<i32> {
        match self.what {
            What::Moved { code, .. } if !Fault::is(code) => Some(-code),
            What::Direct(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Fault(fault) => f.write_str(fault.text()),
            What::Partial { fault, transferred } => {
                write!(f, "{} after {transferred} bytes", fault.text())
            }
            What::Moved { code, moved: [to, fro] } => {
                match Fault::of(*code) {
                    Some(fault) => f.write_str(fault.text())?,
                    None => write!(f, "{}", io::Error::from_raw_os_error(-code))?,
                }
                match fro {
                    0 => write!(f, " after {to} bytes"),
                    _ => write!(f, " after {to} bytes in one direction and {fro} in the other"),
                }
            }
            What::Unaligned(what, step) => {
                let (what, remedy) = match what {
                    Unaligned::Offset => ("offsets", "begin at a multiple of that"),
                    Unaligned::Length => ("lengths", "make each buffer a multiple of that long"),
                    Unaligned::Memory => {
                        ("memory", "take the buffer, whole, from a BufferPool of such a size")
                    }
                };
                write!(
                    f,
                    "direct I/O on this file wants {what} in steps of {step} bytes: {remedy}, or open the file \
                     without direct(true)"
                )
            }
            What::Direct(code) => write!(
                f,
                "the system does not open this file for direct I/O ({}): its file system may have none (tmpfs \
                 before Linux 6.5 has not); open it without direct(true)",
                io::Error::from_raw_os_error(*code)
            ),
            What::InTable => f.write_str(
                "this socket is in the ring's table and has no descriptor of the process \
                 (Builder::direct_descriptors): give it one first, with install()",
            ),
            What::Setup(text) | What::Pool(text) | What::Pipe(text) => f.write_str(text),
        }
    }
}

impl error::Error for Error {}
