//! The bounds: how many slots there are, who waits for one, and how much dropped reads may leave behind.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/drops.rs"]
mod drops;

use drops::{Plain, both, leave_in, pair, poll_once, turns, within, zeros};
use kael_rt::Error;
use kael_rt::fs::File;
use kael_rt::net::TcpStream;
use kael_rt::runtime::Builder;
use std::cell::RefCell;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

/// The fewest slots that a runtime can have; three quarters of them may wait for a peer.
const SLOTS: usize = 16;
const PEERS: usize = SLOTS * 3 / 4;
const CARRIES: usize = SLOTS / 8;

fn runs_small<F: Future<Output = ()>>(
    otherwise: &str,
    test: impl FnOnce() -> F + std::marker::Send + 'static,
) {
    within(otherwise, move || {
        Builder::new().max_in_flight(SLOTS as u32).build().unwrap().block_on(test());
    });
}

#[test]
fn idle_reads_keep_no_write_and_no_file_from_starting() {
    runs_small("a write waits for a slot that idle reads hold", || async {
        let mut pairs: Vec<_> = (0..3 * SLOTS).map(|_| both()).collect();
        let reads: Vec<_> =
            pairs.iter().map(|(stream, _)| kael_rt::spawn(stream.read_exact(vec![0; 2]))).collect();
        turns(2).await;
        let file = File::open(zeros()).await.unwrap();
        assert_eq!(file.read_exact_at(vec![1; 8], 0).await.1, [0; 8]);
        for (number, (_, peer)) in pairs.iter_mut().enumerate() {
            peer.write_all(vec![number as u8; 2]).await.0.unwrap();
        }
        for (number, read) in reads.into_iter().enumerate() {
            let (result, buf) = read.await.unwrap();
            assert_eq!(result.unwrap(), 2);
            assert_eq!(buf, [number as u8; 2]);
        }
    });
}

#[test]
fn operations_that_wait_for_a_slot_get_one_in_order() {
    runs_small("a read never got a slot", || async {
        let (streams, mut peers): (Vec<_>, Vec<_>) = (0..2 * SLOTS).map(|_| pair()).unzip();
        // All have bytes, but no more than the slots are begun.
        let order = Rc::new(RefCell::new(Vec::new()));
        let reads: Vec<_> = streams
            .iter()
            .enumerate()
            .map(|(number, stream)| {
                let (read, order) = (stream.read(vec![0; 1]), order.clone());
                kael_rt::spawn(async move {
                    read.await.0.unwrap();
                    order.borrow_mut().push(number);
                })
            })
            .collect();
        turns(2).await;
        // The last ones cannot be answered before those in front of them.
        for peer in peers[PEERS..].iter_mut() {
            peer.write_all(b"x").unwrap();
        }
        turns(2).await;
        assert!(order.borrow().is_empty(), "there were more slots than promised");
        for peer in peers[..PEERS].iter_mut() {
            peer.write_all(b"x").unwrap();
            turns(2).await;
        }
        for read in reads {
            read.await.unwrap();
        }
        let late: Vec<_> = order.borrow().iter().copied().filter(|&n| n >= PEERS).collect();
        assert!(late.is_sorted(), "slots were given out of order: {late:?}");
    });
}

#[test]
fn who_gives_up_waiting_for_a_slot_keeps_nobody_from_it() {
    runs_small("a read never got a slot", || async {
        let (streams, mut peers): (Vec<_>, Vec<_>) = (0..PEERS).map(|_| pair()).unzip();
        let mut holders: Vec<_> = streams.iter().map(|stream| stream.read(vec![0; 1])).collect();
        holders.iter_mut().for_each(|read| assert!(poll_once(read).is_pending()));
        let (stream, mut peer) = pair();
        peer.write_all(b"abc").unwrap();
        // Three wait; the first is told of the free slot, and goes without taking it; so does the second.
        let mut waiters: Vec<_> = (0..3).map(|_| stream.read(vec![0; 1])).collect();
        waiters.iter_mut().for_each(|read| assert!(poll_once(read).is_pending()));
        let last = waiters.pop().unwrap();
        let last = kael_rt::spawn(last);
        turns(1).await;
        peers[0].write_all(b"x").unwrap();
        turns(2).await;
        holders.remove(0).await.0.unwrap();
        drop(waiters.remove(0));
        drop(waiters);
        assert_eq!(last.await.unwrap().1, b"a");
    });
}

async fn leave(stream: &TcpStream, peer: &mut Plain, bytes: &[u8]) {
    leave_in(stream.read(vec![0; 64]), || peer.write_all(bytes).unwrap()).await;
    turns(2).await;
}

#[test]
fn more_than_an_eighth_left_behind_ends_the_stream_aloud() {
    runs_small("a read was never answered", || async {
        let (streams, mut peers): (Vec<_>, Vec<_>) = (0..CARRIES + 1).map(|_| pair()).unzip();
        for (stream, peer) in streams.iter().zip(&mut peers) {
            leave(stream, peer, b"left behind").await;
        }
        let (over, kept) = (streams.last().unwrap(), &streams[..CARRIES]);
        for _ in 0..3 {
            let error = over.read(vec![0; 64]).await.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
            assert!(error.to_string().contains("max_in_flight"), "{error}");
            assert!(Error::of(&error).is_some());
        }
        // The peer hears of it, too.
        assert_eq!(peers[CARRIES].read(&mut [0; 8]).unwrap(), 0);
        for stream in kept {
            assert_eq!(stream.read(vec![0; 64]).await.1, b"left behind");
        }
        // What was read makes room.
        leave(&kept[0], &mut peers[0], b"again").await;
        assert_eq!(kept[0].read(vec![0; 64]).await.1, b"again");
    });
}

#[test]
fn what_is_left_behind_goes_with_its_stream() {
    runs_small("a read was never answered", || async {
        // Far more than the bound, one after the other.
        for _ in 0..10 * SLOTS {
            let (stream, mut peer) = pair();
            leave(&stream, &mut peer, b"left behind").await;
        }
        let (stream, mut peer) = pair();
        leave(&stream, &mut peer, b"kept").await;
        assert_eq!(stream.read(vec![0; 64]).await.1, b"kept");
    });
}

#[test]
fn a_connection_is_kept_although_the_bound_is_reached() {
    runs_small("a connection was never accepted", || async {
        let (streams, mut peers): (Vec<_>, Vec<_>) = (0..CARRIES).map(|_| pair()).unzip();
        for (stream, peer) in streams.iter().zip(&mut peers) {
            leave(stream, peer, b"left behind").await;
        }
        let listener = kael_rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = None;
        let addr = listener.local_addr().unwrap();
        let connect = || client = Some(std::net::TcpStream::connect(addr).unwrap());
        leave_in(listener.accept(), connect).await;
        turns(2).await;
        let client = client.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
    });
}
