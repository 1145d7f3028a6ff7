//! TCP and UDP.
//!
//! Methods take `&self`; the reads of one stream are served in the order of their first poll, and
//! so are its writes. Types stay on the thread of the runtime that made them.
#![forbid(unsafe_code)]

mod addr;
mod datagrams;
mod listener;
mod receiving;
mod socket;
mod split;
mod stream;
mod udp;
#[cfg(windows)]
pub mod windows;

pub use addr::{ToSocketAddrs, lookup_host};
pub use datagrams::{Datagram, RecvDatagrams};
pub use listener::{Incoming, TcpListener};
pub use receiving::{RecvPooled, RecvStream};
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf};
pub use stream::{Detached, TcpStream};
pub use udp::UdpSocket;
