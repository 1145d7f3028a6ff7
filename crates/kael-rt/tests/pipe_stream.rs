//! Reads of pipes into buffers of a pool, which the kernel repeats by itself where it can: begun again exactly once however
//! one ends, every byte once and in order.

#[path = "support/pieces.rs"]
mod pieces;
mod rig;

use kael_rt::buf::BufferPool;
use kael_rt::io::pipe;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, timeout};
use pieces::{How, expect_all, expect_piece, expect_whole, sequence, write_sequence};
#[allow(unused_imports, reason = "a simulated kernel is not asked")]
use rig::READINESS;
use rig::{size, within_limit};
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn runs<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    within_limit(move || kael_rt::block_on(test()));
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn p03_every_byte_comes_once_however_few_the_buffers() {
    runs(|| async {
        for (count, bytes) in [(1, 64), (2, 500), (4, 64), (8, 4096), (64, 1000), (256, 16)] {
            let pool = BufferPool::new(count, bytes).unwrap();
            for how in [How::Pooled, How::Stream] {
                let (reader, writer) = pipe().unwrap();
                let total = size(60_000, 2_000_000);
                let writing = kael_rt::spawn(async move {
                    write_sequence(writer, total, &[1, 700, 30, 9000, 64]).await;
                });
                expect_all(&reader, &pool, total, how).await;
                writing.await.unwrap();
                expect_whole(&pool).await;
            }
        }
    });
}

/// What is longer than a buffer is all there at once: nobody waits for more to come before the rest is told.
#[test]
fn p03_what_is_longer_than_a_buffer_comes_without_more_to_come() {
    runs(|| async {
        let pool = BufferPool::new(64, 64).unwrap();
        let (reader, writer) = pipe().unwrap();
        let mut pieces = reader.read_stream(&pool);
        let (mut sent, mut at) = (0, 0);
        for round in 0..size(500, 20_000) {
            let len = [1, 64, 65, 128, 700][round % 5];
            if round % 2 == 0 {
                // It waits with the kernel, or has not begun.
                assert!(poll_once(pieces.next()).is_pending());
                kael_rt::yield_now().await;
            }
            writer.write_all(sequence(sent, len)).await.0.unwrap();
            sent += len;
            while at < sent {
                let next = timeout(Duration::from_secs(20), pieces.next()).await;
                let piece = next.expect("it is all there").unwrap().expect("it goes on");
                expect_piece(at, &piece);
                at += piece.len();
            }
        }
        drop(pieces);
        expect_whole(&pool).await;
    });
}

/// The kernel is asked for one read at a time, although it ends again and again: no buffer is free, or too many wait.
#[test]
fn p03_a_stream_has_one_request_with_the_kernel() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(4, 64).unwrap();
            let (reader, writer) = pipe().unwrap();
            let mut pieces = reader.read_stream(&pool);
            let (mut sent, mut at) = (0, 0);
            for round in 0..size(200, 5000) {
                let len = [64, 10, 640, 200][round % 4];
                writer.write_all(sequence(sent, len)).await.0.unwrap();
                sent += len;
                let mut held = Vec::new();
                while at < sent {
                    let piece = pieces.next().await.unwrap().expect("the pipe goes on");
                    expect_piece(at, &piece);
                    at += piece.len();
                    held.push(piece);
                    if held.len() == 3 {
                        held.clear();
                    }
                }
                drop(held);
                // Now it waits for more.
                assert!(poll_once(pieces.next()).is_pending());
                kael_rt::yield_now().await;
                let in_flight = handle.metrics().cores[0].in_flight;
                assert!(in_flight <= 2, "{in_flight} requests of one pipe, in round {round}");
            }
            drop(pieces);
            expect_whole(&pool).await;
        });
    });
}

/// Whether the kernel repeats reads; only io_uring does.
#[cfg(all(target_os = "linux", not(kael_backend = "sim")))]
fn repeats() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).flat_map(str::parse::<u32>);
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    !READINESS && version >= (6, 12)
}

/// One request brings all pieces, and each costs the one call that waits for it.
#[test]
#[cfg(all(target_os = "linux", not(kael_backend = "sim")))] // It counts what that kernel is asked for.
fn p03_one_request_brings_all_pieces() {
    use std::io::Write;
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(16, 4096).unwrap();
            let (reader, mut writer) = std::io::pipe().unwrap();
            let reader = kael_rt::io::PipeReader::from_std(reader).unwrap();
            let mut pieces = reader.read_stream(&pool);
            let mut next = async || {
                writer.write_all(&[7; 100]).unwrap();
                let piece = pieces.next().await.unwrap().unwrap();
                assert_eq!(&piece[..], [7; 100]);
            };
            for _ in 0..4 {
                next().await;
            }
            let before = handle.metrics().cores[0].clone();
            let rounds = 100;
            for _ in 0..rounds {
                next().await;
            }
            let core = handle.metrics().cores[0].clone();
            let calls = core.syscalls - before.syscalls;
            let submitted = core.submitted - before.submitted;
            println!("{rounds} pieces: {calls} calls, {submitted} submissions");
            if READINESS {
                // (The emulated kqueue interrupts waits.)
                assert!(calls <= 4 * rounds, "{calls} calls for {rounds} pieces");
                return;
            }
            assert_eq!(calls, rounds, "a call a piece waits and reaps");
            assert_eq!(submitted, if repeats() { 0 } else { rounds });
            if !repeats() {
                println!("not checked: a kernel before 6.12 is asked for each piece");
            }
        });
    });
}

