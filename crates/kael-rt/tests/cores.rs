//! Several cores in one runtime: where tasks run, who gets the next one, what passes from one to another.
// One core is simulated.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/drops.rs"]
mod drops;

use drops::{size, within};
use kael_rt::JoinHandle;
use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::{Builder, Handle, Runtime};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};

fn cores(n: usize) -> Runtime {
    Builder::new().cores(n).queue_depth(16).build().unwrap()
}

fn here() -> ThreadId {
    thread::current().id()
}

/// The thread of each core.
async fn threads(handle: &Handle) -> Vec<ThreadId> {
    let mut threads = Vec::new();
    for core in 0..handle.cores() {
        threads.push(handle.spawn_on(core, || async { here() }).await.unwrap());
    }
    threads
}

#[test]
fn n01_each_core_is_a_thread_of_its_own() {
    within("a core never ran its task", || {
        let runtime = cores(4);
        let threads = runtime.block_on(async { threads(&Handle::current()).await });
        assert_eq!((runtime.cores(), runtime.handle().cores()), (4, 4));
        assert_eq!(threads[0], here());
        for (i, thread) in threads.iter().enumerate() {
            assert!(!threads[..i].contains(thread), "two cores share a thread: {threads:?}");
        }
        // What a core is called says a debugger, too.
        let name = || async { thread::current().name().map(str::to_owned) };
        let name = runtime.spawn_on(3, name);
        assert_eq!(runtime.block_on(name).unwrap().as_deref(), Some("kael-core-3"));
    });
}

/// Says where it was dropped.
struct Dropped(Arc<Mutex<Vec<ThreadId>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(here());
    }
}

#[test]
fn n01_a_task_lives_and_is_dropped_on_its_core() {
    within("a core never ran its task", || {
        let runtime = cores(3);
        let handle = runtime.handle();
        let drops = Arc::new(Mutex::new(Vec::new()));
        let threads = runtime.block_on(async {
            let threads = threads(&handle).await;
            for core in [1, 2, 0] {
                let dropped = Dropped(drops.clone());
                let task = handle.spawn_on(core, move || {
                    // It need not be `Send`.
                    let count = Rc::new(Cell::new(0));
                    async move {
                        let _dropped = dropped;
                        let other = kael_rt::spawn({
                            let count = count.clone();
                            async move { count.set(count.get() + 1) }
                        });
                        other.await.unwrap();
                        poll_fn(|_| Poll::<()>::Pending).await;
                        count.get()
                    }
                });
                // An abort from elsewhere drops it where it lives.
                kael_rt::yield_now().await;
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
            threads
        });
        assert_eq!(*drops.lock().unwrap(), [threads[1], threads[2], threads[0]]);
    });
}

/// A task that stays, and says where.
fn stay(handle: &Handle) -> (JoinHandle<()>, std::sync::mpsc::Receiver<ThreadId>) {
    let (began, begin) = std::sync::mpsc::channel();
    let task = handle.spawn(move || async move {
        began.send(here()).unwrap();
        std::future::pending().await
    });
    (task, begin)
}

#[test]
fn n01_the_least_loaded_core_gets_the_next_task() {
    within("a core never ran its task", || {
        let runtime = cores(4);
        let handle = runtime.handle();
        let threads = runtime.block_on(threads(&handle));
        let of = |thread| threads.iter().position(|own| *own == thread).unwrap();
        // From elsewhere, all at once: what was placed counts before it has begun. Nobody is in `block_on`.
        let (tasks, begun): (Vec<_>, Vec<_>) = (0..30).map(|_| stay(&handle)).unzip();
        let mut on = [0; 4];
        begun.iter().for_each(|begin| on[of(begin.recv().unwrap())] += 1);
        // A task that just ended, or was on its way, may have counted for one more or less.
        assert!(on[0] == 0 && on[1..].iter().all(|on| (8..=12).contains(on)), "{on:?}");
        runtime.block_on(async {
            // The first core has none yet, and runs now.
            let (more, begun): (Vec<_>, Vec<_>) = (0..8).map(|_| stay(&handle)).unzip();
            kael_rt::yield_now().await;
            let first = begun.iter().filter(|begin| begin.try_recv() == Ok(threads[0])).count();
            assert!(first >= 6, "{first} of 8");
            let tasks: Vec<_> = tasks.into_iter().chain(more).collect();
            tasks.iter().for_each(JoinHandle::abort);
            for task in tasks {
                assert!(task.await.unwrap_err().is_cancelled());
            }
            // All but one have something to do.
            let busy = [0, 1, 3].map(|core| handle.spawn_on(core, std::future::pending::<()>));
            let (task, begin) = stay(&handle);
            assert_eq!(begin.recv().unwrap(), threads[2]);
            drop((busy, task));
        });
    });
}

#[test]
fn n01_a_panic_is_its_tasks_alone() {
    within("a core never ran its task", || {
        let runtime = cores(2);
        let task = runtime.spawn_on(1, || async { panic!("of a task on another core") });
        let error = runtime.block_on(task).unwrap_err();
        assert!(error.is_panic());
        let next = runtime.spawn_on(1, || async { 7 });
        assert_eq!(runtime.block_on(next).unwrap(), 7);
        let gone = runtime.handle();
        let text = catch_unwind(AssertUnwindSafe(|| drop(gone.spawn_on(2, || async {}))));
        let text = *text.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("2 core(s)"), "{text}");
    });
}

