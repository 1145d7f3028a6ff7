//! Datagram sockets over registered I/O, through the calls with addresses: RIOReceiveEx and RIOSendEx.
//!
//! As with streams: the first transfer of a socket opens its queue, and then nothing of it goes another way. Each socket has
//! slots of its own that are received into (`inbox.rs`); those that are sent from are the core's (`outbox.rs`). Every
//! slot holds the largest datagram that there is and, behind it, its address.
//!
//! Microsoft documents that the socket of a queue may be asked for options, be given ioctls and be closed. To connect it is not
//! among that. So a socket that is connected before its first transfer has the system's peer; one that is connected
//! after it has a peer of ours: its sends name that address, and what comes from others is passed over.

mod address;
mod end;
mod inbox;
mod outbox;
mod peer;
mod receive;
mod send;

use super::{
    super::{
        super::PeerAddr,
        Backend,
        number::Number,
        rio::{ADDRESS, Error, Purpose, Queue, Rio, Slice, Slot, Slots},
    },
    Io, Memory,
    names::{Ended, Way},
};
use crate::{
    op::Request,
    sys::{
        event::Started,
        packet::{Answered, Packet},
        windows::sockets,
    },
};
use inbox::{Inbox, RECEIVES, ROOM};
use outbox::{Outbox, SENDS};
use std::{mem, net::SocketAddr, ptr};

/// Datagram sockets of a core that may have registered memory.
pub(super) const SOCKETS: u32 = 16;

/// What all of them may have with the system at once, and what they register.
pub(super) const REQUESTS: u32 = SOCKETS * (RECEIVES + SENDS);
pub(super) const REGIONS: u32 = SOCKETS + SENDS;

/// Bytes of a slot: a datagram, and its address behind it.
const SLOT: u32 = ROOM + ADDRESS;

/// What a socket takes of registered memory, in KiB, as each slot begins with a page.
pub(super) const KIB_OF_A_SOCKET: u32 = RECEIVES * SLOT.next_multiple_of(4096) / 1024;

pub(super) struct Datagrams {
    sockets: Vec<Socket>,
    /// Indices of sockets that nobody has.
    free: Vec<u32>,
    outbox: Outbox<Writer>,
    /// Made with the first socket.
    sends: Option<Memories>,
    sending: [Option<Sending>; SENDS as usize],
    /// Questions about sockets that were asked of the system.
    pub(super) asked: u64,
}

/// Slots of one purpose, all of them taken.
struct Memories {
    slots: Slots,
    each: Box<[Slot]>,
}

struct Socket {
    number: Number,
    /// None: the place is free.
    queue: Option<Queue>,
    inbox: Inbox,
    memories: Memories,
    reader: Option<Reader>,
    /// The system knows a peer.
    connected: bool,
    /// A peer that only we know.
    peer: Option<SocketAddr>,
    is_v6: bool,
    /// Datagrams that are with the system.
    sending: u32,
    /// The system takes nothing more of it: the error of all that is asked for.
    broken: Option<i32>,
    touched: bool,
    closing: bool,
    /// The socket is closed: only completions are waited for.
    closed: bool,
}

/// A request that waits for a datagram.
struct Reader {
    user: u64,
    into: Memory,
    /// Where the sender's address goes, or null.
    from: *mut PeerAddr,
    peek: bool,
}

/// A request that waits for a slot.
struct Writer {
    user: u64,
    kind: Answered,
    socket: u32,
    memory: Memory,
    len: u32,
    /// None: the connected peer.
    to: Option<PeerAddr>,
}

/// A datagram that is with the system.
struct Sending {
    /// None: it was answered.
    user: Option<u64>,
    kind: Answered,
    socket: u32,
    len: u32,
}

impl Datagrams {
    pub(super) fn new() -> Datagrams {
        Datagrams {
            sockets: Vec::new(),
            free: Vec::with_capacity(SOCKETS as usize),
            outbox: Outbox::new(),
            sends: None,
            sending: [const { None }; SENDS as usize],
            asked: 0,
        }
    }

    /// A place for a socket, with its memory.
    fn free_socket(&mut self, rio: &mut Rio) -> Option<u32> {
        if self.sends.is_none() {
            self.sends = Memories::new(rio, Purpose::Sends, SENDS).ok();
        }
        self.sends.as_ref()?;
        if self.free.is_empty() && (self.sockets.len() as u32) < SOCKETS {
            let memories = Memories::new(rio, Purpose::Receives, RECEIVES).ok()?;
            self.free.push(self.sockets.len() as u32);
            self.sockets.push(Socket::new(memories));
        }
        self.free.pop()
    }

    /// The socket of a queue.
    pub(super) fn position(&self, queue: Queue) -> Option<u32> {
        let place = self.sockets.iter().position(|socket| socket.queue == Some(queue))?;
        Some(place as u32)
    }

    /// Whether it is in the list of those that ask for something.
    pub(super) fn touched(&mut self, index: u32) -> &mut bool {
        &mut self.sockets[index as usize].touched
    }

    pub(super) fn queue(&self, index: u32) -> Option<Queue> {
        self.sockets[index as usize].queue
    }

