//! What only backends have that are told what is ready: which calls they spend, and what a hint is worth.

#![cfg(any(
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", kael_backend = "sim"))
))] // Elsewhere the kernel completes.

#[path = "support/drops.rs"]
mod drops;

use drops::{both, pair, poll_once, runs, turns};
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::runtime::Builder;
use std::io::{Read, Write};
use std::task::Poll;
use std::time::Duration;

/// A runtime, and how many system calls its core has made.
fn counted<F: Future<Output = ()>>(test: impl FnOnce(Box<dyn Fn() -> u64>) -> F + Send + 'static) {
    drops::within("the test never ended", move || {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(test(Box::new(move || handle.metrics().cores[0].syscalls)));
    });
}

/// The end that comes together with the last bytes brings no hint of its own.
#[test]
fn e01_bytes_and_the_end_in_one_hint_are_both_seen() {
    runs("the end was never seen", || async {
        for round in 0..200 {
            let (stream, mut peer) = pair();
            let mut read = stream.read(Vec::with_capacity(64));
            assert!(poll_once(&mut read).is_pending());
            peer.write_all(b"last").unwrap();
            drop(peer);
            assert_eq!(read.await.1, b"last", "round {round}");
            // The read was short: nothing but what was seen then says that this one need not wait.
            let Poll::Ready((end, _)) = poll_once(&mut stream.read(Vec::with_capacity(64))) else {
                panic!("the end was seen and forgotten")
            };
            assert_eq!(end.unwrap(), 0);
        }
    });
}

// On Windows each read is a call: there is no hint that would spare one.
#[cfg(not(windows))]
#[test]
fn e02_a_short_read_spares_the_call_that_would_find_nothing() {
    counted(|calls| async move {
        let (stream, mut peer) = pair();
        let mut buf = Vec::with_capacity(64);
        for round in 0..100 {
            let before = calls();
            let mut read = stream.read(buf);
            assert!(poll_once(&mut read).is_pending());
            let tried = calls() - before;
            // The first one tries, and has the descriptor watched; the others know, and on a system where what is to be
            // watched travels with the wait, even that costs nothing.
            assert!(tried <= if round == 0 { 2 } else { 0 }, "{tried} calls in round {round}");
            peer.write_all(b"x").unwrap();
            let result;
            (result, buf) = read.await;
            assert_eq!(result.unwrap(), 1);
        }
    });
}

/// Sends of one datagram socket are not gated: those that wait for room go out in the order in which they began to wait.
#[test]
fn requests_that_wait_for_one_direction_are_served_in_order() {
    runs("a stream's bytes never came", || async {
        let (a, b) = both();
        // No room: whoever writes now waits.
        let filler = kael_rt::spawn({
            let write = a.write_all(vec![0; 4 << 20]);
            async move { write.await.0.unwrap() }
        });
        turns(2).await;
        let mut rest: Vec<_> = (1..=8u8).map(|i| a.write_all(vec![i; 1000])).collect();
        rest.iter_mut().for_each(|write| assert!(poll_once(write).is_pending()));
        drop(rest.remove(3));
        let mut got = Vec::new();
        while got.len() < (4 << 20) + 7 * 1000 {
            let (n, bytes) = b.read(Vec::with_capacity(1 << 16)).await;
            assert!(n.unwrap() > 0);
            got.extend(bytes);
        }
        assert_eq!(filler.await.unwrap(), 4 << 20);
        let order: Vec<u8> = got[4 << 20..].chunks(1000).map(|chunk| chunk[0]).collect();
        assert_eq!(order, [1, 2, 3, 5, 6, 7, 8]);
        for write in rest {
            assert_eq!(write.await.0.unwrap(), 1000);
        }
    });
}

