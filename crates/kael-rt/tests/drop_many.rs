//! More pending operations dropped at once than the submission queue has entries.

#![cfg(not(kael_backend = "sim"))] // The other ends of its connections are the system's own sockets.
#[path = "support/drops.rs"]
mod drops;

use drops::{pair, poll_once, turns, within};
use kael_rt::net::TcpListener;
use kael_rt::runtime::Builder;
use std::io::Read;
use std::net::TcpStream as StdTcpStream;
use std::time::Duration;

const QUEUE_DEPTH: u32 = 8;
const STREAMS: usize = 10 * QUEUE_DEPTH as usize;

/// Generous beside the second of the scorecard, since the machine may be busy; a lost end never comes.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn r06_the_peers_of_many_reads_dropped_at_once_see_the_end() {
    within("the runtime never came back", || {
        let runtime = Builder::new().queue_depth(QUEUE_DEPTH).build().unwrap();
        runtime.block_on(async {
            for submitted in [false, true] {
                let (streams, mut peers): (Vec<_>, Vec<_>) = (0..STREAMS).map(|_| pair()).unzip();
                let mut reads: Vec<_> =
                    streams.iter().map(|stream| stream.read(vec![0; 64])).collect();
                reads.iter_mut().for_each(|read| assert!(poll_once(read).is_pending()));
                if submitted {
                    turns(2).await;
                }
                drop(reads);
                drop(streams);
                turns(20).await;
                for (number, peer) in peers.iter_mut().enumerate() {
                    peer.set_read_timeout(Some(SOON)).unwrap();
                    let end = peer.read(&mut [0; 8]);
                    assert!(matches!(end, Ok(0)), "peer {number} never saw the end: {end:?}");
                }
            }
        });
    });
}

#[test]
fn r06_the_peers_of_many_dropped_tcp_streams_see_the_end() {
    within("the runtime never came back", || {
        let runtime = Builder::new().queue_depth(QUEUE_DEPTH).build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let (mut streams, mut peers) = (Vec::new(), Vec::new());
            for _ in 0..STREAMS {
                peers.push(StdTcpStream::connect(addr).unwrap());
                streams.push(listener.accept().await.unwrap().0);
            }
            let mut reads: Vec<_> =
                streams.iter().map(|stream| stream.read_exact(vec![0; 64])).collect();
            reads.iter_mut().for_each(|read| assert!(poll_once(read).is_pending()));
            turns(2).await;
            drop((reads, streams));
            turns(20).await;
            for (number, peer) in peers.iter_mut().enumerate() {
                peer.set_read_timeout(Some(SOON)).unwrap();
                let end = peer.read(&mut [0; 8]);
                assert!(matches!(end, Ok(0)), "peer {number} never saw the end: {end:?}");
            }
        });
    });
}
