//! Repeated accepts when the kernel ends them for a reason of its own.

use super::super::{Backend, abi::OP_ACCEPT};
use super::faults::{self, Fault};
use super::{counters, in_time};
use crate::net::{TcpListener, TcpStream};
use crate::task::context;
use crate::time::{Duration, sleep};
use std::{io, net::SocketAddr};

/// Lets each accept that is submitted count as a hit.
fn count_accepts() {
    faults::meet(OP_ACCEPT, Fault::Shorten(u32::MAX), u32::MAX);
}

/// A listener of which so many clients wait to be accepted.
async fn with_clients(count: usize) -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(TcpStream::connect(addr).await.unwrap());
    }
    (listener, clients)
}

/// This connection is one of theirs, and has not come before. (A kernel of several processors may order them otherwise.)
fn expect_one(peer: SocketAddr, expected: &mut Vec<SocketAddr>) {
    let its = expected.iter().position(|addr| *addr == peer);
    expected.swap_remove(its.expect("nobody's, or it has come before"));
}

fn addrs(clients: &[TcpStream]) -> Vec<SocketAddr> {
    clients.iter().map(|client| client.local_addr().unwrap()).collect()
}

/// Whatever ends it, it is begun again once, and what had come is not lost.
#[test]
fn m01_a_repeated_accept_that_the_kernel_ends_is_begun_again_once() {
    in_time(|| {
        crate::block_on(async {
            let ends =
                [libc::EINTR, libc::EAGAIN, libc::ECANCELED].map(|errno| Fault::Answer(-errno));
            for end in ends.into_iter().chain([Fault::Once]) {
                let (listener, clients) = with_clients(40).await;
                faults::meet(OP_ACCEPT, end, 1);
                count_accepts();
                let mut incoming = listener.incoming();
                let mut expected = addrs(&clients);
                for _ in &clients {
                    let stream = incoming.next().await.unwrap();
                    expect_one(stream.peer_addr().unwrap(), &mut expected);
                }
                assert_eq!(faults::hits(), 2, "{end:?}: submitted");
                faults::clear();
            }
        });
    });
}

/// It is one submission, and what it brings costs no other.
#[test]
fn m01_a_burst_is_one_submission() {
    in_time(|| {
        crate::block_on(async {
            let (listener, clients) = with_clients(100).await;
            count_accepts();
            let mut incoming = listener.incoming();
            let before = counters();
            for _ in &clients {
                drop(incoming.next().await.unwrap());
            }
            let calls = counters().syscalls - before.syscalls;
            assert_eq!(faults::hits(), 1, "one accept");
            assert!(calls <= 8, "{calls} system calls for {} connections", clients.len());
        });
    });
}

/// Where the kernel's repeating is not sound, each connection is asked for.
#[test]
fn m01_without_repeating_each_connection_is_asked_for() {
    in_time(|| {
        crate::block_on(async {
            context::with("a test", |core| {
                let forget = |backend: &mut Backend| -> io::Result<()> {
                    backend.forget_repeating();
                    Ok(())
                };
                core.driver.control(forget).unwrap();
            });
            let (listener, clients) = with_clients(10).await;
            count_accepts();
            let mut incoming = listener.incoming();
            let mut expected = addrs(&clients);
            for n in 0..clients.len() {
                let peer = match n % 2 {
                    0 => incoming.next().await.unwrap().peer_addr().unwrap(),
                    _ => listener.accept().await.unwrap().1,
                };
                expect_one(peer, &mut expected);
            }
            assert_eq!(faults::hits(), 10);
        });
    });
}

/// No descriptor is free: the first one says so, and the next ones wait until one is.
#[test]
fn m01_a_repeated_accept_without_descriptors_tells_once_and_goes_on() {
    in_time(|| {
        crate::block_on(async {
            let (listener, clients) = with_clients(2).await;
            faults::meet(OP_ACCEPT, Fault::Answer(-libc::EMFILE), 3);
            count_accepts();
            let mut incoming = listener.incoming();
            let error = incoming.next().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            let mut expected = addrs(&clients);
            for _ in &clients {
                let stream = incoming.next().await.unwrap();
                expect_one(stream.peer_addr().unwrap(), &mut expected);
            }
            assert_eq!(faults::hits(), 4, "one told, two that waited, one that went on");
        });
    });
}

/// Any other error is told, and the next call asks again.
#[test]
fn m01_an_error_of_a_repeated_accept_is_told() {
    in_time(|| {
        crate::block_on(async {
            let (listener, _clients) = with_clients(1).await;
            faults::meet(OP_ACCEPT, Fault::Answer(-libc::EPROTO), 1);
            let mut incoming = listener.incoming();
            let error = incoming.next().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPROTO));
            incoming.next().await.unwrap();
        });
    });
}

/// One that nobody wants any more is stopped: it takes nothing more out of the listener's queue.
#[test]
fn m01_what_nobody_wants_is_stopped() {
    in_time(|| {
        crate::block_on(async {
            let (listener, _clients) = with_clients(1).await;
            let mut incoming = listener.incoming();
            incoming.next().await.unwrap();
            drop(incoming);
            sleep(Duration::from_millis(1)).await;
            count_accepts();
            let addr = listener.local_addr().unwrap();
            let _client = TcpStream::connect(addr).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            listener.accept().await.unwrap();
            assert_eq!(faults::hits(), 1, "an accept of its own");
            // Another one that comes before the kernel was asked takes over what there is.
            let mut incoming = listener.incoming();
            let _client = TcpStream::connect(addr).await.unwrap();
            incoming.next().await.unwrap();
            drop(incoming);
            let _client = TcpStream::connect(addr).await.unwrap();
            listener.incoming().next().await.unwrap();
        });
    });
}