/// A value for another core, and who waits for it.
#[derive(Default)]
struct Mailbox(Mutex<(Option<u64>, Option<Waker>)>);

impl Mailbox {
    fn put(&self, value: u64) {
        let waker = {
            let mut inner = self.0.lock().unwrap();
            assert_eq!(inner.0.replace(value), None);
            inner.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn get(&self) -> u64 {
        poll_fn(|cx| {
            let mut inner = self.0.lock().unwrap();
            match inner.0.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    inner.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[test]
fn n01_no_wake_between_cores_is_lost() {
    let rounds = size(5_000, 1_000_000) as u64;
    within("a wake from one core to another was lost", move || {
        let runtime = cores(3);
        let boxes: Arc<[Mailbox; 3]> = Arc::default();
        // A ring of three: each core sleeps until its neighbour wakes it.
        let tasks: Vec<_> = (0..3)
            .map(|core| {
                let boxes = boxes.clone();
                runtime.spawn_on(core, move || async move {
                    let mut sum = 0;
                    for _ in 0..rounds {
                        let value = boxes[core].get().await;
                        sum += value;
                        boxes[(core + 1) % 3].put(value + 1);
                    }
                    sum
                })
            })
            .collect();
        boxes[0].put(0);
        let mut sum = 0;
        runtime.block_on(async {
            for task in tasks {
                sum += task.await.unwrap();
            }
        });
        assert_eq!(sum, (0..3 * rounds).sum::<u64>());
        assert_eq!(boxes[0].0.lock().unwrap().0, Some(3 * rounds));
    });
}

/// Passes a value between two cores, and returns the calls of both for each time that it arrived.
fn calls_a_hop(runtime: &Runtime, hops: u64) -> f64 {
    let boxes: Arc<[Mailbox; 2]> = Arc::default();
    let side = |core: usize| {
        let boxes = boxes.clone();
        runtime.spawn_on(core, move || async move {
            let before = Handle::current().metrics().cores[core].syscalls;
            for _ in 0..hops / 2 {
                let value = boxes[core].get().await;
                boxes[1 - core].put(value + 1);
            }
            Handle::current().metrics().cores[core].syscalls - before
        })
    };
    let sides = [side(0), side(1)];
    boxes[0].put(0);
    let calls = runtime.block_on(async {
        let mut calls = 0;
        for side in sides {
            calls += side.await.unwrap();
        }
        calls
    });
    assert_eq!(boxes[0].0.lock().unwrap().0, Some(hops));
    calls as f64 / hops as f64
}

/// A call to wake the other core and one to sleep, at most: who is awake still when the answer comes needs neither. Where
/// a kqueue is woken through a pipe (as on NetBSD and OpenBSD), that is read, too.
#[test]
fn n01_a_hop_between_cores_costs_few_calls() {
    within("a wake from one core to another was lost", || {
        let runtime = cores(2);
        calls_a_hop(&runtime, 100);
        let calls = calls_a_hop(&runtime, size(2_000, 200_000) as u64);
        let kqueue = !cfg!(any(target_os = "linux", windows)) || cfg!(kael_backend = "kqueue");
        let most = if kqueue { 3.1 } else { 2.1 };
        assert!(calls <= most, "{calls} calls a hop, of {most} at most");
    });
}

#[cfg(not(windows))] // By the account of Linux' scheduler.
#[test]
#[ignore = "a measurement: cargo test --release -p kael-rt --test cores -- --ignored --nocapture what_a_hop_costs"]
fn what_a_hop_costs() {
    const HOPS: u64 = 200_000;
    for _ in 0..5 {
        let runtime = Builder::new().cores(2).build().unwrap();
        calls_a_hop(&runtime, 1_000);
        let (from, before) = (std::time::Instant::now(), cpu_ns());
        let calls = calls_a_hop(&runtime, HOPS);
        let each = from.elapsed().as_secs_f64() * 1e6 / HOPS as f64;
        let cpu = (cpu_ns() - before) as f64 / 1e3 / HOPS as f64;
        println!(
            "a hop between two cores: {calls:.3} calls, {cpu:.2} µs of CPU, {each:.2} µs of time"
        );
    }
}

/// How long the threads of this process have run.
#[cfg(not(windows))]
fn cpu_ns() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("proc is mounted");
    let spent = |thread: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).unwrap();
        stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap()
    };
    threads.map(|thread| spent(thread.unwrap())).sum()
}

/// A connection goes to another core with what it had received and nobody had read.
#[test]
fn n01_connections_are_handed_to_other_cores() {
    const CONNECTIONS: usize = 24;
    within("a connection was never answered", || {
        let runtime = cores(3);
        let handle = runtime.handle();
        let served: Arc<[AtomicU64; 3]> = Arc::default();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = listener.local_addr().unwrap();
            let clients = kael_rt::spawn_blocking(move || {
                for i in 0..CONNECTIONS {
                    let mut client = std::net::TcpStream::connect(at).unwrap();
                    let text = format!("request {i:04}");
                    client.write_all(text.as_bytes()).unwrap();
                    let mut answer = vec![0; text.len()];
                    client.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, text.as_bytes());
                }
            });
            for i in 0..CONNECTIONS {
                let (stream, _) = listener.accept().await.unwrap();
                let core = i % 3;
                // Windows binds a socket to the port of its first transfer, so it leaves before that.
                let detached = stream.detach().await.unwrap();
                assert_eq!(detached.unread, b"");
                let served = served.clone();
                drop(handle.spawn_on(core, move || async move {
                    let stream = TcpStream::from_std(detached.stream).unwrap();
                    let (n, buf) = stream.read_exact(vec![0; 12]).await;
                    n.unwrap();
                    stream.write_all(buf).await.0.unwrap();
                    served[core].fetch_add(1, Ordering::Relaxed);
                }));
            }
            clients.await.unwrap();
        });
        drop(runtime);
        let served: Vec<u64> = served.iter().map(|n| n.load(Ordering::Relaxed)).collect();
        assert_eq!(served.iter().sum::<u64>(), CONNECTIONS as u64, "{served:?}");
        assert_eq!(served, [8; 3]);
    });
}

