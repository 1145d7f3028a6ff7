//! `Builder::batch_wait`: a core that waits lets completions come together. Turns are counted, never timed; where the
//! kernel cannot do it, everything works all the same.

// Only a ring has such waits.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;

use kael_rt::net::UdpSocket;
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::{Duration, Instant, sleep};
use rig::within_limit;
use std::rc::Rc;
use std::thread;

const PEERS: u64 = 8;
const ROUNDS: u64 = 40;

fn runtime(wait: Duration) -> Runtime {
    let runtime = Builder::new().batch_wait(wait).build().unwrap();
    assert!(!wait.is_zero() || !gathers(&runtime));
    runtime
}

fn gathers(runtime: &Runtime) -> bool {
    runtime.granted().flags.contains(&"batch wait")
}

/// Peers that send a datagram, wait for the answer, and send the next. Returns the turns of the core that answers.
fn echo(runtime: &Runtime) -> u64 {
    let turns = || runtime.handle().metrics().cores[0].turns;
    runtime.block_on(async {
        let mut servers = Vec::new();
        let mut peers = Vec::new();
        for peer in 0..PEERS {
            let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            let server = socket.local_addr().unwrap();
            servers.push(kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(64);
                for _ in 0..ROUNDS {
                    let (received, back) = socket.recv_from(buf).await;
                    let (n, back) = socket.send_to(back, received.unwrap().1).await;
                    assert_eq!(n.unwrap(), 8);
                    buf = back;
                }
            }));
            peers.push(thread::spawn(move || {
                let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect(server).unwrap();
                for round in 0..ROUNDS {
                    let message = (peer << 32 | round).to_le_bytes();
                    socket.send(&message).unwrap();
                    let mut answer = [0; 64];
                    assert_eq!(socket.recv(&mut answer).unwrap(), 8);
                    assert_eq!(answer[..8], message, "each answer once, in order");
                }
            }));
        }
        for server in servers {
            server.await.unwrap();
        }
        for peer in peers {
            kael_rt::spawn_blocking(move || peer.join()).await.unwrap().unwrap();
        }
    });
    turns()
}

#[test]
fn the_same_messages_take_no_more_turns() {
    within_limit(|| {
        let at_once = echo(&runtime(Duration::ZERO));
        let gathering = runtime(Duration::from_millis(10));
        let gathered = echo(&gathering);
        println!("{at_once} turns at once, {gathered} gathering, for {} messages", PEERS * ROUNDS);
        if gathers(&gathering) {
            // Peers that run at the same time are served together without gathering, too: one turn to receive, one to
            // answer. Half as many again are for peers that the system does not let run in time.
            let bound = at_once.max(3 * ROUNDS);
            assert!(gathered <= bound, "{gathered} turns, {at_once} without");
        }
    });
}

/// A wait is over when the next timer is due, however long it may gather.
#[test]
fn r28_timers_fire_when_they_are_due_though_waits_gather() {
    within_limit(|| {
        let runtime = runtime(Duration::from_secs(1));
        runtime.block_on(async {
            let began = Instant::now();
            let timers: Vec<_> = (0..200)
                .map(|i| {
                    kael_rt::spawn(async move {
                        let due = Duration::from_micros(100 * i);
                        sleep(due).await;
                        assert!(began.elapsed() >= due, "{:?} before {due:?}", began.elapsed());
                    })
                })
                .collect();
            for timer in timers {
                timer.await.unwrap();
            }
            // One after the other, so that each is the limit of a wait of its own; gathering to the end, each would
            // take a second.
            for _ in 0..20 {
                sleep(Duration::from_micros(50)).await;
            }
            let all = began.elapsed();
            assert!(all < Duration::from_secs(10), "a wait went on past its timer: {all:?} in all");
        });
    });
}

/// What comes while nothing else does is handled, without a timer that would end the wait.
#[test]
fn a_single_message_and_a_wake_come_through() {
    within_limit(|| {
        let runtime = runtime(Duration::from_millis(2));
        runtime.block_on(async {
            for _ in 0..20 {
                let job = kael_rt::spawn_blocking(|| 7);
                assert_eq!(job.await.unwrap(), 7);
            }
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let target = socket.local_addr().unwrap();
            let (go, wait) = std::sync::mpsc::channel();
            let peer = thread::spawn(move || {
                let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                while wait.recv().is_ok() {
                    socket.send_to(b"one", target).unwrap();
                }
            });
            for _ in 0..20 {
                go.send(()).unwrap();
                assert_eq!(socket.recv(vec![0; 8]).await.1, b"one");
            }
            drop(go);
            peer.join().unwrap();
        });
    });
}

/// The gathering ends once; then the core sleeps until something happens.
#[test]
fn an_idle_core_sleeps() {
    within_limit(|| {
        let runtime = runtime(Duration::from_millis(1));
        let turns = || runtime.handle().metrics().cores[0].turns;
        let handle = runtime.handle();
        let before = turns();
        runtime.block_on(async {
            // Another thread ends the wait, so that no timer limits it.
            let job = kael_rt::spawn_blocking(move || {
                let asleep = handle.metrics().cores[0].sleeps;
                let began = std::time::Instant::now();
                while began.elapsed() < std::time::Duration::from_millis(100) {
                    thread::yield_now();
                }
                handle.metrics().cores[0].sleeps - asleep
            });
            let sleeps = job.await.unwrap();
            assert!(sleeps <= 2, "{sleeps} sleeps in 100 gatherings");
        });
        let turned = turns() - before;
        assert!(turned <= 10, "{turned} turns");
    });
}

#[test]
fn a_wait_that_is_too_long_is_refused() {
    let longest = Duration::from_secs(1);
    assert!(Builder::new().batch_wait(longest).build().is_ok());
    let error = Builder::new().batch_wait(longest * 2).build().unwrap_err();
    assert_eq!(error.to_string(), "Builder::batch_wait(2s): it must be at most 1s");
}
