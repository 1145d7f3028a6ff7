//! The operations: what each asks of the kernel, what must stay alive meanwhile (the operation
//! itself), and how its answer is read.
//!
//! Nothing here knows a platform, and nothing here is unsafe. A typed operation owns its
//! descriptor and its buffer. It lowers to one plain [`Request`] that *borrows from it*, so a
//! request can only point at memory that its operation owns. A backend is one exhaustive match
//! on the request: adding a variant makes the compiler list every place that must learn it.
#![forbid(unsafe_code)]
#![expect(private_interfaces, reason = "`Op` is public only to be named; its parts are closed")]

mod cancel;
mod flags;
mod fs;
mod incoming;
mod link;
mod net;
mod operation;
mod plain;
mod pooled;
mod queued;
mod read_ahead;
mod row;
mod send_file;
#[cfg(test)]
pub(crate) mod shapes;
mod splice;
mod zero_copy;

pub use cancel::{CancelOn, CancelToken, Cancelled, WithTimeout};
pub(crate) use flags::{Gives, RecvFlags, SendFlags, Side, Step};
pub use fs::{
    Allocate, Change, Open, ReadAt, ReadExactAt, ReadVectoredAt, SetLen, Stat, StatPath, Sync,
    WriteAllAt, WriteAt, WriteVectoredAt,
};
pub(crate) use fs::{Changing, Close, KernelPath, close_stream};
pub(crate) use incoming::AcceptNext;
pub use link::{Link, Linkable, Linked, Links, link};
pub(crate) use net::Pass;
pub use net::{
    Accept, Connect, Peek, ReadExact, Recv, RecvFrom, RecvVectored, Send, SendTo, SendVectored,
    ShutDown, WriteAll, WriteAllVectored,
};
pub use operation::Operation;
pub(crate) use plain::{Plain, Span};
pub(crate) use pooled::{Received, RecvMessages, RecvOne, RecvShots};
pub use queued::Queue;
pub(crate) use read_ahead::{Ahead, ReadAhead};
pub(crate) use row::SendRow;
pub use send_file::SendFile;
pub(crate) use splice::{Destination, Give, Piece, Take, Taken};
pub use zero_copy::{SendZc, SendZcVectored};

use crate::{
    driver::{Completion, Descriptor, Scratch},
    sys::{Message, MessageMut, PeerAddr, RawPipe, StatBuf, Vectors, VectorsMut},
};
use std::{cell::Cell, ffi::CStr, mem::MaybeUninit, net::Shutdown};

