//! Requests of datagram sockets, which come and go with an address: RIOReceiveEx and RIOSendEx.
//!
//! The address lies in the same region as the bytes, as a SOCKADDR_INET at an offset of its own. So the rules of regions
//! hold for it, too: a send in flight has its whole registration to itself, address and all.

use super::queues::Direction;
use super::{ADDRESS, Error, Purpose, Queue, RIO_MSG_DEFER, Rio, Slice, buffer};
use core::ptr;

impl Rio {
    /// Receives a datagram into a slice of a region for receives, and its sender's address at the offset `from` of the
    /// region. It begins with the next [`Rio::commit`] at the latest.
    pub(crate) fn receive_from(
        &mut self,
        queue: Queue,
        into: Slice,
        from: u32,
        context: u64,
    ) -> Result<(), Error> {
        let id = self.regions.id_with_address(into, from, Purpose::Receives)?;
        let data = buffer(id, into);
        let address = buffer(id, Slice { offset: from, len: ADDRESS, ..into });
        let function = self.table.receive_ex;
        let call = |id, context| {
            let (data, address) = (&raw const data, &raw const address);
            let none = ptr::null();
            // SAFETY: the queue is open, and only we use it (`&mut self`). Both slices lie in their region, whose memory
            // nobody else uses while the request is in flight, by the contract of `register`.
            unsafe { function(id, data, 1, none, address, none, none, RIO_MSG_DEFER, context) }
        };
        self.ask(Direction::Receive, queue, into.region, context, call)
    }

    /// Sends a slice of a region for sends, of which nothing else may be in flight, as one datagram: to the address at
    /// the offset `to` of the region, or, if the socket is connected, to its peer. An empty slice is an empty
    /// datagram. It begins with the next [`Rio::commit`] at the latest.
    pub(crate) fn send_to(
        &mut self,
        queue: Queue,
        from: Slice,
        to: Option<u32>,
        context: u64,
    ) -> Result<(), Error> {
        let id = match to {
            Some(to) => self.regions.id_with_address(from, to, Purpose::Sends)?,
            None => self.regions.id_for(from, Purpose::Sends)?,
        };
        let data = buffer(id, from);
        let address = to.map(|to| buffer(id, Slice { offset: to, len: ADDRESS, ..from }));
        let function = self.table.send_ex;
        let call = |id, context| {
            let (data, count) = match from.len {
                0 => (ptr::null(), 0),
                _ => (&raw const data, 1),
            };
            let address = address.as_ref().map_or(ptr::null(), ptr::from_ref);
            let none = ptr::null();
            // SAFETY: as in `receive_from`.
            unsafe { function(id, data, count, none, address, none, none, RIO_MSG_DEFER, context) }
        };
        self.ask(Direction::Send, queue, from.region, context, call)
    }
}
