//! What a system wants at an address of its own for each request that it has: here nothing.

use std::ptr::NonNull;

/// Where one lies.
pub(crate) type PacketAt = NonNull<Packet>;

/// One lies in each slot.
pub(crate) struct Packet;

impl Packet {
    pub(crate) const fn new() -> Packet {
        Packet
    }
}
