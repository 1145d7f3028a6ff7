//! Reads whose futures are dropped: no byte is lost, none comes twice, and none overtakes another.

#![cfg(not(kael_backend = "sim"))] // The other ends of its connections are the system's own sockets.
#[path = "support/drops.rs"]
mod drops;

use drops::{
    First, READINESS, briefly, is_emulated, leave_in, pair, poll_once, race, runs, size, turns,
};
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::time::{Duration, sleep};
use std::io::Write;
use std::net::UdpSocket as StdUdpSocket;
use std::thread;

/// The byte at `position` of the sequence that the storms send; its period is a prime.
fn byte_at(position: u64) -> u8 {
    (position % 251) as u8
}

fn send_sequence(mut to: impl Write, length: u64) {
    let mut chunk = Vec::new();
    let mut position = 0;
    while position < length {
        // Odd sizes, so that reads and writes never fall into step.
        let n = (1 + position * 7919 % 40_000).min(length - position);
        chunk.clear();
        chunk.extend((position..position + n).map(byte_at));
        to.write_all(&chunk).unwrap();
        position += n;
    }
}

fn check(position: &mut u64, bytes: &[u8]) {
    for (i, &byte) in bytes.iter().enumerate() {
        assert_eq!(byte, byte_at(*position), "a gap at byte {} (+{i} of a read)", *position);
        *position += 1;
    }
}

/// What a storm may use, in turns.
#[derive(Clone, Copy, PartialEq)]
enum Mix {
    Read,
    All,
}

/// Reads the sequence while most reads are dropped; returns how many were.
async fn storm(stream: &TcpStream, length: u64, mix: Mix) -> u64 {
    let (mut position, mut dropped, mut round) = (0, 0, 0_u64);
    while position < length {
        round += 1;
        // Every third is dropped as soon as it is asked for: the kernel gets it together with its cancel, and mostly
        // has bytes for it.
        let timer = async {
            if round % 3 > 0 {
                sleep(Duration::from_micros(round % 5 * 20)).await;
            }
        };
        let size = 1 + (round * 4099 % 65_536) as usize;
        let size = size.min((length - position) as usize);
        let kind = if mix == Mix::All { round % 4 } else { 0 };
        let got = match kind {
            0 => match race(stream.read(Vec::with_capacity(size)), timer).await {
                First::Left((result, buf)) => {
                    assert_ne!(result.unwrap(), 0, "the end came early");
                    Some(buf)
                }
                First::Right(()) => None,
            },
            1 => match race(stream.read_exact(vec![0; size]), timer).await {
                First::Left((result, buf)) => {
                    assert_eq!(result.unwrap(), size);
                    Some(buf)
                }
                First::Right(()) => None,
            },
            2 => {
                let parts = vec![Vec::with_capacity(size / 3 + 1), Vec::with_capacity(size)];
                match race(stream.read_vectored(parts), timer).await {
                    First::Left((result, parts)) => {
                        let buf = parts.concat();
                        assert_eq!(result.unwrap(), buf.len());
                        Some(buf)
                    }
                    First::Right(()) => None,
                }
            }
            _ => match race(stream.peek(Vec::with_capacity(size)), timer).await {
                First::Left((result, buf)) => {
                    assert_eq!(result.unwrap(), buf.len());
                    // A look takes nothing away: the same bytes come again.
                    check(&mut position.clone(), &buf);
                    continue;
                }
                First::Right(()) => None,
            },
        };
        match got {
            Some(buf) => check(&mut position, &buf),
            None => dropped += 1,
        }
    }
    let (result, _) = stream.read(vec![0; 16]).await;
    assert_eq!(result.unwrap(), 0, "more bytes than were sent");
    dropped
}

const MIB: usize = 1 << 20;

#[test]
fn r05_tcp_reads_dropped_in_a_storm_lose_no_byte() {
    runs("the storm never got to the end of the sequence", || async {
        let length = size(64 * MIB, 1024 * MIB) as u64;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sender = thread::spawn(move || {
            send_sequence(std::net::TcpStream::connect(addr).unwrap(), length);
        });
        let (stream, _) = listener.accept().await.unwrap();
        let dropped = storm(&stream, length, Mix::Read).await;
        // Where the calls are ours, a short storm on a busy machine may find everything there when it looks.
        assert!(
            dropped > 10 || READINESS && is_emulated(),
            "the storm dropped only {dropped} reads"
        );
        sender.join().unwrap();
    });
}

