//! What a backend says of a read that could be answered before it has a slot, where a request is answered as soon or there is
//! no such thing; of a transfer that comes the short way, which is as any other; and of its events, which it has one by one.

use super::{
    Backend,
    event::{Event, Started},
    packet::PacketAt,
};
use crate::{
    driver::{Descriptor, SlotId},
    op::Request,
};
use std::{ops::ControlFlow, ptr::NonNull};

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

    /// Gives the events that are there to `f`, at most `left` of them, until it breaks off.
    #[inline(always)]
    pub(crate) fn each<B>(
        &mut self,
        left: &mut u32,
        mut f: impl FnMut(Event) -> ControlFlow<B>,
    ) -> Option<B> {
        while *left > 0
            && let Some(event) = self.next()
        {
            *left -= 1;
            if let ControlFlow::Break(broken) = f(event) {
                return Some(broken);
            }
        }
        None
    }
}
