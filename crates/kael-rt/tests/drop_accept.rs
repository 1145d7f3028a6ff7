//! Accepts whose futures are dropped: every connection is handed over exactly once, or closed with its listener.

#![cfg(not(kael_backend = "sim"))] // The other ends of its connections are the system's own sockets.
#[path = "support/drops.rs"]
mod drops;

use drops::{FOREVER, First, READINESS, is_emulated, leave_in, poll_once, race, runs, size, turns};
use kael_rt::net::TcpListener;
use kael_rt::time::{Duration, sleep};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as StdTcpStream;
use std::panic::resume_unwind;
use std::pin::pin;
use std::thread;

/// Between two looks at a connection that is not accepted yet.
const A_WHILE: Duration = Duration::from_millis(5);

#[test]
fn r04_accepts_dropped_in_a_storm_lose_no_connection() {
    runs("a connection was never accepted", || async {
        let connections = size(3_000, 100_000) as u32;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let clients = thread::spawn(move || {
            for number in 0..connections {
                let mut client = StdTcpStream::connect(addr).unwrap();
                client.set_read_timeout(Some(FOREVER / 2)).unwrap();
                client.write_all(&number.to_le_bytes()).unwrap();
                let mut echo = [0; 4];
                // A connection that was closed unaccepted is reset here.
                if let Err(error) = client.read_exact(&mut echo) {
                    panic!("connection {number} was not answered: {error}");
                }
                assert_eq!(u32::from_le_bytes(echo), number);
            }
        });
        let (mut answers, mut dropped, mut round) = (Vec::new(), 0_u64, 0_u64);
        while answers.len() < connections as usize && !clients.is_finished() {
            round += 1;
            let timer = sleep(Duration::from_micros(round % 5 * 15));
            match race(listener.accept(), timer).await {
                First::Left(connection) => {
                    let (stream, _) = connection.unwrap();
                    answers.push(kael_rt::spawn(async move {
                        let (result, buf) = stream.read_exact(vec![0; 4]).await;
                        result.unwrap();
                        let number = u32::from_le_bytes(buf[..].try_into().unwrap());
                        stream.write_all(buf).await.0.unwrap();
                        stream.close().await.unwrap();
                        number
                    }));
                }
                First::Right(()) => dropped += 1,
            }
        }
        // Nobody else's, and none twice.
        let accepted = answers.len();
        for (expected, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap(), expected as u32, "{accepted} were accepted");
        }
        while !clients.is_finished() {
            turns(1).await;
        }
        if let Err(panic) = clients.join() {
            println!("{accepted} of {connections} accepted, {dropped} accepts dropped");
            resume_unwind(panic);
        }
        // A short storm on a busy machine may find everything there when it looks.
        assert!(dropped > 10 || is_emulated(), "the storm dropped only {dropped} accepts");
    });
}

/// The race that makes a loss certain: the client is there before the accept is, so the kernel takes the connection
/// although the accept is cancelled in the same call.
#[test]
fn r04_an_accept_that_completes_while_it_is_cancelled_loses_no_connection() {
    runs("a connection was never accepted", || async {
        let rounds = size(1_000, 20_000);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        for round in 0..rounds {
            let mut client = None;
            let mut connect = || client = Some(StdTcpStream::connect(addr).unwrap());
            if round % 2 == 0 && !READINESS {
                connect();
                let mut accept = listener.accept();
                assert!(poll_once(&mut accept).is_pending());
                // Completed, and never looked at.
                turns(2).await;
            } else {
                leave_in(listener.accept(), connect).await;
            }
            let mut client = client.unwrap();
            client.set_nonblocking(true).unwrap();
            let mut accept = pin!(listener.accept());
            let (stream, peer) = loop {
                if let First::Left(accepted) = race(&mut accept, sleep(A_WHILE)).await {
                    break accepted.unwrap();
                }
                let seen = client.read(&mut [0]).map_err(|error| error.kind());
                assert_eq!(seen, Err(ErrorKind::WouldBlock), "closed, and never accepted");
            };
            assert_eq!(peer, client.local_addr().unwrap());
            assert_eq!(stream.peer_addr().unwrap(), peer);
        }
    });
}

#[test]
fn accepts_are_served_in_the_order_of_their_first_poll() {
    runs("a connection was never accepted", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut accepts: Vec<_> = (0..4).map(|_| listener.accept()).collect();
        accepts.reverse();
        accepts.iter_mut().for_each(|accept| assert!(poll_once(accept).is_pending()));
        let clients: Vec<_> = (0..3).map(|_| StdTcpStream::connect(addr).unwrap()).collect();
        // The one that waits in second place gives up.
        drop(accepts.remove(1));
        for (accept, client) in accepts.into_iter().zip(clients) {
            assert_eq!(accept.await.unwrap().1, client.local_addr().unwrap());
        }
    });
}

#[test]
fn a_listener_that_is_dropped_closes_the_connection_that_nobody_took() {
    runs("the peer never saw the end", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut client = None;
        let mut connect = || client = Some(StdTcpStream::connect(addr).unwrap());
        let mut client = if READINESS {
            leave_in(listener.accept(), connect).await;
            client.unwrap()
        } else {
            connect();
            let mut accept = listener.accept();
            assert!(poll_once(&mut accept).is_pending());
            turns(2).await;
            client.unwrap()
        };
        drop(listener);
        turns(2).await;
        let end = thread::spawn(move || client.read(&mut [0; 8]));
        while !end.is_finished() {
            turns(1).await;
        }
        // Closed in order, and not with its socket forgotten.
        assert_eq!(end.join().unwrap().unwrap(), 0);
    });
}

#[test]
fn a_listener_that_is_dropped_with_its_accept_frees_its_address() {
    runs("the address was never free", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut accept = listener.accept();
        assert!(poll_once(&mut accept).is_pending());
        turns(1).await;
        drop(listener);
        // The accept keeps it open as long as somebody waits for it.
        let client = StdTcpStream::connect(addr).unwrap();
        assert_eq!(accept.await.unwrap().1, client.local_addr().unwrap());
        while StdTcpStream::connect(addr).is_ok() {
            turns(1).await;
        }
    });
}
