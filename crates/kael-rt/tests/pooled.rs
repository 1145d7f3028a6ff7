//! Receives into buffers of a pool: every byte once and in order, whatever is dropped, however a multishot ends, and however
//! few buffers there are; and at the end the pool is whole.

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::buf::BufferPool;
use kael_rt::net::TcpStream;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep, timeout};
use rig::{READINESS, pair, size, within_limit};
use sequence::{expect_piece, sequence};
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

/// Writes a sequence of `total` bytes in pieces of several sizes, and closes.
async fn write_sequence(stream: TcpStream, total: usize, sizes: &[usize]) {
    let mut at = 0;
    for len in sizes.iter().cycle() {
        if at == total {
            break;
        }
        let len = (*len).min(total - at);
        stream.write_all(sequence(at, len)).await.0.unwrap();
        at += len;
        kael_rt::yield_now().await;
    }
    stream.close().await.unwrap();
}

/// How a connection is read.
#[derive(Clone, Copy, Debug)]
enum How {
    Pooled,
    Stream,
}

async fn expect_all(stream: &TcpStream, pool: &BufferPool, total: usize, how: How) {
    let mut at = 0;
    let mut pieces = stream.recv_stream(pool);
    loop {
        let piece = match how {
            How::Pooled => stream.recv_pooled(pool).await.unwrap(),
            How::Stream => pieces.next().await.unwrap(),
        };
        let Some(piece) = piece else { break };
        assert!(!piece.is_empty() && piece.len() <= pool.size());
        expect_piece(at, &piece);
        at += piece.len();
    }
    assert_eq!(at, total, "the stream ended elsewhere, read by {how:?}");
}

/// The pool has all its buffers, once what was dropped has ended; and the kernel has those that are lent to it.
async fn expect_whole(pool: &BufferPool) {
    for _ in 0..20 {
        if pool.available() + pool.lent() == pool.count() {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(pool.available() + pool.lent(), pool.count(), "buffers are lost: {pool:?}");
    let (a, b) = pair().await;
    let mut held = Vec::new();
    while pool.lent() > 0 {
        a.write_all("x").await.0.unwrap();
        let piece = timeout(Duration::from_secs(10), b.recv_pooled(pool)).await;
        held.push(piece.unwrap_or_else(|_| panic!("the kernel has fewer than {pool:?} says")));
    }
}

#[test]
fn r13_every_byte_comes_once_however_few_the_buffers() {
    runs(|| async {
        for (count, bytes) in [(1, 64), (2, 500), (4, 64), (8, 4096), (64, 1000), (256, 16)] {
            let pool = BufferPool::new(count, bytes).unwrap();
            for how in [How::Pooled, How::Stream] {
                let (a, b) = pair().await;
                let total = size(60_000, 2_000_000);
                let writer = kael_rt::spawn(async move {
                    write_sequence(a, total, &[1, 700, 30, 9000, 64]).await;
                });
                expect_all(&b, &pool, total, how).await;
                writer.await.unwrap();
                expect_whole(&pool).await;
            }
        }
    });
}

/// The last message and the end have both come before somebody looks, and are read one after the other.
#[test]
fn r13_the_end_comes_behind_the_last_message() {
    runs(|| async {
        let pool = BufferPool::new(64, 64).unwrap();
        for messages in 1..4usize {
            let (a, b) = pair().await;
            let mut pieces = b.recv_stream(&pool);
            assert!(poll_once(pieces.next()).is_pending());
            for n in 0..messages {
                a.write_all(sequence(n * 40, 40)).await.0.unwrap();
            }
            a.close().await.unwrap();
            sleep(Duration::from_millis(2)).await;
            let mut at = 0;
            while let Some(piece) = pieces.next().await.unwrap() {
                expect_piece(at, &piece);
                at += piece.len();
            }
            assert_eq!(at, messages * 40, "the end came over what was before it");
        }
        expect_whole(&pool).await;
    });
}

/// The kernel is asked for one multishot at a time, although it ends again and again: no buffer is free, or too many wait.
#[test]
fn r13_a_stream_has_one_request_with_the_kernel() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(4, 64).unwrap();
            let (a, b) = pair().await;
            let mut pieces = b.recv_stream(&pool);
            let (mut sent, mut at) = (0, 0);
            for round in 0..size(200, 5000) {
                let len = [64, 10, 640, 200][round % 4];
                a.write_all(sequence(sent, len)).await.0.unwrap();
                sent += len;
                let mut held = Vec::new();
                while at < sent {
                    let piece = pieces.next().await.unwrap().expect("the stream goes on");
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
                assert!(in_flight <= 2, "{in_flight} requests of one stream, in round {round}");
            }
            drop(pieces);
            expect_whole(&pool).await;
        });
    });
}

