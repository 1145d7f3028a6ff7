//! Sockets: what is received, sent, accepted and connected.

use super::{
    super::{
        packet::{Answered, Packet},
        scratch::PeerAddr,
    },
    Backend, SKIPS, V6, code,
    files::Called,
    most, number_of,
    sockets::own,
};
use crate::{
    driver::Kind,
    op::{RecvFlags, Request},
    sys::event::Started,
};
use socket2::Domain;
use std::ptr;
use windows_sys::Win32::Networking::WinSock::{
    MSG_PEEK, SOCKADDR_IN6, WSA_IO_PENDING, WSABUF, WSAEMSGSIZE, WSAGetLastError, WSARecv,
    WSARecvFrom, WSASend, WSASendTo,
};

/// What AcceptEx wants to have for each of two addresses.
pub(super) const ADDRESS: u32 = size_of::<SOCKADDR_IN6>() as u32 + 16;
const _: () = assert!(
    2 * ADDRESS as usize <= size_of::<windows_sys::Win32::Networking::WinSock::SOCKADDR_STORAGE>()
);

impl Backend {
    pub(super) fn start_on_socket(
        &mut self,
        packet: &mut Packet,
        request: Request<'static>,
    ) -> Started {
        let fd = request.fd().expect("a request about a socket");
        let (number, kind) = (number_of(fd), fd.kind());
        let place = match self.join(fd) {
            Ok(place) => place,
            Err(code) => return Started::Done(-code),
        };
        let skips = place & SKIPS != 0;
        packet.prepare(packet.user, Answered::Count, number, 0);
        packet.pending = true;
        match request {
            Request::Recv { into, flags, .. } => {
                let one = WSABUF { len: most(into.len()) as u32, buf: into.as_mut_ptr().cast() };
                self.receive(packet, kind, &[one], flags, None, skips)
            }
            Request::RecvVectored { message, .. } => {
                self.receive(packet, kind, message.vectors, RecvFlags::default(), None, skips)
            }
            Request::RecvMessage { message, flags, .. } => {
                self.receive(packet, kind, message.vectors, flags, message.peer, skips)
            }
            Request::RecvPooled { group, multishot, .. } => {
                self.start_pooled(packet, group, multishot, skips)
            }
            Request::Send { from, .. } => {
                let one = WSABUF { len: most(from.len()) as u32, buf: from.as_ptr().cast_mut() };
                self.send(packet, &[one], None, skips)
            }
            Request::SendZeroCopy { from, .. } => {
                packet.kind = Answered::ZeroCopy;
                let one = WSABUF { len: most(from.len()) as u32, buf: from.as_ptr().cast_mut() };
                self.send(packet, &[one], None, skips)
            }
            Request::SendMessage { message, .. } => {
                self.send(packet, message.vectors, message.peer, skips)
            }
            Request::SendMessageZeroCopy { message, .. } => {
                packet.kind = Answered::ZeroCopy;
                self.send(packet, message.vectors, message.peer, skips)
            }
            Request::Accept { peer, .. } | Request::AcceptNext { peer, .. } => {
                self.accept(packet, peer, place)
            }
            Request::Connect { peer, .. } => self.connect(packet, peer, skips),
            _ => unreachable!("another request"),
        }
    }

    fn receive(
        &mut self,
        packet: &mut Packet,
        kind: Kind,
        vectors: &[WSABUF],
        flags: RecvFlags,
        peer: Option<&mut PeerAddr>,
        skips: bool,
    ) -> Started {
        packet.flags = if flags.peek { MSG_PEEK as u32 } else { 0 };
        if kind == Kind::Datagram {
            packet.kind = Answered::Datagram;
            packet.room = vectors.iter().map(|vector| vector.len).sum();
        }
        self.calls += 1;
        let (socket, room) = (packet.number.socket(), packet.room);
        let (overlapped, flags) = (&raw mut packet.overlapped, &raw mut packet.flags);
        let mut moved = 0;
        // SAFETY: an open socket; the vectors are taken over by the call. What they name, the address, the flags and the
        // OVERLAPPED are the slot's, and stay where they are until the packet has come.
        let result = unsafe {
            let (vectors, n) = (vectors.as_ptr(), vectors.len() as u32);
            match peer {
                Some(peer) => {
                    let from = (&raw mut peer.storage).cast();
                    WSARecvFrom(
                        socket,
                        vectors,
                        n,
                        &mut moved,
                        flags,
                        from,
                        &mut peer.len,
                        overlapped,
                        None,
                    )
                }
                None => WSARecv(socket, vectors, n, &mut moved, flags, overlapped, None),
            }
        };
        let called = match outcome(result, moved, skips) {
            // What there was no room for is lost, as everywhere.
            Called::Failed(WSAEMSGSIZE) if kind == Kind::Datagram => Called::Moved(room),
            called => called,
        };
        self.called(packet, called)
    }