#[test]
fn p03_dropped_streams_leave_their_bytes_to_the_next_read() {
    runs(|| async {
        let (pool, other) = (BufferPool::new(16, 64).unwrap(), BufferPool::new(3, 50).unwrap());
        let (reader, writer) = pipe().unwrap();
        let (mut sent, mut at) = (0, 0);
        for round in 0..size(400, 20_000) {
            let mut pieces = reader.read_stream(&pool);
            assert!(poll_once(pieces.next()).is_pending());
            for len in [64, 1, 100] {
                writer.write_all(sequence(sent, len)).await.0.unwrap();
                sent += len;
            }
            if round % 2 == 0 {
                // It has brought something that nobody has seen; or it will, while it is being stopped.
                kael_rt::yield_now().await;
            }
            drop(pieces);
            while at < sent {
                let wanted = sent - at;
                let bytes = match round % 5 {
                    0 => reader.read(Vec::with_capacity(40)).await.1,
                    1 => reader.read_exact(vec![0; wanted.min(7)]).await.1,
                    2 => reader.read_pooled(&other).await.unwrap().unwrap().to_vec(),
                    3 => reader.read_stream(&pool).next().await.unwrap().unwrap().to_vec(),
                    _ => {
                        let (n, parts) = reader.read_vectored([vec![0; 3], vec![0; 200]]).await;
                        let mut bytes = parts.concat();
                        bytes.truncate(n.unwrap());
                        bytes
                    }
                };
                assert!(!bytes.is_empty(), "the pipe ended at {at}");
                expect_piece(at, &bytes);
                at += bytes.len();
            }
        }
        expect_whole(&pool).await;
        expect_whole(&other).await;
    });
}

#[test]
fn p03_closed_and_abandoned_readers_give_their_buffers_back() {
    runs(|| async {
        let pool = BufferPool::new(8, 64).unwrap();
        for round in 0..size(200, 5000) {
            let (reader, writer) = pipe().unwrap();
            let mut pieces = reader.read_stream(&pool);
            assert!(poll_once(pieces.next()).is_pending());
            writer.write_all(vec![1; 130]).await.0.unwrap();
            kael_rt::yield_now().await;
            if round % 2 == 0 {
                drop((pieces, reader));
            } else {
                drop(pieces);
                reader.close().await.unwrap();
            }
            // What is dropped is closed when the kernel has let go of it.
            let mut written = 0;
            let error = loop {
                match writer.write("x").await.0 {
                    Ok(n) => written += n,
                    Err(error) => break error,
                }
                assert!(written < 100, "the reader is open still");
            };
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert!(written == 0 || round % 2 == 0, "a close had been answered");
        }
        expect_whole(&pool).await;
    });
}

#[test]
fn p03_a_close_ends_a_stream_that_waits() {
    runs(|| async {
        let pool = BufferPool::new(4, 64).unwrap();
        let (reader, writer) = pipe().unwrap();
        let mut pieces = reader.read_stream(&pool);
        let waiting = kael_rt::spawn(async move { pieces.next().await });
        kael_rt::yield_now().await;
        reader.close().await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(writer.write("x").await.0.unwrap_err().kind(), ErrorKind::BrokenPipe);
        expect_whole(&pool).await;
    });
}

#[test]
fn p03_the_end_stays() {
    runs(|| async {
        let pool = BufferPool::new(4, 64).unwrap();
        let (reader, writer) = pipe().unwrap();
        let mut pieces = reader.read_stream(&pool);
        let waiting = kael_rt::spawn(async move {
            let first = pieces.next().await.unwrap().map(|piece| piece.to_vec());
            (first, pieces.next().await.unwrap().is_none(), pieces.next().await.unwrap().is_none())
        });
        kael_rt::yield_now().await;
        writer.write_all("last").await.0.unwrap();
        drop(writer);
        assert_eq!(waiting.await.unwrap(), (Some(b"last".to_vec()), true, true));
        assert!(reader.read_pooled(&pool).await.unwrap().is_none());
        expect_whole(&pool).await;
    });
}
