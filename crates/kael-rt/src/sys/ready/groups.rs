//! Groups of buffers of which a receive takes one when something is there.
#![forbid(unsafe_code)]

use super::{super::event::Buffers, Backend};
use std::{io, ptr::NonNull};

pub(super) struct Group {
    buffers: Buffers,
    /// Those that may be taken; the one that came back last is taken first, it is still in the cache.
    pub(super) free: Vec<u16>,
    /// Those that have something in them of which the driver has not heard yet.
    taken: Vec<bool>,
}

impl Group {
    pub(super) fn new(buffers: Buffers) -> Group {
        let count = usize::from(buffers.count);
        Group { buffers, free: Vec::with_capacity(count), taken: vec![false; count] }
    }

    pub(super) fn size(&self) -> usize {
        self.buffers.size as usize
    }

    /// How many may be taken.
    #[allow(dead_code, reason = "only who takes one before something is there asks")]
    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    pub(super) fn at(&self, buffer: u16) -> NonNull<u8> {
        self.buffers.get(buffer)
    }

    pub(super) fn take(&mut self) -> Option<u16> {
        let buffer = self.free.pop()?;
        self.taken[usize::from(buffer)] = true;
        Some(buffer)
    }

    /// Nothing was put there.
    pub(super) fn put_back(&mut self, buffer: u16) {
        self.taken[usize::from(buffer)] = false;
        self.free.push(buffer);
    }

    pub(super) fn give_back(&mut self, buffer: u16) {
        debug_assert!(!self.free.contains(&buffer), "a buffer is given back once");
        self.free.push(buffer);
    }

    /// The driver hears of a buffer with `result` bytes in it.
    pub(super) fn claim(&mut self, buffer: u16, result: i32) -> bool {
        let fits = (0..=self.buffers.size as i32).contains(&result);
        let taken = self.taken.get_mut(usize::from(buffer));
        fits && taken.is_some_and(std::mem::take)
    }
}

/// All groups, by their numbers.
#[derive(Default)]
pub(super) struct Groups(Vec<Option<Group>>);

impl Groups {
    pub(super) fn get(&mut self, group: u16) -> &mut Group {
        self.0[usize::from(group)].as_mut().expect("a group in use is there")
    }
}

impl Backend {
    /// Buffers of a pool, none of which may be taken yet.
    pub(crate) fn provide(&mut self, group: u16, buffers: Buffers) -> io::Result<()> {
        let groups = &mut self.groups.0;
        groups.resize_with(groups.len().max(usize::from(group) + 1), || None);
        groups[usize::from(group)] = Some(Group::new(buffers));
        Ok(())
    }

    /// Nothing that waits could receive into the group.
    pub(crate) fn withdraw(&mut self, group: u16) {
        self.groups.0[usize::from(group)] = None;
    }

    pub(crate) fn buffer_at(&mut self, group: u16, buffer: u16) -> NonNull<u8> {
        self.groups.get(group).at(buffer)
    }

    #[inline]
    pub(crate) fn give_back(&mut self, group: u16, buffer: u16) {
        self.groups.get(group).give_back(buffer);
    }

    #[inline]
    pub(crate) fn claim(&mut self, group: u16, buffer: u16, result: i32) -> bool {
        self.groups.get(group).claim(buffer, result)
    }
}
