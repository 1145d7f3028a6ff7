//! Memory that is known to the ring: registered regions, and groups of buffers that it picks from.

use super::{
    super::event::{Buffers, Bundle},
    Backend,
    buffers::Group,
};
use std::{io, ptr::NonNull};

impl Backend {
    /// Pins memory and gives it a place in the ring's table.
    pub(crate) fn register_memory(
        &mut self,
        at: NonNull<u8>,
        len: usize,
    ) -> io::Result<Option<u32>> {
        self.fixed.register(&mut self.ring, at, len).map(Some)
    }

    pub(crate) fn unregister_memory(&mut self, place: u32) {
        self.fixed.unregister(&mut self.ring, place);
    }

    /// Transfers by registered memory.
    pub(crate) fn registered_transfers(&self) -> u64 {
        self.fixed.transfers()
    }

    /// Registers a group of buffers, none of which is given to the kernel yet.
    pub(crate) fn provide(&mut self, group: u16, buffers: Buffers) -> io::Result<()> {
        let made = Group::new(&mut self.ring, group, buffers)?;
        let groups = self.groups.len().max(usize::from(group) + 1);
        self.groups.resize_with(groups, || None);
        self.groups[usize::from(group)] = Some(made);
        Ok(())
    }

    /// The kernel forgets a group. Nothing that is under way could receive into it.
    pub(crate) fn withdraw(&mut self, group: u16) {
        if let Some(made) = self.groups[usize::from(group)].take() {
            made.end(&mut self.ring, group);
        }
    }

    fn group(&mut self, group: u16) -> &mut Group {
        self.groups[usize::from(group)].as_mut().expect("a group in use is there")
    }

    pub(crate) fn buffer_at(&mut self, group: u16, buffer: u16) -> NonNull<u8> {
        self.group(group).at(buffer)
    }

    /// Lets the kernel pick a buffer.
    #[inline]
    pub(crate) fn give_back(&mut self, group: u16, buffer: u16) {
        self.group(group).give_back(buffer);
    }

    /// See [`Group::bundle`].
    #[inline]
    pub(crate) fn bundle(&mut self, group: u16, buffer: u16, result: i32) -> Option<Bundle> {
        let group = self.groups[usize::from(group)].as_ref().expect("a group in use is there");
        // Mostly there is one.
        if result <= group.size() as i32 || !group.is_small() || !self.probe.bundles() {
            return None;
        }
        group.bundle(buffer, result)
    }

    pub(crate) fn behind(&mut self, group: u16, buffer: u16) -> u16 {
        self.group(group).behind(buffer)
    }

    /// The kernel has picked a buffer and put `result` bytes there. False: that cannot be.
    #[inline]
    pub(crate) fn claim(&mut self, group: u16, buffer: u16, result: i32) -> bool {
        self.group(group).claim(buffer, result)
    }
}
