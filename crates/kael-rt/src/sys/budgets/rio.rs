//! The budgets with registered I/O on Windows: as those of completion ports, but for what is done with a TCP stream or a
//! UDP socket.
//!
//! What a stream wants is handed over once a turn, with a call for each stream and direction (a commit), and before a sleep
//! the system is asked for a packet (RIONotify). Answers are taken out without a call. So 64 messages in flight on one
//! stream share four calls, and one alone has four of its own: `crates/rio-model/tests/public.rs` counts both.
//!
//! A UDP socket has 64 receives with the system at most, which are asked for 32 or more at a time, and datagrams that wait to be
//! sent share a call: 64 in flight on one socket share four calls, and one alone has three: `public_datagrams.rs` there
//! counts both.
//!
//! They were counted over a model of registered I/O, and never on Windows.
#![forbid(unsafe_code)]

use crate::budget::{Area, Budget, budgets, rule};

budgets! {
    "RIO", else windows;
    tcp_round_trip: Socket "TcpStream round trip", at_most 6.05, 6.1, 0.0, "a commit each for the send and the receive, RIONotify and a wait for either, four where the send is over at once; with 64 in flight both sides are on the core";
    tcp_read: Socket "TcpStream::read", at_most 3.05, 1.1, 0.0, "a commit; if nothing is there, RIONotify and the wait";
    tcp_read_exact: Socket "TcpStream::read_exact", at_most 3.05, 1.1, 0.0, "as read, again after a short read";
    tcp_read_vectored: Socket "TcpStream::read_vectored", at_most 3.05, 1.1, 0.0, "as read";
    tcp_peek: Socket "TcpStream::peek", at_most 3.05, 1.1, 0.0, "as read; what is there already needs no call";
    tcp_write: Socket "TcpStream::write", at_most 3.05, 3.1, 0.0, "a commit, which writes on a stream share until the next turn; RIONotify and the wait where it is not sent at once";
    tcp_write_all: Socket "TcpStream::write_all", at_most 3.05, 3.1, 0.0, "as write, for each 32 KiB";
    tcp_write_vectored: Socket "TcpStream::write_vectored", at_most 3.05, 3.1, 0.0, "as write";
    tcp_write_all_vectored: Socket "TcpStream::write_all_vectored", at_most 3.05, 3.1, 0.0, "as write_all";
    tcp_write_queued: Socket "TcpStream::write_queued + flush", at_most 3.05, 3.1, 0.0, "a commit; the flush waits until it is sent: RIONotify and the wait";
    tcp_write_queued_vectored: Socket "TcpStream::write_queued_vectored + flush", at_most 3.05, 3.1, 0.0, "as write_queued";
    tcp_queued_round_trip: Socket "TcpStream round trip (queued)", at_most 4.05, 6.1, 0.0, "a commit each for the send and the receive, RIONotify, the wait; with 64 in flight both sides are on the core";
    tcp_send_zc: Socket "TcpStream::send_zc", at_most 3.05, 4.1, 0.0, "copies, and then as write_all; with 64 in flight both sides are on the core";
    tcp_send_zc_vectored: Socket "TcpStream::send_zc_vectored", at_most 3.05, 4.1, 0.0, "as send_zc";
    tcp_recv_pooled: Buffer "TcpStream::recv_pooled", at_most 3.05, 1.1, 0.0, "as read, with a copy into a buffer of the pool";
    tcp_recv_stream: Buffer "RecvStream::next", at_most 3.05, 1.1, 0.0, "as recv_pooled";
    send_file: Bytes "io::send_file (32 KiB)", at_most 12.0, 12.0, 0.0, "ReadFile and a commit for each 64 KiB, and packets and waits: all of a stream goes through registered memory";
    copy_bidirectional: Bytes "io::copy_bidirectional (a message)", at_most 12.0, 12.0, 0.0, "a commit for each of two sends and receives, and the packets and waits of the copy and of the receiver";
    udp_send: Socket "UdpSocket::send", at_most 3.05, 1.1, 0.0, "a commit, which sends on a socket share until the next turn; RIONotify and the wait where it is not sent at once";
    udp_send_zc: Socket "UdpSocket::send_zc", at_most 3.05, 1.1, 0.0, "copies, and then as send";
    udp_send_to: Socket "UdpSocket::send_to", at_most 3.05, 1.1, 0.0, "as send";
    udp_recv: Socket "UdpSocket::recv", at_most 2.1, 1.1, 0.0, "if nothing is there, RIONotify and the wait; a commit for each 32 datagrams";
    udp_recv_from: Socket "UdpSocket::recv_from", at_most 2.1, 1.1, 0.0, "as recv";
    udp_recv_stream: Socket "RecvDatagrams::next", at_most 2.1, 1.1, 0.0, "as recv";
    udp_round_trip: Socket "UdpSocket round trip", at_most 5.1, 6.1, 0.0, "a commit for the send, RIONotify and a wait for either, three where the send is over at once; a commit for each 32 receives";
    operation_timeout: Timer "Operation::timeout (not reached)", at_most 3.05, 1.1, 0.0, "the operation's own calls";
    operation_cancel_on: Timer "Operation::cancel_on (not cancelled)", at_most 3.05, 1.1, 0.0, "the operation's own calls";
}
