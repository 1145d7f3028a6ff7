//! What datagram sockets receive.

use super::{Reader, Socket, address};
use crate::sys::{
    PeerAddr,
    event::Started,
    windows::{Backend, registered::names::Way},
};
use windows_sys::Win32::Networking::WinSock::{WSAECONNRESET, WSAEMSGSIZE, WSAENETRESET};

impl Backend {
    pub(super) fn receive_datagram(&mut self, index: u32, reader: Reader) -> Started {
        let Ok(io) = &mut self.registered.io else { unreachable!("a socket has registered I/O") };
        let socket = &mut io.datagrams.sockets[index as usize];
        socket.inbox.want();
        let answer = socket.answer(&reader);
        if answer.is_none() {
            socket.reader = Some(reader);
        }
        if socket.inbox.may_post() {
            io.touch(Way::Datagrams(index));
        }
        answer.map_or(Started::Queued, Started::Done)
    }

    /// A receive is over.
    pub(in super::super) fn received_datagram(
        &mut self,
        index: u32,
        slot: u32,
        code: i32,
        bytes: u32,
    ) {
        let Ok(io) = &mut self.registered.io else { return };
        let socket = &mut io.datagrams.sockets[index as usize];
        match code {
            // What there was no room for is lost, as everywhere. (There is room for all that UDP carries.)
            0 | WSAEMSGSIZE => socket.inbox.came(slot, Ok(bytes)),
            // That a datagram of its own found nobody concerns a socket with one peer, and no other.
            WSAECONNRESET | WSAENETRESET if !socket.has_peer() => {
                socket.inbox.came_to_nothing(slot);
            }
            code => socket.inbox.came(slot, Err(code)),
        }
        if socket.closed {
            return self.free_datagrams_if_over(index);
        }
        self.serve_datagram_reader(index);
    }

    /// Answers the request that waits, if there is something for it.
    pub(super) fn serve_datagram_reader(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let socket = &mut io.datagrams.sockets[index as usize];
        let mut answer = None;
        if let Some(reader) = socket.reader.take() {
            answer = socket.answer(&reader).map(|result| (reader.user, result));
            if answer.is_none() {
                socket.reader = Some(reader);
            }
        }
        if socket.inbox.may_post() {
            io.touch(Way::Datagrams(index));
        }
        if let Some((user, result)) = answer {
            self.finish(user, result, 0);
        }
    }
}

impl Socket {
    /// The answer for a request: the datagram that came first, or an error. None: nothing is there.
    fn answer(&mut self, reader: &Reader) -> Option<i32> {
        while let Some(held) = self.inbox.first() {
            let len = match held.result {
                Ok(len) => len as usize,
                Err(code) => {
                    self.inbox.take();
                    return Some(-code);
                }
            };
            // SAFETY: what is held is not with the system.
            let (bytes, sender) = unsafe { self.memories.bytes(held.slot) };
            let from = address::read(sender);
            if self.peer.is_some_and(|peer| !is_same(peer, &from)) {
                self.inbox.take();
                continue;
            }
            let n = reader.into.fill(&bytes[..len]);
            if !reader.from.is_null() {
                // SAFETY: the scratch of the request's slot, which stays until the request is answered.
                unsafe { *reader.from = from };
            }
            if !reader.peek {
                self.inbox.take();
            }
            return Some(n as i32);
        }
        self.broken.map(|code| -code)
    }
}

/// The scope of an address is not compared: who named the peer need not have known it.
fn is_same(peer: std::net::SocketAddr, from: &PeerAddr) -> bool {
    from.get().is_some_and(|from| (from.ip(), from.port()) == (peer.ip(), peer.port()))
}
