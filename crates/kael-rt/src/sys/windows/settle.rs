//! What has come through the port, and what is still to be done about it.

use super::{
    super::{
        event::{COPIED, Event, MORE, NOTIFICATION},
        packet::{Answered, Packet},
    },
    Backend, code, errno,
    number::{Kind, Number},
    streams::ADDRESS,
};
use std::{mem, ptr, ptr::NonNull};
use windows_sys::Win32::{
    Foundation::{ERROR_HANDLE_EOF, STATUS_SUCCESS},
    Networking::WinSock::{
        SO_UPDATE_ACCEPT_CONTEXT, SO_UPDATE_CONNECT_CONTEXT, SOCKADDR, SOCKADDR_STORAGE, SOCKET,
        SOL_SOCKET, WSAEMSGSIZE, setsockopt,
    },
    System::IO::OVERLAPPED_ENTRY,
};

impl Backend {
    /// Takes an entry of the port.
    pub(super) fn take(&mut self, entry: OVERLAPPED_ENTRY) {
        if self.is_registered_packet(&entry) {
            return;
        }
        // What only wakes has no packet.
        let Some(packet) = NonNull::new(entry.lpOverlapped.cast::<Packet>()) else { return };
        // SAFETY: nothing but our packets, from slots in flight, is ever given to the system, and it gives each back once:
        // now. From here on the packet is ours again.
        let packet = unsafe { &mut *packet.as_ptr() };
        if !mem::replace(&mut packet.pending, false) {
            return;
        }
        self.pending -= 1;
        let status = packet.overlapped.Internal as i32;
        let code = match status {
            STATUS_SUCCESS => 0,
            status => code::of_status(status, packet.number.kind() == Kind::Socket),
        };
        let n = entry.dwNumberOfBytesTransferred;
        match packet.kind {
            Answered::Ready if code == 0 && packet.stopped => {
                self.finish(packet.user, -errno::ECANCELED, 0);
            }
            Answered::Ready if code == 0 => {
                if let Some((result, flags)) = self.receive_pooled(packet) {
                    self.answer_pooled(packet, result, flags);
                }
            }
            Answered::Pooled if code == 0 => {
                let (result, flags) = self.filled(packet, n);
                self.answer_pooled(packet, result, flags);
            }
            Answered::Pipe => self.pipe_was_read(packet, code, n),
            _ => {
                let result = self.settle(packet, code, n);
                self.report(packet.user, packet.kind, result, 0);
            }
        }
    }

    /// Tells the driver of an answer. A send that may keep its buffer has two.
    pub(super) fn report(&mut self, user: u64, kind: Answered, result: i32, flags: u32) {
        if kind == Answered::ZeroCopy && result >= 0 {
            // Whether the bytes were copied is the system's secret, so they were.
            self.own.push_back(Event { user, result, flags: MORE });
            return self.finish(user, COPIED, NOTIFICATION);
        }
        self.finish(user, result, flags);
    }

    /// The result of a request that is over: with an error, or with so many bytes.
    pub(super) fn settle(&mut self, packet: &mut Packet, code: i32, n: u32) -> i32 {
        match packet.kind {
            Answered::File if code == ERROR_HANDLE_EOF as i32 => 0,
            // What there was no room for is lost, as everywhere.
            Answered::Datagram if code == WSAEMSGSIZE => packet.room as i32,
            Answered::Accept => self.settle_accept(packet, code),
            Answered::Connect if code == 0 => {
                self.calls += 1;
                // SAFETY: an option without a value.
                let done = unsafe {
                    setsockopt(
                        packet.number.socket(),
                        SOL_SOCKET,
                        SO_UPDATE_CONNECT_CONTEXT,
                        ptr::null(),
                        0,
                    )
                };
                if done == 0 { 0 } else { -code::last_socket_error() }
            }
            Answered::Pooled => {
                self.groups.get(packet.group).put_back(packet.buffer);
                -code
            }
            // What was sent before the end of it was asked for has been sent: the stream goes on behind that, and an error
            // of the stream is told to the next call.
            Answered::Count | Answered::ZeroCopy if code != 0 && n > 0 => n as i32,
            Answered::Count if code == errno::ECANCELED => {
                if let Some(pipe) = packet.written.take() {
                    // SAFETY: the write in the slot holds the descriptor, until the driver has heard of its end.
                    unsafe { pipe.as_ref() }.tear();
                }
                -code
            }
            _ if code != 0 => -code,
            _ => i32::try_from(n).unwrap_or(-errno::EIO),
        }
    }

    fn settle_accept(&mut self, packet: &mut Packet, code: i32) -> i32 {
        let Some(accepted) = packet.accepted.take() else { return -code };
        if code != 0 {
            self.calls += 1;
            let _ = accepted.close();
            return -code;
        }
        self.calls += 2;
        self.note_peer(packet);
        match adopt_context(packet.number, accepted) {
            0 => accepted.for_driver(),
            code => {
                self.calls += 1;
                let _ = accepted.close();
                code
            }
        }
    }

    /// The peer's address lies behind our own in what AcceptEx has filled; it is moved to the front.
    fn note_peer(&self, packet: &mut Packet) {
        let addresses = self.extensions.accepted_addrs.expect("asked for at set-up");
        let (mut local, mut remote) = (ptr::null_mut::<SOCKADDR>(), ptr::null_mut::<SOCKADDR>());
        let (mut local_len, mut remote_len) = (0, 0);
        // SAFETY: the scratch of the slot, whose accept is over.
        let peer = unsafe { &mut *packet.peer };
        let room = (&raw const peer.storage).cast();
        // SAFETY: what AcceptEx has filled, with the sizes that it was given.
        unsafe {
            addresses(
                room,
                0,
                ADDRESS,
                ADDRESS,
                &mut local,
                &mut local_len,
                &mut remote,
                &mut remote_len,
            )
        };
        let len = remote_len.clamp(0, size_of::<SOCKADDR_STORAGE>() as i32 - ADDRESS as i32);
        // SAFETY: an address of that length inside the room; the ranges may overlap.
        unsafe {
            ptr::copy(remote.cast::<u8>(), (&raw mut peer.storage).cast::<u8>(), len as usize)
        };
        peer.len = len;
    }
}

/// An accepted socket gets what its listener has: without it most calls on it fail.
fn adopt_context(listener: Number, accepted: Number) -> i32 {
    let listener = listener.socket();
    // SAFETY: an option whose value is a socket.
    let done = unsafe {
        setsockopt(
            accepted.socket(),
            SOL_SOCKET,
            SO_UPDATE_ACCEPT_CONTEXT,
            (&raw const listener).cast(),
            size_of::<SOCKET>() as i32,
        )
    };
    if done == 0 { 0 } else { -code::last_socket_error() }
}
