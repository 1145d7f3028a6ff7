//! Each request as a submission: one arm an operation. A table; no logic beyond it.

use super::{
    Backend,
    abi::*,
    buffers::{self, Group},
    files::FileTable,
    fixed::Fixed,
    pipes,
    ring::Probe,
    shots::Shots,
};
use crate::{
    driver::Descriptor,
    op::{RecvFlags, Request, SendFlags, Side},
    sys::{PeerAddr, event::clamp, own::STAT_MASK},
};
use std::net::Shutdown;

impl Backend {
    /// The submission, or the request back if it is none: a plain call, one for the pool, or an accept that is repeated. What is
    /// plain is about no pipe.
    #[inline(always)]
    pub(super) fn lower<const PLAIN: bool>(
        &self,
        request: Request<'static>,
    ) -> Result<Sqe, Request<'static>> {
        let Backend { files, fixed, shots, groups, probe, .. } = self;
        lower::<PLAIN>(request, files, fixed, shots, groups, probe)
    }
}

#[inline(always)]
fn lower<const PLAIN: bool>(
    request: Request<'static>,
    files: &FileTable,
    fixed: &Fixed,
    shots: &Shots,
    groups: &[Option<Group>],
    probe: &Probe,
) -> Result<Sqe, Request<'static>> {
    let none = Sqe { fd: -1, ..Sqe::default() };
    Ok(match request {
        Request::Nop | Request::Pass { .. } => Sqe { opcode: OP_NOP, ..none },
        Request::Read { fd, into, at } => {
            let place = fixed.place_of(into.as_ptr().cast(), into.len());
            Sqe {
                opcode: if place.is_some() { OP_READ_FIXED } else { OP_READ },
                buf_group: place.unwrap_or(0),
                addr: into.as_mut_ptr() as u64,
                len: clamp(into.len()),
                off: at,
                ..file(fd, files)
            }
        }
        Request::Write { fd, from, at } => {
            let place = fixed.place_of(from.as_ptr(), from.len());
            Sqe {
                opcode: if place.is_some() { OP_WRITE_FIXED } else { OP_WRITE },
                buf_group: place.unwrap_or(0),
                addr: from.as_ptr() as u64,
                len: clamp(from.len()),
                off: at,
                ..file(fd, files)
            }
        }
        Request::ReadVectored { fd, into, at } => {
            let place = fixed.place_of_all(into.vectors);
            Sqe {
                opcode: if place.is_some() { OP_READV_FIXED } else { OP_READV },
                buf_group: place.unwrap_or(0),
                addr: into.vectors.as_ptr() as u64,
                len: into.vectors.len() as u32,
                off: at,
                ..file(fd, files)
            }
        }
        Request::WriteVectored { fd, from, at } => {
            let place = fixed.place_of_all(from.vectors);
            Sqe {
                opcode: if place.is_some() { OP_WRITEV_FIXED } else { OP_WRITEV },
                buf_group: place.unwrap_or(0),
                addr: from.vectors.as_ptr() as u64,
                len: from.vectors.len() as u32,
                off: at,
                ..file(fd, files)
            }
        }
        Request::Sync { fd, data_only } => Sqe {
            opcode: OP_FSYNC,
            op_flags: if data_only { FSYNC_DATASYNC } else { 0 },
            ..file(fd, files)
        },
        Request::Truncate { fd, len } if probe.has(OP_FTRUNCATE) => {
            Sqe { opcode: OP_FTRUNCATE, off: len, ..on(fd) }
        }
        Request::Truncate { .. } => return Err(request),
        Request::Allocate { fd, offset, len } => {
            Sqe { opcode: OP_FALLOCATE, off: offset, addr: len, ..on(fd) }
        }
        Request::Stat { fd, out } => Sqe {
            opcode: OP_STATX,
            // statx(2) of the descriptor itself: an empty path and AT_EMPTY_PATH.
            addr: c"".as_ptr() as u64,
            len: STAT_MASK,
            op_flags: libc::AT_EMPTY_PATH as u32,
            off: &raw mut out.0 as u64,
            ..on(fd)
        },
        Request::StatPath { path, follow, out } => Sqe {
            opcode: OP_STATX,
            fd: libc::AT_FDCWD,
            addr: path.as_ptr() as u64,
            len: STAT_MASK,
            op_flags: if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW as u32 },
            off: &raw mut out.0 as u64,
            ..none
        },
        Request::Open { path, flags, mode } => Sqe {
            opcode: OP_OPENAT,
            fd: libc::AT_FDCWD,
            addr: path.as_ptr() as u64,
            len: mode,
            op_flags: (flags | libc::O_CLOEXEC) as u32,
            ..none
        },
        Request::Unlink { path, dir } => Sqe {
            opcode: OP_UNLINKAT,
            fd: libc::AT_FDCWD,
            addr: path.as_ptr() as u64,
            op_flags: if dir { libc::AT_REMOVEDIR as u32 } else { 0 },
            ..none
        },
        Request::Rename { from, to } => Sqe {
            opcode: OP_RENAMEAT,
            fd: libc::AT_FDCWD,
            addr: from.as_ptr() as u64,
            len: libc::AT_FDCWD as u32,
            off: to.as_ptr() as u64,
            ..none
        },
        Request::MakeDir { path, mode } => Sqe {
            opcode: OP_MKDIRAT,
            fd: libc::AT_FDCWD,
            addr: path.as_ptr() as u64,
            len: mode,
            ..none
        },
        Request::Close { fd } => close(fd.number(), fd.is_direct()),
        Request::Recv { fd, .. }
        | Request::RecvPooled { fd, .. }
        | Request::RecvVectored { fd, .. }
        | Request::Send { fd, .. }
        | Request::SendMessage { fd, .. }
            if !PLAIN && fd.is_pipe() =>
        {
            pipes::lower(request, fd, files, probe)
        }
        Request::Recv { fd, into, flags } => Sqe {
            opcode: OP_RECV,
            addr: into.as_mut_ptr() as u64,
            len: clamp(into.len()),
            op_flags: recv_flags(flags),
            ..file(fd, files)
        },
        Request::RecvPooled { fd, group, multishot, .. } => {
            let mut sqe =
                Sqe { opcode: OP_RECV, buf_group: buffers::number(group), ..file(fd, files) };
            sqe.flags |= SQE_BUFFER_SELECT;
            let bundles = || probe.bundles() && buffers::are_small(groups, group);
            sqe.ioprio = match (multishot, multishot && bundles()) {
                (true, true) => RECV_MULTISHOT | RECV_BUNDLE,
                (true, false) => RECV_MULTISHOT,
                (false, _) => 0,
            };
            sqe
        }
        Request::RecvMessages { fd, group, message, .. } => {
            let mut sqe = Sqe {
                opcode: OP_RECVMSG,
                buf_group: buffers::number(group),
                addr: message.header as *mut _ as u64,
                len: 1,
                ioprio: RECV_MULTISHOT,
                ..file(fd, files)
            };
            sqe.flags |= SQE_BUFFER_SELECT;
            sqe
        }
        Request::RecvVectored { fd, message } => Sqe {
            opcode: OP_RECVMSG,
            addr: message.header as *mut _ as u64,
            len: 1,
            ..file(fd, files)
        },
        Request::RecvMessage { fd, message, flags } => Sqe {
            opcode: OP_RECVMSG,
            addr: message.header as *mut _ as u64,
            len: 1,
            op_flags: recv_flags(flags),
            ..file(fd, files)
        },
        Request::Send { fd, from, flags } => Sqe {
            opcode: OP_SEND,
            addr: from.as_ptr() as u64,
            len: clamp(from.len()),
            op_flags: send_flags(flags),
            ..file(fd, files)
        },
        Request::SendZeroCopy { fd, from } => {
            let place = fixed.place_of(from.as_ptr(), from.len());
            let in_place = if place.is_some() { SEND_ZC_FIXED_BUF } else { 0 };
            Sqe {
                opcode: OP_SEND_ZC,
                buf_group: place.unwrap_or(0),
                addr: from.as_ptr() as u64,
                len: clamp(from.len()),
                ioprio: zero_copy_flags(probe) | in_place,
                op_flags: send_flags(SendFlags::default()),
                ..file(fd, files)
            }
        }
        Request::SendMessage { fd, message, flags } => Sqe {
            opcode: OP_SENDMSG,
            addr: message.header as *const _ as u64,
            len: 1,
            op_flags: send_flags(flags),
            ..file(fd, files)
        },
        Request::SendMessageZeroCopy { fd, message } => {
            let place = fixed.place_of_all(message.vectors());
            let in_place = if place.is_some() { SEND_ZC_FIXED_BUF } else { 0 };
            Sqe {
                opcode: OP_SENDMSG_ZC,
                buf_group: place.unwrap_or(0),
                addr: message.header as *const _ as u64,
                len: 1,
                ioprio: zero_copy_flags(probe) | in_place,
                op_flags: send_flags(SendFlags::default()),
                ..file(fd, files)
            }
        }
        Request::AcceptNext { .. } => return Err(request),
        Request::Accept { fd, direct: false, .. } if shots.has(fd.number()) => return Err(request),
        Request::Accept { fd, peer, direct: false } => accept(fd, peer),
        Request::Accept { fd, peer, direct: true } => {
            Sqe { op_flags: 0, file_index: FILE_INDEX_ALLOC, ..accept(fd, peer) }
        }
        Request::Connect { fd, peer } => Sqe {
            opcode: OP_CONNECT,
            addr: peer.storage.as_ptr() as u64,
            off: u64::from(peer.len),
            ..on(fd)
        },
        Request::Shutdown { fd, how } => Sqe {
            opcode: OP_SHUTDOWN,
            len: match how {
                Shutdown::Read => libc::SHUT_RD,
                Shutdown::Write => libc::SHUT_WR,
                Shutdown::Both => libc::SHUT_RDWR,
            } as u32,
            ..on(fd)
        },
        Request::Load { file: fd, into, at, .. } => Sqe {
            opcode: OP_READ,
            addr: into.as_mut_ptr() as u64,
            len: clamp(into.len()),
            off: at,
            ..file(fd, files)
        },
        Request::Ready { fd, side } => Sqe {
            opcode: OP_POLL_ADD,
            op_flags: match side {
                Side::Read => libc::POLLIN | libc::POLLRDHUP,
                Side::Write => libc::POLLOUT,
            } as u32,
            ..file(fd, files)
        },
        Request::AwaitClient { .. } => unreachable!("a pipe of Windows"),
        // Plain calls, or one for the pool.
        Request::Fill { .. }
        | Request::Take { .. }
        | Request::Give { .. }
        | Request::Transmit { .. } => return Err(request),
        #[cfg(test)]
        Request::Stall { .. } => return Err(request),
    })
}

