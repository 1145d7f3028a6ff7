//! The one peer of a datagram socket that has a queue already: ours, since the system's is set by a call that Microsoft does
//! not document for such a socket.

use crate::sys::windows::{Backend, number::Number, registered::names::Way, sockets};
use std::{io, net::SocketAddr};
use windows_sys::Win32::Networking::WinSock::WSAEAFNOSUPPORT;

impl Backend {
    /// None: it has no queue, and the system sets its peer.
    pub(in super::super::super) fn connect_registered(
        &mut self,
        number: Number,
        addr: SocketAddr,
    ) -> Option<io::Result<()>> {
        let (io, Way::Datagrams(index)) = self.registered.known(number)? else { return None };
        let socket = &mut io.datagrams.sockets[index as usize];
        if socket.connected {
            // It would have to be connected anew, or not to be any more.
            return Some(Err(io::ErrorKind::Unsupported.into()));
        }
        if socket.is_v6 != addr.is_ipv6() {
            return Some(Err(io::Error::from_raw_os_error(WSAEAFNOSUPPORT)));
        }
        // As the system does it, an address of nobody ends it.
        socket.peer = (!addr.ip().is_unspecified()).then_some(addr);
        let has_peer = socket.peer.is_some();
        self.calls += 1;
        sockets::report_unreachable(number, has_peer);
        Some(Ok(()))
    }

    /// A peer that the system does not know.
    pub(crate) fn own_peer(&mut self, number: i32) -> Option<SocketAddr> {
        let (io, Way::Datagrams(index)) = self.registered.known(Number::from_driver(number))?
        else {
            return None;
        };
        io.datagrams.sockets[index as usize].peer
    }
}
