//! A datagram as a ring's multishot leaves it in a buffer: what is known of it, its sender's address, its bytes
//! (`struct io_uring_recvmsg_out`). Only that one writes it; what a dropped receive left is read by all.
#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room for the longest of the internet's addresses.
pub(crate) const NAME: usize = 28;
/// Four numbers: the lengths of the address, of control data and of the datagram, and flags.
const OUT: usize = 16;
/// What stands before the bytes of a datagram.
pub(crate) const HEAD: usize = OUT + NAME;

/// MSG_TRUNC, AF_INET and AF_INET6 of that system.
const TRUNC: u32 = 0x20;
const V4: u16 = 2;
const V6: u16 = 10;

/// What stands in it besides the bytes of the datagram.
pub(crate) struct Frame {
    /// `None`: it is none of the internet's.
    pub(crate) peer: Option<SocketAddr>,
    /// It was longer than the room.
    pub(crate) is_cut: bool,
}

impl Frame {
    /// `None`: it is none.
    pub(crate) fn of(bytes: &[u8]) -> Option<Frame> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let is_cut = u32::from_ne_bytes(at(head, 12)) & TRUNC != 0;
        let port = u16::from_be_bytes(at(head, OUT + 2));
        let peer = match u16::from_ne_bytes(at(head, OUT)) {
            V4 => {
                let ip = Ipv4Addr::from(at::<4>(head, OUT + 4));
                Some(SocketAddrV4::new(ip, port).into())
            }
            V6 => {
                let ip = Ipv6Addr::from(at::<16>(head, OUT + 8));
                let flow = u32::from_ne_bytes(at(head, OUT + 4));
                let scope = u32::from_ne_bytes(at(head, OUT + 24));
                Some(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            _ => None,
        };
        Some(Frame { peer, is_cut })
    }

    /// Appends it to others.
    pub(crate) fn keep(bytes: &[u8], frames: &mut Vec<u8>) {
        frames.extend_from_slice(&(bytes.len() as u32).to_ne_bytes());
        frames.extend_from_slice(bytes);
    }

    /// The first of several, where its bytes begin, and where it ends.
    pub(crate) fn first(frames: &[u8]) -> Option<(Frame, usize, usize)> {
        let len = u32::from_ne_bytes(*frames.first_chunk()?) as usize;
        let frame = Frame::of(frames.get(4..4 + len)?)?;
        Some((frame, 4 + HEAD, 4 + len))
    }
}

fn at<const N: usize>(head: &[u8; HEAD], from: usize) -> [u8; N] {
    head[from..].first_chunk().copied().expect("it lies inside")
}
