//! Copying two streams into each other: ends, errors, and being dropped.

#![cfg(not(kael_backend = "sim"))] // The examples and `sim_run` run it there.

#[path = "support/errno.rs"]
mod errno;
mod rig;

use kael_rt::Error;
use kael_rt::io::{Progress, copy_bidirectional, copy_bidirectional_with};
use kael_rt::net::TcpStream;
use kael_rt::time::{Duration, sleep, timeout};
use rig::{pair, size, within_limit};
use socket2::SockRef;
use std::future::{Future, poll_fn};
use std::net::Shutdown;
use std::task::Poll;

fn pattern(from: usize, len: usize) -> Vec<u8> {
    (from as u32..(from + len) as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as u8)
        .collect()
}

/// Gives a stream room for less than a piece.
fn narrow(stream: &TcpStream) {
    #[cfg(unix)]
    let socket = stream.try_as_fd().unwrap();
    #[cfg(windows)]
    let socket = stream.try_as_socket().unwrap();
    SockRef::from(&socket).set_send_buffer_size(64 << 10).unwrap();
}

/// Sends the pattern from `from` on, in pieces of many sizes.
async fn send_pattern(stream: &TcpStream, len: usize) {
    let (mut at, mut piece) = (0, 1);
    while at < len {
        let n = piece.min(len - at);
        stream.write_all(pattern(at, n)).await.0.unwrap();
        at += n;
        piece = piece * 7 % 100_003 + 1;
    }
}

/// Reads the pattern, and nothing else, up to the end.
async fn expect_pattern(stream: &TcpStream, len: usize) {
    let (mut at, mut buf) = (0, Vec::with_capacity(100_000));
    loop {
        let (n, back) = stream.read(buf).await;
        let n = n.unwrap();
        if n == 0 {
            break;
        }
        assert!(back[..n] == pattern(at, n), "bytes {at}..{}", at + n);
        at += n;
        buf = back;
    }
    assert_eq!(at, len, "what arrives before the end");
}

/// Both directions at once, and each end passed on while the other direction goes on.
#[test]
fn r37_both_directions_arrive_and_each_end_is_passed_on() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            let copy = kael_rt::spawn(async move { copy_bidirectional(&a, &b).await });
            const THERE: usize = 5_000_000;
            const BACK: usize = 700_001;
            let ask = kael_rt::spawn(async move {
                send_pattern(&client, THERE).await;
                client.shutdown(Shutdown::Write).await.unwrap();
                expect_pattern(&client, BACK).await;
            });
            expect_pattern(&server, THERE).await;
            // The one direction is over; the other has not begun.
            send_pattern(&server, BACK).await;
            server.shutdown(Shutdown::Write).await.unwrap();
            ask.await.unwrap();
            assert_eq!(copy.await.unwrap().unwrap(), (THERE as u64, BACK as u64));
        });
    });
}

#[test]
fn r37_a_reset_ends_both_directions_with_their_counts() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            let copy = kael_rt::spawn(async move { copy_bidirectional(&a, &b).await });
            client.write_all("12345").await.0.unwrap();
            assert_eq!(server.read_exact(vec![0; 5]).await.1, b"12345");
            server.write_all("678").await.0.unwrap();
            assert_eq!(client.read_exact(vec![0; 3]).await.1, b"678");
            server.set_linger(Some(std::time::Duration::ZERO)).unwrap();
            drop(server);
            let error = copy.await.unwrap().unwrap_err();
            let ours = Error::of(&error).expect("it has counts");
            assert_eq!(ours.copied(), Some((5, 3)), "{error}");
            assert!([errno::ECONNRESET, errno::EPIPE].contains(&ours.os_error().unwrap()));
            // The other stream is closed with the copy.
            assert_eq!(client.read(Vec::with_capacity(8)).await.0.unwrap(), 0);
        });
    });
}

/// The receiving peer stalls: what was taken is in the pipe when the copy is dropped. It arrives before what is written later.
#[test]
fn r05_what_a_dropped_copy_has_taken_arrives_before_later_writes() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            narrow(&b);
            const LEN: usize = 20_000_000;
            let sender = kael_rt::spawn(async move {
                send_pattern(&client, LEN).await;
                client
            });
            let progress = Progress::default();
            let copy = copy_bidirectional_with(&a, &b, &progress);
            assert!(timeout(Duration::from_millis(50), copy).await.is_err(), "nobody reads");
            let seen = progress.there();
            assert!(seen > 0, "the stream's own buffers have taken some");
            // A second writer on the same stream must come behind it.
            let second = kael_rt::spawn(async move {
                b.write_all("second").await.0.unwrap();
                b
            });
            let mut got = Vec::new();
            let mut buf = Vec::with_capacity(100_000);
            while !got.ends_with(b"second") {
                let (n, back) = server.read(buf).await;
                let n = n.unwrap();
                assert!(n > 0, "it ends after {} bytes", got.len());
                got.extend_from_slice(&back[..n]);
                buf = back;
            }
            let taken = got.len() - 6;
            assert!(got[..taken] == pattern(0, taken), "{taken} bytes were taken");
            assert_eq!((progress.there(), progress.back()), (taken as u64, 0), "{seen} at first");
            let b = second.await.unwrap();
            // The rest goes on from there, by another copy.
            let copy = kael_rt::spawn(async move { copy_bidirectional(&a, &b).await });
            let mut at = taken;
            while at < LEN {
                let (n, back) = server.read(buf).await;
                let n = n.unwrap();
                assert!(n > 0 && back[..n] == pattern(at, n), "bytes {at}..{}", at + n);
                at += n;
                buf = back;
            }
            drop(sender.await.unwrap());
            server.close().await.unwrap();
            copy.await.unwrap().unwrap();
        });
    });
}

