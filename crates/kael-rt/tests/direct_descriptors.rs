//! Accepted sockets that live in the ring's table and have no number of the process: what they can, where they end, and
//! a table that is full. Where the system grants none, the same programs run with ordinary descriptors.

// Its subjects are descriptors of this system.
#![cfg(all(target_os = "linux", not(kael_backend = "sim")))]

#[path = "support/direct.rs"]
mod direct;
mod rig;

use direct::*;
use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::{Duration, sleep, timeout};
use rig::{READINESS, in_own_process, open_descriptors, size, within_limit};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Client};
use std::thread;

/// Leaves a connection in an accept that is dropped; where the kernel completes, before or after it is there.
async fn leave(listener: &TcpListener, addr: SocketAddr, looked: bool) -> Client {
    let mut accept = listener.accept();
    if READINESS {
        assert!(!poll_once(&mut accept));
        let client = client(addr);
        sleep(Duration::from_millis(1)).await;
        return client;
    }
    let client = client(addr);
    assert!(!poll_once(&mut accept));
    if looked {
        // It has its answer, and nobody takes it.
        sleep(Duration::from_millis(1)).await;
    }
    client
}

/// Serves 64 connections, each of which checks what comes back; returns the system calls and submissions of an echo.
fn serve(runtime: &Runtime) -> (u64, u64) {
    let rounds = size(200, 2000);
    runtime.block_on(async {
        let (listener, addr) = listen().await;
        let clients = thread::spawn(move || {
            let each = |number: usize| {
                let mut client = client(addr);
                move || {
                    for round in 0..rounds {
                        let sent = [number as u8 ^ round as u8; 100];
                        client.write_all(&sent).unwrap();
                        let mut back = [0; 100];
                        client.read_exact(&mut back).unwrap();
                        assert_eq!(back, sent);
                    }
                }
            };
            let threads: Vec<_> = (0..CONNECTIONS).map(|n| thread::spawn(each(n))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let before = runtime.handle().metrics().cores[0].clone();
        let mut echoes = Vec::new();
        for _ in 0..CONNECTIONS {
            let (stream, _) = listener.accept().await.unwrap();
            echoes.push(kael_rt::spawn(echo(stream)));
        }
        for echo in echoes {
            echo.await.unwrap();
        }
        clients.join().unwrap();
        let after = runtime.handle().metrics().cores[0].clone();
        (after.syscalls - before.syscalls, after.submitted - before.submitted)
    })
}

#[test]
fn t01_64_connections_are_served_with_no_more_submissions_than_by_numbers() {
    in_own_process(
        "t01_64_connections_are_served_with_no_more_submissions_than_by_numbers",
        || {
            let (direct, granted) = runtime();
            let ordinary = Builder::new().build().unwrap();
            let (_, by_numbers) = serve(&ordinary);
            let (calls, submitted) = serve(&direct);
            if granted {
                println!("{calls} calls; {submitted} submissions, by numbers {by_numbers}");
                assert!(submitted < by_numbers, "{submitted} submissions, by numbers {by_numbers}");
                direct.block_on(are_in_tables(0));
            }
        },
    );
}

/// System calls of what a server does, in a program that does the same each time.
fn calls_of_a_server(runtime: &Runtime) -> [u64; 3] {
    let calls = || runtime.handle().metrics().cores[0].syscalls;
    let count = |rounds: usize, run: &mut dyn FnMut()| {
        let before = calls();
        for _ in 0..rounds {
            run();
        }
        calls() - before
    };
    let (listener, addr) = runtime.block_on(listen());
    let mut clients: Vec<Client> = (0..100).map(|_| client(addr)).collect();
    let accepts = count(100, &mut || {
        runtime.block_on(async { drop(listener.accept().await.unwrap()) });
    });
    clients.clear();
    let first = runtime.block_on(TcpStream::connect(addr)).unwrap();
    let (second, _) = runtime.block_on(listener.accept()).unwrap();
    let echoes = count(200, &mut || {
        runtime.block_on(async {
            first.write_all("ping").await.0.unwrap();
            assert_eq!(second.read_exact(vec![0; 4]).await.1, b"ping");
            second.write_all("pong").await.0.unwrap();
            assert_eq!(first.read_exact(vec![0; 4]).await.1, b"pong");
        });
    });
    let options = count(100, &mut || {
        runtime.block_on(async {
            second.set_nodelay(true).unwrap();
            first.write_all("ping").await.0.unwrap();
            assert_eq!(second.read_exact(vec![0; 4]).await.1, b"ping");
        });
    });
    [accepts, echoes, options]
}

#[test]
fn t01_a_server_makes_no_more_calls_than_by_numbers() {
    in_own_process("t01_a_server_makes_no_more_calls_than_by_numbers", || {
        let by_numbers = calls_of_a_server(&Builder::new().build().unwrap());
        let (direct, _) = runtime();
        let calls = calls_of_a_server(&direct);
        println!("{calls:?} calls of accepts, echoes, options; by numbers {by_numbers:?}");
        for (calls, by_numbers) in calls.into_iter().zip(by_numbers) {
            assert!(calls <= by_numbers, "{calls} calls, by numbers {by_numbers}");
        }
    });
}

#[test]
fn t01_a_direct_descriptor_that_nobody_took_is_closed() {
    in_own_process("t01_a_direct_descriptor_that_nobody_took_is_closed", || {
        let (runtime, granted) = runtime();
        runtime.block_on(async {
            for looked in [false, true] {
                let (listener, addr) = listen().await;
                let mut left = leave(&listener, addr, looked).await;
                sleep(Duration::from_millis(1)).await;
                drop(listener);
                // A connection that was ended unaccepted is reset, one that was accepted is closed in order.
                let end = kael_rt::spawn_blocking(move || left.read(&mut [0]));
                match end.await.unwrap() {
                    Ok(n) => assert_eq!(n, 0),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
                }
                if granted {
                    are_in_tables(0).await;
                }
            }
        });
    });
}

#[test]
fn t01_the_next_accept_takes_what_a_dropped_one_had_got() {
    in_own_process("t01_the_next_accept_takes_what_a_dropped_one_had_got", || {
        let open = open_descriptors();
        for wanted in [true, false] {
            let runtime = Builder::new().direct_descriptors(wanted).build().unwrap();
            let granted = runtime.granted().flags.contains(&"direct descriptors");
            assert!(wanted || !granted, "not asked for");
            runtime.block_on(async {
                let (listener, addr) = listen().await;
                for round in 0..100u8 {
                    let mut client = leave(&listener, addr, round % 2 == 0).await;
                    client.write_all(&[round; 3]).unwrap();
                    let (stream, peer) = listener.accept().await.unwrap();
                    assert_eq!(peer, client.local_addr().unwrap());
                    assert_eq!(is_direct(&stream), granted);
                    let (result, bytes) = stream.read_exact(vec![0; 3]).await;
                    result.unwrap();
                    assert_eq!(bytes, [round; 3]);
                    if granted {
                        assert_eq!(in_tables(), 1);
                    }
                }
                drop(listener);
                if granted {
                    are_in_tables(0).await;
                }
            });
        }
        assert_eq!(open_descriptors(), open, "descriptors are left open");
    });
}

#[test]
fn t01_accepts_dropped_in_a_storm_leave_no_connection_and_no_place() {
    in_own_process("t01_accepts_dropped_in_a_storm_leave_no_connection_and_no_place", || {
        let (runtime, granted) = runtime();
        let connections = size(1_000, 20_000) as u32;
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            let clients = thread::spawn(move || {
                for number in 0..connections {
                    let mut client = client(addr);
                    client.write_all(&number.to_le_bytes()).unwrap();
                    let mut back = [0; 4];
                    client.read_exact(&mut back).unwrap();
                    assert_eq!(u32::from_le_bytes(back), number);
                }
            });
            let (mut echoes, mut round) = (Vec::new(), 0);
            while echoes.len() < connections as usize && !clients.is_finished() {
                round += 1;
                let limit = Duration::from_micros(round % 5 * 15);
                // An accept that its time limit ends, or that is dropped.
                match kael_rt::time::timeout(limit, listener.accept()).await {
                    Ok(accepted) => echoes.push(kael_rt::spawn(echo(accepted.unwrap().0))),
                    Err(_) => kael_rt::yield_now().await,
                }
            }
            for echo in echoes {
                echo.await.unwrap();
            }
            clients.join().unwrap();
            if granted {
                are_in_tables(0).await;
            }
        });
    });
}

/// A read of a stream that is gone does not reach the one that has its place now.
#[test]
fn t01_a_place_that_is_used_again_is_not_reached_by_older_operations() {
    within_limit(|| {
        let (runtime, _) = runtime();
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            for round in 0..100u8 {
                let mut old_client = client(addr);
                let (old, _) = listener.accept().await.unwrap();
                let mut read = old.read(vec![0; 16]);
                assert!(!poll_once(&mut read));
                if round % 2 == 0 {
                    sleep(Duration::from_micros(50)).await;
                }
                drop(read);
                drop(old);
                let mut client = client(addr);
                client.write_all(&[round; 8]).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let (result, bytes) = stream.read_exact(vec![0; 8]).await;
                result.unwrap();
                assert_eq!(bytes, [round; 8]);
                // The old one was closed.
                let end = kael_rt::spawn_blocking(move || old_client.read(&mut [0])).await;
                assert_eq!(end.unwrap().unwrap(), 0);
            }
        });
    });
}

