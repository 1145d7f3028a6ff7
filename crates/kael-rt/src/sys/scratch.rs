//! The structures that the kernel wants beside a buffer: addresses, vectors, messages, file
//! status. One [`Scratch`] lies in each slot, at a fixed address, so no operation allocates one.

use super::{StatBuf, vectors};
use crate::buf::{IoBufs, IoBufsMut, MAX_VECTORS};
use std::{
    marker::PhantomData,
    mem::{self, MaybeUninit},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

/// Room for control messages beside a datagram, in bytes.
pub(crate) const CONTROL: usize = 128;

/// What one operation may need beside its buffer.
#[repr(C, align(16))]
pub(crate) struct Scratch {
    pub(super) header: libc::msghdr,
    pub(super) peer: PeerAddr,
    pub(super) parts: Parts,
    control: [MaybeUninit<u8>; CONTROL],
}

/// No operation needs both.
pub(super) union Parts {
    vectors: [libc::iovec; MAX_VECTORS],
    stat: StatBuf,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        // SAFETY: a msghdr of zeros is a valid, empty one.
        let header = unsafe { mem::zeroed() };
        let none = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Scratch {
            header,
            peer: PeerAddr::unset(),
            parts: Parts { vectors: [none; MAX_VECTORS] },
            control: [MaybeUninit::uninit(); CONTROL],
        }
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

    /// Takes over the address and control data that came with an earlier answer.
    pub(crate) fn take_peer(&mut self, from: &Scratch) {
        self.peer = from.peer;
        self.control = from.control;
        self.header.msg_namelen = from.header.msg_namelen;
        self.header.msg_controllen = from.header.msg_controllen;
        self.header.msg_flags = from.header.msg_flags;
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

    /// (One call moves at most `MOST` bytes, over all its buffers; some systems would refuse more.)
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

    /// A message to be received: into `room`, with the sender's address, with control data.
    pub(crate) fn message_mut<'a>(
        &'a mut self,
        room: &'a mut [MaybeUninit<u8>],
        control: bool,
    ) -> MessageMut<'a> {
        self.peer.reset();
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        vectors[0] = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        let header = &mut self.header;
        header.msg_name = self.peer.storage.as_mut_ptr().cast();
        header.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = 1;
        header.msg_control =
            if control { self.control.as_mut_ptr().cast() } else { std::ptr::null_mut() };
        header.msg_controllen = if control { CONTROL as _ } else { 0 };
        header.msg_flags = 0;
        MessageMut { header, room: PhantomData }
    }

    /// Datagrams into buffers that the kernel picks, each behind the address of its sender.
    pub(crate) fn message_named(&mut self) -> MessageMut<'_> {
        self.aim(0);
        let header = &mut self.header;
        header.msg_name = self.peer.storage.as_mut_ptr().cast();
        header.msg_namelen = super::frames::NAME as _;
        MessageMut { header, room: PhantomData }
    }

    /// The sender of what is read instead of received.
    pub(crate) fn set_message_peer(&mut self, peer: SocketAddr) {
        self.peer.set(peer);
        self.header.msg_namelen = self.peer.len;
    }

    /// What a stream receives into several buffers.
    pub(crate) fn message_into<'a>(&'a mut self, bufs: &'a mut impl IoBufsMut) -> MessageMut<'a> {
        let n = self.vectors_mut(bufs).count();
        self.aim(n);
        MessageMut { header: &mut self.header, room: PhantomData }
    }

    /// What a stream sends from several buffers, less the first `skip` bytes.
    pub(crate) fn message_from<'a>(
        &'a mut self,
        bufs: &'a impl IoBufs,
        skip: usize,
    ) -> Message<'a> {
        // SAFETY: as in `vectors_mut`.
        let n = vectors::of_bytes(unsafe { &mut self.parts.vectors }, bufs, skip);
        self.aim(n);
        Message { header: &self.header, bytes: PhantomData }
    }

    /// What a stream sends from three places, of which any may be empty.
    pub(crate) fn message_of<'a>(&'a mut self, parts: [&'a [u8]; 3]) -> Message<'a> {
        // SAFETY: as in `vectors_mut`.
        let n = vectors::of_parts(unsafe { &mut self.parts.vectors }, parts);
        self.aim(n);
        Message { header: &self.header, bytes: PhantomData }
    }

    /// Makes the header name the first `n` vectors and nothing else.
    fn aim(&mut self, n: usize) {
        // SAFETY: as in `vectors_mut`; only its address is taken.
        let vectors = unsafe { self.parts.vectors.as_mut_ptr() };
        let header = &mut self.header;
        header.msg_name = std::ptr::null_mut();
        header.msg_namelen = 0;
        header.msg_iov = vectors;
        header.msg_iovlen = n as _;
        header.msg_control = std::ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
    }

    /// A message to be sent to `peer`.
    pub(crate) fn message<'a>(&'a mut self, bytes: &'a [u8], peer: SocketAddr) -> Message<'a> {
        self.peer.set(peer);
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &mut self.parts.vectors };
        vectors[0] =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut self.header;
        header.msg_name = self.peer.storage.as_mut_ptr().cast();
        header.msg_namelen = self.peer.len;
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = 1;
        header.msg_control = std::ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        Message { header, bytes: PhantomData }
    }

    /// After a received message: takes over the length of the sender's address.
    pub(crate) fn settle_message(&mut self) {
        self.peer.len = self.header.msg_namelen;
    }

    /// The control data that came with a message.
    pub(crate) fn control(&self) -> &[u8] {
        let n = count(self.header.msg_controllen).min(CONTROL);
        // SAFETY: the kernel wrote that many bytes of control data and said so in the header.
        unsafe { std::slice::from_raw_parts(self.control.as_ptr().cast(), n) }
    }

    /// The memory regions of the last vectored request or message, `n` of them.
    pub(crate) fn regions(&self, n: usize) -> impl Iterator<Item = (*mut u8, usize)> {
        // SAFETY: as in `vectors_mut`.
        let vectors = unsafe { &self.parts.vectors };
        vectors[..n].iter().map(|v| (v.iov_base.cast(), v.iov_len))
    }
}