/// One request to the kernel: plain, closed, shared by every backend. Our own SQE.
#[allow(
    dead_code,
    reason = "not every system moves bytes through pipes, asks for rights, or has pipes with names"
)]
pub(crate) enum Request<'a> {
    /// Does nothing, and completes.
    Nop,
    /// Passes the gate of its descriptor, and completes: what came before it is over.
    Pass {
        fd: &'a Descriptor,
    },
    Read {
        fd: &'a Descriptor,
        into: &'a mut [MaybeUninit<u8>],
        at: u64,
    },
    Write {
        fd: &'a Descriptor,
        from: &'a [u8],
        at: u64,
    },
    ReadVectored {
        fd: &'a Descriptor,
        into: VectorsMut<'a>,
        at: u64,
    },
    WriteVectored {
        fd: &'a Descriptor,
        from: Vectors<'a>,
        at: u64,
    },
    Sync {
        fd: &'a Descriptor,
        data_only: bool,
    },
    Truncate {
        fd: &'a Descriptor,
        len: u64,
    },
    Allocate {
        fd: &'a Descriptor,
        offset: u64,
        len: u64,
    },
    Stat {
        fd: &'a Descriptor,
        out: &'a mut StatBuf,
    },
    StatPath {
        path: &'a CStr,
        follow: bool,
        out: &'a mut StatBuf,
    },
    Open {
        path: &'a CStr,
        flags: i32,
        mode: u32,
    },
    Unlink {
        path: &'a CStr,
        dir: bool,
    },
    Rename {
        from: &'a CStr,
        to: &'a CStr,
    },
    MakeDir {
        path: &'a CStr,
        mode: u32,
    },
    /// Ends the descriptor. The operation gives it up; the number is free when this completes.
    Close {
        fd: &'a Descriptor,
    },
    Recv {
        fd: &'a Descriptor,
        into: &'a mut [MaybeUninit<u8>],
        flags: RecvFlags,
    },
    /// Receives into buffers that the backend picks from `group`, again and again if `multishot`.
    /// As a multishot it stops when `bound` answers wait for its future.
    RecvPooled {
        fd: &'a Descriptor,
        group: u16,
        multishot: bool,
        bound: u8,
    },
    /// Datagrams, again and again, each behind its sender's address into a buffer that the backend picks. Only who
    /// `REPEATS_MESSAGES` is asked.
    RecvMessages {
        fd: &'a Descriptor,
        group: u16,
        bound: u8,
        message: MessageMut<'a>,
    },
    RecvVectored {
        fd: &'a Descriptor,
        message: MessageMut<'a>,
    },
    RecvMessage {
        fd: &'a Descriptor,
        message: MessageMut<'a>,
        flags: RecvFlags,
    },
    Send {
        fd: &'a Descriptor,
        from: &'a [u8],
        flags: SendFlags,
    },
    /// Sends without copying: the buffer is ours again only at the notification.
    SendZeroCopy {
        fd: &'a Descriptor,
        from: &'a [u8],
    },
    SendMessage {
        fd: &'a Descriptor,
        message: Message<'a>,
        flags: SendFlags,
    },
    /// As `SendZeroCopy`, from several buffers.
    SendMessageZeroCopy {
        fd: &'a Descriptor,
        message: Message<'a>,
    },
    /// `direct`: the new descriptor goes to the ring's own table and never gets a number, if the driver has a place for it.
    Accept {
        fd: &'a Descriptor,
        peer: &'a mut PeerAddr,
        direct: bool,
    },
    /// A connection, after which others will be asked for: who can has the system accept them, too, and hand them over
    /// when they are. There is room for the peer's address, which whoever asks does not look at.
    AcceptNext {
        fd: &'a Descriptor,
        peer: &'a mut PeerAddr,
    },
    Connect {
        fd: &'a Descriptor,
        peer: &'a PeerAddr,
    },
    Shutdown {
        fd: &'a Descriptor,
        how: Shutdown,
    },
    /// As `Read`, of what is on its way to `fd`, whose gate is passed.
    Load {
        fd: &'a Descriptor,
        file: &'a Descriptor,
        into: &'a mut [MaybeUninit<u8>],
        at: u64,
    },
    /// Bytes of a file that are on their way to `fd`, into a pipe. `EAGAIN`: they are not in memory; then a thread of
    /// the pool `may_wait` for them. What is known to be in memory ends at `warm_to`.
    Fill {
        fd: &'a Descriptor,
        file: &'a Descriptor,
        pipe: &'a RawPipe,
        at: u64,
        len: u32,
        may_wait: bool,
        warm_to: &'a Cell<u64>,
    },
    /// What a socket has received, into a pipe, after it was `Ready`. Answered at once.
    Take {
        fd: &'a Descriptor,
        pipe: &'a RawPipe,
    },
    /// From a pipe into a socket, as much as it has room for. Answered at once: `EAGAIN` if it has none.
    Give {
        fd: &'a Descriptor,
        pipe: &'a RawPipe,
        len: u32,
        more: bool,
    },
    /// Bytes of a file to `fd`, without a pipe and without a copy: at most `len`, of which there is one at least. Before them goes
    /// the `head`; there is one only where `TRANSMITS_HEAD`. It says how many the stream has got; none: the file has ended. `EAGAIN`: the stream has no room. `EBUSY`: they are not in memory;
    /// then a thread of the pool `may_wait` for them, and `EBUSY` is its word for no room. `ENOBUFS`: it cannot be done just now.
    Transmit {
        fd: &'a Descriptor,
        file: &'a Descriptor,
        head: &'a [u8],
        at: u64,
        len: u64,
        may_wait: bool,
    },
    /// Waits until there may be something to be received, or room for something to be sent; a turn at least.
    Ready {
        fd: &'a Descriptor,
        side: Side,
    },
    /// Waits for a client at the server's end of a named pipe.
    AwaitClient {
        fd: &'a Descriptor,
    },
    /// Blocks a thread of the pool until told to go on, then writes: a job that is stuck.
    #[cfg(test)]
    Stall {
        on: &'a std::sync::Arc<shapes::Stall>,
        into: &'a mut [MaybeUninit<u8>],
    },
}

