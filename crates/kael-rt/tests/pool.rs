//! Pools by themselves: buffers in turn, bounds, and what outlives what.

mod rig;

use kael_rt::buf::BufferPool;
use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep};
use rig::{READINESS, pair, within_limit};
use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn runs<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    within_limit(move || kael_rt::block_on(test()));
}

#[test]
fn buffers_are_given_out_in_turn() {
    runs(|| async {
        let pool = BufferPool::new(2, 100).unwrap();
        let held = (pool.try_get().unwrap(), pool.get().await);
        assert!(pool.try_get().is_none());
        let (mut first, mut second, mut third) = (pool.get(), pool.get(), pool.get());
        let poll = |get: &mut kael_rt::buf::Get| {
            std::pin::Pin::new(get).poll(&mut Context::from_waker(Waker::noop()))
        };
        assert!(
            [&mut first, &mut second, &mut third].into_iter().all(|get| poll(get).is_pending())
        );
        drop(held.0);
        // The first has it, although it has not looked; what it does not take is the second's.
        assert!(poll(&mut second).is_pending());
        assert!(pool.try_get().is_none());
        drop(first);
        let buf = match poll(&mut second) {
            Poll::Ready(buf) => buf,
            Poll::Pending => panic!("the turn was not passed on"),
        };
        assert!(poll(&mut third).is_pending());
        drop(third);
        drop((buf, held.1));
        assert_eq!(pool.available(), 2);
    });
}

#[test]
fn a_pool_has_bounds_and_says_so() {
    runs(|| async {
        for (count, size) in [(0, 64), (32_769, 64), (1, 0), (2, 1 << 30), (1, usize::MAX)] {
            let error = BufferPool::new(count, size).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with("a BufferPool of"), "{error}");
        }
        let pool = BufferPool::builder(3, 100).huge_pages(true).registered(false).build().unwrap();
        assert_eq!((pool.count(), pool.size(), pool.available(), pool.lent()), (3, 100, 3, 0));
    });
}

#[test]
fn buffers_and_pools_outlive_their_runtime() {
    within_limit(|| {
        let (pool, buf, stream) = kael_rt::block_on(async {
            let pool = BufferPool::new(4, 64).unwrap();
            let (a, b) = pair().await;
            a.write_all("kept").await.0.unwrap();
            let buf = b.recv_pooled(&pool).await.unwrap().unwrap();
            (pool, buf, (a, b))
        });
        assert_eq!(&buf[..], b"kept");
        let free = pool.available();
        drop(buf);
        assert_eq!(pool.available(), free + 1);
        drop(pool.try_get());
        drop((pool, stream));
    });
}

#[test]
fn many_pools_share_a_core() {
    runs(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for round in 0..3u8 {
            let pools: Vec<_> = (1..40).map(|i| BufferPool::new(4, 32 * i).unwrap()).collect();
            for pool in &pools {
                let a = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (b, _) = listener.accept().await.unwrap();
                a.write_all(vec![round; pool.size()]).await.0.unwrap();
                let mut got = 0;
                while got < pool.size() {
                    let piece = b.recv_pooled(pool).await.unwrap().unwrap();
                    assert!(piece.iter().all(|byte| *byte == round));
                    got += piece.len();
                }
            }
        }
    });
}

/// Few buffers stay in the cache; the kernel has no more of them than receives use up.
#[test]
fn r14_the_kernel_is_lent_what_receives_use() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let pool = BufferPool::new(256, 64).unwrap();
            let (a, b) = pair().await;
            let mut held = Vec::new();
            for round in 0..200u8 {
                a.write_all(vec![round; 64]).await.0.unwrap();
                let piece = b.recv_pooled(&pool).await.unwrap().unwrap();
                assert_eq!(&piece[..], [round; 64]);
                if round < 100 {
                    drop(piece);
                    assert_eq!((pool.lent(), pool.available()), (16, 240), "in round {round}");
                } else {
                    held.push(piece);
                }
            }
            assert!(pool.lent() <= 192, "{pool:?}");
            assert_eq!(pool.lent() + pool.available() + held.len(), 256);
        });
        let starved = runtime.handle().metrics().cores[0].pool_starved;
        assert_eq!(starved, 0, "there was always a buffer, and the kernel had none");
    });
}

