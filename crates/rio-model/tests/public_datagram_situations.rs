//! What the library's own UDP sockets do over the model where something is full, dropped, closed, connected or lost. Built with
//! `--cfg kael_rio="model"` and the feature `kael-rt/rio`.

#![cfg(all(windows, kael_rio = "model"))]

#[allow(dead_code)]
#[path = "support/loaded.rs"]
mod loaded;
#[path = "support/on_model.rs"]
mod on_model;

use kael_rt::net::UdpSocket;
use on_model::{one, poll_once, run, std_socket};
use std::io::ErrorKind;
use std::net::UdpSocket as StdUdpSocket;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn w08_more_sends_than_slots_are_sent_in_their_order() {
    let _one = one();
    run(async || {
        const SENDS: usize = 300;
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = receiver.local_addr().unwrap();
        let send = |number: usize| {
            let socket = socket.clone();
            kael_rt::spawn(async move {
                let bytes = number.to_le_bytes().repeat(1 + number % 3);
                let len = bytes.len();
                assert_eq!(socket.send_to(bytes, to).await.0.unwrap(), len);
            })
        };
        let sends: Vec<_> = (0..SENDS).map(send).collect();
        for number in 0..SENDS {
            let (received, bytes) = receiver.recv_from(Vec::with_capacity(64)).await;
            assert_eq!(received.unwrap().1, socket.local_addr().unwrap());
            assert_eq!(bytes, number.to_le_bytes().repeat(1 + number % 3), "datagram {number}");
        }
        for send in sends {
            send.await.unwrap();
        }
    });
}

#[test]
fn w07_a_dropped_receive_loses_no_datagram_and_a_dropped_send_sends_whole_or_nothing() {
    let _one = one();
    run(async || {
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let (addr, peer) = (socket.local_addr().unwrap(), std_socket());
        for number in 0..100_u32 {
            assert!(poll_once(socket.recv_from(vec![0; 8])).await.is_none());
            assert_eq!(peer.send_to(&number.to_le_bytes(), addr).unwrap(), 4);
            // Its datagram comes when nobody waits.
            kael_rt::time::sleep(Duration::from_millis(1)).await;
            let (received, bytes) = socket.recv_from(Vec::with_capacity(8)).await;
            assert_eq!(received.unwrap(), (4, peer.local_addr().unwrap()));
            assert_eq!(bytes, number.to_le_bytes());
        }
        // Some wait for a slot, and others are with the system.
        let to = peer.local_addr().unwrap();
        for _ in 0..100 {
            drop(poll_once(socket.send_to(vec![7; 500], to)).await);
        }
        assert_eq!(socket.send_to("last", to).await.0.unwrap(), 4);
        let whole = kael_rt::spawn_blocking(move || {
            let mut bytes = vec![0; 6000];
            let mut whole = 0;
            loop {
                match peer.recv(&mut bytes).expect("time limit: no datagram") {
                    4 => return whole,
                    len => assert!(len == 500 && bytes[..len].iter().all(|byte| *byte == 7)),
                }
                whole += 1;
            }
        });
        let whole = whole.await.unwrap();
        println!("{whole} of 100 dropped sends were sent");
        assert!(whole > 0, "what the system had is sent");
    });
}

