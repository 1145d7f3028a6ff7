//! The driver on a system that does to it what a system may: in no seed does it break the contract, lose a completion,
//! or change a byte. `KAEL_RIO_SEEDS` is how many there are.

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use std::net::TcpListener;
use std::thread;
use support::{connect, echo::Server, listener, verify};

const CONNECTIONS: usize = 2;
const ROUNDS: usize = 4;

#[test]
fn the_driver_keeps_the_contract_in_each_seed() {
    let seeds = std::env::var("KAEL_RIO_SEEDS").ok().and_then(|it| it.parse().ok());
    let seeds: u64 = seeds.unwrap_or(1_000);
    // Two threads, and so two drivers at a time, as in a program with two cores.
    let half = |first: u64| {
        thread::spawn(move || {
            let listener = listener();
            let run = |seed| run(seed, &listener);
            (first..seeds).step_by(2).map(run).collect::<Vec<usize>>()
        })
    };
    let halves = [half(0), half(1)];
    let whole: Vec<usize> = halves.into_iter().flat_map(|half| half.join().unwrap()).collect();
    let lost = whole.iter().filter(|&&whole| whole < CONNECTIONS * ROUNDS).count();
    let sum: usize = whole.iter().sum();
    println!("{seeds} seeds: {sum} rounds were whole, connections were lost in {lost} seeds");
    // Else nothing was tried.
    assert!(sum > CONNECTIONS * ROUNDS * seeds as usize / 2 && (lost > 0 || seeds < 100));
}

/// How many rounds were whole.
fn run(seed: u64, listener: &TcpListener) -> usize {
    rio_model::seed(Some(seed));
    let pairs = 1 + seed as u32 % 3;
    let mut server = Server::new(&rio_model::table(), CONNECTIONS as u32, pairs, 600);
    server.is_impatient = true;
    let (clients, sockets) = connect(listener, CONNECTIONS);
    let client = thread::spawn(move || verify(clients, ROUNDS, 1_000));
    for socket in sockets {
        server.add(socket, pairs);
    }
    server.run();
    let whole = client.join().unwrap();
    assert_eq!(server.rio.room(), 2 * CONNECTIONS as u32 * pairs, "seed {seed}: room is missing");
    server.end();
    assert_eq!(rio_model::total(), 0, "seed {seed}: the contract was broken");
    whole
}
