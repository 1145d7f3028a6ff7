//! The descriptors of connections that `incoming` has brought: bounded, closed with whoever they are of, and free again.

// A process has its descriptors once; simulated ones are counted by the simulator.
#![cfg(not(kael_backend = "sim"))]

mod rig;
#[cfg(not(windows))]
#[path = "support/starve.rs"]
mod starve;

use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::time::{Duration, sleep};
use rig::{READINESS, expect_nothing_open, in_own_process, open_descriptors};

/// What waits in a listener at most, where the system brings what nobody asked for.
const MOST: usize = 64;
const CLIENTS: usize = 200;

async fn a_moment() {
    sleep(Duration::from_micros(200)).await;
}

#[test]
fn m01_so_many_wait_in_a_listener_and_no_more() {
    in_own_process("m01_so_many_wait_in_a_listener_and_no_more", || {
        kael_rt::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let mut incoming = listener.incoming();
            let mut clients = vec![TcpStream::connect(addr).await.unwrap()];
            let mut streams = vec![incoming.next().await.unwrap()];
            let before = open_descriptors();
            for _ in 1..CLIENTS {
                clients.push(TcpStream::connect(addr).await.unwrap());
                a_moment().await;
            }
            // The kernel hears a turn later that it is to stop.
            let waiting = open_descriptors() - before - (CLIENTS - 1);
            let most = if READINESS { 0 } else { MOST + 2 };
            assert!(waiting <= most, "{waiting} wait");
            while streams.len() < CLIENTS {
                streams.push(incoming.next().await.unwrap());
            }
        });
    });
}

/// Whatever ends first: the `Incoming`, the listener, or the runtime, with connections that nobody took.
#[test]
fn m02_what_nobody_took_is_closed_with_its_listener_or_its_runtime() {
    expect_nothing_open("m02_what_nobody_took_is_closed_with_its_listener_or_its_runtime", || {
        for way in 0..6 {
            let runtime = kael_rt::runtime::Builder::new().build().unwrap();
            let kept = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let addr = listener.local_addr().unwrap();
                let mut clients = Vec::new();
                for _ in 0..20 {
                    clients.push(TcpStream::connect(addr).await.unwrap());
                }
                let mut incoming = listener.incoming();
                clients.push(incoming.next().await.unwrap());
                match way % 3 {
                    0 => std::mem::forget(incoming),
                    1 => drop(incoming),
                    _ => {
                        drop(incoming);
                        a_moment().await;
                    }
                }
                // More come when the repeating was stopped, or was not.
                clients.push(TcpStream::connect(addr).await.unwrap());
                // Nothing turns any more before the listener is dropped, or the runtime.
                let late = std::net::TcpStream::connect(addr).unwrap();
                (way < 3).then_some((listener, clients, late))
            });
            drop(runtime);
            drop(kept);
        }
    });
}

/// Where it begins: nobody connects, and no descriptor is free.
#[test]
#[cfg(not(windows))] // It has no limit that a test could lower.
fn m01_incoming_without_descriptors_sleeps_and_recovers() {
    in_own_process("m01_incoming_without_descriptors_sleeps_and_recovers", || {
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        // Sockets of clients that need no descriptor any more when they connect.
        let clients: Vec<_> = (0..8)
            .map(|_| {
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap()
            })
            .collect();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let held = starve::starve();
        clients.iter().for_each(|client| client.connect(&addr.into()).unwrap());
        runtime.block_on(async {
            let mut incoming = listener.incoming();
            let error = incoming.next().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "the first one says why");
            let before = runtime.handle().metrics().cores[0].clone();
            let limit = Duration::from_secs(1);
            let waited = kael_rt::time::timeout(limit, incoming.next()).await;
            assert!(waited.is_err(), "the next ones wait");
            let after = runtime.handle().metrics().cores[0].clone();
            let calls = after.syscalls - before.syscalls;
            assert!(calls <= 3 * 22, "{calls} system calls in a second");
            drop(held);
            // In which order, several processors may decide.
            let addr = |one: &socket2::Socket| one.local_addr().unwrap().as_socket().unwrap();
            let mut expected: Vec<_> = clients.iter().map(addr).collect();
            for _ in &clients {
                let stream = incoming.next().await.unwrap();
                let peer = stream.peer_addr().unwrap();
                expected.swap_remove(expected.iter().position(|addr| *addr == peer).unwrap());
            }
        });
    });
}
