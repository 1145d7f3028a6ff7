//! A queued write that there is no slot for: what the system takes of it at once must not be sent again.
#![cfg(not(any(windows, kael_backend = "sim")))] // Their sockets take everything at once.

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::net::TcpStream;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep};
use rig::within_limit;
use sequence::{expect_piece, sequence};
use std::io::Read;

/// The least that there may be.
const SLOTS: u32 = 16;
/// More than the system keeps for a connection.
const MUCH: usize = 12 << 20;

/// Ends of a connection: the runtime's and the system's.
fn pair() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    (TcpStream::from_std(ours).unwrap(), theirs)
}

#[test]
fn queued_send_without_a_slot_sends_nothing_twice() {
    within_limit(|| {
        let runtime = Builder::new().max_in_flight(SLOTS).build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let (ours, mut theirs) = pair();
            // Writes that nobody reads take all the slots.
            let mut peers = Vec::new();
            let mut writes = Vec::new();
            for _ in 0..SLOTS {
                let (stream, peer) = pair();
                peers.push(peer);
                writes.push(kael_rt::spawn(async move {
                    stream.write_all(vec![0; MUCH]).await.0.unwrap();
                    stream.close().await.unwrap();
                }));
            }
            while handle.metrics().cores[0].in_flight < u64::from(SLOTS) {
                sleep(Duration::from_micros(100)).await;
            }
            // What there is room for could be sent now, and the rest has to wait for a slot.
            let write = kael_rt::spawn(async move {
                assert_eq!(ours.write_queued(sequence(0, MUCH)).await.unwrap(), MUCH);
                ours.close().await.unwrap();
            });
            sleep(Duration::from_millis(1)).await;
            let reader = std::thread::spawn(move || {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).unwrap();
                all
            });
            let drains: Vec<_> = peers
                .into_iter()
                .map(|mut peer| {
                    std::thread::spawn(move || {
                        std::io::copy(&mut peer.by_ref(), &mut std::io::sink())
                    })
                })
                .collect();
            for write in writes {
                write.await.unwrap();
            }
            write.await.unwrap();
            for drain in drains {
                assert_eq!(drain.join().unwrap().unwrap(), MUCH as u64);
            }
            let all = reader.join().unwrap();
            expect_piece(0, &all);
            assert_eq!(all.len(), MUCH, "as many bytes come as were written");
        });
    });
}
