//! What the backend says of registered I/O without the feature `rio`: no socket goes that way.
#![forbid(unsafe_code)]

use super::{Backend, number::Number, port::Port};
use crate::{
    op::Request,
    sys::{Remark, event::Started, packet::Packet},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    convert::Infallible,
    io,
    net::{Shutdown, SocketAddr},
};
use windows_sys::Win32::System::IO::OVERLAPPED_ENTRY;

pub(super) struct Registered;

impl Registered {
    pub(super) fn new(_: &Port) -> Registered {
        Registered
    }

    pub(super) fn stream_socket(&self, domain: Domain) -> io::Result<Socket> {
        Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
    }

    pub(super) fn datagram_socket(&self, domain: Domain) -> io::Result<Socket> {
        Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
    }

    pub(super) fn interface(&self) -> &'static str {
        "IOCP"
    }

    pub(super) fn remark(&self) -> Option<Remark> {
        None
    }

    pub(super) fn calls(&self) -> u64 {
        0
    }

    #[inline(always)]
    pub(super) fn has_work(&self) -> bool {
        false
    }

    pub(super) fn is_foreign(&mut self, _: Option<Number>) {}

    pub(super) fn forget(&mut self, _: Number) {}
}

impl Backend {
    #[inline(always)]
    pub(super) fn registered_way(&mut self, _: &Request<'_>) -> Option<Infallible> {
        None
    }

    #[inline(always)]
    pub(super) fn is_registered(&mut self, _: Number) -> bool {
        false
    }

    pub(super) fn start_registered(
        &mut self,
        _: Infallible,
        _: &mut Packet,
        _: Request<'static>,
    ) -> Started {
        unreachable!("no socket has registered I/O")
    }

    #[inline(always)]
    pub(super) fn cancel_registered(&mut self, _: u64, _: Number) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn exchange(&mut self) -> io::Result<()> {
        Ok(())
    }

    #[inline(always)]
    pub(super) fn settle_registered(&mut self) {}

    #[inline(always)]
    pub(super) fn prepare_to_sleep(&mut self, limit: Option<u64>) -> Option<u64> {
        limit
    }

    #[inline(always)]
    pub(super) fn is_registered_packet(&mut self, _: &OVERLAPPED_ENTRY) -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn take_out_if_told(&mut self) -> io::Result<()> {
        Ok(())
    }

    #[inline(always)]
    pub(super) fn flush_registered(&mut self, _: &mut Packet, _: Number) -> Option<Started> {
        None
    }

    #[inline(always)]
    pub(super) fn shut_down_registered(&mut self, _: Number, _: Shutdown) -> Option<i32> {
        None
    }

    #[inline(always)]
    pub(super) fn close_registered(&mut self, _: Number) -> Option<Result<(), i32>> {
        None
    }

    #[inline(always)]
    pub(super) fn connect_registered(
        &mut self,
        _: Number,
        _: SocketAddr,
    ) -> Option<io::Result<()>> {
        None
    }
}