#[test]
fn n01_each_core_counts_for_itself() {
    within("a core never ran its task", || {
        let runtime = cores(3);
        let handle = runtime.handle();
        runtime.block_on(async {
            let asks = handle.spawn_on(2, || async {
                for _ in 0..100 {
                    kael_rt::fs::metadata(".").await.unwrap();
                }
                Handle::current().metrics().cores[2].completed
            });
            assert!(asks.await.unwrap() >= 100);
            let seen = handle.metrics().cores;
            assert_eq!(seen.len(), 3);
            assert!(seen[1].completed < 100, "{:?}", seen[1]);
            // Jobs of all cores go to one pool.
            let jobs = (0..3).map(|core| {
                handle.spawn_on(core, || async {
                    kael_rt::spawn_blocking(|| ()).await.unwrap();
                })
            });
            for job in jobs.collect::<Vec<_>>() {
                job.await.unwrap();
            }
            let threads: Vec<u64> =
                handle.metrics().cores.iter().map(|core| core.blocking_threads).collect();
            assert!(threads[0] >= 1 && threads[1..] == [0, 0], "{threads:?}");
        });
    });
}

#[kael_rt::main(cores = 2)]
async fn on_two_cores() -> (usize, bool) {
    let handle = Handle::current();
    let other = handle.spawn_on(1, || async { here() }).await.unwrap();
    (handle.cores(), other != here())
}

#[test]
fn the_macro_makes_cores() {
    assert_eq!(on_two_cores(), (2, true));
}

#[cfg(not(windows))] // Which counts all processors in any case.
#[test]
fn pinned_cores_have_a_processor_each() {
    fn cpus() -> usize {
        thread::available_parallelism().unwrap().get()
    }
    if cpus() < 2 {
        return println!("not run: this machine has one processor");
    }
    let runtime = Builder::new().cores(2).pin_cores(true).build().unwrap();
    let one = runtime.spawn_on(1, || async { cpus() });
    assert_eq!(runtime.block_on(async { (cpus(), one.await.unwrap()) }), (1, 1));
    assert!(cpus() > 1, "the first core's thread is free again");
    let error = Builder::new().cores(1_000).pin_cores(true).build().unwrap_err();
    assert!(error.to_string().contains("core "), "{error}");
}