#[test]
fn r05_all_kinds_of_reads_dropped_in_a_storm_lose_no_byte() {
    runs("the storm never got to the end of the sequence", || async {
        let length = size(24 * MIB, 1024 * MIB) as u64;
        let (stream, peer) = pair();
        let sender = thread::spawn(move || send_sequence(peer, length));
        let dropped = storm(&stream, length, Mix::All).await;
        // Where the calls are ours, a short storm on a busy machine may find everything there when it looks.
        assert!(
            dropped > 10 || READINESS && is_emulated(),
            "the storm dropped only {dropped} reads"
        );
        sender.join().unwrap();
    });
}

/// The race that makes a loss certain: the bytes are there before the read is, the read is handed to the kernel
/// together with its cancel, and so the kernel takes the bytes although nobody waits any more.
#[test]
fn r05_a_read_that_completes_while_it_is_cancelled_loses_no_byte() {
    runs("a read that had bytes was never answered", || async {
        let rounds = size(20_000, 1_000_000) as u64;
        let (stream, mut peer) = pair();
        let mut position = 0;
        for round in 0..rounds {
            let sent: Vec<u8> = (0..8).map(|i| byte_at(round * 8 + i)).collect();
            let read = stream.read(vec![0; 3 + (round % 9) as usize]);
            leave_in(read, || peer.write_all(&sent).unwrap()).await;
            while position < (round + 1) * 8 {
                let (result, buf) = stream.read(Vec::with_capacity(64)).await;
                result.unwrap();
                check(&mut position, &buf);
            }
        }
    });
}

#[test]
fn r05_datagrams_are_counted_through_a_storm() {
    runs("the last datagram never came", || async {
        let datagrams = size(30_000, 1_000_000) as u32;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let sender = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(addr).unwrap();
        let from = sender.local_addr().unwrap();
        // UDP may drop what the receiver has no room for, so no more than a few are under way.
        let mut sent = 0;
        let mut next = 0;
        let mut round = 0_u64;
        while next < datagrams {
            while sent < datagrams && sent < next + 16 {
                sender.send(&sent.to_le_bytes()).unwrap();
                sent += 1;
            }
            round += 1;
            if !round.is_multiple_of(3) {
                if let Some((result, buf)) = briefly(socket.recv_from(vec![0; 16]), round % 2).await
                {
                    assert_eq!(result.unwrap(), (4, from));
                    assert_eq!(buf, next.to_le_bytes(), "a datagram was lost or came twice");
                    next += 1;
                }
                continue;
            }
            let (result, buf) = socket.recv_from(vec![0; 16]).await;
            assert_eq!(result.unwrap(), (4, from));
            assert_eq!(buf, next.to_le_bytes(), "a datagram was lost or came twice");
            next += 1;
        }
    });
}

#[test]
fn reads_are_served_in_the_order_of_their_first_poll() {
    runs("a read was never served", || async {
        let (stream, mut peer) = pair();
        let mut first = stream.read(vec![0; 2]);
        let mut second = stream.read_exact(vec![0; 3]);
        let mut third = stream.peek(vec![0; 1]);
        let mut fourth = stream.read_vectored(vec![vec![0; 1], vec![0; 1]]);
        // Made in one order, polled in another.
        assert!(poll_once(&mut third).is_pending());
        assert!(poll_once(&mut first).is_pending());
        assert!(poll_once(&mut fourth).is_pending());
        assert!(poll_once(&mut second).is_pending());
        peer.write_all(b"abcdefg").unwrap();
        // Whoever is asked first, the order stays.
        let (task, answers) = {
            let second = kael_rt::spawn(async move { second.await.1 });
            let fourth = kael_rt::spawn(async move { fourth.await.1 });
            turns(3).await;
            (second, (third.await.1, first.await.1, fourth.await.unwrap()))
        };
        assert_eq!(answers.0, b"a");
        assert_eq!(answers.1, b"ab");
        assert_eq!(answers.2, [b"c", b"d"]);
        assert_eq!(task.await.unwrap(), b"efg");
    });
}

