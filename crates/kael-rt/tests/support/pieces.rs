//! What the tests of pipes share that are read into buffers of a pool. No test is in here.
#![allow(dead_code, reason = "each test program uses a part of it")]

use kael_rt::buf::BufferPool;
use kael_rt::io::{PipeReader, PipeWriter, pipe};
use kael_rt::time::{Duration, sleep, timeout};

#[path = "sequence.rs"]
mod sequence;

pub(crate) use sequence::{expect_piece, sequence};

/// Writes a sequence of `total` bytes in pieces of several sizes, and closes.
pub(crate) async fn write_sequence(writer: PipeWriter, total: usize, sizes: &[usize]) {
    let mut at = 0;
    for len in sizes.iter().cycle() {
        if at == total {
            break;
        }
        let len = (*len).min(total - at);
        writer.write_all(sequence(at, len)).await.0.unwrap();
        at += len;
        kael_rt::yield_now().await;
    }
    writer.close().await.unwrap();
}

/// How a pipe is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Pooled,
    Stream,
}

pub(crate) async fn expect_all(reader: &PipeReader, pool: &BufferPool, total: usize, how: How) {
    let mut at = 0;
    let mut pieces = reader.read_stream(pool);
    loop {
        let piece = match how {
            How::Pooled => reader.read_pooled(pool).await.unwrap(),
            How::Stream => pieces.next().await.unwrap(),
        };
        let Some(piece) = piece else { break };
        assert!(!piece.is_empty() && piece.len() <= pool.size());
        expect_piece(at, &piece);
        at += piece.len();
    }
    assert_eq!(at, total, "the pipe ended elsewhere, read by {how:?}");
}

/// The pool has all its buffers, once what was dropped has ended; and the kernel has those that are lent to it.
pub(crate) async fn expect_whole(pool: &BufferPool) {
    for _ in 0..20 {
        if pool.available() + pool.lent() == pool.count() {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(pool.available() + pool.lent(), pool.count(), "buffers are lost: {pool:?}");
    if cfg!(windows) {
        // A read of a pipe brings its own buffer there.
        return;
    }
    let (reader, writer) = pipe().unwrap();
    let mut held = Vec::new();
    while pool.lent() > 0 {
        writer.write_all("x").await.0.unwrap();
        let piece = timeout(Duration::from_secs(10), reader.read_pooled(pool)).await;
        held.push(piece.unwrap_or_else(|_| panic!("the kernel has fewer than {pool:?} says")));
    }
}