/// One connection, with the address of its peer.
#[inline(always)]
pub(super) fn accept(fd: &Descriptor, peer: &mut PeerAddr) -> Sqe {
    Sqe {
        opcode: OP_ACCEPT,
        addr: peer.storage.as_mut_ptr() as u64,
        off: &raw mut peer.len as u64,
        op_flags: libc::SOCK_CLOEXEC as u32,
        ..on(fd)
    }
}

#[inline(always)]
pub(super) fn on(fd: &Descriptor) -> Sqe {
    let flags = if fd.is_direct() { SQE_FIXED_FILE } else { 0 };
    Sqe { fd: fd.number(), flags, ..Sqe::default() }
}

/// A file, by its place in the table if it has one.
#[inline(always)]
pub(super) fn file(fd: &Descriptor, files: &FileTable) -> Sqe {
    match fd.place() {
        place if files.is_ready(place) => {
            Sqe { fd: place as i32, flags: SQE_FIXED_FILE, ..Sqe::default() }
        }
        _ => on(fd),
    }
}

/// Closes a number, or an entry of the ring's table.
pub(super) fn close(number: i32, direct: bool) -> Sqe {
    if direct {
        Sqe { opcode: OP_CLOSE, file_index: number as u32 + 1, ..Sqe::default() }
    } else {
        Sqe { opcode: OP_CLOSE, fd: number, ..Sqe::default() }
    }
}

fn recv_flags(flags: RecvFlags) -> u32 {
    let peek = if flags.peek { libc::MSG_PEEK } else { 0 };
    let all = if flags.wait_all { libc::MSG_WAITALL } else { 0 };
    (peek | all | libc::MSG_CMSG_CLOEXEC) as u32
}

fn send_flags(flags: SendFlags) -> u32 {
    let all = if flags.wait_all { libc::MSG_WAITALL } else { 0 };
    let at_once = if flags.quiet { libc::MSG_DONTWAIT } else { 0 };
    let more = if flags.more { libc::MSG_MORE } else { 0 };
    (all | more | at_once | libc::MSG_NOSIGNAL) as u32
}

/// The notification shall say whether the kernel had to copy, where it can.
fn zero_copy_flags(probe: &Probe) -> u16 {
    if probe.reports_copies() { SEND_ZC_REPORT_USAGE } else { 0 }
}