#[test]
fn a_waiting_read_that_is_dropped_leaves_the_queue() {
    runs("the read behind the dropped one was never served", || async {
        let (stream, mut peer) = pair();
        let mut first = stream.read(vec![0; 1]);
        let mut middle: Vec<_> = (0..3).map(|_| stream.read(vec![0; 1])).collect();
        let mut last = stream.read(vec![0; 1]);
        assert!(poll_once(&mut first).is_pending());
        middle.iter_mut().for_each(|read| assert!(poll_once(read).is_pending()));
        assert!(poll_once(&mut last).is_pending());
        drop(middle.remove(1));
        drop(middle.remove(1));
        drop(middle);
        peer.write_all(b"xy").unwrap();
        assert_eq!(first.await.1, b"x");
        assert_eq!(last.await.1, b"y");
    });
}

/// Leaves `bytes` behind on the stream: the kernel has taken them for a read whose future is gone.
async fn leave(stream: &TcpStream, peer: &mut impl Write, bytes: &[u8]) {
    leave_in(stream.read(Vec::with_capacity(bytes.len())), || peer.write_all(bytes).unwrap()).await;
    turns(3).await;
}

#[test]
fn what_a_dropped_read_left_is_read_in_parts_and_looked_at() {
    runs("a read that had bytes was never answered", || async {
        let (stream, mut peer) = pair();
        leave(&stream, &mut peer, b"0123456789").await;
        peer.write_all(b"abc").unwrap();
        assert_eq!(stream.peek(vec![0; 4]).await.1, b"0123");
        assert_eq!(stream.read(vec![0; 2]).await.1, b"01");
        assert_eq!(stream.peek(vec![0; 64]).await.1, b"23456789");
        let (n, parts) = stream.read_vectored(vec![vec![0; 1], vec![0; 2], vec![0; 0]]).await;
        assert_eq!((n.unwrap(), &parts[..]), (3, &[vec![b'2'], vec![b'3', b'4'], vec![]][..]));
        // It needs what was left and what the socket has.
        assert_eq!(stream.read_exact(vec![0; 7]).await.1, b"56789ab");
        assert_eq!(stream.read(vec![0; 8]).await.1, b"c");
    });
}

#[test]
fn what_a_partial_read_exact_had_goes_to_the_next_read() {
    runs("a read that had bytes was never answered", || async {
        let (stream, mut peer) = pair();
        let mut read = stream.read_exact(vec![0; 100]);
        peer.write_all(b"first ").unwrap();
        assert!(poll_once(&mut read).is_pending());
        turns(3).await;
        assert!(poll_once(&mut read).is_pending());
        peer.write_all(b"second ").unwrap();
        turns(3).await;
        assert!(poll_once(&mut read).is_pending());
        drop(read);
        peer.write_all(b"third").unwrap();
        assert_eq!(stream.read_exact(vec![0; 18]).await.1, b"first second third");
    });
}

#[test]
fn a_read_exact_dropped_again_and_again_begins_where_it_was() {
    runs("a read that had bytes was never answered", || async {
        let (stream, mut peer) = pair();
        for byte in b"0123456789" {
            peer.write_all(&[*byte]).unwrap();
            let mut read = stream.read_exact(vec![0; 11]);
            assert!(poll_once(&mut read).is_pending());
            turns(2).await;
            assert!(poll_once(&mut read).is_pending());
        }
        peer.write_all(b"x").unwrap();
        assert_eq!(stream.read_exact(vec![0; 11]).await.1, b"0123456789x");
    });
}

#[test]
fn what_a_dropped_vectored_read_left_spans_its_buffers() {
    runs("a read that had bytes was never answered", || async {
        let (stream, mut peer) = pair();
        let parts = vec![Vec::with_capacity(3), Vec::with_capacity(1), Vec::with_capacity(64)];
        let feed = || peer.write_all(b"0123456789").unwrap();
        leave_in(stream.read_vectored(parts), feed).await;
        turns(3).await;
        assert_eq!(stream.read(vec![0; 2]).await.1, b"01");
        assert_eq!(stream.read(vec![0; 4]).await.1, b"2345");
        assert_eq!(stream.read(vec![0; 64]).await.1, b"6789");
    });
}

