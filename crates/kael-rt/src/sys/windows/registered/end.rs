//! How streams end: one direction, the whole, and all sockets with the core.

use super::{
    super::{
        super::packet::{Answered, Packet},
        Backend, errno,
        number::Number,
        sockets,
    },
    Io, Registered,
    names::Way,
    stream::{SHUT_DOWN, Stream},
};
use crate::sys::event::Started;
use std::{mem, net::Shutdown};
use windows_sys::Win32::Networking::WinSock::{
    LINGER, SO_LINGER, SOL_SOCKET, closesocket, getsockopt,
};

/// What the end of a core waits for at most once nothing more is sent: that the system lets go of closed sockets.
const LET_GO_NS: u64 = 1_000_000_000;

impl Backend {
    /// Waits until everything was sent, and tells of an error of which nobody was told. None: it is no stream of ours.
    pub(in super::super) fn flush_registered(
        &mut self,
        packet: &mut Packet,
        number: Number,
    ) -> Option<Started> {
        let (io, index) = self.registered.known_stream(number)?;
        let stream = &mut io.streams[index as usize];
        if !stream.send.is_pending() || stream.flusher.is_some() {
            return Some(Started::Done(stream.flushed()));
        }
        packet.prepare(packet.user, Answered::Count, number, 0);
        stream.flusher = Some(packet.user);
        Some(Started::Queued)
    }

    /// Ends directions of a socket: that of writing when everything was sent. None: it is no stream of ours.
    pub(in super::super) fn shut_down_registered(
        &mut self,
        number: Number,
        how: Shutdown,
    ) -> Option<i32> {
        let (io, index) = self.registered.known_stream(number)?;
        let stream = &mut io.streams[index as usize];
        let later = how != Shutdown::Read && !stream.send.end(SHUT_DOWN);
        let now = match (how, later) {
            (Shutdown::Write, true) => None,
            (Shutdown::Both, true) => Some(Shutdown::Read),
            _ => Some(how),
        };
        let result = now.map_or(0, |how| {
            self.calls += 1;
            sockets::shut_down(number, how)
        });
        if how != Shutdown::Write {
            stream.receive.end(0);
            self.serve_reader(index);
        }
        self.serve_writer(index);
        Some(result)
    }

    /// Closes a socket: at once if nothing is to be sent, and else when it was. None: it is no stream of ours.
    pub(in super::super) fn close_registered(&mut self, number: Number) -> Option<Result<(), i32>> {
        let found = self.registered.known(number).map(|(_, way)| way);
        self.registered.forget(number);
        let index = match found? {
            Way::Stream(index) => index,
            Way::Datagrams(index) => {
                self.close_datagrams(index);
                return Some(Ok(()));
            }
        };
        let Ok(io) = &mut self.registered.io else { return None };
        let stream = &mut io.streams[index as usize];
        stream.closing = true;
        let (reader, writer) = (stream.reader.take(), stream.writer.take());
        let (flusher, failed) = (stream.flusher.take(), stream.send.unheard());
        if stream.send.is_pending() {
            self.calls += 1;
            if is_abortive(number) {
                stream.send.forget();
                self.close_socket(index);
            }
        }
        let users = [reader.map(|it| it.user), writer.map(|it| it.user), flusher];
        for user in users.into_iter().flatten() {
            self.finish(user, -errno::ECANCELED, 0);
        }
        self.go_on_to_end(index);
        Some(failed.map_or(Ok(()), Err))
    }

    /// What waits for the last byte to be sent: the end of the direction, or of the socket.
    pub(super) fn go_on_to_end(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let stream = &mut io.streams[index as usize];
        if stream.send.is_pending() {
            return;
        }
        if let Some(user) = stream.flusher.take() {
            let result = stream.flushed();
            self.finish(user, result, 0);
            return self.go_on_to_end(index);
        }
        if stream.closed {
            return self.free_if_over(index);
        }
        if stream.send.ends_now(SHUT_DOWN) {
            self.calls += 1;
            sockets::shut_down(stream.number, Shutdown::Write);
        }
        if stream.closing {
            self.close_socket(index);
        }
    }

