//! What named pipes cost: no allocation in their steady state, and no more calls than their budgets say.

#![cfg(windows)] // No other system has them.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/pipes.rs"]
mod pipes;
mod rig;

use counting::{Counting, allocations};
use kael_rt::budget::{Budget, NAMED_PIPES};
use kael_rt::net::windows::named_pipe::{ClientOptions, NamedPipeClient, PipeMode, ServerOptions};
use kael_rt::runtime::{Builder, Handle};
use pipes::{name, pair, plain_client};
use rig::{size, within_limit};
use std::future::Future;
use std::io::{Read, Write};
use std::ops::AsyncFnMut;
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn row(operation: &str) -> &'static Budget {
    NAMED_PIPES.iter().find(|row| row.operation == operation).expect("a row")
}

/// Fills the pools, and then holds rounds to the rows of the operations that each makes.
async fn hold(handle: &Handle, operations: &[&str], mut round: impl AsyncFnMut()) {
    for _ in 0..1_000 {
        round().await;
    }
    let rounds = size(10_000, 100_000);
    // (To ask for the calls allocates.)
    let calls = || handle.metrics().cores[0].syscalls;
    let before = calls();
    let allocated = allocations();
    for _ in 0..rounds {
        round().await;
    }
    let allocated = (allocations() - allocated) as f64 / rounds as f64;
    let calls = (calls() - before) as f64 / rounds as f64;
    println!("{operations:?}: {calls:.3} calls, {allocated:.3} allocations");
    let limit: f64 = operations.iter().map(|name| row(name).one).sum();
    assert!(calls <= limit, "{operations:?}: {calls} calls, the budget is {limit}");
    let limit: f64 = operations.iter().map(|name| row(name).allocations).sum();
    assert!(allocated <= limit, "{operations:?}: {allocated} allocations, {limit} are allowed");
}

fn measure<F: Future<Output = ()>>(test: impl FnOnce(Handle) -> F + Send + 'static) {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(test(handle));
    });
}

#[test]
fn r41_pipes_exchange_bytes_and_messages() {
    measure(|handle| async move {
        for mode in [PipeMode::Byte, PipeMode::Message] {
            let operation = match mode {
                PipeMode::Message => "NamedPipe round trip (messages)",
                _ => "NamedPipe round trip",
            };
            let name = name(&format!("ping-{mode:?}"));
            let server = ServerOptions::new().pipe_mode(mode).create(&name).unwrap();
            // The other end has calls of its own, so that only this one is counted.
            let echo = thread::spawn(move || {
                let mut client = plain_client(&name).unwrap();
                let mut bytes = [0; 64];
                while client.read_exact(&mut bytes).is_ok() {
                    client.write_all(&bytes).unwrap();
                }
            });
            server.connect().await.unwrap();
            let mut kept = vec![7; 64];
            hold(&handle, &[operation], async || {
                let (n, buf) = server.write_all(std::mem::take(&mut kept)).await;
                n.unwrap();
                let (n, buf) = server.read_exact(buf).await;
                n.unwrap();
                kept = buf;
            })
            .await;
            server.close().await.unwrap();
            echo.join().unwrap();
        }
    });
}

#[test]
fn r41_each_way_to_read_and_write_a_pipe() {
    measure(|handle| async move {
        for mode in [PipeMode::Byte, PipeMode::Message] {
            let (server, client) = pair(&format!("each-{mode:?}"), mode).await;
            let (mut out, mut into) = (vec![1; 64], vec![0; 64]);
            hold(&handle, &["NamedPipe::write", "NamedPipe::read"], async || {
                let (n, buf) = client.write(std::mem::take(&mut out)).await;
                assert_eq!(n.unwrap(), 64);
                out = buf;
                let (n, buf) = server.read(std::mem::take(&mut into)).await;
                assert_eq!(n.unwrap(), 64);
                into = buf;
            })
            .await;
            hold(&handle, &["NamedPipe::write_all", "NamedPipe::read_exact"], async || {
                let (n, buf) = client.write_all(std::mem::take(&mut out)).await;
                assert_eq!(n.unwrap(), 64);
                out = buf;
                let (n, buf) = server.read_exact(std::mem::take(&mut into)).await;
                assert_eq!(n.unwrap(), 64);
                into = buf;
            })
            .await;
            hold(&handle, &["NamedPipe::write_all", "NamedPipe::read_message"], async || {
                let (n, buf) = client.write_all(std::mem::take(&mut out)).await;
                assert_eq!(n.unwrap(), 64);
                out = buf;
                let (part, buf) = server.read_message(std::mem::take(&mut into)).await;
                assert_eq!(part.unwrap().len, 64);
                into = buf;
            })
            .await;
            hold(&handle, &["NamedPipe::flush"], async || server.flush().await.unwrap()).await;
        }
    });
}

