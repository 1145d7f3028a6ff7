//! One stream: its queue, its memory, its state, and who waits.
#![forbid(unsafe_code)]

use super::{
    super::{
        super::packet::Answered,
        errno,
        number::Number,
        rio::{Error, Queue, Rio, Slice, Slot},
    },
    Block, Memory,
    state::{Receive, SLOT, Send},
};
use windows_sys::Win32::Foundation::ERROR_BROKEN_PIPE;

/// The code of what is written behind the end: the one that the standard library knows.
pub(super) const SHUT_DOWN: i32 = ERROR_BROKEN_PIPE as i32;

pub(super) struct Stream {
    pub(super) number: Number,
    /// None: the place is free.
    pub(super) queue: Option<Queue>,
    pub(super) receive: Receive,
    pub(super) send: Send,
    pub(super) reader: Option<Reader>,
    pub(super) writer: Option<Writer>,
    /// A request that waits until everything was sent.
    pub(super) flusher: Option<u64>,
    /// Its memory: received into, and sent from.
    pub(super) into: Slot,
    pub(super) from: [Slot; 2],
    /// It is in the list of those that want something.
    pub(super) touched: bool,
    /// It is in the list of receives that go on.
    pub(super) again: bool,
    pub(super) closing: bool,
    /// The socket is closed: only completions are waited for.
    pub(super) closed: bool,
}

/// A request that waits for something to come.
pub(super) struct Reader {
    pub(super) user: u64,
    pub(super) into: Target,
    pub(super) peek: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Target {
    Memory(Memory),
    Group { group: u16, goes_on: bool },
}

impl Target {
    /// It has many answers.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Target::Group { goes_on: true, .. })
    }
}

/// A request that waits for room, or for its bytes to be sent.
pub(super) struct Writer {
    pub(super) user: u64,
    pub(super) kind: Answered,
    pub(super) memory: Memory,
    /// It is answered when its bytes were copied.
    pub(super) quiet: bool,
    /// So many were copied, and lie before this place.
    pub(super) copied: Option<(i32, u64)>,
}

impl Writer {
    /// The answer if it is given up: what was copied will be sent.
    pub(super) fn given_up(&self) -> i32 {
        self.copied.map_or(-errno::ECANCELED, |(bytes, _)| bytes)
    }
}

impl Stream {
    pub(super) fn new(into: Slot, from: [Slot; 2]) -> Stream {
        Stream {
            number: Number::NONE,
            queue: None,
            receive: Receive::default(),
            send: Send::default(),
            reader: None,
            writer: None,
            flusher: None,
            into,
            from,
            touched: false,
            again: false,
            closing: false,
            closed: false,
        }
    }

    pub(super) fn begin(&mut self, number: Number, queue: Queue) {
        debug_assert!(self.is_idle(), "nothing of the last one is in flight");
        (self.number, self.queue) = (number, Some(queue));
        (self.receive, self.send) = (Receive::default(), Send::default());
        (self.reader, self.writer, self.flusher) = (None, None, None);
        (self.closing, self.closed) = (false, false);
    }

    pub(super) fn queue(&self) -> Queue {
        self.queue.expect("a stream in use has a queue")
    }

    /// Nothing of it is with the system.
    pub(super) fn is_idle(&self) -> bool {
        !self.receive.is_posted() && !self.send.is_posted()
    }

    /// Posts a receive, if somebody waits for what is not there.
    pub(super) fn ask_to_receive(
        &mut self,
        rio: &mut Rio,
        block: &Block,
        context: u64,
    ) -> Result<(), Error> {
        if self.closed || self.reader.is_none() || !self.receive.may_post() {
            return Ok(());
        }
        rio.receive(self.queue(), block.receives.slice(&self.into, SLOT), context)?;
        self.receive.post();
        Ok(())
    }

    /// Posts a send of what was written, if none is in flight.
    pub(super) fn ask_to_send(
        &mut self,
        rio: &mut Rio,
        block: &Block,
        context: u64,
    ) -> Result<(), Error> {
        if self.closed {
            return Ok(());
        }
        let Some(part) = self.send.next() else { return Ok(()) };
        let slot = block.sends.slice(&self.from[part.slot], SLOT);
        let slice = Slice { offset: slot.offset + part.offset, len: part.len, ..slot };
        rio.send(self.queue(), slice, context)?;
        self.send.post();
        Ok(())
    }
}