/// A burst that used many buffers is forgotten: later the kernel has few again, and never too few.
#[test]
fn f04_the_kernel_keeps_no_more_buffers_than_receives_use() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let pool = BufferPool::new(256, 64).unwrap();
            let (a, b) = pair().await;
            let mut held = Vec::new();
            for round in 0..150u8 {
                a.write_all(vec![round; 64]).await.0.unwrap();
                held.push(b.recv_pooled(&pool).await.unwrap().unwrap());
            }
            drop(held);
            // On demand a receive takes its buffer itself.
            if pool.lent() == 0 {
                return println!("not checked: nothing is lent on this system");
            }
            assert!(pool.lent() >= 64, "{pool:?}");
            for round in 0..60_000u32 {
                a.write_all(vec![round as u8; 8]).await.0.unwrap();
                assert_eq!(b.recv_pooled(&pool).await.unwrap().unwrap()[..], [round as u8; 8]);
            }
            assert_eq!((pool.lent(), pool.available()), (16, 240));
        });
        let starved = runtime.handle().metrics().cores[0].pool_starved;
        assert_eq!(starved, 0, "there was always a buffer, and the kernel had none");
    });
}

/// A buffer for a receive that waits in the queue comes back while the kernel receives into another: what it has
/// received is taken from where it lies.
#[test]
fn r14_a_starving_receive_takes_what_the_kernel_received() {
    if READINESS {
        println!("not run: a receive takes a buffer when it is made, and not before");
        return;
    }
    runs(|| async {
        let pool = BufferPool::new(4, 64).unwrap();
        let (a, b) = pair().await;
        let mut held = Vec::new();
        for _ in 0..3 {
            a.write_all("early").await.0.unwrap();
            held.push(b.recv_pooled(&pool).await.unwrap().unwrap());
        }
        let own = pool.try_get().unwrap();
        a.write_all("late").await.0.unwrap();
        let mut receive = pin!(b.recv_pooled(&pool));
        let mut poll = || receive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending());
        // The kernel says that it has no buffer.
        sleep(Duration::from_millis(1)).await;
        let first = held.pop().unwrap();
        let lent_again = first.as_ptr();
        drop(first);
        // It is asked again, with a place in the queue.
        assert!(poll().is_pending());
        drop(held.pop());
        sleep(Duration::from_millis(1)).await;
        let Poll::Ready(received) = poll() else { panic!("there is a buffer, and another") };
        let received = received.unwrap().unwrap();
        assert_eq!(&received[..], b"late");
        assert_eq!(received.as_ptr(), lent_again, "what was received was copied");
        drop((own, received, held));
        assert_eq!(pool.available() + pool.lent(), 4);
    });
}

/// A server has a buffer for each connection that there may be; those that nobody takes cost nothing.
#[cfg(target_os = "linux")] // It asks /proc what is resident.
#[test]
fn f03_what_was_never_used_is_not_resident() {
    const COUNT: usize = 4000;
    const SIZE: usize = 64 * 1024;
    let resident_pages = || {
        let text = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
        text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number")
    };
    kael_rt::block_on(async {
        let before = resident_pages();
        let pool = BufferPool::builder(COUNT, SIZE).registered(false).build().unwrap();
        let mut buf = pool.get().await;
        assert_eq!(buf.put(&[1; SIZE]), SIZE);
        let pages = resident_pages().saturating_sub(before);
        assert!(pages < COUNT * SIZE / 4096 / 8, "{pages} pages");
    });
}
