//! Queued writes of pool buffers that leave together: in order and whole among all other writes, each buffer back in its
//! pool when it is sent.

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::buf::{BufferPool, PoolBuf};
use kael_rt::runtime::{Builder, CoreMetrics};
use kael_rt::time::{Duration, sleep};
use rig::{READINESS, pair, size, within_limit};
use sequence::{expect_sequence, sequence};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A buffer with the next `len` bytes of the sequence.
async fn next(pool: &BufferPool, at: &mut usize, len: usize) -> PoolBuf {
    let mut buf = pool.get().await;
    assert_eq!(buf.put(&sequence(*at, len)), len);
    *at += len;
    buf
}

/// All buffers are back, and were not before they were sent.
fn expect_whole(pool: &BufferPool) {
    assert_eq!(pool.available() + pool.lent(), pool.count(), "buffers are lost: {pool:?}");
}

fn runs<F: Future>(test: impl FnOnce(Box<dyn Fn() -> CoreMetrics>) -> F + Send + 'static) {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(test(Box::new(move || handle.metrics().cores[0].clone())));
    });
}

/// The first goes by itself; the others wait for it in one slot, and are one request.
#[test]
fn g01_buffers_that_wait_leave_together() {
    runs(|metrics| async move {
        let pool = BufferPool::new(32, 500).unwrap();
        let (a, b) = pair().await;
        for round in 1..size(50, 500) as u64 {
            let (mut at, before) = (0, metrics());
            for _ in 0..12 {
                let buf = next(&pool, &mut at, 500).await;
                assert_eq!(a.write_queued(buf).await.unwrap(), 500);
            }
            let after = metrics();
            // Where the calls are ours, each is made at once.
            let (waited, slots) = if READINESS { (0, 0) } else { (10, 2) };
            let gathered = after.gathered_sends - before.gathered_sends;
            if !cfg!(windows) {
                assert_eq!(gathered, waited, "in round {round}");
                assert_eq!(after.slots - before.slots, slots, "in round {round}");
                assert_eq!(pool.available(), if READINESS { 32 } else { 20 });
            }
            a.flush().await.unwrap();
            expect_whole(&pool);
            expect_sequence_of(&b, at).await;
        }
    });
}

/// Without a buffer that is dropped meanwhile.
async fn expect_sequence_of(stream: &kael_rt::net::TcpStream, total: usize) {
    let (n, bytes) = stream.read_exact(vec![0; total]).await;
    n.unwrap();
    assert!(bytes == sequence(0, total), "bytes changed places");
}

#[test]
fn g01_rows_keep_their_place_among_all_kinds_of_writes() {
    runs(|metrics| async move {
        let pools = [BufferPool::new(40, 5000).unwrap(), BufferPool::new(40, 70).unwrap()];
        let (a, b) = pair().await;
        let rounds = size(300, 3000);
        // What is empty has its place, too.
        let lengths = [5000, 70, 0, 1, 4999, 300, 70, 5000];
        let total: usize = (0..rounds)
            .map(|round| (0..10).map(|i| lengths[(i + round) % 8]).sum::<usize>() + 300)
            .sum();
        let reader = kael_rt::spawn(async move { expect_sequence(&b, total).await });
        let mut at = 0;
        for round in 0..rounds {
            let mut other = |len: usize| {
                at += len;
                sequence(at - len, len)
            };
            a.write_all(other(100)).await.0.unwrap();
            for i in 0..10 {
                // In the midst of them some of another kind: what comes next may not go before those.
                if i == round % 10 {
                    a.write_queued(other(100)).await.unwrap();
                    a.write_queued_vectored((other(50), other(50))).await.unwrap();
                }
                let len = lengths[(i + round) % 8];
                let pool = &pools[usize::from(len <= 70)];
                let mut buf = pool.get().await;
                buf.put(&other(len));
                assert_eq!(a.write_queued(buf).await.unwrap(), len);
            }
        }
        assert!(READINESS || metrics().gathered_sends > 0, "nothing was sent together");
        a.flush().await.unwrap();
        pools.iter().for_each(expect_whole);
        a.close().await.unwrap();
        reader.await.unwrap();
    });
}

/// A peer that does not read: the socket takes a part of a row, sixteen buffers wait, and the writer with the next.
#[test]
fn g01_a_row_that_meets_a_full_socket_is_sent_whole() {
    runs(|_| async move {
        const BLOCK: usize = 100_000;
        let pool = BufferPool::new(200, BLOCK).unwrap();
        // The socket is full in the midst of a row with most of these, whatever it takes.
        for burst in 2..15 {
            let (a, b) = pair().await;
            a.set_nodelay(true).unwrap();
            let (mut at, mut queued) = (0, 0);
            let mut waiting = loop {
                assert!(queued < 180, "nothing holds the writer up");
                let mut write = a.write_queued(next(&pool, &mut at, BLOCK).await);
                match poll_once(&mut write) {
                    Poll::Ready(taken) => assert_eq!(taken.unwrap(), BLOCK),
                    Poll::Pending => break write,
                }
                queued += 1;
                if queued % burst == 0 {
                    // The core turns, and hands over what is queued.
                    sleep(Duration::from_micros(1)).await;
                }
            };
            let held = pool.count() - pool.available();
            assert!((16..=18).contains(&held), "{held} buffers wait");
            let reader = kael_rt::spawn(async move {
                expect_sequence(&b, at).await;
                b
            });
            assert_eq!((&mut waiting).await.unwrap(), BLOCK);
            a.flush().await.unwrap();
            expect_whole(&pool);
            let b = reader.await.unwrap();
            a.close().await.unwrap();
            assert_eq!(b.read(vec![0; 1]).await.0.unwrap(), 0);
        }
    });
}

/// The peer has gone: the next write says so, and nobody keeps a buffer.
#[test]
fn g01_an_error_is_told_and_the_buffers_are_back() {
    runs(|_| async move {
        let pool = BufferPool::new(64, 1000).unwrap();
        for _ in 0..size(20, 200) {
            let (a, b) = pair().await;
            drop(b);
            let (mut at, mut refused) = (0, None);
            for _ in 0..100 {
                for _ in 0..10 {
                    let buf = next(&pool, &mut at, 1000).await;
                    refused = a.write_queued(buf).await.err();
                }
                if refused.is_some() {
                    break;
                }
                sleep(Duration::from_millis(1)).await;
            }
            assert!(refused.is_some(), "a hundred rows were sent to nobody");
            assert!(a.flush().await.is_err(), "the error stays");
            expect_whole(&pool);
        }
    });
}

/// The stream goes while a row waits: what the peer gets has no gap.
#[test]
fn g01_a_dropped_stream_leaves_no_gap_and_no_buffer() {
    runs(|_| async move {
        let pool = BufferPool::new(64, 60_000).unwrap();
        for round in 0..size(30, 300) {
            let (a, b) = pair().await;
            let mut at = 0;
            for _ in 0..round % 16 + 1 {
                let buf = next(&pool, &mut at, 60_000).await;
                assert_eq!(a.write_queued(buf).await.unwrap(), 60_000);
            }
            drop(a);
            let mut got = 0;
            loop {
                let (n, bytes) = b.read(Vec::with_capacity(50_000)).await;
                // A reset comes instead of an end where the rest was given up.
                let Ok(n @ 1..) = n else { break };
                assert!(bytes == sequence(got, n), "there is a gap after {got} bytes");
                got += n;
            }
            assert!(got <= at);
            for _ in 0..1000 {
                if pool.available() == pool.count() {
                    break;
                }
                sleep(Duration::from_millis(1)).await;
            }
            expect_whole(&pool);
        }
    });
}
