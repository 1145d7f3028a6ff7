//! The library's own streams over the model: the contract is kept, no byte is lost, and what a message costs. Built with
//! `--cfg kael_rio="model"` and the feature `kael-rt/rio`. `KAEL_RIO_SEEDS` is how many seeds there are.

#![cfg(all(windows, kael_rio = "model"))]

#[allow(dead_code)]
#[path = "support/loaded.rs"]
mod loaded;
#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::Builder;
use loaded::Model;
use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;
use support::verify;

const CONNECTIONS: usize = 2;
const ROUNDS: usize = 4;

#[test]
fn public_streams_keep_the_contract_in_each_seed() {
    let seeds = std::env::var("KAEL_RIO_SEEDS").ok().and_then(|it| it.parse().ok());
    let seeds: u64 = seeds.unwrap_or(1_000);
    // Two threads, and so two cores at a time.
    let half = |first: u64| thread::spawn(move || (first..seeds).step_by(2).map(run).collect());
    let halves: [thread::JoinHandle<Vec<usize>>; 2] = [half(0), half(1)];
    let whole: Vec<usize> = halves.into_iter().flat_map(|half| half.join().unwrap()).collect();
    let lost = whole.iter().filter(|&&whole| whole < CONNECTIONS * ROUNDS).count();
    let sum: usize = whole.iter().sum();
    println!("{seeds} seeds: {sum} rounds were whole, connections were lost in {lost} seeds");
    // Else nothing was tried.
    assert!(sum > CONNECTIONS * ROUNDS * seeds as usize / 2 && (lost > 0 || seeds < 100));
}

/// How many rounds were whole.
fn run(seed: u64) -> usize {
    let model = Model::get();
    model.seed(seed);
    let runtime = Builder::new().build().unwrap();
    assert_eq!(runtime.granted().interface, "IOCP and RIO");
    let whole = runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn(move || verify(connect(address, CONNECTIONS), ROUNDS, 1_000));
        let mut served = Vec::new();
        for number in 0..CONNECTIONS as u64 {
            let (stream, _) = listener.accept().await.unwrap();
            served.push(kael_rt::spawn(serve(stream, seed * 2 + number)));
        }
        for served in served {
            served.await.unwrap();
        }
        kael_rt::spawn_blocking(|| client.join().unwrap()).await.unwrap()
    });
    drop(runtime);
    assert_eq!(model.total(), 0, "seed {seed}: the contract was broken");
    whole
}

fn connect(address: SocketAddr, count: usize) -> Vec<std::net::TcpStream> {
    let connect = |_| {
        let client = std::net::TcpStream::connect(address).unwrap();
        client.set_nodelay(true).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        client
    };
    (0..count).map(connect).collect()
}

/// Echoes until the peer has ended, or the connection is lost. Many of its reads are dropped, or stopped by a limit.
async fn serve(stream: TcpStream, mut chance: u64) {
    loop {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let capacity = 1 + (chance >> 40) as usize % 700;
        let answer = match chance >> 61 {
            0..3 => poll_once(stream.read(Vec::with_capacity(capacity))).await,
            3..5 => {
                let limit = Duration::from_micros(chance >> 50 & 0x3ff);
                Some(stream.read(Vec::with_capacity(capacity)).timeout(limit).await)
            }
            _ => Some(stream.read(Vec::with_capacity(capacity)).await),
        };
        match answer {
            None => kael_rt::yield_now().await,
            Some((Err(error), _)) if error.kind() == ErrorKind::TimedOut => {}
            Some((Ok(1..), received)) => {
                if stream.write_all(received).await.0.is_err() {
                    return;
                }
            }
            Some(_) => return,
        }
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

/// Calls into the system and messages of an echo with so many messages in flight on one connection.
fn measure(depth: usize, rounds: usize) -> (u64, u64) {
    const SIZE: usize = 64;
    let runtime = Builder::new().build().unwrap();
    let handle = runtime.handle();
    let calls = runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = thread::spawn(move || verify(connect(address, 1), rounds + 1, SIZE * depth));
        let (stream, _) = listener.accept().await.unwrap();
        let (mut first, mut buffer) = (0, Vec::with_capacity(SIZE * depth));
        for round in 0..rounds + 1 {
            let mut got = 0;
            while got < SIZE * depth {
                let (n, received) = stream.read(buffer).await;
                got += n.unwrap();
                // Each message is answered by itself, and the answers wait for the next turn.
                for message in received.chunks(SIZE) {
                    stream.write_queued(message.to_vec()).await.unwrap();
                }
                buffer = received;
                buffer.clear();
            }
            if round == 0 {
                // The first round is of the set-up.
                first = handle.metrics().cores[0].syscalls;
            }
        }
        let calls = handle.metrics().cores[0].syscalls - first;
        assert_eq!(stream.read(buffer).await.0.unwrap(), 0);
        let whole = kael_rt::spawn_blocking(|| client.join().unwrap()).await.unwrap();
        assert_eq!(whole, rounds + 1);
        calls
    });
    drop(runtime);
    assert_eq!(Model::get().total(), 0);
    let messages = (rounds * depth) as u64;
    println!("depth {depth}: {messages} messages, {calls} calls");
    (calls, messages)
}

#[test]
fn a_public_message_costs_a_sixteenth_of_a_call_at_64_in_flight_and_four_calls_alone() {
    let (calls, messages) = measure(64, 50);
    assert!(calls * 16 <= messages, "{calls} calls for {messages} messages");
    let (calls, messages) = measure(1, 200);
    assert!(calls <= 4 * messages, "{calls} calls for {messages} messages");
}

/// Ordinary calls would overtake what goes through the queue, so nobody else gets such a socket.
#[test]
fn a_stream_that_has_a_queue_stays_with_the_runtime() {
    Builder::new().build().unwrap().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        one.write_all("hello").await.0.unwrap();
        let one = one.into_std().unwrap_err();
        let error: Error = one.detach().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        // Nothing was asked of this one yet.
        let mut other = other.into_std().unwrap();
        let read = kael_rt::spawn_blocking(move || {
            let mut all = String::new();
            std::io::Read::read_to_string(&mut other, &mut all).map(|_| all)
        });
        assert_eq!(read.await.unwrap().unwrap(), "hello");
    });
}
