//! What streams receive.

use super::{
    super::{Backend, errno, groups::Groups},
    BLOCK, Io,
    names::Way,
    stream::{Reader, Target},
};
use crate::sys::event::{Event, MORE, Started, buffer_flags};
use std::{mem, ptr};

impl Backend {
    pub(super) fn receive_registered(&mut self, index: u32, reader: Reader) -> Started {
        let Ok(io) = &mut self.registered.io else { unreachable!("a stream has registered I/O") };
        let goes_on = reader.into.goes_on();
        io.streams[index as usize].reader = Some(reader);
        if goes_on {
            // Its answers are events, all of them.
            io.go_on(index);
            return Started::Queued;
        }
        match io.answer(index, &mut self.groups) {
            Some((result, flags)) => {
                io.streams[index as usize].reader = None;
                if flags == 0 { Started::Done(result) } else { Started::Filled(result, flags) }
            }
            None => {
                io.touch(Way::Stream(index));
                Started::Queued
            }
        }
    }

    /// A receive is over.
    pub(super) fn received(&mut self, index: u32, code: i32, bytes: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let stream = &mut io.streams[index as usize];
        stream.receive.came(code, bytes);
        if stream.closed {
            return self.free_if_over(index);
        }
        self.serve_reader(index);
    }

    /// Answers the request that waits, if there is something for it.
    pub(super) fn serve_reader(&mut self, index: u32) {
        let Ok(io) = &mut self.registered.io else { return };
        let Some(reader) = &io.streams[index as usize].reader else { return };
        let (user, goes_on) = (reader.user, reader.into.goes_on());
        let Some((result, flags)) = io.answer(index, &mut self.groups) else {
            return io.touch(Way::Stream(index));
        };
        if goes_on && result > 0 {
            // As with the port: others come first.
            io.go_on(index);
            return self.own.push_back(Event { user, result, flags: flags | MORE });
        }
        io.streams[index as usize].reader = None;
        self.finish(user, result, flags);
    }

    /// Receives that go on get what there is for them.
    pub(super) fn answer_again(&mut self) {
        let Ok(io) = &mut self.registered.io else { return };
        if io.again.is_empty() {
            return;
        }
        let mut again = mem::replace(&mut io.again, mem::take(&mut io.spare));
        for index in again.drain(..) {
            if let Ok(io) = &mut self.registered.io {
                io.streams[index as usize].again = false;
            }
            self.serve_reader(index);
        }
        if let Ok(io) = &mut self.registered.io {
            io.spare = again;
        }
    }
}

impl Io {
    fn go_on(&mut self, index: u32) {
        if !mem::replace(&mut self.streams[index as usize].again, true) {
            self.again.push(index);
        }
    }

    /// The answer for the request that waits, with what was received or how the stream ended. None: nothing is there.
    fn answer(&mut self, index: u32, groups: &mut Groups) -> Option<(i32, u32)> {
        let stream = &mut self.streams[index as usize];
        let reader = stream.reader.as_ref()?;
        if let Target::Memory(memory) = &reader.into
            && memory.is_empty()
        {
            return Some((0, 0));
        }
        let held = stream.receive.held();
        if held.is_empty() {
            return stream.receive.ended().map(|result| (result, 0));
        }
        let block = &mut self.blocks[(index / BLOCK) as usize];
        // SAFETY: something is held, so no receive is posted.
        let bytes = unsafe { block.receives.bytes(&stream.into) };
        let bytes = &bytes[held];
        let (n, flags) = match reader.into {
            Target::Memory(memory) => (memory.fill(bytes), 0),
            Target::Group { group, .. } => {
                let group = groups.get(group);
                let Some(buffer) = group.take() else { return Some((-errno::ENOBUFS, 0)) };
                let n = bytes.len().min(group.size());
                // SAFETY: a buffer of that size, which is nobody's at the moment.
                unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), group.at(buffer).as_ptr(), n) };
                (n, buffer_flags(buffer))
            }
        };
        if !reader.peek {
            stream.receive.take(n);
        }
        Some((n as i32, flags))
    }
}
