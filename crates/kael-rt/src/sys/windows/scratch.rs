//! The structures that Windows wants beside a buffer: addresses, vectors, file status. One [`Scratch`] lies in each slot, at
//! a fixed address, so no operation allocates one.

use super::{MOST, StatBuf, vectors};
use crate::buf::{IoBufs, IoBufsMut, MAX_VECTORS};
use std::{
    marker::PhantomData,
    mem::{self, MaybeUninit},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};
use windows_sys::Win32::Networking::WinSock::{
    ADDRESS_FAMILY, AF_INET, AF_INET6, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_STORAGE, WSABUF,
};

/// What one operation may need beside its buffer.
#[repr(C, align(16))]
pub(crate) struct Scratch {
    pub(super) peer: PeerAddr,
    pub(super) parts: Parts,
}

/// No operation needs both.
pub(super) union Parts {
    vectors: [WSABUF; MAX_VECTORS],
    stat: StatBuf,
}

const NO_BYTES: WSABUF = WSABUF { len: 0, buf: std::ptr::null_mut() };

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch { peer: PeerAddr::unset(), parts: Parts { vectors: [NO_BYTES; MAX_VECTORS] } }
    }

    /// Room for the address that comes with an answer.
    #[inline]
    pub(crate) fn peer_mut(&mut self) -> &mut PeerAddr {
        self.peer.reset();
        &mut self.peer
    }

    /// The address of somebody to talk to.
    pub(crate) fn peer_at(&mut self, addr: SocketAddr) -> &PeerAddr {
        self.peer.set(addr);
        &self.peer
    }

    /// The address that came with the answer.
    pub(crate) fn peer(&self) -> &PeerAddr {
        &self.peer
    }

    /// Takes over the address that came with an earlier answer.
    pub(crate) fn take_peer(&mut self, from: &Scratch) {
        self.peer = from.peer;
    }

    /// Room for the status of a file.
    pub(crate) fn stat_mut(&mut self) -> &mut StatBuf {
        self.parts.stat = StatBuf::zeroed();
        // SAFETY: just written.
        unsafe { &mut self.parts.stat }
    }

    /// The status that came with the answer to a request with [`stat_mut`](Self::stat_mut).
    pub(crate) fn stat(&self) -> &StatBuf {
        // SAFETY: every bit pattern is a StatBuf (integers only), and `new` initialised the union
        // over its whole size (asserted below).
        unsafe { &self.parts.stat }
    }

    /// (One call moves at most `MOST` bytes, over all its buffers.)
    pub(crate) fn vectors_mut<'a>(&'a mut self, bufs: &'a mut impl IoBufsMut) -> VectorsMut<'a> {
        // SAFETY: vectors are plain data, and the union is initialised.
        let vectors = unsafe { &mut self.parts.vectors };
        let n = vectors::of_rooms(vectors, bufs);
        VectorsMut { vectors: &mut vectors[..n], bufs: PhantomData }
    }

    pub(crate) fn vectors<'a>(&'a mut self, bufs: &'a impl IoBufs) -> Vectors<'a> {
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        let n = vectors::of_bytes(vectors, bufs, 0);
        Vectors { vectors: &vectors[..n], bufs: PhantomData }
    }

    /// A message to be received: into `room`, with the sender's address. (Control data does not come here: Windows has
    /// another call for it, which no public operation needs yet.)
    pub(crate) fn message_mut<'a>(
        &'a mut self,
        room: &'a mut [MaybeUninit<u8>],
        _control: bool,
    ) -> MessageMut<'a> {
        self.peer.reset();
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        vectors[0] = WSABUF { len: room.len().min(MOST) as u32, buf: room.as_mut_ptr().cast() };
        MessageMut { vectors: &mut vectors[..1], peer: Some(&mut self.peer), room: PhantomData }
    }

    /// What a stream receives into several buffers.
    pub(crate) fn message_into<'a>(&'a mut self, bufs: &'a mut impl IoBufsMut) -> MessageMut<'a> {
        let VectorsMut { vectors, .. } = self.vectors_mut(bufs);
        MessageMut { vectors, peer: None, room: PhantomData }
    }

    /// What a stream sends from several buffers, less the first `skip` bytes.
    pub(crate) fn message_from<'a>(
        &'a mut self,
        bufs: &'a impl IoBufs,
        skip: usize,
    ) -> Message<'a> {
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        let n = vectors::of_bytes(vectors, bufs, skip);
        Message { vectors: &vectors[..n], peer: None, bytes: PhantomData }
    }

    /// What a stream sends from three places, of which any may be empty.
    pub(crate) fn message_of<'a>(&'a mut self, parts: [&'a [u8]; 3]) -> Message<'a> {
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        let n = vectors::of_parts(vectors, parts);
        Message { vectors: &vectors[..n], peer: None, bytes: PhantomData }
    }

    /// A message to be sent to `peer`.
    pub(crate) fn message<'a>(&'a mut self, bytes: &'a [u8], peer: SocketAddr) -> Message<'a> {
        self.peer.set(peer);
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        vectors[0] = WSABUF { len: bytes.len().min(MOST) as u32, buf: bytes.as_ptr().cast_mut() };
        Message { vectors: &vectors[..1], peer: Some(&self.peer), bytes: PhantomData }
    }

    /// Datagrams are received one by one.
    pub(crate) fn message_named(&mut self) -> MessageMut<'_> {
        self.message_mut(&mut [], false)
    }

    /// The sender of what is read instead of received.
    pub(crate) fn set_message_peer(&mut self, peer: SocketAddr) {
        self.peer.set(peer);
    }

    /// After a received message: the address has its length already.
    pub(crate) fn settle_message(&mut self) {}

    /// There is none.
    #[allow(dead_code, reason = "public with pktinfo")]
    pub(crate) fn control(&self) -> &[u8] {
        &[]
    }

    /// The memory regions of the last vectored request or message, `n` of them.
    pub(crate) fn regions(&self, n: usize) -> impl Iterator<Item = (*mut u8, usize)> {
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &self.parts.vectors };
        vectors[..n].iter().map(|v| (v.buf, v.len as usize))
    }
}

