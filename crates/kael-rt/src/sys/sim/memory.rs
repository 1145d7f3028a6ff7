//! The memory that requests name: read when a request is carried out, written when it is answered,
//! as late as a kernel may. Law L1 is looked after here: memory that has been freed meanwhile is a
//! violation.

use super::{control, files::Meta};
use crate::{buf::MAX_VECTORS, op::Request};
use std::{mem, net::SocketAddr, ptr, ptr::NonNull};

/// What an answer writes into its request's memory.
pub(super) enum Payload {
    None,
    Bytes(Vec<u8>),
    Datagram(Datagram),
    Peer(SocketAddr),
    Stat(Meta, u64),
    /// Bytes for a buffer of the kernel's choice.
    Buffer(NonNull<u8>, Vec<u8>),
    /// Nothing is written, but the bytes that were sent must still be as they were.
    Unchanged(u64),
}

pub(super) struct Datagram {
    pub(super) bytes: Vec<u8>,
    pub(super) from: SocketAddr,
    /// It was longer than the room.
    pub(super) cut: bool,
    /// The time to live goes into the control data.
    pub(super) ttl: bool,
}

/// A piece of memory: address and length.
type Piece = (*mut u8, usize);

/// Writes an answer into its request's memory.
pub(super) fn write(request: &mut Request<'static>, payload: &Payload) {
    match payload {
        Payload::None => {}
        Payload::Bytes(bytes) => fill(&targets(request), bytes),
        Payload::Datagram(datagram) => {
            fill(&targets(request), &datagram.bytes);
            if let Request::RecvMessage { message, .. } | Request::RecvVectored { message, .. } =
                request
            {
                set_header(message.header, datagram);
            }
        }
        Payload::Peer(addr) => {
            if let Request::Accept { peer, .. } = request {
                peer.set(*addr);
            }
        }
        Payload::Stat(meta, size) => {
            if let Request::Stat { out, .. } | Request::StatPath { out, .. } = request {
                set_stat(&mut out.0, meta, *size);
            }
        }
        Payload::Buffer(at, bytes) => {
            // SAFETY: the group's buffer is ours, and at least as long as the bytes.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at.as_ptr(), bytes.len()) };
        }
        Payload::Unchanged(sum) => {
            if checksum(&source(request)) != *sum {
                control::violation(
                    "L1: bytes of a zero-copy send changed before its notification".to_owned(),
                );
            }
        }
    }
}

/// The memory that a request lends for writing must not be free.
pub(super) fn check(request: &mut Request<'static>) {
    for (at, len) in targets(request) {
        check_piece(at, len);
    }
}

fn check_piece(at: *const u8, len: usize) {
    if control::is_freed(at, len) {
        control::violation(format!("L1: {len} bytes that the kernel still has were freed"));
    }
}

/// The bytes that a request sends or writes.
pub(super) fn source(request: &Request<'static>) -> Vec<u8> {
    match request {
        Request::Write { from, .. }
        | Request::Send { from, .. }
        | Request::SendZeroCopy { from, .. } => {
            check_piece(from.as_ptr(), from.len());
            from.to_vec()
        }
        Request::WriteVectored { from, .. } => gather(from.vectors),
        Request::SendMessage { message, .. } | Request::SendMessageZeroCopy { message, .. } => {
            gather(vectors(message.header))
        }
        // The others send nothing.
        _ => Vec::new(),
    }
}

