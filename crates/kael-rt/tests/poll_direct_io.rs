//! `Builder::poll_direct_io`: the core looks for the end of its direct I/O. Everything holds that holds without, on devices that can
//! be polled and on those that cannot, and beside it the core does what else there is to do.

// Only a ring has that.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::buf::{BufferPool, PoolBuf};
use kael_rt::fs::File;
use kael_rt::runtime::{Builder, Handle, Runtime};
use kael_rt::time::{Duration, sleep, timeout};
use rig::{TempFile, pair, size, within_limit};
use sequence::{expect_piece, sequence};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

const PAGE: usize = 4096;
const PAGES: usize = 64;

fn runtime() -> Runtime {
    let runtime = Builder::new().poll_direct_io(true).build().unwrap();
    assert!(is_granted(&runtime), "{:?}", runtime.granted().flags);
    runtime
}

fn is_granted(runtime: &Runtime) -> bool {
    runtime.granted().flags.contains(&"polled direct I/O")
}

/// A disk of the emulated machine that has queues to be polled, and that may be written to.
fn disk() -> Option<PathBuf> {
    let disk = std::env::var_os("KAEL_POLLED_DISK").map(PathBuf::from);
    if disk.is_none() {
        println!("not checked: a device that is polled, which this machine has none of");
    }
    disk
}

/// Runs `test` with a file of a file system, and with a device that is polled.
fn with_files<F: Future<Output = ()>>(
    name: &'static str,
    test: impl Fn(Rc<File>, Handle) -> F + Send + 'static,
) {
    within_limit(move || {
        let temp = TempFile::new(name, &vec![0; PAGES * PAGE]);
        for path in [Some(temp.0.clone()), disk()].into_iter().flatten() {
            let runtime = runtime();
            let had_direct = runtime.block_on(async {
                let Some(file) = open(&path).await else { return false };
                test(Rc::new(file), runtime.handle()).await;
                true
            });
            let core = runtime.handle().metrics().cores[0].clone();
            assert_eq!((core.in_flight, core.stale), (0, 0));
            if path != temp.0 {
                assert!(had_direct && is_granted(&runtime), "the device was to be polled");
            }
        }
    });
}

async fn open(path: &Path) -> Option<File> {
    match File::options().read(true).write(true).direct(true).open(path).await {
        Ok(file) if file.direct_alignment().is_some() => Some(file),
        Ok(_) => {
            println!("not checked: {}, of which nobody says what direct I/O wants", path.display());
            None
        }
        Err(error) => {
            println!("not checked: {}: {error}", path.display());
            None
        }
    }
}

async fn page_from(pool: &BufferPool, at: usize) -> PoolBuf {
    let mut buf = pool.get().await;
    buf.clear();
    assert_eq!(buf.put(&sequence(at, PAGE)), PAGE);
    buf
}

