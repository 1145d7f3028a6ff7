//! What streams send.

use super::{
    super::{Backend, rio::Queue},
    BLOCK, Io, Memory,
    names::Way,
    stream::{SHUT_DOWN, Writer},
};
use crate::sys::event::Started;

impl Backend {
    pub(super) fn send_registered(&mut self, index: u32, writer: Writer) -> Started {
        let Ok(io) = &mut self.registered.io else { unreachable!("a stream has registered I/O") };
        let quiet = writer.quiet;
        match io.go_on_writing(index, writer) {
            Some((_, result)) if quiet && io.tells_at_once() => return Started::Done(result),
            Some((writer, result)) => self.report(writer.user, writer.kind, result, 0),
            None => {}
        }
        Started::Queued
    }

    /// A send is over.
    pub(super) fn sent(&mut self, index: u32, code: i32, bytes: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let stream = &mut io.streams[index as usize];
        match code {
            0 => stream.send.came(bytes),
            code => {
                stream.send.fail(code);
                // The write was answered before, so its task may be waiting for the peer by now, which has lost what was sent.
                if code != SHUT_DOWN {
                    stream.receive.end(-code);
                }
            }
        }
        if stream.send.is_pending() {
            io.touch(Way::Stream(index));
        }
        if code != 0 {
            self.serve_reader(index);
        }
        self.serve_writer(index);
        self.go_on_to_end(index);
    }

    pub(super) fn serve_writer(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let Some(writer) = io.streams[index as usize].writer.take() else { return };
        if let Some((writer, result)) = io.go_on_writing(index, writer) {
            self.report(writer.user, writer.kind, result, 0);
        }
    }

    /// The system will not take anything more of a queue. What it has already has its completions when the socket is closed.
    pub(super) fn break_queue(&mut self, queue: Queue, code: i32) {
        let Ok(io) = &mut self.registered.io else { return };
        let code = super::code_of(code);
        let Some(index) = io.streams.iter().position(|stream| stream.queue == Some(queue)) else {
            if let Some(index) = io.datagrams.position(queue) {
                self.break_datagrams(index, code);
            }
            return;
        };
        let index = index as u32;
        let stream = &mut io.streams[index as usize];
        stream.receive.end(-code);
        stream.send.give_up(code);
        self.serve_writer(index);
        self.serve_reader(index);
        self.go_on_to_end(index);
    }
}

impl Io {
    /// Whether a send that is over may be told so at once.
    fn tells_at_once(&mut self) -> bool {
        let left = self.at_once.checked_sub(1);
        self.at_once = left.unwrap_or(0);
        left.is_some()
    }

    /// Goes on with a request: it comes back with its answer, or waits in its stream.
    fn go_on_writing(&mut self, index: u32, mut writer: Writer) -> Option<(Writer, i32)> {
        if writer.copied.is_none()
            && let Some(result) = self.write(index, writer.memory)
        {
            if writer.quiet || result <= 0 {
                return Some((writer, result));
            }
            writer.copied = Some((result, self.streams[index as usize].send.mark()));
        }
        let stream = &mut self.streams[index as usize];
        if let Some((bytes, mark)) = writer.copied {
            if stream.send.is_through(mark) {
                return Some((writer, bytes));
            }
            if let Some(code) = stream.send.failed() {
                stream.send.hear();
                return Some((writer, -code));
            }
        }
        stream.writer = Some(writer);
        None
    }

    /// Copies what there is room for. None: there is none now.
    fn write(&mut self, index: u32, memory: Memory) -> Option<i32> {
        let send = &self.streams[index as usize].send;
        if let Some(code) = send.failed() {
            self.streams[index as usize].send.hear();
            return Some(-code);
        }
        if send.ends() {
            return Some(-SHUT_DOWN);
        }
        if memory.is_empty() {
            return Some(0);
        }
        if !send.has_room() {
            // The front slot may become the back slot at once. If that is refused, the turn hears of it.
            if send.is_posted() || self.ask(Way::Stream(index)).is_err() {
                self.touch(Way::Stream(index));
                return None;
            }
            if !self.streams[index as usize].send.has_room() {
                return None;
            }
        }
        let stream = &mut self.streams[index as usize];
        let (slot, room) = stream.send.front();
        let block = &mut self.blocks[(index / BLOCK) as usize];
        // SAFETY: the front slot, of which nothing is in flight.
        let bytes = unsafe { block.sends.bytes(&stream.from[slot]) };
        let n = memory.gather(&mut bytes[room]);
        stream.send.filled(n);
        self.touch(Way::Stream(index));
        Some(n as i32)
    }
}