#[test]
fn t02_a_full_table_loses_no_connection() {
    in_own_process("t02_a_full_table_loses_no_connection", || {
        limit_descriptors(64);
        let (runtime, granted) = runtime();
        limit_descriptors(2048);
        // Three quarters of the table.
        let places = if granted { 48 } else { 0 };
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            let mut clients: Vec<Client> = (0..100).map(|_| client(addr)).collect();
            let mut streams = Vec::new();
            for _ in 0..100 {
                streams.push(listener.accept().await.unwrap().0);
            }
            assert_eq!(streams.iter().filter(|stream| is_direct(stream)).count(), places);
            for (n, (stream, client)) in streams.iter().zip(&mut clients).enumerate() {
                client.write_all(&[n as u8; 9]).unwrap();
                let (result, bytes) = stream.read_exact(vec![0; 9]).await;
                result.unwrap();
                assert_eq!(bytes, [n as u8; 9]);
                stream.write_all(bytes).await.0.unwrap();
                client.read_exact(&mut [0; 9]).unwrap();
            }
            // Places come free, by a drop and by a close, and are used again.
            for stream in streams.drain(..10) {
                drop(stream);
            }
            for stream in streams.drain(..10) {
                stream.close().await.unwrap();
            }
            for n in 0..30 {
                let mut client = client(addr);
                let (stream, _) = listener.accept().await.unwrap();
                assert_eq!(is_direct(&stream), granted && n < 20, "accepted after: {n}");
                stream.write_all("there").await.0.unwrap();
                client.read_exact(&mut [0; 5]).unwrap();
                streams.push(stream);
            }
        });
    });
}

