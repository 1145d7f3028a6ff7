//! Whether a descriptor is ready now, as the filters of kqueue see it. Nothing is waited for or
//! remembered here, and nothing is taken from the descriptor.

use super::names::{EV_EOF, EVFILT_WRITE, NOTE_LOWAT};
use libc::{c_int, c_void, pollfd, socklen_t};
use std::mem;

/// What a filter says of its knote when its condition holds.
#[derive(Clone, Copy, Default)]
pub(super) struct Report {
    pub(super) flags: u16,
    pub(super) fflags: u32,
    pub(super) data: i64,
}

/// What kind of file a descriptor names: the same bits of poll(2) mean different things.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Socket,
    Pipe,
    /// Which one; epoll does not know regular files and some devices.
    File {
        device: u64,
        inode: u64,
        is_regular: bool,
    },
    Other,
}

pub(super) fn readable(fd: c_int, kind: Kind, fflags: u32, least: i64) -> Option<Report> {
    if let Kind::File { is_regular, .. } = kind {
        return file_readable(fd, is_regular);
    }
    let bits = look(fd)?;
    let has = |bit: i16| bits & bit != 0;
    let is_end = match kind {
        Kind::Socket => has(libc::POLLRDHUP),
        _ => has(libc::POLLHUP),
    };
    // A socket that was never connected hangs up without an end. For kqueue it is quiet.
    if !(has(libc::POLLIN) || has(libc::POLLERR) || is_end) {
        return None;
    }
    let data = match waiting_bytes(fd) {
        Some(bytes) => bytes,
        None if kind == Kind::Socket => waiting_connections(fd),
        None => 1,
    };
    if fflags & NOTE_LOWAT != 0 && data < least && !is_end && !has(libc::POLLERR) {
        return None;
    }
    Some(Report { flags: end(is_end), fflags: error(kind, is_end, bits), data })
}

pub(super) fn writable(fd: c_int, kind: Kind, fflags: u32, least: i64) -> Option<Report> {
    if let Kind::File { .. } = kind {
        return Some(Report { data: 1, ..Report::default() });
    }
    let bits = look(fd)?;
    let has = |bit: i16| bits & bit != 0;
    let is_end = match kind {
        Kind::Socket => has(libc::POLLHUP) && has(libc::POLLRDHUP) || is_shut_for_writes(fd),
        _ => has(libc::POLLHUP) || has(libc::POLLERR),
    };
    let is_fresh = kind == Kind::Socket && has(libc::POLLHUP) && !has(libc::POLLRDHUP);
    if !(has(libc::POLLOUT) && !is_fresh || has(libc::POLLERR) || is_end) {
        return None;
    }
    let data = room(fd, kind);
    if fflags & NOTE_LOWAT != 0 && data < least && !is_end && !has(libc::POLLERR) {
        return None;
    }
    Some(Report { flags: end(is_end), fflags: error(kind, is_end, bits), data })
}

/// What kind of file this is; `by_epoll` is whether epoll takes it.
pub(super) fn kind(fd: c_int, by_epoll: bool) -> Option<Kind> {
    let stat = status(fd)?;
    let format = stat.st_mode & libc::S_IFMT;
    Some(match format {
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFIFO => Kind::Pipe,
        _ if by_epoll => Kind::Other,
        _ => Kind::File {
            device: stat.st_dev,
            inode: stat.st_ino,
            is_regular: format == libc::S_IFREG,
        },
    })
}

/// Whether this is the terminal device, which macOS does not take.
pub(super) fn is_terminal_device(fd: c_int) -> bool {
    status(fd).is_some_and(|stat| {
        stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == libc::makedev(5, 0)
    })
}

