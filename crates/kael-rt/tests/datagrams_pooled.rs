//! Datagrams in buffers of a pool, one after the other: whole, in their order, with their senders, and none is lost by a drop.

#[path = "support/drops.rs"]
mod drops;

use drops::{briefly, poll_once, runs, turns};
use kael_rt::buf::BufferPool;
use kael_rt::net::UdpSocket;
use std::net::SocketAddr;
use std::pin::pin;

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// The numbered datagram: some are empty, and each has a length of its own.
fn numbered(n: usize) -> Vec<u8> {
    vec![n as u8; n % 23]
}

async fn send(from: &UdpSocket, to: SocketAddr, numbers: std::ops::Range<usize>) {
    for n in numbers {
        from.send_to(numbered(n), to).await.0.unwrap();
    }
}

#[test]
fn m03_datagrams_come_whole_in_order_and_with_their_senders() {
    runs("a datagram never came", || async {
        let (a, a_addr) = socket().await;
        let (b, b_addr) = socket().await;
        let (socket, addr) = socket().await;
        let pool = BufferPool::new(8, 256).unwrap();
        let mut datagrams = socket.recv_stream(&pool);
        for round in 0..20 {
            send(&a, addr, 0..5).await;
            send(&b, addr, 5..9).await;
            if round % 2 == 0 {
                turns(2).await;
            }
            for n in 0..9 {
                let datagram = datagrams.next().await.unwrap();
                assert_eq!(&datagram[..], numbered(n), "round {round}");
                assert_eq!(datagram.peer(), if n < 5 { a_addr } else { b_addr });
                assert!(!datagram.is_cut());
            }
        }
        assert!(briefly(pin!(datagrams.next()), 2).await.is_none(), "one more than was sent");
    });
}

#[test]
fn m03_the_sixth_version_has_its_addresses_too() {
    runs("a datagram never came", || async {
        let Ok(socket) = UdpSocket::bind("[::1]:0").await else {
            println!("not run: this machine has no IPv6");
            return;
        };
        let other = UdpSocket::bind("[::1]:0").await.unwrap();
        let pool = BufferPool::new(4, 256).unwrap();
        let mut datagrams = socket.recv_stream(&pool);
        for _ in 0..3 {
            other.send_to("six", socket.local_addr().unwrap()).await.0.unwrap();
            let datagram = datagrams.next().await.unwrap();
            assert_eq!(
                (&datagram[..], datagram.peer()),
                (&b"six"[..], other.local_addr().unwrap())
            );
        }
    });
}

/// More than waits unread, and more than there are buffers.
#[test]
fn m03_what_is_not_read_waits_within_its_bound() {
    runs("a datagram never came", || async {
        let (a, _) = socket().await;
        let (socket, addr) = socket().await;
        let pool = BufferPool::new(8, 128).unwrap();
        let mut datagrams = socket.recv_stream(&pool);
        assert!(poll_once(&mut Box::pin(datagrams.next())).is_pending());
        for n in 0..100 {
            send(&a, addr, n..n + 1).await;
            turns(1).await;
        }
        for n in 0..100 {
            assert_eq!(&datagrams.next().await.unwrap()[..], numbered(n));
        }
    });
}

#[test]
fn m03_a_datagram_that_is_too_long_is_cut_and_says_so() {
    runs("a datagram never came", || async {
        let (a, a_addr) = socket().await;
        let (socket, addr) = socket().await;
        let pool = BufferPool::new(4, 128).unwrap();
        let mut datagrams = socket.recv_stream(&pool);
        for _ in 0..3 {
            a.send_to(vec![1; 1000], addr).await.0.unwrap();
            a.send_to(vec![2; 84], addr).await.0.unwrap();
            let cut = datagrams.next().await.unwrap();
            assert!(cut.is_cut() && (84..=128).contains(&cut.len()), "{cut:?}");
            assert!(cut.iter().all(|byte| *byte == 1));
            assert_eq!(cut.peer(), a_addr);
            let whole = datagrams.next().await.unwrap();
            assert!(!whole.is_cut(), "{whole:?}");
            assert_eq!(&whole[..], [2; 84]);
        }
    });
}

/// Who holds all buffers receives when one is back, without losing what came meanwhile.
#[test]
fn m03_without_a_buffer_it_waits_for_one() {
    runs("it never went on", || async {
        let (a, _) = socket().await;
        let (socket, addr) = socket().await;
        let pool = BufferPool::new(4, 128).unwrap();
        let mut datagrams = socket.recv_stream(&pool);
        send(&a, addr, 0..40).await;
        let mut held = std::collections::VecDeque::new();
        for n in 0..40 {
            while held.len() == 4 {
                let mut next = Box::pin(datagrams.next());
                assert!(briefly(&mut next, 2).await.is_none(), "there is no buffer");
                held.pop_front();
                if n % 2 == 0 {
                    held.push_back(next.await.unwrap());
                    break;
                }
            }
            if held.len() < 4 && (n < 4 || n % 2 == 1) {
                held.push_back(datagrams.next().await.unwrap());
            }
            assert_eq!(&held.back().unwrap()[..], numbered(n));
        }
        drop(held);
        assert!(pool.available() + pool.lent() >= 3, "the buffers are back");
    });
}

/// A dropped `next` and a dropped stream, with datagrams that the kernel has handed over and nobody read.
#[test]
fn m03_what_a_dropped_stream_had_goes_to_the_next_receives() {
    runs("a datagram was lost", || async {
        for way in 0..4 {
            let (a, a_addr) = socket().await;
            let (b, b_addr) = socket().await;
            let (socket, addr) = socket().await;
            let pool = BufferPool::new(32, 128).unwrap();
            let mut datagrams = socket.recv_stream(&pool);
            let mut next = Box::pin(datagrams.next());
            assert!(poll_once(&mut next).is_pending());
            turns(2).await;
            send(&a, addr, 1..4).await;
            send(&b, addr, 4..7).await;
            if way % 2 == 0 {
                turns(2).await;
            }
            drop(next);
            drop(datagrams);
            if way >= 2 {
                turns(2).await;
            }
            let peer_of = |n| if n < 4 { a_addr } else { b_addr };
            // Each way to receive, and a buffer that is too short.
            for n in 1..3 {
                let (result, buf) = socket.recv_from(Vec::with_capacity(64)).await;
                assert_eq!(result.unwrap(), (n, peer_of(n)), "way {way}");
                assert_eq!(buf, numbered(n));
            }
            let (result, buf) = socket.recv(Vec::with_capacity(2)).await;
            assert_eq!((result.unwrap(), &buf[..]), (2, &[3, 3][..]));
            let mut datagrams = socket.recv_stream(&pool);
            for n in 4..7 {
                let datagram = datagrams.next().await.unwrap();
                assert_eq!((&datagram[..], datagram.peer()), (&numbered(n)[..], peer_of(n)));
            }
            send(&a, addr, 8..9).await;
            assert_eq!(&datagrams.next().await.unwrap()[..], numbered(8));
        }
    });
}
