//! TransmitFile: the system sends a part of a file, and the bytes come from its cache.
//!
//! It is one request at the writing gate of its stream, as any other: its OVERLAPPED says where in the file it begins, and its
//! packet how far it came. What Microsoft's page about TransmitFile says decides the rest:
//!
//! * **One at a time** per process, or none (`rules.rs`): then a block goes by a buffer, and the next piece may have it.
//! * **No bytes mean all of the file**, so its length is asked for before; that also keeps a range within the file.
//! * **No flags.** TF_USE_KERNEL_APC would have the sending done by this thread where it waits, and a core that is busy does
//!   not; the system's own threads do it. TF_DISCONNECT and TF_REUSE_SOCKET would end the stream, which is its user's.
//! * What **fails at once** has sent nothing. It goes by buffers then: a read or a send has the better error. (Under wine every
//!   stream that has ended is WSAENOTCONN to TransmitFile.)
//! * What was stopped, or has failed, **and says that nothing went**, may have sent something: no document says that this count
//!   is right. The stream then ends for writing, lest bytes be sent twice.

use super::{
    super::{
        packet::{Answered, Packet},
        transmit_rules::{Permit, Sent, part, sent},
    },
    Backend, SKIPS, errno,
    files::Called,
    number::Kind,
    number_of, sockets,
    streams::outcome,
};
use crate::{driver::Descriptor, sys::event::Started};
use std::{net::Shutdown, ptr};
use windows_sys::Win32::{
    Networking::WinSock::TRANSMIT_FILE_BUFFERS, Storage::FileSystem::GetFileSizeEx,
};

/// This system does.
pub(crate) const TRANSMITS: bool = true;
/// What stands before the file goes along. (What stands behind it does not: if the file turned out to be shorter, it would go all
/// the same.)
pub(crate) const TRANSMITS_HEAD: bool = true;

static PERMIT: Permit = Permit::new();

impl Backend {
    pub(super) fn start_transmit(
        &mut self,
        packet: &mut Packet,
        [fd, file]: [&Descriptor; 2],
        head: &[u8],
        at: u64,
        len: u64,
    ) -> Started {
        let (number, file) = (number_of(fd), number_of(file));
        let Some(call) = self.extensions.transmit else {
            return Started::Done(-errno::EOPNOTSUPP);
        };
        if file.kind() != Kind::File || self.is_registered(number) {
            return Started::Done(-errno::EOPNOTSUPP);
        }
        let place = match self.join(fd) {
            Ok(place) => place,
            Err(code) => return Started::Done(-code),
        };
        if !PERMIT.take() {
            return Started::Done(-errno::ENOBUFS);
        }
        self.calls += 1;
        let mut size = 0;
        // SAFETY: an open handle, and room for a number.
        let size = match unsafe { GetFileSizeEx(file.handle(), &mut size) } {
            // It has none: it is no file on a disk.
            0 => {
                PERMIT.give_back();
                return Started::Done(-errno::EOPNOTSUPP);
            }
            _ => u64::try_from(size).unwrap_or(0),
        };
        let Some(n) = part(head.len() as u64, at, len, size) else {
            PERMIT.give_back();
            // What has no length may be no file on a disk, and a read says what it is.
            return Started::Done(if size == 0 { -errno::EOPNOTSUPP } else { 0 });
        };
        packet.prepare(packet.user, Answered::Transmit, number, at);
        packet.pending = true;
        self.calls += 1;
        packet.around = TRANSMIT_FILE_BUFFERS {
            Head: head.as_ptr().cast_mut().cast(),
            HeadLength: head.len() as u32,
            Tail: ptr::null_mut(),
            TailLength: 0,
        };
        let around: *const _ = if head.is_empty() { ptr::null() } else { &raw const packet.around };
        let overlapped = &raw mut packet.overlapped;
        // SAFETY: an open socket and an open handle, which the operation holds until the packet has come, as it does the head; until
        // then the OVERLAPPED and what says where the head is stay where they are.
        let done = unsafe { call(number.socket(), file.handle(), n, 0, overlapped, around, 0) };
        let moved = packet.overlapped.InternalHigh as u32;
        let called = outcome(i32::from(done != 0) - 1, moved, place & SKIPS != 0);
        if called != Called::Later {
            PERMIT.give_back();
        }
        let started = self.called(packet, called);
        if let Called::Failed(_) = called { Started::Done(-errno::EOPNOTSUPP) } else { started }
    }

    /// One that the system had is over.
    pub(super) fn settle_transmit(&mut self, packet: &Packet, code: i32, n: u32) -> i32 {
        PERMIT.give_back();
        let Sent { result, is_sure } = sent(code, n);
        if !is_sure {
            self.calls += 1;
            sockets::shut_down(packet.number, Shutdown::Write);
        }
        result
    }
}
