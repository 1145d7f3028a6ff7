//! Pipes: every byte once and in order whatever is dropped, the end behind the bytes, a reader that is gone, and a pipe
//! that is full.

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::io::{AsyncReadExt, AsyncWrite, PipeReader, copy, pipe};
use rig::{READINESS, poll_once, size, turns, within_limit};
use sequence::{expect_piece, sequence};
use std::collections::VecDeque;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;

fn runs<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    within_limit(move || kael_rt::block_on(test()));
}

/// More than any pipe holds by itself.
const BIG: usize = 1 << 20;

async fn expect_rest(reader: &PipeReader, from: usize, total: usize) {
    let (mut at, mut buf) = (from, Vec::with_capacity(10_000));
    loop {
        let (n, back) = reader.read(buf).await;
        if n.unwrap() == 0 {
            break;
        }
        expect_piece(at, &back);
        at += back.len();
        buf = back;
    }
    assert_eq!(at, total, "the pipe ended elsewhere");
}

#[test]
fn p01_every_shape_of_a_transfer_moves_its_bytes() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        for round in 0..size(200, 5_000) {
            let at = round * 101;
            let mut parts = [sequence(at, 20), sequence(at + 20, 31)];
            assert_eq!(writer.write(sequence(at, 0)).await.0.unwrap(), 0);
            match round % 4 {
                0 => {
                    assert_eq!(writer.write(sequence(at, 51)).await.0.unwrap(), 51);
                }
                1 => {
                    let (n, back) = writer.write_all(sequence(at, 51)).await;
                    assert_eq!((n.unwrap(), back.len()), (51, 51));
                }
                2 if !cfg!(windows) => {
                    assert_eq!(writer.write_vectored(parts).await.0.unwrap(), 51);
                }
                _ => {
                    // A part of them is empty.
                    let mut rope: VecDeque<_> = parts.iter_mut().map(std::mem::take).collect();
                    rope.push_front(Vec::new());
                    assert_eq!(writer.write_all_vectored(rope).await.0.unwrap(), 51);
                }
            }
            let rope: Vec<_> = (0..50).map(|i| sequence(at + 51 + i, 1)).collect();
            assert_eq!(writer.write_all_vectored(rope).await.0.unwrap(), 50);
            assert_eq!(reader.read(Vec::new()).await.0.unwrap(), 0);
            let (n, first) = reader.read(Vec::with_capacity(40)).await;
            assert_eq!(n.unwrap(), first.len());
            expect_piece(at, &first);
            let (n, parts) = reader.read_vectored([vec![0; 1], vec![0; 1]]).await;
            let (n, from) = (n.unwrap(), at + first.len());
            expect_piece(from, &parts.concat()[..n]);
            let want = 101 - first.len() - n;
            let (rest_n, rest) = reader.read_exact(vec![0; want]).await;
            assert_eq!(rest_n.unwrap(), want);
            expect_piece(from + n, &rest);
        }
    });
}

#[test]
fn p01_the_end_comes_behind_the_bytes() {
    runs(|| async {
        for dropped in [false, true] {
            let (reader, writer) = pipe().unwrap();
            writer.write_all(sequence(0, 3000)).await.0.unwrap();
            if dropped {
                drop(writer);
            } else {
                writer.close().await.unwrap();
            }
            expect_rest(&reader, 0, 3000).await;
            // It stays.
            assert_eq!(reader.read(vec![0; 1]).await.0.unwrap(), 0);
            let error = reader.read_exact(vec![0; 1]).await.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    });
}

#[test]
fn p01_a_read_that_waits_sees_the_end() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        let waiting = kael_rt::spawn(async move { reader.read_exact(vec![0; 10]).await.0 });
        writer.write_all("short").await.0.unwrap();
        turns(3).await;
        writer.close().await.unwrap();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn p01_a_writer_without_a_reader_is_told() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        let mut waiting = pin!(writer.write_all(vec![1; BIG]));
        assert!(poll_once(&mut waiting).is_pending());
        turns(3).await;
        assert!(poll_once(&mut waiting).is_pending(), "no pipe holds so much");
        drop(reader);
        assert_eq!(waiting.await.0.unwrap_err().kind(), ErrorKind::BrokenPipe);
        for _ in 0..3 {
            let error = writer.write("more").await.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
        let (reader, writer) = pipe().unwrap();
        writer.write_all("never read").await.0.unwrap();
        reader.close().await.unwrap();
        let error = writer.write_all_vectored(["more", " of it"]).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// A read whose future is dropped may have got something all the same: the next one has it.
#[test]
fn p01_dropped_reads_lose_nothing() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        let total = size(40_000, 1_000_000);
        let writing = kael_rt::spawn(async move {
            for at in (0..total).step_by(50) {
                writer.write_all(sequence(at, 50)).await.0.unwrap();
                kael_rt::yield_now().await;
            }
            writer.close().await.unwrap();
        });
        let (mut at, mut dropped) = (0, 0);
        while at < total {
            let bytes = {
                let mut read = reader.read(Vec::with_capacity(20 + at % 50));
                let mut exact = reader.read_exact(vec![0; 1 + at % 7]);
                let polled = if at % 3 == 0 { poll_once(&mut exact) } else { poll_once(&mut read) };
                if polled.is_pending() {
                    dropped += 1;
                    if dropped % 3 == 0 {
                        kael_rt::yield_now().await;
                    }
                }
                match polled {
                    Poll::Ready((n, bytes)) => {
                        n.unwrap();
                        bytes
                    }
                    Poll::Pending => Vec::new(),
                }
            };
            expect_piece(at, &bytes);
            at += bytes.len();
            if at < total {
                let (n, bytes) = reader.read(Vec::with_capacity(30)).await;
                assert!(n.unwrap() > 0, "the pipe ended at {at}");
                expect_piece(at, &bytes);
                at += bytes.len();
            }
        }
        writing.await.unwrap();
        assert_eq!(reader.read(vec![0; 1]).await.0.unwrap(), 0);
        // Where the calls are ours, what is there is read at the first poll.
        assert!(dropped > if READINESS { 0 } else { total / 1000 }, "only {dropped} were dropped");
    });
}

