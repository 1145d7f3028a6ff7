//! The same suite on Windows' own registered I/O, where there is one. Nobody has run it yet:
//!
//!     cargo test -p rio-model --test real -- --ignored

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use std::thread;
use support::{close, connect, datagrams, echo::Server, listener, socket, verify};
use windows_sys::Win32::Networking::WinSock::RIO_EXTENSION_FUNCTION_TABLE;

/// Connections, pairs of slots, rounds, bytes in a round.
const SHAPES: [(usize, u32, usize, usize); 4] =
    [(1, 1, 100, 64), (1, 64, 20, 64 * 64), (20, 3, 5, 10_000), (100, 1, 10, 1024)];

/// Pairs of slots, rounds, datagrams in a round.
const DATAGRAMS: [(u32, usize, usize); 3] = [(1, 100, 1), (4, 20, 4), (64, 10, 64)];

fn suite(table: &RIO_EXTENSION_FUNCTION_TABLE) {
    let listener = listener();
    for (connections, pairs, rounds, size) in SHAPES {
        let mut server = Server::new(table, connections as u32, pairs, 1024);
        let (clients, sockets) = connect(&listener, connections);
        let client = thread::spawn(move || verify(clients, rounds, size));
        for socket in sockets {
            assert!(server.add(socket, pairs));
        }
        server.run();
        assert_eq!(client.join().unwrap(), connections * rounds);
        let (calls, waits) = (server.rio.calls(), server.port.waits);
        println!("{connections} connections, {pairs} pairs: {calls:?}, {waits} waits");
        assert_eq!(server.rio.room(), 2 * connections as u32 * pairs);
        server.end();
    }
    for (pairs, rounds, depth) in DATAGRAMS {
        let server = datagrams::Server::new(table, pairs);
        let addr = server.addr;
        let client = thread::spawn(move || datagrams::verify(addr, rounds, depth));
        server.run(rounds * depth);
        client.join().unwrap();
    }
}

#[test]
fn the_suite_passes_on_the_model() {
    suite(&rio_model::table());
    assert_eq!(rio_model::total(), 0);
}

#[test]
#[ignore = "needs registered I/O: Windows 8 or later, not wine"]
fn the_suite_passes_on_the_systems_own_functions() {
    let any = socket();
    let table = rio::load(any).unwrap_or_else(|code| {
        panic!("this system has no registered I/O: WSAIoctl says {code}");
    });
    close(any);
    suite(&table);
}

#[test]
fn a_system_without_registered_io_says_so() {
    let any = socket();
    match rio::load(any) {
        Ok(table) => assert!(table.RIOReceive.is_some()),
        Err(code) => assert_eq!(code, 10045, "WSAEOPNOTSUPP"),
    }
    close(any);
}