pub(super) fn is_open(fd: c_int) -> bool {
    // SAFETY: asks for the descriptor's flags; any number is a good argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Whether a false event may say that this is writable: not of a socket that is not connected,
/// because there it would mean that the connection is made, and nothing else would tell.
pub(super) fn may_lie(fd: c_int, kind: Kind, filter: i16) -> bool {
    if filter != EVFILT_WRITE || kind != Kind::Socket {
        return true;
    }
    let mut address = mem::MaybeUninit::<libc::sockaddr_storage>::uninit();
    let mut length = mem::size_of_val(&address) as socklen_t;
    // SAFETY: the kernel writes no more than there is room for.
    unsafe { libc::getpeername(fd, address.as_mut_ptr().cast(), &raw mut length) == 0 }
}

/// What poll(2) says now. None if the number is not open.
pub(super) fn look(fd: c_int) -> Option<i16> {
    let events = libc::POLLIN | libc::POLLOUT | libc::POLLRDHUP;
    let mut entry = pollfd { fd, events, revents: 0 };
    // SAFETY: one entry, ours, and the call does not wait.
    let count = unsafe { libc::poll(&raw mut entry, 1, 0) };
    (count >= 0 && entry.revents & libc::POLLNVAL == 0).then_some(entry.revents)
}

fn status(fd: c_int) -> Option<libc::stat> {
    // SAFETY: a stat of zeros is a valid one, and the call fills ours.
    unsafe {
        let mut stat: libc::stat = mem::zeroed();
        (libc::fstat(fd, &raw mut stat) == 0).then_some(stat)
    }
}

/// A regular file is ready to be read as long as there is something behind its offset.
fn file_readable(fd: c_int, is_regular: bool) -> Option<Report> {
    if !is_regular {
        return Some(Report::default());
    }
    // SAFETY: asks for the offset and does not move it.
    let offset = unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) };
    let data = status(fd)?.st_size - offset;
    (data != 0).then_some(Report { data, ..Report::default() })
}

fn end(is_end: bool) -> u16 {
    if is_end { EV_EOF } else { 0 }
}

/// The socket's error, but only as a hint: to ask for it would take it from the caller, so this is
/// always a reset, also where the connection was refused.
fn error(kind: Kind, is_end: bool, bits: i16) -> u32 {
    let is_error = kind == Kind::Socket && is_end && bits & libc::POLLERR != 0;
    if is_error { libc::ECONNRESET as u32 } else { 0 }
}

fn waiting_bytes(fd: c_int) -> Option<i64> {
    ask(fd, libc::FIONREAD).map(i64::from)
}

/// For a listener; one, where the system does not tell.
fn waiting_connections(fd: c_int) -> i64 {
    tcp(fd).map_or(1, |info| i64::from(info.tcpi_unacked).max(1))
}

/// Room in the buffer, one byte at least: the caller has been told that there is some.
fn room(fd: c_int, kind: Kind) -> i64 {
    let (size, used) = match kind {
        Kind::Socket => (option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, 0), ask(fd, libc::TIOCOUTQ)),
        Kind::Pipe => {
            // SAFETY: asks for the pipe's size.
            let size = unsafe { libc::fcntl(fd, libc::F_GETPIPE_SZ) };
            (Some(size), ask(fd, libc::FIONREAD))
        }
        _ => (None, None),
    };
    i64::from(size.unwrap_or(1) - used.unwrap_or(0)).max(1)
}

/// Whether we have shut a TCP connection for writes. poll(2) does not tell; a Unix socket's is not
/// seen at all.
fn is_shut_for_writes(fd: c_int) -> bool {
    // FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING; see tcp(7) and the kernel's tcp_states.h.
    tcp(fd).is_some_and(|info| matches!(info.tcpi_state, 4 | 5 | 6 | 9 | 11))
}

fn ask(fd: c_int, request: libc::Ioctl) -> Option<c_int> {
    let mut answer: c_int = 0;
    // SAFETY: these requests write one int.
    let result = unsafe { libc::ioctl(fd, request, &raw mut answer) };
    (result == 0).then_some(answer)
}

fn tcp(fd: c_int) -> Option<libc::tcp_info> {
    // SAFETY: a structure of numbers, for which zeros are valid.
    let empty = unsafe { mem::zeroed() };
    option(fd, libc::IPPROTO_TCP, libc::TCP_INFO, empty)
}

/// An option of a socket; of a longer one the beginning, and of a shorter one the rest as it was.
fn option<T: Copy>(fd: c_int, level: c_int, name: c_int, mut value: T) -> Option<T> {
    let mut length = mem::size_of::<T>() as socklen_t;
    let place: *mut c_void = (&raw mut value).cast();
    // SAFETY: the kernel writes no more than `length` bytes, which is the size of `value`; both
    // types that are asked for consist of numbers.
    let result = unsafe { libc::getsockopt(fd, level, name, place, &raw mut length) };
    (result == 0).then_some(value)
}
