//! The library's own UDP sockets over the model: the contract is kept, no datagram is lost, and what a message costs. Built
//! with `--cfg kael_rio="model"` and the feature `kael-rt/rio`. `KAEL_RIO_SEEDS` is how many seeds there are.

#![cfg(all(windows, kael_rio = "model"))]

#[allow(dead_code)]
#[path = "support/loaded.rs"]
mod loaded;
#[allow(dead_code)]
#[path = "support/on_model.rs"]
mod on_model;

use kael_rt::net::UdpSocket;
use kael_rt::runtime::Builder;
use loaded::Model;
use on_model::{one, poll_once, run, std_socket};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 2;
const DATAGRAMS: usize = 8;

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
    run(async || {
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
    })
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