#[test]
fn r13_what_is_unread_waits_within_its_bound() {
    runs(|| async {
        // A quarter of it may wait for one stream, and there is enough for another one meanwhile.
        let pool = BufferPool::new(64, 64).unwrap();
        let (a, b) = pair().await;
        let (c, d) = pair().await;
        let total = 64 * 64 * 4;
        let mut pieces = b.recv_stream(&pool);
        assert!(poll_once(pieces.next()).is_pending());
        for at in (0..total).step_by(64) {
            a.write_all(sequence(at, 64)).await.0.unwrap();
        }
        c.write_all("now").await.0.unwrap();
        assert_eq!(&d.recv_pooled(&pool).await.unwrap().unwrap()[..], b"now");
        a.close().await.unwrap();
        let mut at = 0;
        while let Some(piece) = pieces.next().await.unwrap() {
            expect_piece(at, &piece);
            at += piece.len();
        }
        assert_eq!(at, total);
        assert!(pieces.next().await.unwrap().is_none(), "the end stays");
        expect_whole(&pool).await;
    });
}

#[test]
fn r14_a_pool_of_one_serves_a_burst_of_many() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(1, 256).unwrap();
            let held = pool.try_get().expect("nobody has it yet");
            let total = size(10_000, 100_000);
            let mut tasks = Vec::new();
            for i in 0..20 {
                let (a, b) = pair().await;
                let pool = pool.clone();
                tasks.push(kael_rt::spawn(write_sequence(a, total, &[2000, 10])));
                tasks.push(kael_rt::spawn(async move {
                    let how = if i % 2 == 0 { How::Pooled } else { How::Stream };
                    expect_all(&b, &pool, total, how).await;
                }));
            }
            // Each has something to receive, and no buffer for it.
            sleep(Duration::from_millis(5)).await;
            drop(held);
            for task in tasks {
                task.await.unwrap();
            }
            expect_whole(&pool).await;
        });
        let core = &handle.metrics().cores[0];
        assert!(core.pool_starved > 0, "one buffer was enough for twenty streams");
    });
}

/// While no buffer is free, nobody looks again and again: the core sleeps until one comes back.
#[test]
#[cfg(not(kael_backend = "sim"))] // It counts the system's calls.
fn r14_a_starving_receive_sleeps() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(2, 64).unwrap();
            let (a, b) = pair().await;
            a.write_all("early").await.0.unwrap();
            let mut held = vec![b.recv_pooled(&pool).await.unwrap().unwrap()];
            held.extend(pool.try_get());
            assert_eq!((held.len(), pool.available(), pool.lent()), (2, 0, 0));
            a.write_all("late").await.0.unwrap();
            let waiting = kael_rt::spawn(async move { b.recv_pooled(&pool).await });
            sleep(Duration::from_millis(5)).await;
            let before = handle.metrics().cores[0].syscalls;
            sleep(Duration::from_millis(100)).await;
            let calls = handle.metrics().cores[0].syscalls - before;
            // The emulated kqueue interrupts waits, and ends them for nothing.
            let most = if cfg!(kael_backend = "kqueue") { 50 } else { 3 };
            assert!(calls <= most, "{calls} calls while nothing could be done");
            held.pop();
            assert_eq!(&waiting.await.unwrap().unwrap().unwrap()[..], b"late");
        });
    });
}

/// A peer that sends without pause has no more than its share: each of the others gets on within a bounded number of turns.
#[test]
#[cfg(not(kael_backend = "sim"))] // The simulated kernel has other turns.
fn r14_a_flooder_does_not_starve_the_others() {
    use std::cell::Cell;
    use std::rc::Rc;
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(12, 1024).unwrap();
            let stop = Rc::new(Cell::new(false));
            // Who is flooded holds nine of the twelve buffers for a while.
            let (a, b) = pair().await;
            let (flood, ends) = (pool.clone(), stop.clone());
            kael_rt::spawn(async move {
                while !ends.get() {
                    a.write_all(vec![1; 256 * 1024]).await.0.unwrap();
                }
                a.close().await
            });
            let flooded = kael_rt::spawn(async move {
                let mut pieces = b.recv_stream(&flood);
                let mut held = Vec::new();
                while let Some(piece) = pieces.next().await.unwrap() {
                    held.push(piece);
                    if held.len() == 9 {
                        kael_rt::yield_now().await;
                        held.clear();
                    }
                }
            });
            let worst = Rc::new(Cell::new(0));
            let mut light = Vec::new();
            for _ in 0..99 {
                let (a, b) = pair().await;
                let (pool, worst, handle) = (pool.clone(), worst.clone(), handle.clone());
                light.push(kael_rt::spawn(async move {
                    let mut pieces = b.recv_stream(&pool);
                    for _ in 0..size(20, 200) {
                        a.write_all("light").await.0.unwrap();
                        let before = handle.metrics().cores[0].turns;
                        let piece = pieces.next().await.unwrap().unwrap();
                        assert_eq!(&piece[..], b"light");
                        let turns = handle.metrics().cores[0].turns - before;
                        worst.set(worst.get().max(turns));
                    }
                }));
            }
            for task in light {
                task.await.unwrap();
            }
            stop.set(true);
            flooded.await.unwrap();
            println!("the longest wait: {} turns", worst.get());
            assert!(worst.get() <= 100, "a light connection waited for {} turns", worst.get());
        });
    });
}

