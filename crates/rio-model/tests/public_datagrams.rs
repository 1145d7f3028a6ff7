//! The library's own UDP sockets over the model: the contract is kept, no datagram is lost, and what a message costs. Built
//! with `--cfg kael_rio="model"` and the feature `kael-rt/rio`. `KAEL_RIO_SEEDS` is how many seeds there are.

#![cfg(all(windows, kael_rio = "model"))]

#[allow(dead_code)]
#[path = "support/loaded.rs"]
mod loaded;

use kael_rt::net::UdpSocket;
use kael_rt::runtime::Builder;
use loaded::Model;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 2;
const DATAGRAMS: usize = 8;

/// How completions are gathered is the process's, so one test at a time.
static ONE: Mutex<()> = Mutex::new(());

fn one() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs on a runtime with registered I/O, in which the contract is kept.
fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    let runtime = Builder::new().build().unwrap();
    assert_eq!(runtime.granted().interface, "IOCP and RIO");
    let output = runtime.block_on(test());
    drop(runtime);
    assert_eq!(Model::get().total(), 0, "the contract was broken");
    output
}

fn std_socket() -> StdUdpSocket {
    let socket = StdUdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

fn next(chance: &mut u64) -> u64 {
    *chance =
        chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *chance >> 33
}

/// A datagram of a client: each has its own length and bytes.
fn datagram(client: usize, number: usize) -> Vec<u8> {
    let mut chance = (client * 1000 + number) as u64;
    let len = match next(&mut chance) % 8 {
        0 => 0,
        1 => 9_000,
        len => len as usize * 100,
    };
    (0..len).map(|_| next(&mut chance) as u8).collect()
}

#[test]
fn public_datagrams_keep_the_contract_in_each_seed() {
    let _one = one();
    let seeds = std::env::var("KAEL_RIO_SEEDS").ok().and_then(|it| it.parse().ok());
    let seeds: u64 = seeds.unwrap_or(1_000);
    // Two threads, and so two cores at a time.
    let half = |first: u64| thread::spawn(move || (first..seeds).step_by(2).map(seed).sum());
    let halves: [thread::JoinHandle<usize>; 2] = [half(0), half(1)];
    let unsent: usize = halves.into_iter().map(|half| half.join().unwrap()).sum();
    println!(
        "{seeds} seeds: {} datagrams came back in their order, {unsent} were refused and sent again, no violation",
        seeds as usize * CLIENTS * DATAGRAMS
    );
    // Else nothing was tried.
    assert!(unsent > 0 || seeds < 100);
}

/// How many sends failed.
fn seed(seed: u64) -> usize {
    Model::get().seed(seed);
    let unsent = run(async || {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| thread::spawn(move || verify(client, addr))).collect();
        let unsent = echo(&socket, CLIENTS * DATAGRAMS, seed).await;
        let joined = kael_rt::spawn_blocking(|| {
            clients.into_iter().for_each(|client| client.join().unwrap());
        });
        joined.await.unwrap();
        unsent
    });
    unsent
}

/// Sends all datagrams, and wants them back in their order.
fn verify(client: usize, to: SocketAddr) {
    let socket = std_socket();
    for number in 0..DATAGRAMS {
        socket.send_to(&datagram(client, number), to).unwrap();
    }
    let mut buffer = vec![0; 10_000];
    for number in 0..DATAGRAMS {
        let (len, from) = socket.recv_from(&mut buffer).expect("time limit: no echo");
        assert_eq!(from, to);
        assert!(buffer[..len] == datagram(client, number), "datagram {number} of client {client}");
    }
}

/// Sends so many datagrams back. Many of its receives are dropped, or stopped by a limit.
async fn echo(socket: &UdpSocket, datagrams: usize, seed: u64) -> usize {
    let (mut chance, mut done, mut unsent) = (seed, 0, 0);
    while done < datagrams {
        let room = Vec::with_capacity(10_000);
        let answer = match next(&mut chance) % 8 {
            0..3 => poll_once(socket.recv_from(room)).await,
            3..5 => {
                let limit = Duration::from_micros(next(&mut chance) % 1000);
                Some(socket.recv_from(room).timeout(limit).await)
            }
            _ => Some(socket.recv_from(room).await),
        };
        match answer {
            None => kael_rt::yield_now().await,
            Some((Ok((_, from)), received)) => {
                unsent += send_back(socket, received, from).await;
                done += 1;
            }
            Some((Err(error), _)) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        }
    }
    unsent
}

/// Sends until it is sent. How often it was not.
async fn send_back(socket: &UdpSocket, mut bytes: Vec<u8>, to: SocketAddr) -> usize {
    let mut unsent = 0;
    loop {
        let (sent, back) = socket.send_to(bytes, to).await;
        match sent {
            Ok(sent) => {
                assert_eq!(sent, back.len());
                return unsent;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        (unsent, bytes) = (unsent + 1, back);
    }
}

/// The answer, if it is there at once; otherwise the operation is dropped.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Calls into the system and messages of an echo with so many datagrams in flight.
fn measure(depth: usize, rounds: usize) -> (u64, u64) {
    const SIZE: usize = 64;
    let model = Model::get();
    let runtime = Builder::new().build().unwrap();
    let handle = runtime.handle();
    let calls = runtime.block_on(async move {
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let addr = socket.local_addr().unwrap();
        model.gather(depth as u32);
        let client = thread::spawn(move || {
            let (socket, mut buffer) = (std_socket(), [0; SIZE]);
            for round in 0..rounds + 1 {
                let message = [round as u8; SIZE];
                (0..depth).for_each(|_| assert_eq!(socket.send_to(&message, addr).unwrap(), SIZE));
                for _ in 0..depth {
                    assert_eq!(socket.recv(&mut buffer).expect("time limit: no echo"), SIZE);
                    assert_eq!(buffer, message);
                }
            }
        });
        let echoed = Rc::new(Cell::new(0));
        let first = Rc::new(Cell::new(0));
        let serve = || {
            let (socket, echoed, first) = (socket.clone(), echoed.clone(), first.clone());
            let handle = handle.clone();
            kael_rt::spawn(async move {
                let mut buffer = Vec::with_capacity(SIZE);
                for _ in 0..rounds + 1 {
                    let (received, bytes) = socket.recv_from(buffer).await;
                    let (sent, bytes) = socket.send_to(bytes, received.unwrap().1).await;
                    assert_eq!(sent.unwrap(), SIZE);
                    echoed.set(echoed.get() + 1);
                    if echoed.get() == depth {
                        // The first round is of the set-up.
                        first.set(handle.metrics().cores[0].syscalls);
                    }
                    buffer = bytes;
                }
            })
        };
        let serving: Vec<_> = (0..depth).map(|_| serve()).collect();
        for serving in serving {
            serving.await.unwrap();
        }
        let calls = handle.metrics().cores[0].syscalls - first.get();
        kael_rt::spawn_blocking(|| client.join().unwrap()).await.unwrap();
        model.gather(0);
        calls
    });
    drop(runtime);
    assert_eq!(model.total(), 0);
    let messages = (rounds * depth) as u64;
    println!("depth {depth}: {messages} messages, {calls} calls");
    (calls, messages)
}

#[test]
fn a_datagram_costs_a_sixteenth_of_a_call_at_64_in_flight_and_four_calls_alone() {
    let _one = one();
    let (calls, messages) = measure(64, 50);
    assert!(calls * 16 <= messages, "{calls} calls for {messages} messages");
    let (calls, messages) = measure(1, 200);
    assert!(calls <= 4 * messages, "{calls} calls for {messages} messages");
}

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