/// The copy has got something and is dropped before it looks. It arrives; or, where bytes are copied through a buffer, the
/// next read gets it.
#[test]
fn r05_what_came_before_a_dropped_copy_looked_is_not_lost() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            let mut copy = Box::pin(copy_bidirectional(&a, &b));
            let first = poll_fn(|cx| Poll::Ready(copy.as_mut().poll(cx))).await;
            assert!(first.is_pending(), "nothing was sent");
            client.write_all("taken").await.0.unwrap();
            sleep(Duration::from_millis(50)).await;
            drop(copy);
            b.write_all("last").await.0.unwrap();
            let (n, got) = server.read_exact(vec![0; 4]).await;
            n.unwrap();
            if got == b"last" {
                let read = timeout(Duration::from_secs(30), a.read_exact(vec![0; 5])).await;
                assert_eq!(read.expect("it is there").1, b"taken");
                return;
            }
            assert_eq!(got, b"take");
            assert_eq!(server.read_exact(vec![0; 5]).await.1, b"nlast");
        });
    });
}

/// Another write holds the stream; what the copy has taken waits behind it when the copy is dropped, and keeps its place.
#[test]
fn r05_what_waits_behind_another_write_keeps_its_place() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            const FIRST: usize = 20_000_000;
            let b = std::rc::Rc::new(b);
            let writer = b.clone();
            let first =
                kael_rt::spawn(async move { writer.write_all(vec![1; FIRST]).await.0.unwrap() });
            // It has begun, and does not come to its end.
            sleep(Duration::from_millis(20)).await;
            client.write_all("taken").await.0.unwrap();
            let copy = copy_bidirectional(&a, &b);
            assert!(timeout(Duration::from_millis(100), copy).await.is_err(), "nobody reads");
            let writer = b.clone();
            let last = kael_rt::spawn(async move { writer.write_all("last").await.0.unwrap() });
            let (n, got) = server.read_exact(vec![0; FIRST + 9]).await;
            assert_eq!(n.unwrap(), FIRST + 9);
            assert_eq!(&got[FIRST..], b"takenlast");
            first.await.unwrap();
            last.await.unwrap();
        });
    });
}

/// Copies that are dropped again and again, at whatever they are doing, leave no gap.
#[test]
fn r05_copies_dropped_in_a_storm_lose_no_byte() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            let len = size(30_000_000, 300_000_000);
            let sender = kael_rt::spawn(async move {
                send_pattern(&client, len).await;
                client.shutdown(Shutdown::Write).await.unwrap();
                client
            });
            let storm = kael_rt::spawn(async move {
                let mut us = 1;
                loop {
                    us = us * 5 % 601 + 1;
                    let copy = copy_bidirectional(&a, &b);
                    if timeout(Duration::from_micros(us), copy).await.is_ok() {
                        return;
                    }
                    if us % 16 == 0 {
                        // What a dropped read has received goes first.
                        let read = a.read(Vec::with_capacity(50));
                        let _ = timeout(Duration::from_micros(us % 7), async {
                            let (n, back) = read.await;
                            if n.unwrap() > 0 {
                                b.write_all(back).await.0.unwrap();
                            }
                        })
                        .await;
                    }
                }
            });
            expect_pattern(&server, len).await;
            server.close().await.unwrap();
            storm.await.unwrap();
            drop(sender.await.unwrap());
        });
    });
}

/// The sockets' memory fills up for a while; then the core has nothing to do.
async fn expect_sleep(handle: &kael_rt::runtime::Handle) {
    let mut calls = u64::MAX;
    for _ in 0..50 {
        let before = handle.metrics().cores[0].syscalls;
        sleep(Duration::from_millis(200)).await;
        calls = handle.metrics().cores[0].syscalls - before;
        if calls < 10 {
            return;
        }
    }
    panic!("assertion: {calls} calls in 0.2 s, after 10 s");
}

/// A core that waits for a peer that does not read does nothing.
#[test]
fn r37_a_copy_to_a_stalled_peer_costs_nothing() {
    within_limit(|| {
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async move {
            let (client, a) = pair().await;
            let (b, _server) = pair().await;
            kael_rt::spawn(async move {
                let _ = client.write_all(vec![1; 20_000_000]).await;
            });
            let copy = kael_rt::spawn(async move { copy_bidirectional(&a, &b).await });
            expect_sleep(&handle).await;
            drop(copy);
        });
    });
}