#[test]
fn r15_cancelled_receives_lose_no_byte_and_no_buffer() {
    runs(|| async {
        let pool = BufferPool::new(16, 128).unwrap();
        let (a, b) = pair().await;
        let rounds = size(3000, 100_000);
        let writer = kael_rt::spawn(async move { write_sequence(a, rounds * 50, &[50]).await });
        let (mut at, mut dropped) = (0, 0);
        loop {
            // Some are dropped before they have begun to wait, some with an answer that nobody has seen.
            // (Where the call comes first, a receive waits only if nothing is there, and the writer is ahead mostly.)
            for _ in 0..at % 4 + usize::from(READINESS) {
                let mut receive = pin!(b.recv_pooled(&pool));
                let polled = receive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                if let Poll::Ready(piece) = polled {
                    let Some(piece) = piece.unwrap() else { break };
                    expect_piece(at, &piece);
                    at += piece.len();
                } else {
                    dropped += 1;
                    if dropped % 3 == 0 {
                        kael_rt::yield_now().await;
                    }
                }
            }
            let Some(piece) = b.recv_pooled(&pool).await.unwrap() else { break };
            expect_piece(at, &piece);
            at += piece.len();
        }
        writer.await.unwrap();
        assert_eq!(at, rounds * 50);
        // What can be done is done at the first poll, where the calls are ours: few have to wait.
        let least = if READINESS { 0 } else { rounds / 10 };
        assert!(dropped > least, "only {dropped} were dropped");
        expect_whole(&pool).await;
    });
}

#[test]
fn r15_dropped_streams_leave_their_bytes_to_the_next_read() {
    runs(|| async {
        let (pool, other) = (BufferPool::new(16, 64).unwrap(), BufferPool::new(3, 50).unwrap());
        let (a, b) = pair().await;
        let (mut sent, mut at) = (0, 0);
        for round in 0..size(400, 20_000) {
            let mut pieces = b.recv_stream(&pool);
            assert!(poll_once(pieces.next()).is_pending());
            for len in [64, 1, 100] {
                a.write_all(sequence(sent, len)).await.0.unwrap();
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
                    0 => b.read(Vec::with_capacity(40)).await.1,
                    1 => b.read_exact(vec![0; wanted.min(7)]).await.1,
                    2 => b.recv_pooled(&other).await.unwrap().unwrap().to_vec(),
                    3 => b.recv_stream(&pool).next().await.unwrap().unwrap().to_vec(),
                    _ => {
                        let peeked = b.peek(Vec::with_capacity(10)).await.1;
                        expect_piece(at, &peeked);
                        b.read_vectored([vec![0; 3], vec![0; 200]]).await.1.concat()
                    }
                };
                assert!(!bytes.is_empty(), "the stream ended at {at}");
                expect_piece(at, &bytes);
                at += bytes.len();
            }
        }
        expect_whole(&pool).await;
        expect_whole(&other).await;
    });
}

#[test]
fn r15_closed_and_abandoned_streams_give_their_buffers_back() {
    runs(|| async {
        let pool = BufferPool::new(8, 64).unwrap();
        for round in 0..size(200, 5000) {
            let (a, b) = pair().await;
            let mut pieces = b.recv_stream(&pool);
            assert!(poll_once(pieces.next()).is_pending());
            a.write_all(vec![1; 130]).await.0.unwrap();
            kael_rt::yield_now().await;
            // A simulated socket has no number that the standard library could have, and registered I/O keeps its sockets.
            match round % if cfg!(any(kael_backend = "sim", kael_rio = "model")) { 2 } else { 3 } {
                0 => drop((pieces, b)),
                1 => {
                    drop(pieces);
                    b.close().await.unwrap();
                }
                _ => {
                    drop(pieces);
                    let unread = b.detach().await.unwrap().unread;
                    assert_eq!(unread, vec![1; unread.len()]);
                }
            }
        }
        expect_whole(&pool).await;
    });
}

#[test]
fn a_close_ends_a_stream_that_waits() {
    runs(|| async {
        let pool = BufferPool::new(4, 64).unwrap();
        let (a, b) = pair().await;
        let mut pieces = b.recv_stream(&pool);
        let waiting = kael_rt::spawn(async move { pieces.next().await });
        kael_rt::yield_now().await;
        b.close().await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(a.read(vec![0; 1]).await.0.unwrap(), 0);
        expect_whole(&pool).await;
    });
}
