//! What is asked of a pipe, as submissions: those of a file, from where it is. They stand apart from those of sockets, which
//! do not pay for them: what comes the short way is about no pipe, and nobody looks whether it is.

use super::{Backend, abi::*, buffers, files::FileTable, lower::file, ring::Probe};
use crate::{
    driver::{Descriptor, SlotId},
    op::Request,
    sys::{
        event::{Started, clamp},
        own::no_signal,
        packet::PacketAt,
        sockets::set_blocking,
    },
};

impl Backend {
    /// A read of a pipe may leave it to the backend which buffer it gets.
    pub(crate) const PICKS_FOR_PIPES: bool = true;

    /// Asks the kernel. Nothing is handed over before the next turn, unless the queue is full.
    #[inline(always)]
    pub(crate) fn start(&mut self, id: SlotId, _: PacketAt, request: Request<'static>) -> Started {
        self.start_as::<false>(id, request)
    }

    /// The same, of a transfer that comes the short way.
    #[inline(always)]
    pub(crate) fn start_plain(
        &mut self,
        id: SlotId,
        _: PacketAt,
        request: Request<'static>,
    ) -> Started {
        self.start_as::<true>(id, request)
    }

    /// Somebody else owns a number from here on: it blocks, as others expect. (Sockets do so here, too.)
    pub(crate) fn let_go(&mut self, fd: &Descriptor) {
        self.forget_listener(fd.number());
        if fd.is_pipe() {
            self.calls += 1;
            let _ = set_blocking(fd.number(), true);
        }
    }
}

/// The submission for a request of a stream that is a pipe.
#[cold]
#[inline(never)]
pub(super) fn lower(
    request: Request<'static>,
    fd: &Descriptor,
    files: &FileTable,
    probe: &Probe,
) -> Sqe {
    let pipe = Sqe { off: u64::MAX, ..file(fd, files) };
    match request {
        Request::Recv { into, .. } => {
            let (addr, len) = (into.as_mut_ptr() as u64, clamp(into.len()));
            Sqe { opcode: OP_READ, addr, len, ..pipe }
        }
        Request::Send { from, .. } => {
            let (addr, len) = (from.as_ptr() as u64, clamp(from.len()));
            Sqe { opcode: OP_WRITE, addr, len, op_flags: no_signal() as u32, ..pipe }
        }
        Request::RecvPooled { group, multishot, .. } => {
            // Who cannot repeat it ends it with its first answer.
            let repeats = multishot && probe.repeats_reads();
            Sqe {
                opcode: if repeats { OP_READ_MULTISHOT } else { OP_READ },
                flags: pipe.flags | SQE_BUFFER_SELECT,
                buf_group: buffers::number(group),
                ..pipe
            }
        }
        Request::RecvVectored { message, .. } => Sqe {
            opcode: OP_READV,
            addr: message.header.msg_iov as u64,
            len: message.header.msg_iovlen as u32,
            ..pipe
        },
        Request::SendMessage { message, .. } => Sqe {
            opcode: OP_WRITEV,
            addr: message.header.msg_iov as u64,
            len: message.header.msg_iovlen as u32,
            op_flags: no_signal() as u32,
            ..pipe
        },
        _ => unreachable!("another request"),
    }
}
