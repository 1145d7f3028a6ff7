//! What connections that wait cost `kael serve`: a measurement, run by name.

// It reads the server's memory from /proc.
#![cfg(target_os = "linux")]

mod common;

use common::http::{Client, Site};
use std::net::TcpStream;

/// As many as 20,000 descriptors allow a server, which keeps two for each connection, and some for files.
const CONNECTIONS: usize = 9_800;

/// Each has asked for a file, has got it, and waits.
#[test]
#[ignore = "a measurement: cargo test -p kael-cli --test serve_idle -- --ignored --nocapture"]
fn memory_of_idle_connections() {
    raise_descriptors();
    let site = Site::new("idle", &format!("--max-connections {CONNECTIONS} --open-files 16"));
    let ask = || -> Client<TcpStream> {
        let mut client = site.client();
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a");
        assert_eq!(client.answer(false).status, 200);
        client
    };
    let _first = ask();
    let before = site.server.resident_bytes();
    let idle: Vec<_> = (1..CONNECTIONS).map(|_| ask().stream.into_inner()).collect();
    let after = site.server.resident_bytes();
    assert_eq!(site.server.open_descriptors() / 1000, CONNECTIONS / 1000);
    println!(
        "{} idle connections: {} KiB resident instead of {} KiB, {} bytes each",
        idle.len(),
        after / 1024,
        before / 1024,
        (after - before) / idle.len() as u64
    );
}

/// The process has a descriptor for each client.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the hard limit is allowed");
}
