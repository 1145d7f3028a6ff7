//! The end of a runtime of several cores, and a beginning that fails halfway.
// One core is simulated.
#![cfg(not(kael_backend = "sim"))]

#[cfg(unix)]
#[path = "support/again.rs"]
mod again;
#[path = "support/drops.rs"]
mod drops;
#[cfg(unix)]
#[path = "support/starve.rs"]
mod starve;

use drops::within;
use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::{Builder, Runtime};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

fn cores(n: usize) -> Runtime {
    Builder::new().cores(n).queue_depth(8).build().unwrap()
}

/// Counts the futures that were dropped where they had begun.
struct AtHome {
    thread: ThreadId,
    dropped: Arc<AtomicUsize>,
}

impl AtHome {
    fn begin(dropped: &Arc<AtomicUsize>) -> AtHome {
        AtHome { thread: thread::current().id(), dropped: dropped.clone() }
    }
}

impl Drop for AtHome {
    fn drop(&mut self) {
        if self.thread == thread::current().id() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A read that nobody answers, and a peer that is told when its stream has been closed.
async fn read_in_vain(begun: mpsc::Sender<std::net::TcpStream>, dropped: Arc<AtomicUsize>) {
    let _at_home = AtHome::begin(&dropped);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    let read = stream.read(vec![0; 64]);
    begun.send(peer).unwrap();
    drop(read.await);
}

#[test]
fn n02_the_end_ends_what_each_core_has_in_flight() {
    within("the end never came", || {
        let runtime = cores(4);
        let handle = runtime.handle();
        let dropped = Arc::new(AtomicUsize::new(0));
        let (begun, peers) = mpsc::channel();
        for core in 0..4 {
            for _ in 0..5 {
                let (begun, dropped) = (begun.clone(), dropped.clone());
                drop(handle.spawn_on(core, move || read_in_vain(begun, dropped)));
            }
        }
        let peers = runtime.block_on(async {
            let mut all = Vec::new();
            while all.len() < 20 {
                all.extend(peers.try_iter());
                kael_rt::time::sleep(Duration::from_millis(1)).await;
            }
            all
        });
        drop(runtime);
        assert_eq!(dropped.load(Ordering::Relaxed), 20, "each future is dropped on its core");
        // All is closed when the end has come, so the peers need not wait.
        for mut peer in peers {
            peer.set_nonblocking(true).unwrap();
            let end = std::io::Read::read(&mut peer, &mut [0]);
            assert!(
                !matches!(&end, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
                "a stream is still open"
            );
        }
        for core in handle.metrics().cores {
            assert_eq!((core.leaked, core.left_running, core.tasks), (0, 0, 0), "{core:?}");
        }
        // Nothing begins any more.
        for core in 0..4 {
            let late = handle.spawn_on(core, || async {});
            assert!(kael_rt::block_on(late).unwrap_err().is_cancelled());
        }
        assert!(kael_rt::block_on(handle.spawn(|| async {})).unwrap_err().is_cancelled());
    });
}

#[test]
fn n02_a_core_that_a_task_blocks_is_left_alone() {
    within("the end waited for a task that blocks its core", || {
        let limit = Duration::from_millis(50);
        let runtime =
            Builder::new().cores(3).queue_depth(8).shutdown_timeout(limit).build().unwrap();
        let handle = runtime.handle();
        let dropped = Arc::new(AtomicUsize::new(0));
        let ((began, begin), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
        let blocks = handle.spawn_on(1, {
            let dropped = dropped.clone();
            move || async move {
                let _at_home = AtHome::begin(&dropped);
                began.send(()).unwrap();
                let _ = released.recv();
                std::future::pending::<()>().await
            }
        });
        begin.recv().unwrap();
        let from = Instant::now();
        drop(runtime);
        assert!(from.elapsed() < Duration::from_secs(30), "{:?}", from.elapsed());
        let left: Vec<u64> = handle.metrics().cores.iter().map(|core| core.left_running).collect();
        assert_eq!(left, [0, 1, 0]);
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        // It ends when its task lets it.
        drop(release);
        assert!(kael_rt::block_on(blocks).unwrap_err().is_cancelled());
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

/// Descriptors and threads of this process.
#[cfg(unix)]
fn footprint() -> (usize, usize) {
    let threads = std::fs::read_dir("/proc/self/task").expect("proc is mounted").count();
    (drops::open_now().len(), threads)
}

/// A thread may be listed for a moment after it was joined.
#[cfg(unix)]
fn settles_at(before: (usize, usize)) {
    let from = Instant::now();
    while footprint() != before {
        assert!(
            from.elapsed() < Duration::from_secs(20),
            "(descriptors, threads): {:?}, and {before:?} before",
            footprint()
        );
        thread::yield_now();
    }
}

#[cfg(unix)]
#[test]
fn n02_runtimes_of_several_cores_leave_nothing_behind() {
    again::in_own_process("n02_runtimes_of_several_cores_leave_nothing_behind", || {
        let round = || {
            let runtime = cores(3);
            let tasks: Vec<_> = (0..3)
                .map(|core| {
                    runtime.spawn_on(core, || async {
                        drop(kael_rt::spawn(std::future::pending::<()>()));
                        kael_rt::time::sleep(Duration::from_micros(50)).await;
                    })
                })
                .collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        };
        let (_, threads) = footprint();
        round();
        let before = (footprint().0, threads);
        (0..drops::size(200, 10_000)).for_each(|_| round());
        settles_at(before);
    });
}

/// Descriptors for the first cores, and none for the last.
#[cfg(unix)]
#[test]
fn n03_a_core_that_cannot_be_built_is_named_and_leaves_nothing() {
    again::in_own_process("n03_a_core_that_cannot_be_built_is_named_and_leaves_nothing", || {
        let (_, threads) = footprint();
        drop(cores(3));
        let mut held = starve::starve();
        // What one core takes.
        let takes = (1..=16).find(|_| {
            drop(held.pop());
            cores_or(1).is_ok()
        });
        let takes = takes.expect("a core takes 16 descriptors at most");
        held.truncate(held.len() - takes);
        let before = (footprint().0, threads);
        assert!(cores_or(2).is_ok());
        settles_at(before);
        for cores in [3, 8] {
            let error = cores_or(cores).unwrap_err();
            assert!(error.to_string().starts_with("core 2: "), "{error}");
            settles_at(before);
        }
        assert!(cores_or(2).is_ok(), "what there is can be used again");
    });
}

#[cfg(unix)]
fn cores_or(n: usize) -> std::io::Result<Runtime> {
    Builder::new().cores(n).queue_depth(8).build()
}
