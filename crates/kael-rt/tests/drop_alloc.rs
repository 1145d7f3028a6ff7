//! Dropping reads and handing on what they left allocates nothing but the buffers that the program makes.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/drops.rs"]
mod drops;

use counting::{Counting, allocations};
use drops::{leave_in, size};
use kael_rt::net::{TcpListener, TcpStream};
use std::io::Write;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rounds in which a read is dropped that had bytes, and the next one gets them. Returns the buffers that were made.
async fn storm(stream: &TcpStream, peer: &mut std::net::TcpStream, rounds: u64) -> u64 {
    let mut buf = Vec::with_capacity(64);
    for round in 0..rounds {
        let feed = || peer.write_all(&round.to_le_bytes()).unwrap();
        leave_in(stream.read(Vec::with_capacity(64)), feed).await;
        let result;
        (result, buf) = stream.read(buf).await;
        assert_eq!(result.unwrap(), 8);
        assert_eq!(buf, round.to_le_bytes());
    }
    rounds + 1
}

#[test]
fn r05_reads_dropped_in_a_storm_allocate_nothing() {
    kael_rt::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_nodelay(true).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        storm(&stream, &mut peer, 1_000).await;
        let rounds = size(20_000, 20_000) as u64;
        let before = allocations();
        let buffers = storm(&stream, &mut peer, rounds).await;
        let allocations = allocations() - before;
        assert_eq!(allocations - buffers, 0, "in {rounds} rounds");
    });
}