    fn send(
        &mut self,
        packet: &mut Packet,
        vectors: &[WSABUF],
        peer: Option<&PeerAddr>,
        skips: bool,
    ) -> Started {
        self.calls += 1;
        let (socket, overlapped) = (packet.number.socket(), &raw mut packet.overlapped);
        let mut moved = 0;
        // SAFETY: as in `receive`; the address is taken over by the call.
        let result = unsafe {
            let (vectors, n) = (vectors.as_ptr(), vectors.len() as u32);
            match peer {
                Some(peer) => {
                    let to = (&raw const peer.storage).cast();
                    WSASendTo(socket, vectors, n, &mut moved, 0, to, peer.len, overlapped, None)
                }
                None => WSASend(socket, vectors, n, &mut moved, 0, overlapped, None),
            }
        };
        let called = outcome(result, moved, skips);
        self.called(packet, called)
    }

    /// Waits for a connection, which gets a socket made before.
    fn accept(&mut self, packet: &mut Packet, peer: &mut PeerAddr, place: u32) -> Started {
        packet.kind = Answered::Accept;
        let domain = if place & V6 != 0 { Domain::IPV6 } else { Domain::IPV4 };
        self.calls += 2;
        let accepted = match self.registered.stream_socket(domain).and_then(own) {
            Ok(accepted) => accepted,
            Err(error) => {
                return Started::Done(-error.raw_os_error().unwrap_or(super::errno::EMFILE));
            }
        };
        packet.accepted = Some(accepted);
        packet.peer = peer;
        let call = self.extensions.accept.expect("asked for at set-up");
        let overlapped = &raw mut packet.overlapped;
        let mut moved = 0;
        // SAFETY: open sockets; room for two addresses, which stays with the OVERLAPPED until the packet has come.
        let done = unsafe {
            let room = (&raw mut peer.storage).cast();
            call(
                packet.number.socket(),
                accepted.socket(),
                room,
                0,
                ADDRESS,
                ADDRESS,
                &mut moved,
                overlapped,
            )
        };
        let called = outcome(i32::from(done != 0) - 1, moved, place & SKIPS != 0);
        self.over_at_once(packet, called)
    }

    fn connect(&mut self, packet: &mut Packet, peer: &PeerAddr, skips: bool) -> Started {
        packet.kind = Answered::Connect;
        self.calls += 1;
        let call = self.extensions.connect.expect("asked for at set-up");
        let overlapped = &raw mut packet.overlapped;
        // SAFETY: as in `accept`; the address is taken over by the call.
        let done = unsafe {
            let to = (&raw const peer.storage).cast();
            call(packet.number.socket(), to, peer.len, ptr::null(), 0, ptr::null_mut(), overlapped)
        };
        let called = outcome(i32::from(done != 0) - 1, 0, skips);
        self.over_at_once(packet, called)
    }

    /// As `called`, for what is not over with the call.
    fn over_at_once(&mut self, packet: &mut Packet, called: Called) -> Started {
        match called {
            Called::Later => self.called(packet, called),
            Called::Moved(_) => {
                packet.pending = false;
                Started::Done(self.settle(packet, 0, 0))
            }
            Called::Failed(code) => {
                packet.pending = false;
                Started::Done(self.settle(packet, code, 0))
            }
        }
    }
}

/// What a call about a socket says: 0, or that it failed or goes on.
pub(super) fn outcome(result: i32, moved: u32, skips: bool) -> Called {
    match result {
        0 if skips => Called::Moved(moved),
        0 => Called::Later,
        _ => {
            // SAFETY: a number of this thread's.
            match unsafe { WSAGetLastError() } {
                WSA_IO_PENDING => Called::Later,
                _ => Called::Failed(code::last_socket_error()),
            }
        }
    }
}
