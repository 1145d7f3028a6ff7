//! Many connections for a while, on a system without moods: every byte comes back, and no run hangs.

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use std::net::TcpListener;
use std::thread;
use support::{connect, echo::Server, listener, verify};

/// 200 connections, 50 rounds of 1 KiB each, verified; with KAEL_FULL=1 twenty such runs, one after the other, and one of
/// 500 connections and 100 rounds.
#[test]
fn connections_get_back_what_they_sent() {
    let is_full = std::env::var_os("KAEL_FULL").is_some();
    let listener = listener();
    for run in 1..=if is_full { 20 } else { 1 } {
        echo(&listener, 200, 50);
        println!("run {run}: all came back");
    }
    if is_full {
        echo(&listener, 500, 100);
    }
}

fn echo(listener: &TcpListener, connections: usize, rounds: usize) {
    let mut server = Server::new(&rio_model::table(), connections as u32, 1, 1024);
    let (mut clients, sockets) = connect(listener, connections);
    let threads: Vec<_> = (0..4)
        .map(|_| clients.split_off(clients.len() - connections / 4))
        .map(|clients| thread::spawn(move || verify(clients, rounds, 1024)))
        .collect();
    for socket in sockets {
        assert!(server.add(socket, 1));
    }
    server.run();
    let whole: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(whole, connections * rounds);
    assert_eq!(server.messages, whole as u64);
    server.end();
    assert_eq!(rio_model::total(), 0);
    println!("{connections} connections: {whole} messages of 1 KiB");
}