impl Request<'_> {
    pub(crate) fn gives(&self) -> Gives {
        match self {
            Request::Recv { flags, .. } | Request::RecvMessage { flags, .. } => {
                if flags.peek {
                    Gives::Count
                } else {
                    Gives::Received
                }
            }
            Request::RecvVectored { .. }
            | Request::RecvPooled { .. }
            | Request::RecvMessages { .. } => Gives::Received,
            Request::Open { .. }
            | Request::Accept { direct: false, .. }
            | Request::AcceptNext { .. } => Gives::Handle,
            Request::Accept { direct: true, .. } => Gives::DirectHandle,
            Request::Close { .. } => Gives::Closed,
            Request::Nop
            | Request::Pass { .. }
            | Request::Read { .. }
            | Request::Write { .. }
            | Request::ReadVectored { .. }
            | Request::WriteVectored { .. }
            | Request::Sync { .. }
            | Request::Truncate { .. }
            | Request::Allocate { .. }
            | Request::Stat { .. }
            | Request::StatPath { .. }
            | Request::Unlink { .. }
            | Request::Rename { .. }
            | Request::MakeDir { .. }
            | Request::Send { .. }
            | Request::SendZeroCopy { .. }
            | Request::SendMessage { .. }
            | Request::SendMessageZeroCopy { .. }
            | Request::Connect { .. }
            | Request::Shutdown { .. }
            | Request::Load { .. }
            | Request::Fill { .. }
            | Request::Take { .. }
            | Request::Give { .. }
            | Request::Transmit { .. }
            | Request::Ready { .. }
            | Request::AwaitClient { .. } => Gives::Count,
            #[cfg(test)]
            Request::Stall { .. } => Gives::Count,
        }
    }

    /// A send of which nobody waits to hear.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Request::Send { flags, .. } | Request::SendMessage { flags, .. } if flags.quiet)
    }

    /// A send whose buffer the kernel may keep for a while.
    pub(crate) fn is_zero_copy(&self) -> bool {
        matches!(self, Request::SendZeroCopy { .. } | Request::SendMessageZeroCopy { .. })
    }

    /// Whether a send is one of which nobody waits to hear; and if so, whether its answer ends a wait.
    pub(crate) fn set_quiet(&mut self, quiet: bool, heard: bool) {
        if let Request::Send { flags, .. } | Request::SendMessage { flags, .. } = self {
            (flags.quiet, flags.heard) = (quiet, heard);
        }
    }

    /// It does not wait for its turn: ending the reading direction shall end a read that waits.
    pub(crate) fn skips_gate(&self) -> bool {
        matches!(self, Request::Shutdown { how: Shutdown::Read | Shutdown::Both, .. })
    }

    /// The descriptor that the call is about, if it is not the one whose gate is passed.
    #[allow(dead_code, reason = "real backends match on it")]
    pub(crate) fn works_on(&self) -> Option<&Descriptor> {
        match self {
            Request::Load { file, .. } => Some(file),
            other => other.fd(),
        }
    }

    /// The descriptor that the request is about: the one whose gate it passes.
    pub(crate) fn fd(&self) -> Option<&Descriptor> {
        match self {
            Request::Pass { fd }
            | Request::Read { fd, .. }
            | Request::Write { fd, .. }
            | Request::ReadVectored { fd, .. }
            | Request::WriteVectored { fd, .. }
            | Request::Sync { fd, .. }
            | Request::Truncate { fd, .. }
            | Request::Allocate { fd, .. }
            | Request::Stat { fd, .. }
            | Request::Close { fd }
            | Request::Recv { fd, .. }
            | Request::RecvPooled { fd, .. }
            | Request::RecvMessages { fd, .. }
            | Request::RecvVectored { fd, .. }
            | Request::RecvMessage { fd, .. }
            | Request::Send { fd, .. }
            | Request::SendZeroCopy { fd, .. }
            | Request::SendMessage { fd, .. }
            | Request::SendMessageZeroCopy { fd, .. }
            | Request::Accept { fd, .. }
            | Request::AcceptNext { fd, .. }
            | Request::Connect { fd, .. }
            | Request::Shutdown { fd, .. }
            | Request::Load { fd, .. }
            | Request::Fill { fd, .. }
            | Request::Take { fd, .. }
            | Request::Give { fd, .. }
            | Request::Transmit { fd, .. }
            | Request::Ready { fd, .. }
            | Request::AwaitClient { fd } => Some(fd),
            Request::Nop
            | Request::StatPath { .. }
            | Request::Open { .. }
            | Request::Unlink { .. }
            | Request::Rename { .. }
            | Request::MakeDir { .. } => None,
            #[cfg(test)]
            Request::Stall { .. } => None,
        }
    }
}

