//! What a backend says of a read that could be answered before it has a slot, where a request is answered as soon or there is
//! no such thing; and of a transfer that comes the short way, which is as any other.

use super::{Backend, event::Started, packet::PacketAt};
use crate::{
    driver::{Descriptor, SlotId},
    op::Request,
};
use std::ptr::NonNull;

impl Backend {
    /// # Safety
    /// None is needed.
    #[inline(always)]
    pub(crate) unsafe fn read_at_once(
        &mut self,
        _: &Descriptor,
        _: NonNull<u8>,
        _: usize,
        _: u64,
    ) -> Option<i32> {
        None
    }

    #[inline(always)]
    pub(crate) fn start_plain(
        &mut self,
        id: SlotId,
        packet: PacketAt,
        request: Request<'static>,
    ) -> Started {
        self.start(id, packet, request)
    }
}