    /// Frees the memory, of which nothing is with the system.
    pub(super) fn free(&mut self, rio: &mut Rio) {
        let receives = mem::take(&mut self.sockets).into_iter().map(|socket| socket.memories);
        for memories in receives.chain(self.sends.take()) {
            let _ = memories.slots.end(rio);
        }
    }
}

impl Memories {
    fn new(rio: &mut Rio, purpose: Purpose, count: u32) -> Result<Memories, Error> {
        let mut slots = Slots::new(rio, purpose, count, SLOT)?;
        let each = (0..count).map(|_| slots.take().expect("made for so many")).collect();
        Ok(Memories { slots, each })
    }

    /// The first bytes of a slot, and the offset of its address.
    fn slice(&self, slot: u32, len: u32) -> (Slice, u32) {
        let slice = self.slots.slice(&self.each[slot as usize], len);
        (slice, slice.offset + ROOM)
    }

    /// The bytes of a slot, and those of its address.
    ///
    /// # Safety
    ///
    /// Nothing of the slot is with the system.
    unsafe fn bytes(&mut self, slot: u32) -> (&mut [u8], &mut [u8]) {
        // SAFETY: our contract.
        let bytes = unsafe { self.slots.bytes(&self.each[slot as usize]) };
        bytes.split_at_mut(ROOM as usize)
    }
}

impl Socket {
    fn new(memories: Memories) -> Socket {
        Socket {
            number: Number::NONE,
            queue: None,
            inbox: Inbox::new(),
            memories,
            reader: None,
            connected: false,
            peer: None,
            is_v6: false,
            sending: 0,
            broken: None,
            touched: false,
            closing: false,
            closed: false,
        }
    }

    fn begin(&mut self, number: Number, queue: Queue) {
        (self.number, self.queue) = (number, Some(queue));
        self.inbox.begin();
        (self.reader, self.peer, self.broken) = (None, None, None);
        (self.connected, self.is_v6) = (address::has_peer(number), sockets::is_v6(number));
        (self.closing, self.closed) = (false, false);
    }

    fn has_peer(&self) -> bool {
        self.connected || self.peer.is_some()
    }

    fn is_idle(&self) -> bool {
        self.inbox.is_idle() && self.sending == 0
    }
}

impl Io {
    /// The first transfer of a datagram socket.
    #[cold]
    pub(super) fn open_datagrams(&mut self, number: Number) -> Option<Way> {
        let Io { rio, datagrams, .. } = self;
        let index = datagrams.free_socket(rio)?;
        let Ok(queue) = rio.open_queue(number.socket(), RECEIVES, SENDS) else {
            datagrams.free.push(index);
            return None;
        };
        datagrams.asked += 2;
        datagrams.sockets[index as usize].begin(number, queue);
        Some(Way::Datagrams(index))
    }

    /// Asks for what a socket wants: receives, and to send what waits for a slot.
    pub(super) fn ask_datagrams(&mut self, index: u32) -> Result<(), Error> {
        let Io { rio, datagrams, .. } = self;
        let socket = &mut datagrams.sockets[index as usize];
        if let (Some(queue), false, None) = (socket.queue, socket.closed, socket.broken)
            && socket.inbox.may_post()
        {
            while let Some(slot) = socket.inbox.free_slot() {
                let (slice, address) = socket.memories.slice(slot, ROOM);
                let context = Ended::Datagram { socket: index, slot }.to_bits();
                rio.receive_from(queue, slice, address, context)?;
                socket.inbox.post(slot);
            }
        }
        Ok(())
    }
}

impl Backend {
    pub(in super::super) fn start_on_datagrams(
        &mut self,
        index: u32,
        packet: &mut Packet,
        request: Request<'static>,
    ) -> Started {
        let (user, kind) = (packet.user, packet.kind);
        // SAFETY: what a request names rests in its slot until it is answered, and no memory outlives its reader or writer.
        let (memory, to) = unsafe {
            match request {
                Request::Recv { into, flags, .. } => {
                    let into = Memory::one(into.as_mut_ptr().cast(), into.len());
                    let reader = Reader { user, into, from: ptr::null_mut(), peek: flags.peek };
                    return self.receive_datagram(index, reader);
                }
                Request::RecvMessage { message, flags, .. } => {
                    let from = message.peer.map_or(ptr::null_mut(), ptr::from_mut);
                    let into = Memory::many(message.vectors);
                    let reader = Reader { user, into, from, peek: flags.peek };
                    return self.receive_datagram(index, reader);
                }
                Request::Send { from, .. } | Request::SendZeroCopy { from, .. } => {
                    (Memory::one(from.as_ptr().cast_mut(), from.len()), None)
                }
                Request::SendMessage { message, .. }
                | Request::SendMessageZeroCopy { message, .. } => {
                    (Memory::many(message.vectors), message.peer.copied())
                }
                _ => unreachable!("datagrams have no other request"),
            }
        };
        let len = u32::try_from(memory.len()).unwrap_or(u32::MAX);
        self.send_datagram(Writer { user, kind, socket: index, memory, len, to })
    }
}
