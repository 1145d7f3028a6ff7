//! The connections of `incoming`: all come, once and in their order, whoever takes them and whatever is dropped meanwhile.
//! A kernel of several processors may order them otherwise than they were made, so their order is looked at on a simulated one.

#[path = "support/drops.rs"]
mod drops;

use drops::{briefly, poll_once, runs, turns};
use kael_rt::net::{TcpListener, TcpStream};
use std::net::SocketAddr;
use std::pin::pin;

/// More than wait in a listener, and more than are handed out in a row.
const BURST: usize = 200;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Connects one after the other: the clients, and the addresses by which the listener knows them.
async fn connect(addr: SocketAddr, count: usize) -> (Vec<TcpStream>, Vec<SocketAddr>) {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(TcpStream::connect(addr).await.unwrap());
    }
    let addrs = clients.iter().map(|client| client.local_addr().unwrap()).collect();
    (clients, addrs)
}

/// These have come, each once.
fn expect_each(came: &[SocketAddr], addrs: &[SocketAddr], what: &str) {
    let order = |addrs: &[SocketAddr]| {
        let mut addrs = addrs.to_vec();
        if !cfg!(kael_backend = "sim") {
            addrs.sort();
        }
        addrs
    };
    assert_eq!(order(came), order(addrs), "{what}");
}

fn peers(streams: &[TcpStream]) -> Vec<SocketAddr> {
    streams.iter().map(|stream| stream.peer_addr().unwrap()).collect()
}

/// All of a burst without a turn of the runtime. (A simulated kernel has its clients itself.)
#[cfg(not(kael_backend = "sim"))]
fn connect_elsewhere(addr: SocketAddr) -> std::net::TcpStream {
    std::net::TcpStream::connect(addr).unwrap()
}

#[test]
fn m01_a_burst_of_connections_comes_once_and_in_order() {
    runs("a connection never came", || async {
        let (listener, addr) = listen().await;
        let mut incoming = listener.incoming();
        for _ in 0..3 {
            let (clients, addrs) = connect(addr, BURST).await;
            let mut streams = Vec::new();
            for _ in &addrs {
                streams.push(incoming.next().await.unwrap());
            }
            let came = peers(&streams);
            expect_each(&came, &addrs, "a burst");
            assert!(briefly(pin!(incoming.next()), 3).await.is_none(), "one more than connected");
            for (n, (client, addr)) in clients.iter().zip(&addrs).enumerate() {
                let its = came.iter().position(|peer| peer == addr).unwrap();
                streams[its].write_all(vec![n as u8; 3]).await.0.unwrap();
                assert_eq!(client.read_exact(vec![0; 3]).await.1, [n as u8; 3]);
            }
        }
    });
}

/// More come at once than the completion queue holds.
#[test]
#[cfg(not(kael_backend = "sim"))] // Its queue has no bound.
fn m01_a_burst_that_overflows_the_queue_comes_whole() {
    drops::within("a connection never came", || {
        let builder = kael_rt::runtime::Builder::new().queue_depth(2).queue_limit(2);
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            let mut incoming = listener.incoming();
            let mut next = Box::pin(incoming.next());
            assert!(poll_once(&mut next).is_pending());
            turns(2).await;
            let clients: Vec<_> = (0..BURST).map(|_| connect_elsewhere(addr)).collect();
            let mut came = vec![next.await.unwrap()];
            while came.len() < BURST {
                came.push(incoming.next().await.unwrap());
            }
            let addrs: Vec<_> = clients.iter().map(|one| one.local_addr().unwrap()).collect();
            expect_each(&peers(&came), &addrs, "a burst");
        });
    });
}

/// They come while somebody waits, one by one and in small numbers.
#[test]
fn m01_connections_come_as_they_are_made() {
    runs("a connection never came", || async {
        let (listener, addr) = listen().await;
        let mut incoming = listener.incoming();
        for count in [1, 2, 1, 5, 1, 70, 1] {
            let connecting = kael_rt::spawn(connect(addr, count));
            let mut came = Vec::new();
            for _ in 0..count {
                came.push(incoming.next().await.unwrap());
            }
            let (_clients, addrs) = connecting.await.unwrap();
            expect_each(&peers(&came), &addrs, "as they are made");
        }
    });
}

/// With the bound reached it stops, and when all are taken it goes on.
#[test]
fn m01_it_goes_on_when_what_waited_is_taken() {
    runs("a connection never came", || async {
        let (listener, addr) = listen().await;
        let mut incoming = listener.incoming();
        let (mut clients, mut expected) = connect(addr, 1).await;
        drop(incoming.next().await.unwrap());
        expected.clear();
        for _ in 0..BURST {
            let (more, addrs) = connect(addr, 1).await;
            clients.extend(more);
            expected.extend(addrs);
            turns(1).await;
        }
        let mut came = Vec::new();
        for _ in &expected {
            came.push(incoming.next().await.unwrap());
        }
        expect_each(&peers(&came), &expected, "beyond the bound");
    });
}

