//! A ring that is too small for its work: it grows within its limit while everything is under way, and nothing is lost.
//! Where the kernel cannot grow it, the same work is done with the small one.

// Only a ring has a queue that grows.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

#[path = "support/flood.rs"]
mod flood;
mod rig;

use flood::{expect_nothing_left, flood, pattern};
use kael_rt::net::UdpSocket;
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::Duration;
use rig::{pair, within_limit};

const TASKS: usize = 300;
const ROUNDS: usize = 40;

fn can_grow(runtime: &Runtime) -> bool {
    runtime.granted().flags.contains(&"resizable")
}

/// For one task, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn r12_a_ring_that_is_too_small_grows_to_its_limit() {
    within_limit(|| {
        let file = pattern("r12-grow");
        let runtime = Builder::new().queue_depth(2).build().unwrap();
        assert_eq!(runtime.granted().queue_entries, [2, 8]);
        let before = runtime.granted().bytes_mapped;
        runtime.block_on(flood(&file, TASKS, ROUNDS, LIMIT));
        if can_grow(&runtime) {
            assert_eq!(runtime.granted().queue_entries, [16, 64]);
            assert!(runtime.granted().bytes_mapped > before);
        } else {
            assert_eq!(runtime.granted().queue_entries, [2, 8]);
        }
        expect_nothing_left(&runtime);
        // And goes on with its new size.
        runtime.block_on(flood(&file, TASKS, ROUNDS, LIMIT));
        expect_nothing_left(&runtime);
    });
}

/// Once a turn at most: it takes several turns, and each leaves a ring that works.
#[test]
fn r12_a_ring_grows_by_doubling_and_never_beyond_its_limit() {
    within_limit(|| {
        let file = pattern("r12-limit");
        for limit in [0, 2, 3, 4, 7, 8, 64, 32_768] {
            let runtime = Builder::new().queue_depth(2).queue_limit(limit).build().unwrap();
            runtime.block_on(flood(&file, TASKS, ROUNDS, LIMIT));
            let [submissions, completions] = runtime.granted().queue_entries;
            assert_eq!(completions, submissions * 4);
            assert!(submissions <= limit.max(2), "{submissions} within {limit}");
            assert!(submissions * 2 > limit.min(64) || !can_grow(&runtime), "{submissions}");
            assert_eq!(can_grow(&runtime), limit >= 4 && can_grow_at_all());
            expect_nothing_left(&runtime);
        }
    });
}

fn can_grow_at_all() -> bool {
    can_grow(&Builder::new().queue_depth(2).build().unwrap())
}

/// What waits in the kernel meanwhile is answered in the new queue.
#[test]
fn r11_a_ring_that_grows_loses_nothing_that_is_under_way() {
    within_limit(|| {
        let file = pattern("r11-under-way");
        let runtime = Builder::new().queue_depth(2).build().unwrap();
        runtime.block_on(async {
            let mut waiting = Vec::new();
            let mut peers = Vec::new();
            for _ in 0..50 {
                let (here, there) = pair().await;
                waiting.push(kael_rt::spawn(async move { there.read(vec![0; 8]).await }));
                peers.push(here);
            }
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let target = socket.local_addr().unwrap();
            let datagram = kael_rt::spawn(async move { socket.recv(vec![0; 8]).await });
            kael_rt::yield_now().await;
            flood(&file, TASKS, ROUNDS, LIMIT).await;
            // From another thread, with the core asleep and awake: the wakes come through, too.
            let sender = kael_rt::spawn_blocking(move || {
                std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"datagram", target)
            });
            for (i, peer) in peers.iter().enumerate() {
                peer.write_all(vec![i as u8; 3]).await.0.unwrap();
            }
            for (i, read) in waiting.into_iter().enumerate() {
                let (n, buf) = read.await.unwrap();
                assert_eq!((n.unwrap(), &buf[..]), (3, &[i as u8; 3][..]));
            }
            assert_eq!(sender.await.unwrap().unwrap(), 8);
            assert_eq!(datagram.await.unwrap().1, b"datagram");
        });
        let grown = runtime.granted().queue_entries != [2, 8];
        assert_eq!(grown, can_grow(&runtime));
        expect_nothing_left(&runtime);
    });
}