/// No number is free: who has direct descriptors accepts all the same.
#[test]
fn t02_without_numbers_a_direct_accept_goes_on() {
    in_own_process("t02_without_numbers_a_direct_accept_goes_on", || {
        let (runtime, granted) = runtime();
        if !granted {
            return;
        }
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            let clients: Vec<Client> = (0..8).map(|_| client(addr)).collect();
            limit_descriptors(3);
            let mut streams = Vec::new();
            for _ in 0..8 {
                streams.push(listener.accept().await.unwrap().0);
            }
            for (stream, mut client) in streams.iter().zip(clients) {
                stream.write_all("served").await.0.unwrap();
                client.read_exact(&mut [0; 6]).unwrap();
                stream.set_nodelay(true).unwrap();
                // What needs a number says so.
                let error = stream.nodelay().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                assert_eq!(stream.install().unwrap_err().raw_os_error(), Some(libc::EMFILE));
                assert!(is_direct(stream));
            }
            limit_descriptors(1024);
        });
    });
}

/// What connects has no number either, and fails as it does otherwise.
#[test]
fn t01_a_socket_that_connects_is_direct_until_it_ends() {
    in_own_process("t01_a_socket_that_connects_is_direct_until_it_ends", || {
        let (runtime, granted) = runtime();
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            let stream = TcpStream::connect(addr).await.unwrap();
            assert_eq!(is_direct(&stream), granted);
            let (mut other, peer) = listener.accept().unwrap();
            assert_eq!(stream.local_addr().unwrap(), peer);
            stream.write_all("hello").await.0.unwrap();
            other.read_exact(&mut [0; 5]).unwrap();
            drop(listener);
            let refused = TcpStream::connect(addr).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            // A connect that is dropped closes what it opened.
            let mut connect = Box::pin(TcpStream::connect("127.0.0.1:1"));
            let _ = poll_once(&mut connect);
            drop(connect);
            if granted {
                are_in_tables(1).await;
            }
            drop(stream);
            let end = kael_rt::spawn_blocking(move || other.read(&mut [0])).await.unwrap();
            assert_eq!(end.unwrap(), 0);
            if granted {
                are_in_tables(0).await;
            }
        });
    });
}

/// The end of the runtime closes what is in the table, even what was forgotten.
#[test]
fn t01_the_end_of_a_runtime_closes_what_is_in_its_table() {
    in_own_process("t01_the_end_of_a_runtime_closes_what_is_in_its_table", || {
        let (runtime, granted) = runtime();
        let (forgotten, mut client) = runtime.block_on(accepted());
        let (held, mut other) = runtime.block_on(accepted());
        std::mem::forget(forgotten);
        drop(runtime);
        if granted {
            // Its ring is gone, and it with that.
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
            assert_eq!(other.read(&mut [0]).unwrap(), 0);
        }
        drop(held);
    });
}

/// Where the kernel accepts by itself, connections have numbers, also those that an ordinary accept takes of them.
#[test]
fn t01_connections_that_came_by_themselves_are_ordinary() {
    within_limit(|| {
        let (runtime, granted) = runtime();
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            for _ in 0..3 {
                let mut clients: Vec<Client> = (0..5).map(|_| client(addr)).collect();
                let mut streams = vec![listener.incoming().next().await.unwrap()];
                while streams.len() < clients.len() {
                    let accepted = timeout(Duration::from_secs(10), listener.accept()).await;
                    streams.push(accepted.expect("it came already").unwrap().0);
                }
                for (n, (stream, client)) in streams.iter().zip(&mut clients).enumerate() {
                    assert!(stream.try_as_fd().is_ok(), "connection {n} has no number");
                    stream.write_all([n as u8; 3].to_vec()).await.0.unwrap();
                    let mut came = [0; 3];
                    client.read_exact(&mut came).unwrap();
                    assert_eq!(came, [n as u8; 3]);
                }
            }
            // Nobody accepts by itself any more, once somebody waited for the end of that.
            let mut kept = Vec::new();
            while granted && kept.len() < 20 {
                kept.push(client(addr));
                if is_direct(&listener.accept().await.unwrap().0) {
                    return;
                }
            }
            assert!(!granted, "an accept has a place again");
        });
    });
}
