//! What moving bytes needs for a while, kept by the core for the next one: pipes, and blocks of memory.
//!
//! ```text
//!           take                    filled                       given to a socket, all of it
//!   spare ────────▶ empty (held 0) ────────▶ full (held n) ────────────────────────────────▶ empty ──▶ spare
//!     ▲               │ dropped                  │ dropped                                    (or closed: enough are spare)
//!     └───────────────┘                          ▼
//!                                             closed: bytes that are in it belong to one stream, and to no other
//! ```
//!
//! Who has a pipe with bytes in it, and who answers for them, is drawn in `op/splice.rs`.

use super::{Descriptor, Driver};
use crate::{
    buf::{IoBuf, IoBufMut},
    error::Fault,
    sys::{RawPipe, SPLICES},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    mem::{ManuallyDrop, MaybeUninit},
};

/// Pipes that a core keeps: two descriptors each.
const MAX_PIPES: usize = 64;
/// So many of a core's pipes are large, which halves the calls of a fast stream. The others, when many streams are slow, are
/// as the system makes them, so that one core does not use up what its user may have of pipes.
const LARGE_PIPES: usize = 16;
/// Blocks that a core keeps.
const MAX_BLOCKS: usize = 64;
/// The size of a block, in bytes.
pub(crate) const BLOCK: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Spares {
    /// The large ones are behind.
    pipes: RefCell<VecDeque<RawPipe>>,
    /// Large pipes, wherever they are.
    large_pipes: Cell<usize>,
    blocks: RefCell<Vec<Vec<u8>>>,
    /// Bytes that streams got without a copy.
    spliced_bytes: Cell<u64>,
}

impl Spares {
    pub(super) fn spliced_bytes(&self) -> u64 {
        self.spliced_bytes.get()
    }

    /// Nothing is kept after the end.
    pub(super) fn clear(&self) {
        self.pipes.take();
        self.blocks.take();
    }
}

/// A pipe, and how many bytes are in it.
pub(crate) struct Pipe {
    raw: ManuallyDrop<RawPipe>,
    held: u32,
    driver: Driver,
}

impl Pipe {
    pub(crate) fn raw(&self) -> &RawPipe {
        &self.raw
    }

    /// Bytes that are in it.
    pub(crate) fn held(&self) -> u32 {
        self.held
    }

    pub(crate) fn filled(&mut self, n: u32) {
        self.held += n;
    }

    pub(crate) fn emptied(&mut self, n: u32) {
        self.held -= n;
        self.driver.moved_uncopied(u64::from(n));
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // SAFETY: dropped once, here, and not used again.
        let raw = unsafe { ManuallyDrop::take(&mut self.raw) };
        let spares = self.driver.spares();
        let mut pipes = spares.pipes.borrow_mut();
        if self.held == 0 && pipes.len() < MAX_PIPES && !self.driver.is_ending() {
            return if raw.is_large() { pipes.push_back(raw) } else { pipes.push_front(raw) };
        }
        drop(pipes);
        let large = &spares.large_pipes;
        large.set(large.get() - usize::from(raw.is_large()));
        for number in raw.into_numbers() {
            self.driver.close(number, false);
        }
    }
}

/// 64 KiB of memory, as a buffer.
pub(crate) struct Block {
    bytes: Vec<u8>,
    driver: Driver,
}

// SAFETY: its memory is a Vec's own block, which moves only when the Vec is touched, and nobody touches it meanwhile.
unsafe impl IoBuf for Block {
    fn as_init(&self) -> &[u8] {
        self.bytes.as_init()
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Block {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        self.bytes.as_uninit()
    }

    unsafe fn set_init(&mut self, n: usize) {
        // SAFETY: the caller's word.
        unsafe { self.bytes.set_init(n) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut blocks = self.driver.spares().blocks.borrow_mut();
        if blocks.len() < MAX_BLOCKS && !self.driver.is_ending() {
            bytes.clear();
            blocks.push(bytes);
        }
    }
}

impl Driver {
    fn spares(&self) -> &Spares {
        &self.0.spares
    }

    /// A stream has got so many bytes of a file or of another stream, and nobody has copied them.
    pub(crate) fn moved_uncopied(&self, n: u64) {
        let total = &self.spares().spliced_bytes;
        total.set(total.get() + n);
    }

    /// An empty pipe. Two system calls if none is spare.
    pub(crate) fn take_pipe(&self) -> io::Result<Pipe> {
        if !SPLICES {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let spare = self.spares().pipes.borrow_mut().pop_back();
        let raw = spare.map_or_else(|| self.new_pipe(), Ok)?;
        Ok(Pipe { raw: ManuallyDrop::new(raw), held: 0, driver: self.clone() })
    }

    fn new_pipe(&self) -> io::Result<RawPipe> {
        let large = &self.spares().large_pipes;
        let is_large = large.get() < LARGE_PIPES;
        let raw = self.control(|backend| RawPipe::new(backend, is_large))?;
        large.set(large.get() + usize::from(raw.is_large()));
        Ok(raw)
    }

    /// A block without bytes.
    pub(crate) fn take_block(&self) -> Block {
        let spare = self.spares().blocks.borrow_mut().pop();
        let bytes = spare.unwrap_or_else(|| Vec::with_capacity(BLOCK));
        Block { bytes, driver: self.clone() }
    }

    /// Bytes that were to be written to a stream are gone: it says so from now on, and its peer sees it end.
    pub(crate) fn lose_writes(&self, fd: &Descriptor) {
        self.with(|inner| {
            if !fd.write.dead.get() {
                fd.write.sticky.set(Fault::Lost.code());
                fd.write.dead.set(true);
                inner.backend.shut_down(fd);
            }
        });
    }
}