/// A `next` that is dropped: before it was polled, while it waits, with its connection there, and with it taken by the kernel
/// while it is cancelled.
#[test]
fn m02_a_next_that_is_dropped_loses_no_connection() {
    runs("a connection was lost", || async {
        for by_accept in [false, true] {
            for state in 0..5 {
                let (listener, addr) = listen().await;
                let mut incoming = listener.incoming();
                let mut held = Vec::new();
                let mut next = Box::pin(incoming.next());
                if state > 0 {
                    assert!(poll_once(&mut next).is_pending());
                }
                match state {
                    // It waits already when they come.
                    1 => turns(2).await,
                    // It was handed over with the connections that it cancels.
                    2 => held.extend(connect(addr, 3).await.0),
                    // It has its answer, and nobody looked.
                    3 => {
                        turns(2).await;
                        held.extend(connect(addr, 3).await.0);
                        turns(3).await;
                    }
                    _ => {}
                }
                drop(next);
                if state == 4 {
                    turns(2).await;
                }
                if held.is_empty() {
                    held = connect(addr, 3).await.0;
                }
                let mut came = Vec::new();
                if by_accept {
                    drop(incoming);
                    for _ in 0..3 {
                        let (stream, peer) = listener.accept().await.unwrap();
                        assert_eq!(stream.peer_addr().unwrap(), peer);
                        came.push(peer);
                    }
                } else {
                    for _ in 0..3 {
                        came.push(incoming.next().await.unwrap().peer_addr().unwrap());
                    }
                }
                let addrs: Vec<_> = held.iter().map(|one| one.local_addr().unwrap()).collect();
                expect_each(&came, &addrs, &format!("state {state}, by accept: {by_accept}"));
            }
        }
    });
}

/// What came and was not taken is the next accept's, and that of another `Incoming`.
#[test]
fn m02_an_incoming_that_is_dropped_leaves_its_connections() {
    runs("a connection was lost", || async {
        let (listener, addr) = listen().await;
        for round in 0..20 {
            let (_clients, addrs) = connect(addr, BURST / 10).await;
            let mut came = Vec::new();
            let mut incoming = listener.incoming();
            came.push(incoming.next().await.unwrap().peer_addr().unwrap());
            drop(incoming);
            turns(round % 3).await;
            came.push(listener.accept().await.unwrap().1);
            let mut incoming = listener.incoming();
            came.push(incoming.next().await.unwrap().peer_addr().unwrap());
            came.push(listener.accept().await.unwrap().1);
            drop(incoming);
            while came.len() < addrs.len() {
                came.push(listener.accept().await.unwrap().1);
            }
            expect_each(&came, &addrs, &format!("round {round}"));
        }
    });
}

/// An accept that waits while another task's `Incoming` is dropped is served all the same; and so is a second `Incoming`.
#[test]
fn m02_who_waits_when_an_incoming_is_dropped_is_served() {
    runs("a connection was lost", || async {
        let (listener, addr) = listen().await;
        for other in 0..2 {
            let mut incoming = listener.incoming();
            let mut second = listener.incoming();
            let mut next = Box::pin(incoming.next());
            assert!(poll_once(&mut next).is_pending());
            turns(2).await;
            drop(next);
            let mut accept = listener.accept();
            let mut after = Box::pin(second.next());
            if other == 0 {
                assert!(poll_once(&mut accept).is_pending());
            } else {
                assert!(poll_once(&mut after).is_pending());
            }
            turns(2).await;
            drop(incoming);
            turns(2).await;
            let (_clients, addrs) = connect(addr, 2).await;
            let first = match other {
                0 => accept.await.unwrap().1,
                _ => after.await.unwrap().peer_addr().unwrap(),
            };
            let second = listener.accept().await.unwrap().1;
            expect_each(&[first, second], &addrs, "who waits");
        }
    });
}

/// Its own connections end with a listener, and nobody else's.
#[test]
fn m02_a_listener_that_is_dropped_closes_what_nobody_took() {
    runs("the peer never saw the end", || async {
        let (listener, addr) = listen().await;
        let mut incoming = listener.incoming();
        let (clients, _) = connect(addr, 5).await;
        let first = incoming.next().await.unwrap();
        turns(3).await;
        drop(incoming);
        drop(listener);
        for client in &clients[1..] {
            // An end or a reset.
            let end = client.read(vec![0; 1]).await.0.unwrap_or(0);
            assert_eq!(end, 0);
        }
        first.write_all("on").await.0.unwrap();
        assert_eq!(clients[0].read_exact(vec![0; 2]).await.1, b"on");
    });
}
