//! `Builder::submission_thread`: a thread of the kernel takes what a core hands over. Everything holds that holds without,
//! whether it looks or sleeps, and a busy core makes fewer calls than operations.

// Only a ring has such a thread.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::buf::BufferPool;
use kael_rt::fs::File;
use kael_rt::net::{TcpListener, UdpSocket};
use kael_rt::ops::link;
use kael_rt::runtime::{Builder, CoreMetrics, Runtime};
use kael_rt::time::{Duration, Instant, sleep, timeout};
use rig::{TempFile, expect_nothing_open, pair, size, within_limit};
use sequence::{expect_piece, expect_sequence, sequence};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

/// One that sleeps again and again, and one that never does.
const IDLE: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1)];

fn runtime(idle: Duration) -> Runtime {
    let runtime = Builder::new().submission_thread(idle).build().unwrap();
    let granted = runtime.granted();
    assert!(granted.flags.contains(&"submission thread"), "{:?}", granted.flags);
    assert!(!granted.flags.contains(&"resizable") && !granted.flags.contains(&"DEFER_TASKRUN"));
    runtime
}

/// Runs `test` with each kind of thread, and expects nothing under way afterwards.
fn with_threads<F: Future<Output = ()>>(test: impl Fn() -> F + Send + 'static) {
    within_limit(move || {
        for idle in IDLE {
            let runtime = runtime(idle);
            runtime.block_on(test());
            let handle = runtime.handle();
            drop(runtime);
            let core = &handle.metrics().cores[0];
            assert_eq!((core.in_flight, core.slots, core.leaked, core.stale), (0, 0, 0, 0));
        }
    });
}

fn core(runtime: &Runtime) -> CoreMetrics {
    runtime.handle().metrics().cores[0].clone()
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn v02_what_is_sent_comes_back() {
    with_threads(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let total = size(1 << 20, 64 << 20);
        let mut peers = Vec::new();
        for _ in 0..4 {
            peers.push(thread::spawn(move || {
                use std::io::{Read, Write};
                let mut stream = std::net::TcpStream::connect(addr).unwrap();
                let mut at = 0;
                while at < total {
                    let len = (1 + at * 7919 % 40_000).min(total - at);
                    stream.write_all(&sequence(at, len)).unwrap();
                    let mut back = vec![0; len];
                    stream.read_exact(&mut back).unwrap();
                    expect_piece(at, &back);
                    at += len;
                }
            }));
        }
        let mut servers = Vec::new();
        for _ in 0..4 {
            let (stream, _) = listener.accept().await.unwrap();
            servers.push(kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(16 * 1024);
                loop {
                    let (n, back) = stream.read(buf).await;
                    if n.unwrap() == 0 {
                        return;
                    }
                    let (n, back) = stream.write_all(back).await;
                    n.unwrap();
                    buf = back;
                }
            }));
        }
        for server in servers {
            server.await.unwrap();
        }
        for peer in peers {
            peer.join().unwrap();
        }
    });
}

#[test]
fn v02_files_are_written_and_read() {
    with_threads(|| async {
        let temp = TempFile::new("thread-files", b"");
        let file = Rc::new(File::options().read(true).write(true).open(&temp.0).await.unwrap());
        let pool = BufferPool::new(16, 4096).unwrap();
        let writes: Vec<_> = (0..64)
            .map(|page| {
                let file = file.clone();
                kael_rt::spawn(async move {
                    file.write_all_at(sequence(page * 4096, 4096), page as u64 * 4096).await
                })
            })
            .collect();
        for write in writes {
            assert_eq!(write.await.unwrap().0.unwrap(), 4096);
        }
        file.sync_all().await.unwrap();
        for page in 0..32 {
            let at = page * 8192;
            let bufs = [pool.get().await, pool.get().await];
            let (n, bufs) = file.read_vectored_at(bufs, at as u64).await;
            assert_eq!(n.unwrap(), 8192);
            expect_piece(at, &bufs[0]);
            expect_piece(at + 4096, &bufs[1]);
        }
        // A chain is taken as a whole, in its order.
        for round in 0..50u8 {
            let at = u64::from(round) * 16;
            let done = link((
                file.write_at(vec![round; 16], at),
                file.read_at(vec![0; 16], at),
                file.read_at(vec![0; 16], 1 << 40),
                file.write_at(vec![99; 16], at),
            ))
            .await;
            assert_eq!(done.results.1.1, [round; 16]);
            assert_eq!(done.broken, Some(2));
            assert_eq!(file.read_at(vec![0; 16], at).await.1, [round; 16]);
        }
        file.set_len(100).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 100);
        Rc::try_unwrap(file).unwrap().close().await.unwrap();
    });
}