    fn close_socket(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let stream = &mut io.streams[index as usize];
        if mem::replace(&mut stream.closed, true) {
            return;
        }
        self.calls += 1;
        // SAFETY: the socket is the queue's, and its owner has given it up.
        let close = |socket| unsafe {
            closesocket(socket);
        };
        io.rio.close_queue(stream.queue(), close).expect("a queue is closed once");
        self.free_if_over(index);
    }

    /// The place of a closed stream is free when the system has let go of its memory.
    pub(super) fn free_if_over(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let stream = &mut io.streams[index as usize];
        if stream.closed && stream.is_idle() && stream.queue.take().is_some() {
            io.free.push(index);
        }
    }

    /// What was written is still to be sent, or a socket to be closed.
    pub(crate) fn lingers(&self) -> bool {
        let Ok(io) = &self.registered.io else { return false };
        io.streams.iter().any(|it| it.queue.is_some() && (it.closing || it.send.is_pending()))
            || io.datagrams.linger()
    }

    /// A number may go to somebody who makes calls of his own on it, unless its bytes go this way.
    pub(crate) fn may_let_go(&mut self, number: i32) -> bool {
        self.registered.known(Number::from_driver(number)).is_none()
    }

    /// The core ends. What could not be sent by now is cut off, and the system lets go of what it still has.
    pub(super) fn end_registered(&mut self) {
        let Ok(io) = &mut self.registered.io else { return };
        for index in 0..io.streams.len() as u32 {
            self.cut_off(index);
        }
        self.cut_off_datagrams();
        let end = self.now_ns() + LET_GO_NS;
        loop {
            if self.take_out().is_err() {
                break;
            }
            let now = self.now_ns();
            if !self.is_letting_go() || now >= end {
                break;
            }
            let limit = self.prepare_to_sleep(Some(end - now));
            let Ok(n) = self.port.wait(limit) else { break };
            for i in 0..n {
                // Whatever else comes is of operations that were leaked.
                let entry = self.port.entry(i);
                self.is_registered_packet(&entry);
            }
        }
        let gone = Registered { io: Err(0) };
        if let Ok(io) = mem::replace(&mut self.registered, gone).io {
            io.free();
        }
    }

    fn cut_off(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let stream = &mut io.streams[index as usize];
        if stream.queue.is_some() && stream.closing {
            stream.send.forget();
            self.close_socket(index);
        }
    }

    fn is_letting_go(&self) -> bool {
        let Ok(io) = &self.registered.io else { return false };
        io.streams.iter().any(|stream| stream.closed && stream.queue.is_some())
            || io.datagrams.are_letting_go()
    }
}

impl Stream {
    /// The answer of who waited until everything was sent.
    fn flushed(&mut self) -> i32 {
        let result = self.send.unheard().map_or(0, |code| -code);
        self.send.hear();
        result
    }
}

impl Io {
    /// Frees the memory, unless a request still names it: of a socket that somebody holds beyond the runtime.
    fn free(mut self: Box<Io>) {
        if self.rio.in_flight() > 0 {
            return;
        }
        for block in mem::take(&mut self.blocks) {
            for slots in [block.receives, block.sends] {
                let _ = slots.end(&mut self.rio);
            }
        }
        self.datagrams.free(&mut self.rio);
    }
}

/// Its owner wants it to end with a reset.
fn is_abortive(number: Number) -> bool {
    let mut linger = LINGER { l_onoff: 0, l_linger: 0 };
    let mut len = size_of::<LINGER>() as i32;
    // SAFETY: room for the answer, by its address and size.
    let asked = unsafe {
        getsockopt(number.socket(), SOL_SOCKET, SO_LINGER, (&raw mut linger).cast(), &raw mut len)
    };
    asked == 0 && linger.l_onoff != 0 && linger.l_linger == 0
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.end_registered();
    }
}