#[test]
fn p02_a_full_pipe_holds_its_writer_back() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        let mut write = writer.write_all(sequence(0, BIG));
        assert!(poll_once(&mut write).is_pending());
        turns(3).await;
        assert!(poll_once(&mut write).is_pending(), "no pipe holds so much");
        // (Windows does not say how far a write is.)
        let held = write.written();
        assert!(held <= 256 << 10, "{held} bytes are in a pipe");
        let other = kael_rt::spawn(async move {
            assert_eq!(write.await.0.unwrap(), BIG);
            writer.close().await.unwrap();
        });
        expect_rest(&reader, 0, BIG).await;
        other.await.unwrap();
    });
}

#[test]
fn p02_dropped_writes_are_finished_and_never_mixed() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        let rounds: u8 = size(8, 200) as u8;
        let reading = kael_rt::spawn(async move {
            let mut runs: Vec<(u8, usize)> = Vec::new();
            let mut buf = Vec::with_capacity(10_000);
            loop {
                let (n, back) = reader.read(buf).await;
                if n.unwrap() == 0 {
                    return runs;
                }
                for &byte in &back {
                    match runs.last_mut() {
                        Some((last, count)) if *last == byte => *count += 1,
                        _ => runs.push((byte, 1)),
                    }
                }
                buf = back;
            }
        });
        for round in 0..rounds {
            let parts = vec![vec![round; BIG / 2], vec![round; BIG / 2]];
            match round % 3 {
                0 => assert!(poll_once(&mut writer.write_all(vec![round; BIG])).is_pending()),
                1 => drop(poll_once(&mut writer.write(vec![round; BIG]))),
                _ => drop(poll_once(&mut writer.write_vectored(parts))),
            }
        }
        writer.write_all(vec![255; 10]).await.0.unwrap();
        // The last of these is finished by the close.
        assert!(poll_once(&mut writer.write_all(vec![254; BIG])).is_pending());
        writer.close().await.unwrap();
        let runs = reading.await.unwrap();
        let order: Vec<u8> = runs.iter().map(|run| run.0).collect();
        // One that waits for its turn has not begun, and dropping it leaves nothing.
        assert_eq!(order.first(), Some(&0));
        assert_eq!(order[order.len() - 2..], [255, 254]);
        assert!(order.is_sorted_by(|a, b| a < b || *b == 254), "bytes are mixed: {order:?}");
        for (round, count) in &runs[..runs.len() - 2] {
            assert!(*count == BIG || round % 3 != 0, "write_all {round}: {count} bytes");
        }
        assert_eq!(runs[runs.len() - 2..], [(255, 10), (254, BIG)]);
    });
}

/// Windows does not say how much of a write it has taken that is stopped.
#[test]
#[cfg(not(windows))]
fn p02_a_time_limit_gives_the_buffer_back_and_says_how_far_it_came() {
    runs(|| async {
        let (reader, writer) = pipe().unwrap();
        let limit = kael_rt::time::Duration::from_millis(5);
        let (result, back) = writer.write_all(sequence(0, BIG)).timeout(limit).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), back.len()), (ErrorKind::TimedOut, BIG));
        let ours = error.get_ref().and_then(|own| own.downcast_ref::<kael_rt::Error>());
        let sent = ours.and_then(kael_rt::Error::transferred).unwrap_or(0);
        assert!(sent > 0, "a pipe holds something");
        drop(writer);
        expect_rest(&reader, 0, sent).await;
        let (result, back) = reader.read(back).timeout(limit).await;
        assert_eq!((result.unwrap(), back.len()), (0, 0));
    });
}

#[test]
fn p01_generic_code_sees_a_reader_and_a_writer() {
    runs(|| async {
        let (mut from, first) = pipe().unwrap();
        let (to, mut second) = pipe().unwrap();
        let copying = kael_rt::spawn(async move {
            let moved = copy(&mut from, &mut second).await.unwrap();
            second.shutdown().await.unwrap();
            let error = second.write_all("behind the end").await.0.unwrap_err();
            (moved, error.kind())
        });
        let writing = kael_rt::spawn(async move {
            first.write_all(sequence(0, BIG)).await.0.unwrap();
        });
        expect_rest(&to, 0, BIG).await;
        assert_eq!(copying.await.unwrap(), (BIG as u64, ErrorKind::NotConnected));
        writing.await.unwrap();
        let mut reader = to;
        assert_eq!(reader.read_to_end(Vec::new()).await.0.unwrap(), 0);
    });
}

#[test]
fn p01_a_close_ends_a_read_that_waits() {
    runs(|| async {
        let (reader, _writer) = pipe().unwrap();
        let read = reader.read(vec![0; 1]);
        let waiting = kael_rt::spawn(read);
        kael_rt::yield_now().await;
        reader.close().await.unwrap();
        assert_eq!(waiting.await.unwrap().0.unwrap_err().kind(), ErrorKind::NotConnected);
    });
}
