//! What a socket with a queue is called: in the table of numbers, in lists, and in the contexts of its requests.
#![forbid(unsafe_code)]

/// A socket whose bytes go through a queue, by the index of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Stream(u32),
    Datagrams(u32),
}

impl Way {
    pub(super) fn to_bits(self) -> u32 {
        match self {
            Way::Stream(index) => index << 1,
            Way::Datagrams(index) => index << 1 | 1,
        }
    }

    pub(super) fn from_bits(bits: u32) -> Way {
        match bits & 1 {
            0 => Way::Stream(bits >> 1),
            _ => Way::Datagrams(bits >> 1),
        }
    }
}

/// What a completion is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The receive, the send of a stream.
    Receive(u32),
    Send(u32),
    /// A receive of a datagram socket: which one, and into which of its slots.
    Datagram {
        socket: u32,
        slot: u32,
    },
    /// A datagram that was sent from this slot.
    SentDatagram {
        slot: u32,
    },
}

impl Ended {
    pub(super) fn to_bits(self) -> u64 {
        match self {
            Ended::Receive(index) => u64::from(index) << 2,
            Ended::Send(index) => u64::from(index) << 2 | 1,
            Ended::Datagram { socket, slot } => u64::from(socket) << 32 | u64::from(slot) << 2 | 2,
            Ended::SentDatagram { slot } => u64::from(slot) << 2 | 3,
        }
    }

    pub(super) fn from_bits(bits: u64) -> Ended {
        let low = (bits as u32) >> 2;
        match bits & 3 {
            0 => Ended::Receive(low),
            1 => Ended::Send(low),
            2 => Ended::Datagram { socket: (bits >> 32) as u32, slot: low },
            _ => Ended::SentDatagram { slot: low },
        }
    }
}
