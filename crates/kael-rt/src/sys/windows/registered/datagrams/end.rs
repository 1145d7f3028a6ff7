//! How datagram sockets and their requests end.

use super::Datagrams;
use crate::sys::windows::{Backend, errno};
use std::mem;
use windows_sys::Win32::Networking::WinSock::closesocket;

impl Backend {
    /// As `cancel_registered`. A datagram that is with the system is sent, or is not: its completion says so.
    pub(in super::super) fn cancel_datagram(&mut self, index: u32, user: u64) -> bool {
        let Ok(io) = &mut self.registered.io else { return false };
        let Datagrams { sockets, outbox, sending, .. } = &mut io.datagrams;
        if sending.iter().flatten().any(|sending| sending.user == Some(user)) {
            return true;
        }
        let reader = &mut sockets[index as usize].reader;
        let reads = reader.take_if(|reader| reader.user == user).is_some();
        let is_over = reads || outbox.remove(|writer| writer.user == user).is_some();
        if is_over {
            self.finish(user, -errno::ECANCELED, 0);
        }
        is_over
    }

    /// Closes a socket: at once, or when what the system has of it was sent.
    pub(in super::super) fn close_datagrams(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        io.datagrams.sockets[index as usize].closing = true;
        self.give_up_datagrams(index, errno::ECANCELED);
        self.go_on_to_end_datagrams(index);
    }

    /// The system will not take anything more of a queue. What it has already has its completions when the socket is closed.
    pub(in super::super) fn break_datagrams(&mut self, index: u32, code: i32) {
        let Ok(io) = &mut self.registered.io else { return };
        io.datagrams.sockets[index as usize].broken = Some(code);
        // Whether what was deferred will be sent is not known.
        let users = io.datagrams.sending.iter_mut().flatten();
        let users = users.filter(|sending| sending.socket == index);
        let users: Vec<_> =
            users.filter_map(|it| it.user.take().map(|user| (user, it.kind))).collect();
        for (user, kind) in users {
            self.report(user, kind, -code, 0);
        }
        self.give_up_datagrams(index, code);
    }

    /// What waits for a datagram or a slot has this error.
    fn give_up_datagrams(&mut self, index: u32, code: i32) {
        while let Ok(io) = &mut self.registered.io
            && let Some(writer) = io.datagrams.outbox.remove(|writer| writer.socket == index)
        {
            self.report(writer.user, writer.kind, -code, 0);
        }
        if let Ok(io) = &mut self.registered.io
            && let Some(reader) = io.datagrams.sockets[index as usize].reader.take()
        {
            self.finish(reader.user, -code, 0);
        }
    }

    /// What waits for the last datagram to be sent: the end of the socket.
    pub(super) fn go_on_to_end_datagrams(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let socket = &io.datagrams.sockets[index as usize];
        // What a queue has that takes nothing more ends with its socket only.
        let is_over = socket.sending == 0 || socket.broken.is_some();
        if socket.closing && is_over && !socket.closed {
            self.close_datagram_socket(index);
        }
        self.free_datagrams_if_over(index);
    }

    fn close_datagram_socket(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let socket = &mut io.datagrams.sockets[index as usize];
        let Some(queue) = socket.queue.filter(|_| !mem::replace(&mut socket.closed, true)) else {
            return;
        };
        self.calls += 1;
        // SAFETY: the socket is the queue's, and its owner has given it up.
        let close = |socket| unsafe {
            closesocket(socket);
        };
        io.rio.close_queue(queue, close).expect("a queue is closed once");
    }

    /// The place of a closed socket is free when the system has let go of its memory.
    pub(super) fn free_datagrams_if_over(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let socket = &mut io.datagrams.sockets[index as usize];
        if socket.closed && socket.is_idle() && socket.queue.take().is_some() {
            io.datagrams.free.push(index);
        }
    }

    /// The core ends. What could not be sent by now is cut off.
    pub(in super::super) fn cut_off_datagrams(&mut self) {
        let Ok(io) = &self.registered.io else { return };
        for index in 0..io.datagrams.sockets.len() as u32 {
            let Ok(io) = &self.registered.io else { return };
            if io.datagrams.sockets[index as usize].closing {
                self.close_datagram_socket(index);
            }
        }
    }
}

impl Datagrams {
    /// Something is still to be sent, or a socket to be closed.
    pub(in super::super) fn linger(&self) -> bool {
        self.sockets.iter().any(|it| it.queue.is_some() && (it.closing || it.sending > 0))
    }

    /// A socket is closed, and the system still has something of it.
    pub(in super::super) fn are_letting_go(&self) -> bool {
        self.sockets.iter().any(|it| it.queue.is_some() && it.closed)
    }
}
