//! Named pipes whose runtime ends, which waits for nobody at the other end and leaves no handle open; and whose peer is killed.

#![cfg(windows)] // No other system has them.

#[path = "support/pipes.rs"]
mod pipes;
mod rig;

use kael_rt::Error;
use kael_rt::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::{Duration, Instant};
use pipes::{name, plain_client};
use rig::{expect_nothing_open, this_program, within_limit};
use std::fs::File;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Waker};
use std::thread;

/// Polls once, and expects that it waits.
fn begin<F: Future + Unpin>(mut future: F) -> F {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
    future
}

/// A server that nobody has opened, another one with its client, and that client.
fn servers(runtime: &Runtime, test: &str) -> (NamedPipeServer, NamedPipeServer, File) {
    let (listening, served) = (name(&format!("{test}-listening")), name(&format!("{test}-served")));
    runtime.block_on(async {
        let one = ServerOptions::new().create(&listening).unwrap();
        let other = ServerOptions::new().create(&served).unwrap();
        let client = plain_client(&served).unwrap();
        other.connect().await.unwrap();
        (one, other, client)
    })
}

fn end(runtime: Runtime) {
    let began = Instant::now();
    drop(runtime);
    assert!(began.elapsed() < Duration::from_secs(5), "the end waits for a peer");
}

/// What was written came, or not: and then there is an end.
fn expect_end(mut client: File) {
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    assert!(rest.iter().all(|byte| *byte == 7));
}

#[test]
fn tasks_that_wait_end_with_their_runtime() {
    expect_nothing_open("tasks_that_wait_end_with_their_runtime", || {
        let runtime = Builder::new().build().unwrap();
        let (listening, served, client) = servers(&runtime, "tasks");
        runtime.block_on(async {
            drop(kael_rt::spawn(async move { listening.connect().await }));
            let read = begin(served.read(vec![0; 64]));
            let write = begin(served.write_all(vec![7; 1 << 20]));
            drop(kael_rt::spawn(async move { (read.await, write.await) }));
            kael_rt::time::sleep(Duration::from_millis(1)).await;
        });
        end(runtime);
        // A pipe that is kept is open for as long.
        drop(served);
        expect_end(client);
    });
}

#[test]
fn futures_that_were_dropped_end_with_their_runtime() {
    expect_nothing_open("futures_that_were_dropped_end_with_their_runtime", || {
        let runtime = Builder::new().build().unwrap();
        let (listening, served, client) = servers(&runtime, "dropped");
        runtime.block_on(async {
            drop(begin(Box::pin(listening.connect())));
            drop(begin(served.read(vec![0; 64])));
            drop(begin(served.write_all(vec![7; 1 << 20])));
        });
        end(runtime);
        // A pipe that is kept belongs to nobody any more.
        for pipe in [&listening, &served] {
            let (result, _) = kael_rt::block_on(pipe.read(vec![0; 4]));
            let error = result.unwrap_err();
            assert!(Error::of(&error).is_some_and(|it| it.is_wrong_runtime()), "{error}");
        }
        drop((listening, served));
        expect_end(client);
    });
}

/// A thread of the pool that waits for a reader is waited for as long as the program has said, and then left to itself.
#[test]
fn a_flush_that_nobody_ends_is_left_to_itself() {
    within_limit(|| {
        let limit = Duration::from_millis(200);
        let runtime = Builder::new().shutdown_timeout(limit).build().unwrap();
        let (_, served, client) = servers(&runtime, "flush");
        runtime.block_on(async {
            served.write_all("never read").await.0.unwrap();
            let flush = begin(Box::pin(served.flush()));
            // The thread has it, or will have.
            kael_rt::time::sleep(Duration::from_millis(20)).await;
            drop(flush);
        });
        end(runtime);
        // It holds the pipe still, whose client may read or go.
        drop(client);
    });
}

/// What nobody ends keeps its pipe, and what the system may write to stays.
#[test]
fn futures_that_were_forgotten_hold_nothing_up() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let (listening, served, client) = servers(&runtime, "forgotten");
        runtime.block_on(async {
            std::mem::forget(begin(served.read(vec![0; 64])));
            std::mem::forget(begin(served.write_all(vec![7; 1 << 20])));
            std::mem::forget(begin(Box::pin(async move { listening.connect().await })));
        });
        end(runtime);
        drop((served, client));
    });
}

/// A client that is killed is the end of what it has written.
#[test]
fn a_peer_that_is_killed_is_the_end() {
    const PEER: &str = "KAEL_PIPE_PEER";
    if let Ok(name) = std::env::var(PEER) {
        let mut client = plain_client(&name).unwrap();
        client.write_all(b"last words").unwrap();
        loop {
            thread::park();
        }
    }
    within_limit(|| {
        kael_rt::block_on(async {
            let name = name("killed");
            let server = ServerOptions::new().create(&name).unwrap();
            let mut command = this_program();
            command.args(["a_peer_that_is_killed_is_the_end", "--exact"]).env(PEER, &name);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let mut peer = command.spawn().unwrap();
            server.connect().await.unwrap();
            assert_eq!(server.read_exact(vec![0; 10]).await.1, b"last words");
            let read = begin(server.read(Vec::with_capacity(8)));
            peer.kill().unwrap();
            peer.wait().unwrap();
            assert_eq!(read.await.0.unwrap(), 0);
            let gone = server.write_all("hello?").await.0.unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::BrokenPipe, "{gone}");
        });
    });
}