pub(super) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(bytes.len() as u64, |sum, byte| {
        (sum.rotate_left(7) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// Where the datagram of a request goes, if the request says it.
pub(super) fn addressee(request: &Request<'static>) -> Option<SocketAddr> {
    let Request::SendMessage { message, .. } = request else { return None };
    let header = message.header;
    if header.msg_name.is_null() {
        return None;
    }
    // SAFETY: the name of a message is that many bytes of an address (see `Scratch::message`), and
    // no more than a sockaddr_storage holds.
    let ((), addr) = unsafe {
        socket2::SockAddr::try_init(|storage, len| {
            let n = header.msg_namelen as usize;
            ptr::copy_nonoverlapping(header.msg_name.cast::<u8>(), storage.cast(), n);
            *len = header.msg_namelen;
            Ok(())
        })
    }
    .ok()?;
    addr.as_socket()
}

/// How many bytes a request can take.
pub(super) fn room(request: &mut Request<'static>) -> usize {
    targets(request).iter().map(|(_, len)| len).sum()
}

/// The memory that a request may write to.
fn targets(request: &mut Request<'static>) -> Vec<Piece> {
    match request {
        Request::Read { into, .. } | Request::Load { into, .. } | Request::Recv { into, .. } => {
            vec![(into.as_mut_ptr().cast(), into.len())]
        }
        Request::ReadVectored { into, .. } => pieces(into.vectors),
        Request::RecvVectored { message, .. } | Request::RecvMessage { message, .. } => {
            pieces(vectors(message.header))
        }
        // The others receive nothing.
        _ => Vec::new(),
    }
}

fn pieces(vectors: &[libc::iovec]) -> Vec<Piece> {
    vectors.iter().map(|vector| (vector.iov_base.cast(), vector.iov_len)).collect()
}

fn vectors(header: &libc::msghdr) -> &[libc::iovec] {
    if header.msg_iovlen == 0 {
        return &[];
    }
    if header.msg_iov.is_null() || header.msg_iovlen > MAX_VECTORS {
        control::violation("L1: the header of a message is no longer one".to_owned());
        return &[];
    }
    // SAFETY: the scratch that made the header holds so many vectors beside it.
    unsafe { std::slice::from_raw_parts(header.msg_iov, header.msg_iovlen) }
}

fn gather(vectors: &[libc::iovec]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, len) in pieces(vectors) {
        check_piece(at, len);
        if len > 0 {
            // SAFETY: the operation in the slot owns that memory until we answer.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(at, len) });
        }
    }
    bytes
}

fn fill(targets: &[Piece], mut bytes: &[u8]) {
    for &(at, len) in targets {
        check_piece(at, len);
        let n = len.min(bytes.len());
        // SAFETY: the operation in the slot owns that memory until we answer, and lends it to be
        // written.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at, n) };
        bytes = &bytes[n..];
    }
    assert!(bytes.is_empty(), "the simulated kernel has more bytes than room");
}

/// A control message: its length, level, kind, and the value.
const TTL_LEN: usize = 20;
const TTL: i32 = 64;

fn set_header(header: &mut libc::msghdr, datagram: &Datagram) {
    header.msg_flags = if datagram.cut { libc::MSG_TRUNC } else { 0 };
    let room = mem::replace(&mut header.msg_controllen, 0);
    if datagram.ttl && room >= TTL_LEN && !header.msg_control.is_null() {
        let mut bytes = TTL_LEN.to_ne_bytes().to_vec();
        for word in [libc::IPPROTO_IP, libc::IP_TTL, TTL] {
            bytes.extend(word.to_ne_bytes());
        }
        // SAFETY: the header has room for so many bytes of control data.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), header.msg_control.cast(), bytes.len()) };
        header.msg_controllen = bytes.len();
    }
    let from = datagram.from;
    if !header.msg_name.is_null() {
        let from = socket2::SockAddr::from(from);
        let n = from.len().min(header.msg_namelen);
        // SAFETY: the header has room for so many bytes of an address.
        unsafe {
            ptr::copy_nonoverlapping(
                from.as_ptr().cast::<u8>(),
                header.msg_name.cast(),
                n as usize,
            );
        }
        header.msg_namelen = from.len();
    }
}

fn set_stat(out: &mut libc::statx, meta: &Meta, size: u64) {
    let time = |ns: u64| {
        // SAFETY: a timestamp is made of integers.
        let mut time: libc::statx_timestamp = unsafe { mem::zeroed() };
        time.tv_sec = (ns / 1_000_000_000) as i64;
        time.tv_nsec = (ns % 1_000_000_000) as u32;
        time
    };
    out.stx_mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_DIOALIGN;
    out.stx_mode = meta.mode as u16;
    out.stx_nlink = meta.links;
    out.stx_ino = meta.inode;
    out.stx_size = size;
    out.stx_blocks = size.div_ceil(512);
    out.stx_blksize = 4096;
    out.stx_atime = time(meta.changed);
    out.stx_mtime = time(meta.changed);
    out.stx_ctime = time(meta.changed);
    out.stx_btime = time(meta.born);
    out.stx_dio_mem_align = 512;
    out.stx_dio_offset_align = 512;
}
