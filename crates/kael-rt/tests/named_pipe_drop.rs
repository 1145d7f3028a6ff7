//! Named pipes whose futures are dropped: no client, no byte and no part of a message is lost, and no write is torn.

#![cfg(windows)] // No other system has them.

#[path = "support/drops.rs"]
mod drops;
#[path = "support/pipes.rs"]
mod pipes;
#[path = "support/sequence.rs"]
mod sequence;

use drops::{First, is_emulated, poll_once, race, runs, size, turns};
use kael_rt::buf::BufResult;
use kael_rt::net::windows::named_pipe::{NamedPipe, PipeMode, ServerOptions};
use kael_rt::time::{Duration, sleep};
use pipes::{name, pair, plain_client};
use sequence::{expect_piece, sequence};
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::thread;

/// Opens the pipe on a thread, as soon as somebody waits for it.
fn open_soon(name: &str) -> std::fs::File {
    loop {
        match plain_client(name) {
            // ERROR_PIPE_BUSY
            Err(error) if error.raw_os_error() == Some(231) => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

#[test]
fn w05_connects_dropped_in_a_storm_lose_no_client() {
    runs("a client was never told of", || async {
        let clients = size(2_000, 50_000) as u32;
        let name = name("storm");
        let server = ServerOptions::new().create(&name).unwrap();
        let thread = {
            let name = name.clone();
            thread::spawn(move || {
                for number in 0..clients {
                    let mut client = open_soon(&name);
                    client.write_all(&number.to_le_bytes()).unwrap();
                    if number % 3 == 0 {
                        // It goes at once; what it wrote stays.
                        continue;
                    }
                    let mut echo = [0; 4];
                    client.read_exact(&mut echo).expect("it is answered");
                    assert_eq!(u32::from_le_bytes(echo), number);
                }
            })
        };
        let (mut served, mut dropped, mut round) = (0, 0_u64, 0_u64);
        while served < clients {
            round += 1;
            let timer = sleep(Duration::from_micros(round % 5 * 15));
            match race(server.connect(), timer).await {
                First::Left(connected) => {
                    connected.unwrap();
                    let (result, number) = server.read_exact(vec![0; 4]).await;
                    result.expect("what a client wrote is there, also when it has gone");
                    assert_eq!(number, served.to_le_bytes(), "a client was passed over");
                    if served % 3 != 0 {
                        server.write_all(number).await.0.unwrap();
                        server.flush().await.unwrap();
                    }
                    server.disconnect().await.unwrap();
                    served += 1;
                }
                First::Right(()) => dropped += 1,
            }
        }
        while !thread.is_finished() {
            turns(1).await;
        }
        thread.join().unwrap();
        assert!(dropped > 10 || is_emulated(), "the storm dropped only {dropped} connects");
    });
}

/// The race that makes a loss certain: the client comes while the wait is under way, and nobody looks at its answer.
#[test]
fn w05_a_client_that_came_for_a_dropped_connect_is_the_next_ones() {
    runs("a client was never told of", || async {
        let rounds = size(1_000, 10_000);
        let name = name("certain");
        let server = ServerOptions::new().create(&name).unwrap();
        for round in 0..rounds {
            let mut connect = Box::pin(server.connect());
            assert!(poll_once(&mut connect).is_pending());
            let mut client = plain_client(&name).unwrap();
            client.write_all(&[round as u8; 3]).unwrap();
            // Whether its answer has come by then or not.
            turns((round % 3) as u32).await;
            drop(connect);
            turns((round / 3 % 3) as u32).await;
            let gone = round % 2 == 0;
            if gone {
                drop(client);
            }
            server.connect().await.expect("the client is handed over");
            assert_eq!(server.read_exact(vec![0; 3]).await.1, [round as u8; 3]);
            if gone {
                // Told once. It is not handed over again.
                assert_eq!(server.connect().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            }
            server.disconnect().await.unwrap();
        }
    });
}

/// Bytes come when a read waits for them, which may be dropped before, while, or after they come.
#[test]
fn reads_dropped_in_a_storm_lose_no_byte() {
    for mode in [PipeMode::Byte, PipeMode::Message] {
        runs("bytes are lost", move || async move {
            let total = size(200_000, 20_000_000);
            let name = name(&format!("storm-{mode:?}"));
            let server = ServerOptions::new().pipe_mode(mode).create(&name).unwrap();
            let mut client = plain_client(&name).unwrap();
            server.connect().await.unwrap();
            let (more, wanted) = channel();
            let writer = thread::spawn(move || {
                let (mut at, mut step) = (0, 0);
                while at < total && wanted.recv().is_ok() {
                    step = (step + 37) % 301;
                    let len = (step + 1).min(total - at);
                    client.write_all(&sequence(at, len)).unwrap();
                    at += len;
                }
            });
            let (mut at, mut dropped, mut round) = (0, 0_u64, 0_u64);
            while at < total {
                round += 1;
                let room = (1 + (round * 53 % 400) as usize).min(total - at);
                let mut read = some_read(&server, round, room);
                if let Poll::Ready((n, bytes)) = poll_once(&mut read) {
                    expect_piece(at, &bytes);
                    at += n.unwrap();
                    continue;
                }
                // (Who has written all that there is has gone.)
                let _ = more.send(());
                let got = match round % 4 {
                    0 => race(read, kael_rt::yield_now()).await,
                    wait => race(read, sleep(Duration::from_micros(wait * 20))).await,
                };
                match got {
                    First::Left((n, bytes)) => {
                        expect_piece(at, &bytes);
                        at += n.unwrap();
                    }
                    First::Right(()) => dropped += 1,
                }
            }
            assert_eq!(server.read(Vec::with_capacity(1)).await.0.unwrap(), 0);
            writer.join().unwrap();
            println!("{dropped} of {round} reads were dropped");
            assert!(dropped > 10, "the storm dropped only {dropped} reads");
        });
    }
}

/// One of the ways to read at most so many bytes.
fn some_read(server: &NamedPipe, round: u64, room: usize) -> Reading<'_> {
    match round % 3 {
        0 => Box::pin(server.read(Vec::with_capacity(room))),
        1 => Box::pin(server.read_exact(vec![0; room])),
        _ => Box::pin(async move {
            let (part, buf) = server.read_message(Vec::with_capacity(room)).await;
            (part.map(|part| part.len), buf)
        }),
    }
}

type Reading<'a> = Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>> + 'a>>;

/// A dropped read takes a message, or a part of one; the next reads get it piece by piece, and know where it ends.
#[test]
fn w06_a_message_that_a_dropped_read_took_keeps_its_end() {
    runs("a part of a message is lost", || async {
        for waits in [true, false] {
            let (server, client) = pair("left", PipeMode::Message).await;
            let write = async |message: &'static str| client.write_all(message).await.0.unwrap();
            let read = async |room: usize| {
                let (part, buf) = server.read_message(Vec::with_capacity(room)).await;
                (String::from_utf8(buf).unwrap(), part.unwrap().is_last)
            };
            let drop_a_read = async |room: usize, message: &'static str| {
                let mut dropped = server.read_message(Vec::with_capacity(room));
                if waits {
                    assert!(poll_once(&mut dropped).is_pending());
                }
                write(message).await;
                if !waits {
                    assert!(poll_once(&mut dropped).is_pending());
                }
                turns(2).await;
            };
            // All of it.
            drop_a_read(64, "0123456789").await;
            assert_eq!(read(4).await, ("0123".to_owned(), false));
            assert_eq!(read(6).await, ("456789".to_owned(), true));
            // A part: what follows it comes from the system.
            drop_a_read(5, "abcdefgh").await;
            assert_eq!(read(2).await, ("ab".to_owned(), false));
            assert_eq!(read(3).await, ("cde".to_owned(), false));
            assert_eq!(read(3).await, ("fgh".to_owned(), true));
            // The end behind what was left.
            drop_a_read(64, "end").await;
            client.write_all("x").await.0.unwrap();
            assert_eq!(read(64).await, ("end".to_owned(), true));
            assert_eq!(read(64).await, ("x".to_owned(), true));
        }
    });
}

#[test]
fn writes_that_are_dropped_are_not_torn() {
    runs("the last write never got through", || async {
        const BIG: usize = 300_000;
        let rounds = 12_u8;
        let (server, client) = pair("writes", PipeMode::Byte).await;
        let reader = kael_rt::spawn(async move {
            let mut runs: Vec<(u8, usize)> = Vec::new();
            let mut chunk = Vec::with_capacity(10_000);
            loop {
                let (n, bytes) = client.read(chunk).await;
                if n.unwrap() == 0 {
                    return runs;
                }
                for &byte in &bytes {
                    match runs.last_mut() {
                        Some((last, count)) if *last == byte => *count += 1,
                        _ => runs.push((byte, 1)),
                    }
                }
                chunk = bytes;
            }
        });
        for round in 0..rounds {
            let mut write = server.write_all(vec![round; BIG]);
            assert!(poll_once(&mut write).is_pending());
            turns(u32::from(round % 3)).await;
            drop(write);
            // Each begins here: one that waits for its turn has not, and is left out when it is dropped.
            server.write_all("").await.0.unwrap();
        }
        server.close().await.unwrap();
        let expected: Vec<(u8, usize)> = (0..rounds).map(|round| (round, BIG)).collect();
        assert_eq!(reader.await.unwrap(), expected, "bytes of two writes are mixed, or lost");
    });
}

#[test]
fn a_limit_that_passes_gives_the_buffer_back_and_tears_nothing() {
    runs("a limit hangs", || async {
        let (server, client) = pair("limit", PipeMode::Byte).await;
        let read = server.read(Vec::with_capacity(77)).timeout(Duration::from_millis(5));
        let (result, buf) = read.await;
        assert_eq!((result.unwrap_err().kind(), buf.capacity()), (ErrorKind::TimedOut, 77));
        client.write_all("late").await.0.unwrap();
        assert_eq!(server.read(buf).await.1, b"late");
        // Nobody reads, and the system takes no more.
        let write = server.write_all(vec![1; 1 << 20]).timeout(Duration::from_millis(5));
        let (result, buf) = write.await;
        assert_eq!((result.unwrap_err().kind(), buf.len()), (ErrorKind::TimedOut, 1 << 20));
        // Nobody knows how much of it was taken, so nothing may follow it.
        for _ in 0..2 {
            let torn = server.write_all("more").await.0.unwrap_err();
            assert_eq!(torn.kind(), ErrorKind::ConnectionAborted, "{torn}");
        }
        // Its reads go on, and the next client has nothing to do with it.
        client.write_all("still").await.0.unwrap();
        assert_eq!(server.read_exact(vec![0; 5]).await.1, b"still");
        server.disconnect().await.unwrap();
        let mut waiting = Box::pin(server.connect());
        assert!(poll_once(&mut waiting).is_pending());
        let mut next = plain_client(&name("limit")).unwrap();
        waiting.await.unwrap();
        server.write_all("more").await.0.unwrap();
        let mut got = [0; 4];
        next.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"more");
    });
}

/// A thread of the pool that waits for a reader is let go when the client goes, or the server puts it out.
#[test]
fn a_flush_ends_with_its_client() {
    runs("a flush goes on without anybody", || async {
        let name = name("flushes");
        let server = ServerOptions::new().create(&name).unwrap();
        let (told, tell) = channel::<()>();
        let thread = {
            let name = name.clone();
            thread::spawn(move || {
                let client = plain_client(&name).unwrap();
                tell.recv().unwrap();
                drop(client);
            })
        };
        server.connect().await.unwrap();
        server.write_all("never read").await.0.unwrap();
        let mut flush = Box::pin(server.flush());
        assert!(poll_once(&mut flush).is_pending());
        turns(3).await;
        told.send(()).unwrap();
        // Whether Windows calls that a success is its own affair.
        let _ = flush.await;
        thread.join().unwrap();
    });
}