#[test]
fn a_read_that_was_answered_and_never_looked_at_loses_nothing() {
    runs("a read that had bytes was never answered", || async {
        let (stream, mut peer) = pair();
        let mut first = stream.read(vec![0; 3]);
        let mut second = stream.read(vec![0; 3]);
        assert!(poll_once(&mut first).is_pending());
        assert!(poll_once(&mut second).is_pending());
        peer.write_all(b"abcdef").unwrap();
        turns(3).await;
        // The first has its answer, the second waits: dropping the first must not reorder the bytes.
        drop(first);
        assert_eq!(second.await.1, b"abc");
        assert_eq!(stream.read(vec![0; 3]).await.1, b"def");
    });
}

#[test]
fn an_end_that_a_dropped_read_has_seen_is_seen_again() {
    runs("the end was never seen", || async {
        let (stream, peer) = pair();
        leave_in(stream.read(vec![0; 3]), || drop(peer)).await;
        turns(3).await;
        assert_eq!(stream.read(vec![0; 3]).await.0.unwrap(), 0);
    });
}

#[test]
fn an_error_that_a_dropped_read_has_seen_is_the_next_reads() {
    runs("the error was never seen", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut read = stream.read(vec![0; 3]);
        assert!(poll_once(&mut read).is_pending());
        turns(2).await;
        socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        turns(3).await;
        // The kernel tells an error once; it told the one that is dropped here.
        drop(read);
        let error = stream.read(vec![0; 3]).await.0.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_time_limit_that_nobody_waits_for_is_no_error_of_the_stream() {
    runs("a read that had bytes was never answered", || async {
        let (stream, mut peer) = pair();
        let mut read = stream.read(vec![0; 3]).timeout(Duration::ZERO);
        // The limit has passed and the kernel is asked to stop; then the future goes.
        assert!(poll_once(&mut read).is_pending());
        turns(2).await;
        assert!(poll_once(&mut read).is_pending());
        drop(read);
        turns(3).await;
        peer.write_all(b"abc").unwrap();
        let (result, buf) = stream.read(vec![0; 3]).await;
        assert_eq!(result.unwrap(), 3);
        assert_eq!(buf, b"abc");
    });
}

#[test]
fn a_datagram_left_behind_is_cut_as_the_kernel_would() {
    runs("a datagram was never received", || async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        let (addr, from) = (socket.local_addr().unwrap(), peer.local_addr().unwrap());
        for len in [8, 3, 0] {
            let send =
                |text: &str| assert_eq!(peer.send_to(text.as_bytes(), addr).unwrap(), text.len());
            leave_in(socket.recv_from(vec![0; 64]), || send("datagram")).await;
            turns(3).await;
            let (result, buf) = socket.recv_from(vec![0; len]).await;
            assert_eq!(result.unwrap(), (len, from));
            assert_eq!(buf, &b"datagram"[..len]);
            // The rest of the first is gone, as the kernel does it. An empty one counts, too.
            leave_in(socket.recv(vec![0; 64]), || send("")).await;
            send("last");
            turns(3).await;
            let (result, _) = socket.recv_from(vec![0; 64]).await;
            assert_eq!(result.unwrap(), (0, from), "the empty datagram");
            let (result, buf) = socket.recv_from(vec![0; 64]).await;
            assert_eq!(result.unwrap(), (4, from));
            assert_eq!(buf, b"last");
        }
    });
}

#[test]
fn a_datagram_that_recv_left_has_its_sender() {
    runs("a datagram was never received", || async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        for _ in 0..3 {
            let peer = StdUdpSocket::bind("127.0.0.1:0").unwrap();
            let feed = || assert_eq!(peer.send_to(b"hello", addr).unwrap(), 5);
            leave_in(socket.recv(vec![0; 64]), feed).await;
            turns(3).await;
            let (result, buf) = socket.recv_from(vec![0; 64]).await;
            assert_eq!(result.unwrap(), (5, peer.local_addr().unwrap()));
            assert_eq!(buf, b"hello");
        }
    });
}
