//! What datagram sockets send.

use super::{Ended, ROOM, Sending, Way, Writer, address};
use crate::sys::{
    event::Started,
    windows::{Backend, registered::Io},
};
use windows_sys::Win32::Networking::WinSock::{WSAEMSGSIZE, WSAENOBUFS, WSAENOTCONN};

impl Backend {
    /// A datagram goes into a slot and from there to the system, or it waits for a slot.
    pub(super) fn send_datagram(&mut self, mut writer: Writer) -> Started {
        let Ok(io) = &mut self.registered.io else { unreachable!("a socket has registered I/O") };
        let socket = &io.datagrams.sockets[writer.socket as usize];
        writer.to = writer.to.or_else(|| socket.peer.map(address::of));
        let refused = match writer.to {
            _ if socket.broken.is_some() => socket.broken,
            _ if writer.len > ROOM => Some(WSAEMSGSIZE),
            None if !socket.connected => Some(WSAENOTCONN),
            _ => None,
        };
        if let Some(code) = refused {
            return Started::Done(-code);
        }
        io.datagrams.outbox.push(writer);
        self.send_waiting();
        Started::Queued
    }

    /// Gives free slots to those that have waited longest.
    pub(in super::super) fn send_waiting(&mut self) {
        loop {
            let Ok(io) = &mut self.registered.io else { return };
            let Some((slot, writer)) = io.datagrams.outbox.next() else { return };
            let index = writer.socket;
            match io.send_from(slot, &writer) {
                Ok(()) => io.touch(Way::Datagrams(index)),
                Err(WSAENOBUFS) => {
                    // The next turn asks again.
                    io.datagrams.outbox.put_back(slot, writer);
                    return io.touch(Way::Datagrams(index));
                }
                Err(code) => {
                    io.datagrams.outbox.free_again(slot);
                    self.report(writer.user, writer.kind, -code, 0);
                }
            }
        }
    }

    /// A datagram was sent, or could not be.
    pub(in super::super) fn sent_datagram(&mut self, slot: u32, code: i32) {
        let Ok(io) = &mut self.registered.io else { return };
        let Some(sent) = io.datagrams.sending[slot as usize].take() else { return };
        io.datagrams.outbox.free_again(slot);
        io.datagrams.sockets[sent.socket as usize].sending -= 1;
        if let Some(user) = sent.user {
            let result = if code == 0 { sent.len as i32 } else { -code };
            self.report(user, sent.kind, result, 0);
        }
        self.go_on_to_end_datagrams(sent.socket);
        self.send_waiting();
    }
}

impl Io {
    /// Copies a datagram and its address into a free slot, and asks for it to be sent.
    fn send_from(&mut self, slot: u32, writer: &Writer) -> Result<(), i32> {
        let Io { rio, datagrams, .. } = self;
        let socket = &mut datagrams.sockets[writer.socket as usize];
        let queue = socket.queue.filter(|_| !socket.closed).ok_or(WSAENOTCONN)?;
        let memories = datagrams.sends.as_mut().expect("made with the first socket");
        // SAFETY: the slot is free.
        let (bytes, receiver) = unsafe { memories.bytes(slot) };
        writer.memory.gather(bytes);
        if let Some(to) = &writer.to {
            address::write(to, receiver);
        }
        let (slice, at) = memories.slice(slot, writer.len);
        let context = Ended::SentDatagram { slot }.to_bits();
        rio.send_to(queue, slice, writer.to.map(|_| at), context).map_err(|error| error.code())?;
        socket.sending += 1;
        datagrams.sending[slot as usize] = Some(Sending {
            user: Some(writer.user),
            kind: writer.kind,
            socket: writer.socket,
            len: writer.len,
        });
        Ok(())
    }
}