#[test]
fn v02_dropped_reads_and_writes_lose_nothing() {
    with_threads(|| async {
        let (a, b) = pair().await;
        let total = size(2 << 20, 64 << 20);
        let writer = kael_rt::spawn(async move {
            let mut at = 0;
            while at < total {
                let len = (1 + at * 7919 % 100_000).min(total - at);
                // Every other write is left to itself. One that has not begun leaves nothing.
                let mut write = a.write_all(sequence(at, len));
                if at % 2 == 0 && poll_once(&mut write).is_pending() {
                    drop(write);
                    a.write_all("").await.0.unwrap();
                } else if at % 2 != 0 {
                    write.await.0.unwrap();
                }
                at += len;
            }
            a.close().await.unwrap();
        });
        let (mut at, mut round) = (0, 0u64);
        while at < total {
            round += 1;
            let read = b.read(vec![0; 1 + (round * 4099 % 65_536) as usize]);
            let limit = Duration::from_micros(round % 5 * 20);
            match timeout(limit, read).await {
                Ok((n, bytes)) => {
                    assert!(n.unwrap() > 0, "the stream ended after {at} bytes");
                    expect_piece(at, &bytes);
                    at += bytes.len();
                }
                Err(_) => kael_rt::yield_now().await,
            }
        }
        assert_eq!((at, b.read(vec![0; 8]).await.0.unwrap()), (total, 0));
        writer.await.unwrap();
    });
}

/// The answer of a queued send is not known to be there when a wait begins; nobody waits for it in vain.
#[test]
fn v02_queued_sends_go_out_and_are_ended() {
    with_threads(|| async {
        let (a, b) = pair().await;
        let total = size(4 << 20, 64 << 20);
        let reader = kael_rt::spawn(async move {
            expect_sequence(&b, total).await;
            b
        });
        let mut at = 0;
        while at < total {
            let len = (1 + at * 7919 % 20_000).min(total - at);
            assert_eq!(a.write_queued(sequence(at, len)).await.unwrap(), len);
            at += len;
        }
        a.flush().await.unwrap();
        let b = reader.await.unwrap();
        // Round trips, with nothing else on the core that would end a wait.
        let echo = kael_rt::spawn(async move {
            for round in 0..size(2_000, 100_000) {
                assert_eq!(b.read_exact(vec![0; 8]).await.1, (round as u64).to_le_bytes());
                b.write_queued((!round as u64).to_le_bytes().to_vec()).await.unwrap();
            }
            b.flush().await.unwrap();
        });
        for round in 0..size(2_000, 100_000) {
            a.write_queued((round as u64).to_le_bytes().to_vec()).await.unwrap();
            let (n, back) = a.read_exact(vec![0; 8]).await;
            assert_eq!((n.unwrap(), &back[..]), (8, &(!round as u64).to_le_bytes()[..]));
        }
        echo.await.unwrap();
    });
}

#[test]
fn v02_timers_fire_and_other_threads_wake() {
    with_threads(|| async {
        let began = Instant::now();
        let timers: Vec<_> = (0..100)
            .map(|i| {
                kael_rt::spawn(async move {
                    let due = Duration::from_micros(200 * i);
                    sleep(due).await;
                    assert!(began.elapsed() >= due);
                })
            })
            .collect();
        for timer in timers {
            timer.await.unwrap();
        }
        for round in 0..size(500, 20_000) {
            let job = kael_rt::spawn_blocking(move || round);
            assert_eq!(job.await.unwrap(), round);
        }
        // Nothing limits these waits, and the kernel's thread sleeps meanwhile.
        for _ in 0..5 {
            let job = kael_rt::spawn_blocking(|| {
                let began = std::time::Instant::now();
                while began.elapsed() < std::time::Duration::from_millis(5) {
                    thread::yield_now();
                }
            });
            job.await.unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let to = socket.local_addr().unwrap();
            let peer = kael_rt::spawn_blocking(move || {
                std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"one", to).unwrap()
            });
            assert_eq!(socket.recv(vec![0; 8]).await.1, b"one");
            peer.await.unwrap();
        }
    });
}