/// A number is used again by another socket, and what the system has said of the old one must not count for it.
#[test]
fn r17_a_hint_of_the_last_owner_says_nothing_of_the_next() {
    runs("a read was never answered", || async {
        for _ in 0..200 {
            let (stream, mut peer) = pair();
            let mut read = stream.read(Vec::with_capacity(8));
            assert!(poll_once(&mut read).is_pending());
            peer.write_all(b"old").unwrap();
            // The hint is on its way when the number changes hands.
            drop((read, stream));
            let (next, mut next_peer) = pair();
            let mut read = next.read(Vec::with_capacity(8));
            assert!(poll_once(&mut read).is_pending());
            turns(1).await;
            assert!(poll_once(&mut read).is_pending());
            next_peer.write_all(b"new").unwrap();
            assert_eq!(read.await.1, b"new");
            drop(peer);
        }
    });
}

/// Nothing is ready, whatever was: the core sleeps.
#[test]
fn an_end_that_nobody_reads_keeps_no_core_awake() {
    counted(|calls| async move {
        let (stream, mut peer) = pair();
        let mut read = stream.read(Vec::with_capacity(64));
        assert!(poll_once(&mut read).is_pending());
        peer.write_all(b"unread").unwrap();
        drop(peer);
        turns(2).await;
        let (idle, _idle_peer) = pair();
        let mut waits = idle.read(Vec::with_capacity(1));
        assert!(poll_once(&mut waits).is_pending());
        let before = calls();
        kael_rt::time::sleep(Duration::from_millis(20)).await;
        assert!(calls() - before <= 3, "{} calls in one sleep", calls() - before);
        assert_eq!(read.await.1, b"unread");
    });
}

#[test]
fn e03_a_refused_connection_says_so_and_a_late_one_is_made() {
    runs("a connection was never answered", || async {
        let refused = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        for _ in 0..20 {
            let error = TcpStream::connect(refused).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..32).map(|_| kael_rt::spawn(TcpStream::connect(addr))).collect();
        for _ in 0..32 {
            listener.accept().await.unwrap();
        }
        for client in clients {
            assert_eq!(client.await.unwrap().unwrap().peer_addr().unwrap(), addr);
        }
    });
}

/// What the standard library gets blocks as its own do, and is watched by nobody.
#[test]
fn e04_a_stream_that_goes_to_the_standard_library_blocks() {
    runs("the bytes never came", || async {
        let (stream, mut peer) = pair();
        let mut read = stream.read(Vec::with_capacity(8));
        assert!(poll_once(&mut read).is_pending());
        drop(read);
        turns(1).await;
        let mut std = stream.into_std().unwrap();
        // It waits for as long as it was told to, and is not told at once to come again.
        let limit = Duration::from_millis(20);
        std.set_read_timeout(Some(limit)).unwrap();
        let began = std::time::Instant::now();
        assert!(std.read(&mut [0; 4]).is_err());
        assert!(began.elapsed() >= limit / 2, "it does not block");
        peer.write_all(b"late").unwrap();
        let mut buf = [0; 4];
        std.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"late");
    });
}

#[test]
fn e02_datagrams_that_wait_for_nothing_are_received_at_once() {
    counted(|calls| async move {
        let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = b.local_addr().unwrap();
        for round in 0..50 {
            a.send_to("hello", to).await.0.unwrap();
            let before = calls();
            assert_eq!(b.recv_from(Vec::with_capacity(64)).await.1, b"hello");
            // With its first request a handle joins the port of Windows.
            let joins = if cfg!(windows) && round == 0 { 2 } else { 0 };
            assert_eq!(calls() - before, 1 + joins);
        }
    });
}

/// What is answered when it is asked for counts as all else does.
#[test]
fn e05_what_is_done_at_once_is_counted() {
    drops::within("the test never ended", || {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async move {
            let (a, b) = both();
            // Counters are published before a sleep.
            turns(1).await;
            let before = handle.metrics().cores[0].clone();
            for _ in 0..10 {
                a.write_all("hello").await.0.unwrap();
                a.write_queued("again").await.unwrap();
                assert_eq!(b.read_exact(vec![0; 10]).await.1, b"helloagain");
            }
            turns(1).await;
            let after = &handle.metrics().cores[0];
            assert_eq!(after.in_flight, 0);
            assert_eq!(after.queued_sends - before.queued_sends, 10);
            assert_eq!(after.completed - before.completed, 30);
        });
    });
}