/// A client that comes again and again.
#[test]
fn r41_one_client_after_the_other() {
    measure(|handle| async move {
        let name = name("again");
        let server = ServerOptions::new().create(&name).unwrap();
        let guest = thread::spawn(move || {
            loop {
                match plain_client(&name) {
                    Ok(mut client) => drop(client.read(&mut [0])),
                    // ERROR_PIPE_BUSY
                    Err(error) if error.raw_os_error() == Some(231) => thread::yield_now(),
                    Err(_) => return,
                }
            }
        });
        let operations = ["NamedPipeServer::connect", "NamedPipeServer::disconnect"];
        hold(&handle, &operations, async || {
            server.connect().await.unwrap();
            server.disconnect().await.unwrap();
        })
        .await;
        server.close().await.unwrap();
        guest.join().unwrap();
    });
}

#[test]
fn making_opening_and_closing_pipes() {
    measure(|handle| async move {
        let name = name("made");
        hold(&handle, &["ServerOptions::create"], async || {
            drop(ServerOptions::new().create(&name).unwrap());
        })
        .await;
        hold(&handle, &["ServerOptions::create", "ClientOptions::open"], async || {
            let server = ServerOptions::new().create(&name).unwrap();
            drop(ClientOptions::new().open(&name).await.unwrap());
            drop(server);
        })
        .await;
        // The close is the one that a dropped pipe has, too.
        hold(&handle, &["ServerOptions::create"], async || {
            ServerOptions::new().create(&name).unwrap().close().await.unwrap();
        })
        .await;
    });
}

async fn ping(client: NamedPipeClient, mut bytes: Vec<u8>, rounds: usize) -> NamedPipeClient {
    for _ in 0..rounds {
        let (n, sent) = client.write_all(bytes).await;
        n.unwrap();
        let (n, got) = client.read_exact(sent).await;
        n.unwrap();
        bytes = got;
    }
    client
}

/// Both ends are on the core.
#[test]
fn sixty_four_pipes_at_once() {
    measure(|handle| async move {
        let (mut clients, mut echoes) = (Vec::new(), Vec::new());
        for number in 0..64 {
            let (server, client) = pair(&format!("at-once-{number}"), PipeMode::Byte).await;
            clients.push(client);
            echoes.push(kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(64);
                loop {
                    let (n, bytes) = server.read(buf).await;
                    if n.unwrap() == 0 {
                        return;
                    }
                    buf = server.write_all(bytes).await.1;
                }
            }));
        }
        let mut calls = 0;
        let rounds = size(100, 1_000);
        for part in [20, rounds] {
            let before = handle.metrics().cores[0].syscalls;
            let begin = |client| kael_rt::spawn(ping(client, vec![7; 64], part));
            let tasks: Vec<_> = clients.drain(..).map(begin).collect();
            for task in tasks {
                clients.push(task.await.unwrap());
            }
            calls = handle.metrics().cores[0].syscalls - before;
        }
        let (calls, limit) =
            (calls as f64 / (64 * rounds) as f64, row("NamedPipe round trip").many);
        println!("64 round trips at once: {calls:.3} calls each");
        assert!(calls <= limit, "{calls} calls each, the budget is {limit}");
        drop(clients);
        for echo in echoes {
            echo.await.unwrap();
        }
    });
}
