//! Counts heap allocations of bytes that go from one descriptor to another: none in the steady
//! state.

#![cfg(not(kael_backend = "sim"))] // Its subjects are this system's own limits.

#[path = "support/counting.rs"]
mod counting;
mod rig;

use counting::{Counting, allocations};
use kael_rt::fs::File;
use kael_rt::io::{copy_bidirectional, send_file};
use kael_rt::net::TcpStream;
use rig::{TempFile, pair, size, within_limit};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LEN: usize = 100_000;

async fn receive(stream: &TcpStream, buf: &mut Vec<u8>, len: usize) {
    buf.resize(len, 0);
    let (n, back) = stream.read_exact(std::mem::take(buf)).await;
    assert_eq!(n.unwrap(), len);
    *buf = back;
}

#[test]
fn r41_files_into_streams() {
    within_limit(|| {
        let path = TempFile::new("alloc-send", &[7; LEN]);
        kael_rt::block_on(async {
            let file = File::open(&path.0).await.unwrap();
            let (ours, theirs) = pair().await;
            let mut buf = Vec::with_capacity(LEN);
            let mut before = 0;
            let rounds = size(500, 20_000);
            for round in 0..rounds {
                if round == rounds / 2 {
                    before = allocations();
                }
                for len in [4096, LEN] {
                    let send =
                        send_file(&file, 0..len as u64, &ours).header("head").trailer("tail");
                    assert_eq!(send.await.unwrap(), len as u64 + 8);
                    receive(&theirs, &mut buf, len + 8).await;
                }
            }
            let allocations = allocations() - before;
            assert_eq!(allocations, 0, "allocations in {rounds} rounds");
        });
    });
}

#[test]
fn r41_streams_into_each_other() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (client, a) = pair().await;
            let (b, server) = pair().await;
            let copy = kael_rt::spawn(async move { copy_bidirectional(&a, &b).await });
            let mut buf = Vec::with_capacity(LEN);
            let mut before = 0;
            let rounds = size(2_000, 50_000);
            for round in 0..rounds {
                if round == rounds / 2 {
                    before = allocations();
                }
                for (from, to) in [(&client, &server), (&server, &client)] {
                    buf.resize(LEN / 5, 7);
                    let (n, back) = from.write_all(std::mem::take(&mut buf)).await;
                    n.unwrap();
                    buf = back;
                    receive(to, &mut buf, LEN / 5).await;
                }
            }
            let allocations = allocations() - before;
            assert_eq!(allocations, 0, "allocations in {rounds} rounds");
            client.close().await.unwrap();
            server.close().await.unwrap();
            copy.await.unwrap().unwrap();
        });
    });
}
