//! Groups of buffers from which the kernel picks one for each receive.

use super::{super::event::Buffers, random::Random};
use std::ptr::NonNull;

pub(super) struct Group {
    buffers: Buffers,
    /// Those that the kernel may pick.
    free: Vec<u16>,
    /// Those that it has picked and not told of yet.
    picked: Vec<u16>,
}

impl Group {
    pub(super) fn new(buffers: Buffers) -> Group {
        Group { buffers, free: Vec::new(), picked: Vec::new() }
    }

    pub(super) fn size(&self) -> usize {
        self.buffers.size as usize
    }

    pub(super) fn at(&self, buffer: u16) -> NonNull<u8> {
        self.buffers.get(buffer)
    }

    /// Any of the free ones: no program may rely on an order.
    pub(super) fn take(&mut self, random: &mut Random) -> Option<u16> {
        let n = self.free.len();
        let buffer = (n > 0).then(|| self.free.swap_remove(random.below(n as u64) as usize));
        self.picked.extend(buffer);
        buffer
    }

    /// Lets the kernel pick the buffer. False: it has it already.
    pub(super) fn give_back(&mut self, buffer: u16) -> bool {
        let is_new = !self.free.contains(&buffer) && !self.picked.contains(&buffer);
        if is_new {
            self.free.push(buffer);
        }
        is_new
    }

    /// The program hears of a picked buffer.
    pub(super) fn claim(&mut self, buffer: u16, result: i32) -> bool {
        let picked = self.picked.iter().position(|picked| *picked == buffer);
        picked.map(|i| self.picked.swap_remove(i)).is_some()
            && (0..=self.buffers.size as i32).contains(&result)
    }
}