/// A core that always has something to do: what it hands over and gets back costs no call, unless the thread sleeps.
#[test]
fn v02_a_busy_core_makes_fewer_calls_than_operations() {
    within_limit(|| {
        let temp = TempFile::new("thread-busy", &sequence(0, 65_536));
        let runtime = runtime(IDLE[1]);
        let rounds = size(2_000, 100_000) as u64;
        let (before, after) = runtime.block_on(async {
            let file = File::open(&temp.0).await.unwrap();
            let over = Rc::new(Cell::new(false));
            let busy = kael_rt::spawn({
                let over = over.clone();
                async move {
                    while !over.get() {
                        kael_rt::yield_now().await;
                    }
                }
            });
            let before = core(&runtime);
            for round in 0..rounds {
                let at = round as usize * 97 % 60_000;
                let (n, bytes) = file.read_at(vec![0; 100], at as u64).await;
                assert_eq!(n.unwrap(), 100);
                expect_piece(at, &bytes);
            }
            over.set(true);
            busy.await.unwrap();
            kael_rt::time::sleep(Duration::from_millis(1)).await;
            (before, core(&runtime))
        });
        let (calls, operations) =
            (after.syscalls - before.syscalls, after.submitted - before.submitted);
        println!("{calls} calls for {operations} submissions");
        assert!(operations >= rounds, "{operations} submissions for {rounds} reads");
        assert!(calls * 10 <= operations, "{calls} calls for {operations} submissions");
    });
}

/// A small queue, and more at a time than the completion queue holds.
#[test]
fn v02_full_queues_lose_nothing() {
    within_limit(|| {
        for idle in IDLE {
            let asked = Builder::new().queue_depth(2).submission_thread(idle);
            let runtime = asked.build().unwrap();
            assert_eq!(runtime.granted().queue_entries, [2, 8]);
            runtime.block_on(async {
                let zero = Rc::new(File::open("/dev/zero").await.unwrap());
                let reads: Vec<_> = (0..500)
                    .map(|_| {
                        let zero = zero.clone();
                        kael_rt::spawn(async move { zero.read_at(vec![1; 64], 0).await })
                    })
                    .collect();
                for read in reads {
                    let (n, bytes) = read.await.unwrap();
                    assert_eq!((n.unwrap(), bytes), (64, vec![0; 64]));
                }
                let done = link((zero.read_at(vec![1; 8], 0), zero.read_at(vec![1; 8], 0))).await;
                assert_eq!((done.results.1.1, done.broken), (vec![0; 8], None));
            });
            assert_eq!(runtime.granted().queue_entries, [2, 8], "such a queue does not grow");
            assert_eq!(runtime.granted().lost_completions, 0);
        }
    });
}

/// What a runtime that ends had queued to be closed is closed, with a thread that looks and with one that sleeps.
#[test]
fn v02_the_end_closes_what_was_left() {
    expect_nothing_open("v02_the_end_closes_what_was_left", || {
        let temp = TempFile::new("thread-end", b"here");
        for round in 0..size(50, 1_000) {
            let runtime = runtime(IDLE[round % 2]);
            let (stream, peer) = runtime.block_on(async {
                let file = File::open(&temp.0).await.unwrap();
                assert_eq!(file.read_at(vec![0; 8], 0).await.1, b"here");
                let (a, b) = pair().await;
                let mut read = Box::pin(a.read(vec![0; 8]));
                assert!(poll_once(&mut read).is_pending());
                kael_rt::yield_now().await;
                drop(file);
                (a, b)
            });
            drop(stream);
            if round % 3 == 0 {
                drop(peer);
                drop(runtime);
            } else {
                drop(runtime);
                drop(peer);
            }
        }
    });
}

#[test]
fn a_thread_is_not_asked_for_by_itself_and_its_time_has_a_bound() {
    let runtime = Builder::new().build().unwrap();
    assert!(!runtime.granted().flags.contains(&"submission thread"));
    let error = Builder::new().submission_thread(Duration::from_secs(3)).build().unwrap_err();
    assert_eq!(error.to_string(), "Builder::submission_thread(3s): it must be at most 1s");
}