/// How an operation behaves towards the slots and towards being dropped.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// It may wait for a peer as long as the peer likes, so it may not take the last slots.
    pub(crate) waits_for_peer: bool,
    /// Dropping its future asks the kernel to stop it. (A write is finished instead.)
    pub(crate) cancel_on_drop: bool,
    /// The gate that it passes, if its descriptor is a stream or a listener.
    pub(crate) side: Option<Side>,
    /// [`Op::advance`] wants to see completions that are shorter than what was asked for.
    pub(crate) steps: bool,
    /// The answer is read with the scratch: an address, a status, several buffers.
    pub(crate) scratch: bool,
    /// Its answer brings more than a count: a descriptor, or a buffer of a group.
    pub(crate) gives_more: bool,
    /// It completes again and again.
    pub(crate) multishot: bool,
    /// It receives into buffers of a pool, which the backend picks.
    pub(crate) pooled: bool,
    /// And what it receives are datagrams behind their senders' addresses.
    pub(crate) framed: bool,
    /// It has bytes that were taken out of a stream: although nothing of it has begun, it is done when its future is dropped.
    pub(crate) owed: bool,
    /// It may be longer when it begins than when it began to wait at its gate. Only a [`SendRow`] is.
    pub(crate) grows: bool,
    /// What it mostly is: a transfer that goes the short way.
    pub(crate) plain: Option<Plain>,
}

impl Traits {
    /// A request that the kernel answers by itself: files, options, metadata.
    pub(crate) const PROMPT: Traits = Traits {
        waits_for_peer: false,
        cancel_on_drop: false,
        side: None,
        steps: false,
        scratch: false,
        gives_more: false,
        multishot: false,
        pooled: false,
        framed: false,
        owed: false,
        grows: false,
        plain: None,
    };
    /// Takes something out of a socket: bytes or a connection.
    pub(crate) const RECEIVE: Traits = Traits {
        side: Some(Side::Read),
        waits_for_peer: true,
        cancel_on_drop: true,
        ..Traits::PROMPT
    };
    /// Puts bytes into a stream: it is finished even when its future is dropped.
    pub(crate) const SEND: Traits =
        Traits { side: Some(Side::Write), steps: true, ..Traits::PROMPT };
}

/// An operation: facts, all safe to state.
///
/// The trait is public only because [`Operation`] names it; nobody outside can implement it,
/// since its parts are private.
pub trait Op: Sized + 'static {
    /// What awaiting the operation gives.
    type Output;

    #[doc(hidden)]
    const TRAITS: Traits;

    /// Says what to ask. Called when the operation has come to rest at its final address, and
    /// again after [`Step::Again`] or when the request had to wait.
    #[doc(hidden)]
    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a>;

    /// The memory of a transfer that its traits call plain, as it is now. `None`: it takes `request`.
    #[doc(hidden)]
    #[inline(always)]
    fn span(&mut self) -> Option<Span<'_>> {
        None
    }

    /// Looks at a completion that is shorter than what was asked for, or an error, before the
    /// future does. `orphan`: the future is gone.
    #[doc(hidden)]
    fn advance(&mut self, completion: &Completion<'_>, orphan: bool) -> Step {
        let _ = (completion, orphan);
        Step::Done
    }

    /// How many received bytes of earlier steps lie directly before the last request's memory.
    #[doc(hidden)]
    fn kept(&self) -> usize {
        0
    }

    /// Reads the answer, once, after the kernel has let go.
    #[doc(hidden)]
    fn complete(self, completion: Completion<'_>) -> Self::Output;
}