const _: () = assert!(size_of::<Parts>() == size_of::<[WSABUF; MAX_VECTORS]>());
const _: () = assert!(size_of::<StatBuf>() <= size_of::<Parts>());

/// Buffers to be filled.
pub(crate) struct VectorsMut<'a> {
    pub(super) vectors: &'a mut [WSABUF],
    bufs: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl VectorsMut<'_> {
    pub(crate) fn count(&self) -> usize {
        self.vectors.len()
    }

    /// Where each buffer is, and how long.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (*mut u8, usize)> {
        self.vectors.iter().map(|vector| (vector.buf, vector.len as usize))
    }
}

/// Buffers to be written.
pub(crate) struct Vectors<'a> {
    pub(super) vectors: &'a [WSABUF],
    bufs: PhantomData<&'a [u8]>,
}

impl Vectors<'_> {
    /// Where each buffer is, and how long.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (*mut u8, usize)> {
        self.vectors.iter().map(|vector| (vector.buf, vector.len as usize))
    }
}

/// A message to be received.
pub(crate) struct MessageMut<'a> {
    pub(super) vectors: &'a mut [WSABUF],
    /// Where the sender's address goes, of a datagram.
    pub(super) peer: Option<&'a mut PeerAddr>,
    room: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl MessageMut<'_> {
    pub(super) fn count(&self) -> usize {
        self.vectors.len()
    }

    /// The memory of the message's bytes.
    pub(super) fn region(&self) -> super::Region {
        super::Region::room(self.vectors[0].buf, self.vectors[0].len as usize)
    }
}

/// A message to be sent.
pub(crate) struct Message<'a> {
    pub(super) vectors: &'a [WSABUF],
    pub(super) peer: Option<&'a PeerAddr>,
    bytes: PhantomData<&'a [u8]>,
}

impl Message<'_> {
    /// How many bytes it has.
    pub(crate) fn total(&self) -> usize {
        self.vectors.iter().map(|vector| vector.len as usize).sum()
    }
}

/// The address of a peer, as the system writes and reads it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct PeerAddr {
    pub(super) storage: SOCKADDR_STORAGE,
    pub(super) len: i32,
}

impl PeerAddr {
    fn unset() -> PeerAddr {
        // SAFETY: an address is made of integers.
        PeerAddr { storage: unsafe { mem::zeroed() }, len: 0 }
    }

    fn reset(&mut self) {
        self.len = size_of::<SOCKADDR_STORAGE>() as i32;
    }

    pub(crate) fn set(&mut self, addr: SocketAddr) {
        let addr = socket2::SockAddr::from(addr);
        self.len = addr.len();
        // SAFETY: a SockAddr holds a whole, initialised SOCKADDR_STORAGE.
        self.storage = unsafe { *addr.as_ptr().cast() };
    }

    /// The address, if it is one of the internet's.
    pub(crate) fn get(&self) -> Option<SocketAddr> {
        if (self.len as usize) < size_of::<ADDRESS_FAMILY>() {
            return None;
        }
        let storage = &raw const self.storage;
        match self.storage.ss_family {
            AF_INET if self.len as usize >= size_of::<SOCKADDR_IN>() => {
                // SAFETY: the family says that it is one, and it fits the storage.
                let v4 = unsafe { &*storage.cast::<SOCKADDR_IN>() };
                // SAFETY: a union of integers.
                let ip = Ipv4Addr::from(u32::from_be(unsafe { v4.sin_addr.S_un.S_addr }));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            AF_INET6 if self.len as usize >= size_of::<SOCKADDR_IN6>() => {
                // SAFETY: as above.
                let v6 = unsafe { &*storage.cast::<SOCKADDR_IN6>() };
                // SAFETY: unions of integers.
                let (ip, scope) = unsafe { (v6.sin6_addr.u.Byte, v6.Anonymous.sin6_scope_id) };
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(Ipv6Addr::from(ip), port, v6.sin6_flowinfo, scope).into())
            }
            _ => None,
        }
    }
}