/// A count in a header: the systems have different types for it.
fn count(n: impl TryInto<usize>) -> usize {
    n.try_into().unwrap_or(0)
}

const _: () = assert!(size_of::<Parts>() == size_of::<[libc::iovec; MAX_VECTORS]>());
const _: () = assert!(size_of::<StatBuf>() <= size_of::<Parts>());

/// Buffers to be filled.
pub(crate) struct VectorsMut<'a> {
    pub(super) vectors: &'a mut [libc::iovec],
    bufs: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl VectorsMut<'_> {
    pub(crate) fn count(&self) -> usize {
        self.vectors.len()
    }

    /// Where each buffer is, and how long.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (*mut u8, usize)> {
        self.vectors.iter().map(|vector| (vector.iov_base.cast::<u8>(), vector.iov_len))
    }
}

/// Buffers to be written.
pub(crate) struct Vectors<'a> {
    pub(super) vectors: &'a [libc::iovec],
    bufs: PhantomData<&'a [u8]>,
}

impl Vectors<'_> {
    /// Where each buffer is, and how long.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (*mut u8, usize)> {
        self.vectors.iter().map(|vector| (vector.iov_base.cast::<u8>(), vector.iov_len))
    }
}

/// A message to be received.
pub(crate) struct MessageMut<'a> {
    pub(super) header: &'a mut libc::msghdr,
    room: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl MessageMut<'_> {
    pub(super) fn count(&self) -> usize {
        count(self.header.msg_iovlen)
    }

    /// How many bytes it has room for.
    #[allow(dead_code, reason = "only who makes the calls asks")]
    pub(super) fn room(&self) -> usize {
        let vectors = self.header.msg_iov;
        // SAFETY: the scratch made the header, with so many vectors beside it.
        (0..self.count()).map(|i| unsafe { (*vectors.add(i)).iov_len }).sum()
    }

    /// The memory of the message's bytes.
    pub(super) fn region(&self) -> super::Region {
        // SAFETY: `Scratch::message_mut` made the header with one vector, beside it.
        let vector = unsafe { *self.header.msg_iov };
        super::Region::room(vector.iov_base.cast(), vector.iov_len)
    }
}

/// A message to be sent.
pub(crate) struct Message<'a> {
    pub(super) header: &'a libc::msghdr,
    bytes: PhantomData<&'a [u8]>,
}

impl Message<'_> {
    /// How many bytes it has.
    pub(crate) fn total(&self) -> usize {
        self.vectors().iter().map(|vector| vector.iov_len).sum()
    }

    /// Where each of its buffers is, and how long.
    pub(super) fn vectors(&self) -> &[libc::iovec] {
        // SAFETY: the scratch made the header, with so many vectors beside it, and it is borrowed.
        unsafe { std::slice::from_raw_parts(self.header.msg_iov, count(self.header.msg_iovlen)) }
    }
}

/// The address of a peer, as the kernel writes and reads it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct PeerAddr {
    pub(super) storage: MaybeUninit<libc::sockaddr_storage>,
    pub(super) len: libc::socklen_t,
}

impl PeerAddr {
    /// Room for any address.
    #[allow(dead_code, reason = "only who makes the calls asks")]
    pub(super) fn room() -> PeerAddr {
        PeerAddr { len: size_of::<libc::sockaddr_storage>() as _, ..PeerAddr::unset() }
    }

    fn unset() -> PeerAddr {
        PeerAddr { storage: MaybeUninit::zeroed(), len: 0 }
    }

    fn reset(&mut self) {
        self.len = size_of::<libc::sockaddr_storage>() as _;
    }

    /// It is nobody's.
    #[allow(dead_code, reason = "only who repeats accepts has connections without an address")]
    pub(super) fn forget(&mut self) {
        *self = PeerAddr::unset();
    }

    pub(crate) fn set(&mut self, addr: SocketAddr) {
        let addr = socket2::SockAddr::from(addr);
        self.len = addr.len();
        // SAFETY: a SockAddr holds a whole, initialised sockaddr_storage.
        self.storage = MaybeUninit::new(unsafe { *addr.as_ptr().cast() });
    }

    /// The address, if it is one of the internet's.
    pub(crate) fn get(&self) -> Option<SocketAddr> {
        let family = size_of::<libc::sa_family_t>();
        if (self.len as usize) < family {
            return None;
        }
        let storage: *const libc::sockaddr_storage = self.storage.as_ptr();
        // SAFETY: the storage began as zeros and holds what the kernel wrote: all initialised.
        match i32::from(unsafe { (*storage).ss_family }) {
            libc::AF_INET if self.len as usize >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: the family says that it is a sockaddr_in, and it fits the storage.
                let v4 = unsafe { &*storage.cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 if self.len as usize >= size_of::<libc::sockaddr_in6>() => {
                // SAFETY: the family says that it is a sockaddr_in6, and it fits the storage.
                let v6 = unsafe { &*storage.cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}