#[test]
fn v03_what_was_written_is_read_and_others_go_on() {
    with_files("polled", |file, _| async move {
        let pool = BufferPool::new(2 * PAGES, PAGE).unwrap();
        // Beside it: a connection, timers, another thread.
        let (a, b) = pair().await;
        let echo = kael_rt::spawn(async move {
            for round in 0..200u8 {
                assert_eq!(b.read_exact(vec![0; 8]).await.1, [round; 8]);
                b.write_all(vec![!round; 8]).await.0.unwrap();
            }
        });
        let client = kael_rt::spawn(async move {
            for round in 0..200u8 {
                a.write_all(vec![round; 8]).await.0.unwrap();
                assert_eq!(a.read_exact(vec![0; 8]).await.1, [!round; 8]);
            }
        });
        let timer = kael_rt::spawn(async {
            for _ in 0..10 {
                sleep(Duration::from_micros(500)).await;
                assert_eq!(kael_rt::spawn_blocking(|| 7).await.unwrap(), 7);
            }
        });
        for round in 0..size(4, 100) {
            let tasks: Vec<_> = (0..PAGES / 2)
                .map(|pair| {
                    let (file, pool) = (file.clone(), pool.clone());
                    kael_rt::spawn(async move {
                        let at = pair * 2 * PAGE;
                        let shown = at + round * 13;
                        let one = page_from(&pool, shown).await;
                        assert_eq!(file.write_all_at(one, at as u64).await.0.unwrap(), PAGE);
                        let two = [page_from(&pool, shown + PAGE).await];
                        let (n, two) = file.write_vectored_at(two, (at + PAGE) as u64).await;
                        assert_eq!(n.unwrap(), PAGE);
                        drop(two);
                        let bufs = [pool.get().await, pool.get().await];
                        let (n, bufs) = file.read_vectored_at(bufs, at as u64).await;
                        assert_eq!(n.unwrap(), 2 * PAGE);
                        expect_piece(shown, &bufs[0]);
                        expect_piece(shown + PAGE, &bufs[1]);
                        let (n, buf) = file.read_at(pool.get().await, (at + PAGE) as u64).await;
                        assert_eq!(n.unwrap(), PAGE);
                        expect_piece(shown + PAGE, &buf);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            file.sync_data().await.unwrap();
        }
        for task in [echo, client, timer] {
            task.await.unwrap();
        }
    });
}

/// What is under way when its future is dropped is ended, and its buffer back after that.
#[test]
fn v03_dropped_reads_give_their_buffers_back() {
    with_files("polled-dropped", |file, _| async move {
        let pool = BufferPool::new(8, PAGE).unwrap();
        for round in 0..size(200, 10_000) {
            let buf = pool.get().await;
            let mut read = Box::pin(file.read_at(buf, (round % PAGES * PAGE) as u64));
            let _ = pin!(read.as_mut()).poll(&mut Context::from_waker(Waker::noop()));
            if round % 2 == 0 {
                kael_rt::yield_now().await;
            }
        }
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(pool.get().await);
        }
    });
}

/// Nothing else happens that would end a wait, and nobody is told that the transfer is done.
#[test]
fn v03_a_core_does_not_wait_for_what_it_is_not_told() {
    with_files("polled-alone", |file, _| async move {
        let pool = BufferPool::new(1, PAGE).unwrap();
        for _ in 0..20 {
            let read = file.read_at(pool.get().await, 0);
            let ended = timeout(Duration::from_secs(20), read).await;
            let (n, _) = ended.expect("the core waits instead of looking");
            assert_eq!(n.unwrap(), PAGE);
        }
    });
}

/// A core with nothing under way sleeps.
#[test]
fn v03_a_core_sleeps_when_nothing_is_under_way() {
    with_files("polled-idle", |file, handle| async move {
        let pool = BufferPool::new(1, PAGE).unwrap();
        assert_eq!(file.read_at(pool.get().await, 0).await.0.unwrap(), PAGE);
        let turns = || handle.metrics().cores[0].turns;
        let before = turns();
        sleep(Duration::from_millis(50)).await;
        let turned = turns() - before;
        assert!(turned <= 20, "{turned} turns in a sleep");
    });
}

/// The end of a runtime waits for what is under way, and for what was refused.
#[test]
fn v03_the_end_waits_for_what_is_polled() {
    within_limit(|| {
        let temp = TempFile::new("polled-end", &vec![7; PAGES * PAGE]);
        for path in [Some(temp.0.clone()), disk()].into_iter().flatten() {
            for _ in 0..size(20, 200) {
                let runtime = runtime();
                let begun = runtime.block_on(async {
                    let Some(file) = open(&path).await else { return false };
                    let pool = BufferPool::new(16, PAGE).unwrap();
                    for page in 0..16u64 {
                        let read = file.read_at(pool.get().await, page * PAGE as u64);
                        kael_rt::spawn(async move { read.await.0.unwrap() });
                    }
                    kael_rt::yield_now().await;
                    true
                });
                let handle = runtime.handle();
                drop(runtime);
                let core = handle.metrics().cores[0].clone();
                assert_eq!((core.in_flight, core.slots, core.leaked), (0, 0, 0));
                if !begun {
                    break;
                }
            }
        }
    });
}

#[test]
fn it_is_not_polled_unless_that_was_asked_for() {
    assert!(!is_granted(&Builder::new().build().unwrap()));
}
