//! Messages larger than the buffers of their pool: one completion of a receive may bring many buffers, and a stream hands
//! them out one at a time, in order, whatever is dropped meanwhile.

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::buf::{BufferPool, PoolBuf};
use kael_rt::runtime::{Builder, CoreMetrics};
use kael_rt::time::{Duration, sleep};
use rig::{pair, size, within_limit};
use sequence::{expect_piece, expect_sequence, sequence};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The test gets the core's numbers, and whether its kernel bundles.
fn runs<F: Future>(test: impl FnOnce(Box<dyn Fn() -> CoreMetrics>, bool) -> F + Send + 'static) {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        let bundles = runtime.granted().flags.contains(&"receive bundles");
        runtime.block_on(test(Box::new(move || handle.metrics().cores[0].clone()), bundles));
    });
}

async fn expect_whole(pool: &BufferPool) {
    for _ in 0..1000 {
        if pool.available() + pool.lent() == pool.count() {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("buffers are lost: {pool:?}");
}

#[test]
fn g02_what_comes_together_is_handed_out_in_order() {
    runs(|metrics, bundles| async move {
        let mut brought = 0;
        for (count, bytes) in [(2, 64), (16, 64), (64, 500), (200, 100), (1024, 4096)] {
            let pool = BufferPool::new(count, bytes).unwrap();
            let (a, b) = pair().await;
            let (before, mut at) = (metrics(), 0);
            let mut pieces = b.recv_stream(&pool);
            for round in 0..size(100, 2000) {
                let len = [bytes * 9, bytes + 1, 1, bytes * 5 - 1][round % 4];
                a.write_all(sequence(at, len)).await.0.unwrap();
                let (end, mut held) = (at + len, Vec::new());
                while at < end {
                    let piece = pieces.next().await.unwrap().expect("it goes on");
                    assert!(!piece.is_empty() && piece.len() <= bytes);
                    expect_piece(at, &piece);
                    at += piece.len();
                    held.push(piece);
                    // Some are kept for a while, so that buffers come back in another order.
                    if held.len() > round % 6 {
                        held.swap_remove(round % held.len());
                    }
                    if pool.available() == 0 {
                        held.clear();
                    }
                }
            }
            drop(pieces);
            expect_whole(&pool).await;
            let after = metrics();
            brought += after.bundled_receives - before.bundled_receives;
        }
        assert_eq!(brought > 0, bundles, "{brought} buffers came together with another");
    });
}

/// The stream is dropped while most of what came at once is unread: whoever reads next gets it, and the pool its buffers.
#[test]
fn g02_a_dropped_stream_loses_nothing_that_came_together() {
    runs(|_, _| async move {
        let pool = BufferPool::new(32, 64).unwrap();
        let (a, b) = pair().await;
        let mut at = 0;
        for round in 0..size(200, 5000) {
            let mut pieces = b.recv_stream(&pool);
            assert!(poll_once(pieces.next()).is_pending());
            let len = 64 * (round % 12) + 30;
            a.write_all(sequence(at, len)).await.0.unwrap();
            let end = at + len;
            for _ in 0..round % 3 {
                if at == end {
                    break;
                }
                let piece = pieces.next().await.unwrap().expect("it goes on");
                expect_piece(at, &piece);
                at += piece.len();
            }
            drop(pieces);
            while at < end {
                let piece: PoolBuf = b.recv_pooled(&pool).await.unwrap().expect("it goes on");
                expect_piece(at, &piece);
                at += piece.len();
            }
        }
        expect_whole(&pool).await;
    });
}

/// What comes in many buffers goes back as it came: the way of a proxy or an echo.
#[test]
fn g02_what_comes_together_goes_back_together() {
    runs(|metrics, bundles| async move {
        let pool = BufferPool::new(64, 256).unwrap();
        let (a, b) = pair().await;
        let total = size(400_000, 20_000_000);
        let echo = kael_rt::spawn(async move {
            let mut pieces = b.recv_stream(&pool);
            while let Some(piece) = pieces.next().await.unwrap() {
                b.write_queued(piece).await.unwrap();
            }
            b.flush().await.unwrap();
            drop(pieces);
            expect_whole(&pool).await;
        });
        let a = std::rc::Rc::new(a);
        let reader = a.clone();
        let reading = kael_rt::spawn(async move { expect_sequence(&reader, total).await });
        let mut at = 0;
        while at < total {
            let len = 10_000.min(total - at);
            a.write_all(sequence(at, len)).await.0.unwrap();
            at += len;
        }
        reading.await.unwrap();
        a.shutdown(std::net::Shutdown::Write).await.unwrap();
        echo.await.unwrap();
        let core = metrics();
        assert_eq!(core.bundled_receives > 0, bundles);
        assert!(!bundles || core.gathered_sends > 0, "nothing went back together");
    });
}

/// How a stream is read follows the size of its messages, each time that it asks anew; and the numbers say so.
#[test]
// Where calls are made when a future looks, a request does not end because no buffer is lent.
#[cfg(all(
    target_os = "linux",
    not(any(kael_backend = "epoll", kael_backend = "kqueue", kael_backend = "sim"))
))]
fn g02_large_messages_that_fit_are_read_plainly() {
    runs(|metrics, _| async move {
        for (len, is_plain) in [(14_000, true), (12_000, false), (16_384, false), (40_000, false)] {
            let pool = BufferPool::new(8, 16_384).unwrap();
            let (a, b) = pair().await;
            let mut pieces = b.recv_stream(&pool);
            let before = metrics();
            let mut held = Vec::new();
            for _ in 0..100 {
                a.write_all(sequence(0, len)).await.0.unwrap();
                let mut at = 0;
                while at < len {
                    let piece = pieces.next().await.unwrap().expect("it goes on");
                    expect_piece(at, &piece);
                    at += piece.len();
                    held.push(piece);
                    // The kernel runs out of buffers now and then, and is asked anew.
                    if held.len() == 7 {
                        held.clear();
                    }
                }
            }
            let plain = metrics().plain_receives - before.plain_receives;
            assert_eq!(plain > 10, is_plain, "{plain} of 100 messages of {len} bytes");
        }
    });
}