#[test]
fn a_socket_that_is_connected_before_it_is_used_has_the_systems_peer() {
    let _one = one();
    run(async || {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (friend, stranger) = (std_socket(), std_socket());
        socket.connect(friend.local_addr().unwrap()).await.unwrap();
        let error = socket.send("x").await.0;
        assert_eq!(error.unwrap(), 1);
        there_and_back(&socket, friend, stranger).await;
        // The system's peer stays.
        let error = socket.connect("127.0.0.1:9").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn a_socket_that_is_connected_later_has_a_peer_of_ours() {
    let _one = one();
    run(async || {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let error = socket.send("nobody").await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        let error = socket.send_zc("nobody").await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        let (friend, stranger) = (std_socket(), std_socket());
        let old = std_socket();
        socket.connect(old.local_addr().unwrap()).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), old.local_addr().unwrap());
        socket.connect(friend.local_addr().unwrap()).await.unwrap();
        assert_eq!(socket.send("x").await.0.unwrap(), 1);
        there_and_back(&socket, friend, stranger).await;
        assert!(socket.connect("[::1]:9").await.is_err());
        socket.connect("0.0.0.0:0").await.unwrap();
        assert!(socket.peer_addr().is_err());
        let error = socket.send("nobody").await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

/// An `x` is on its way to the friend. What strangers send is not received.
async fn there_and_back(socket: &UdpSocket, friend: StdUdpSocket, stranger: StdUdpSocket) {
    let addr = socket.local_addr().unwrap();
    assert_eq!(socket.peer_addr().unwrap(), friend.local_addr().unwrap());
    let mut buffer = [0; 16];
    assert_eq!(friend.recv_from(&mut buffer).unwrap(), (1, addr));
    for len in [0, 1, 10] {
        stranger.send_to(b"stranger", addr).unwrap();
        assert_eq!(friend.send_to(&[b'f'; 10][..len], addr).unwrap(), len);
        let (received, bytes) = socket.recv(Vec::with_capacity(16)).await;
        assert_eq!((received.unwrap(), &bytes[..]), (len, &[b'f'; 10][..len]));
        assert_eq!(socket.send(vec![b's'; len]).await.0.unwrap(), len);
        assert_eq!(friend.recv_from(&mut buffer).unwrap(), (len, addr));
    }
    // An address may be named all the same.
    assert_eq!(socket.send_to("you", stranger.local_addr().unwrap()).await.0.unwrap(), 3);
    assert_eq!(stranger.recv_from(&mut buffer).unwrap(), (3, addr));
    assert_eq!(socket.send_zc("zero copies").await.0.unwrap(), 11);
    assert_eq!(friend.recv(&mut buffer).unwrap(), 11);
}

#[test]
fn a_datagram_that_found_nobody_does_not_end_the_receiver() {
    let _one = one();
    run(async || {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let gone = std_socket().local_addr().unwrap();
        let peer = std_socket();
        for number in 0..200_u8 {
            socket.send_to("anybody?", gone).await.0.unwrap();
            peer.send_to(&[number], addr).unwrap();
            let (received, bytes) = socket.recv_from(Vec::with_capacity(8)).await;
            assert_eq!(
                (received.unwrap().1, &bytes[..]),
                (peer.local_addr().unwrap(), &[number][..])
            );
        }
    });
}

#[test]
fn the_largest_and_the_smallest_over_both_families() {
    let _one = one();
    run(async || {
        let both: [(&str, usize); 2] = [("127.0.0.1:0", 65_507), ("[::1]:0", 65_527)];
        for (at, largest) in both {
            let Ok(one) = UdpSocket::bind(at).await else {
                println!("not run: no {at} here");
                continue;
            };
            let other = UdpSocket::bind(at).await.unwrap();
            let to = other.local_addr().unwrap();
            for len in [0, 1, 1500, largest] {
                let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
                let (sent, bytes) = one.send_to(bytes, to).await;
                assert_eq!(sent.unwrap(), len);
                let (received, got) = other.recv_from(Vec::with_capacity(70_000)).await;
                assert_eq!(received.unwrap(), (len, one.local_addr().unwrap()));
                assert!(got == bytes, "{len} bytes");
            }
            for len in [largest + 1, 65_536, 65_537, 70_000] {
                assert!(one.send_to(vec![0; len], to).await.0.is_err(), "{len} bytes");
            }
            // Cut where the buffer ends, and the next one is whole.
            assert_eq!(one.send_to("datagram", to).await.0.unwrap(), 8);
            assert_eq!(one.send_to("next", to).await.0.unwrap(), 4);
            let (received, got) = other.recv_from(Vec::with_capacity(4)).await;
            assert_eq!((received.unwrap().0, &got[..]), (4, &b"data"[..]));
            assert_eq!(other.recv_from(Vec::with_capacity(16)).await.1, b"next");
        }
    });
}

/// More sockets than have registered memory, many times: those that are closed with all that they have in flight give it back.
#[test]
fn sockets_come_and_go_with_everything_in_flight() {
    let _one = one();
    run(async || {
        let peer = std_socket();
        let to = peer.local_addr().unwrap();
        for round in 0..10_u8 {
            let mut sockets = Vec::new();
            for _ in 0..20 {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                assert!(poll_once(socket.recv_from(vec![0; 8])).await.is_none());
                peer.send_to(&[round], socket.local_addr().unwrap()).unwrap();
                sockets.push(socket);
            }
            for (place, socket) in sockets.iter().enumerate() {
                if place % 2 == 0 {
                    let (received, bytes) = socket.recv_from(Vec::with_capacity(8)).await;
                    assert_eq!((received.unwrap().1, &bytes[..]), (to, &[round][..]));
                }
                drop(poll_once(socket.send_to(vec![round; 100], to)).await);
            }
        }
    });
    // And the end of a runtime with some of them open.
    run(async || {
        for _ in 0..3 {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let to = socket.local_addr().unwrap();
            kael_rt::spawn(async move {
                loop {
                    let (received, bytes) = socket.recv_from(Vec::with_capacity(64)).await;
                    socket.send_to(bytes, received.unwrap().1).await.0.unwrap();
                }
            });
            std_socket().send_to(b"ping", to).unwrap();
        }
        kael_rt::yield_now().await;
    });
}
