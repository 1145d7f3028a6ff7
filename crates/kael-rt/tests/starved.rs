//! No descriptor is free: a listener tells once, then waits without spinning, and goes on when one comes free.

// Its subjects are this system's own limits. Windows has none that a test could lower.
#![cfg(not(any(windows, kael_backend = "sim")))]

mod rig;
#[path = "support/starve.rs"]
mod starve;

use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::{CoreMetrics, Runtime};
use kael_rt::time::{Duration, Instant, sleep};
use rig::{in_own_process, is_emulated_without, pair};
use socket2::{Domain, Socket, Type};
use starve::starve;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Fewer than there are descriptors that come free.
const CLIENTS: usize = 8;
const WATCHED: Duration = Duration::from_secs(2);
/// What is to happen within a retry or two has happened by then on the busiest machine.
const LONG: Duration = Duration::from_secs(30);

/// What an accepting loop has seen.
#[derive(Default)]
struct Seen {
    errors: RefCell<Vec<Option<i32>>>,
    accepted: RefCell<Vec<TcpStream>>,
    turns: Cell<u64>,
}

/// The loop that every server has: it must not spin, whatever accept says.
async fn accept_for_ever(listener: TcpListener, seen: Rc<Seen>) {
    loop {
        seen.turns.set(seen.turns.get() + 1);
        match listener.accept().await {
            Ok((stream, _)) => seen.accepted.borrow_mut().push(stream),
            Err(error) => seen.errors.borrow_mut().push(error.raw_os_error()),
        }
    }
}

fn now(runtime: &Runtime) -> CoreMetrics {
    runtime.handle().metrics().cores[0].clone()
}

/// Watches the core for a while, in which it does at most what a retry every 50 ms costs.
fn watch(runtime: &Runtime, seen: &Seen, what: &str, others: u64) {
    let (before, turns) = (now(runtime), seen.turns.get());
    let (processor, began) = (processor_time(), Instant::now());
    runtime.block_on(sleep(WATCHED));
    let (after, watched) = (now(runtime), began.elapsed());
    let retries = watched.as_millis() as u64 / 50 + 2;
    let syscalls = after.syscalls - before.syscalls;
    assert!(syscalls <= 3 * retries + others, "{what}: {syscalls} system calls");
    let polls = after.task_polls - before.task_polls;
    assert!(polls <= 2 * retries + others, "{what}: {polls} polls");
    assert!(after.sleeps > before.sleeps, "{what}: it never slept");
    let more = seen.turns.get() - turns;
    assert!(more <= 2, "{what}: the accepting loop went round {more} times");
    // Who spins takes all of it. (What the machine's owner takes from this machine counts as taken by us.)
    let share = (processor_time() - processor).as_secs_f64() / watched.as_secs_f64();
    if !is_emulated_without("the share of a processor that waiting takes") {
        assert!(share < 0.2, "{what}: {:.1} % of a processor", share * 100.0);
    }
}

/// What this thread has used.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock writes one timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn r19_accept_without_descriptors_sleeps_and_recovers() {
    in_own_process("r19_accept_without_descriptors_sleeps_and_recovers", || {
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        let seen = Rc::new(Seen::default());
        // Sockets of clients that need no descriptor any more when they connect.
        let clients: Vec<Socket> =
            (0..CLIENTS).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
        let (addr, old) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let old = pair().await;
            drop(kael_rt::spawn(accept_for_ever(listener, seen.clone())));
            // The closes of what is not needed any more go out, too.
            sleep(Duration::from_millis(1)).await;
            (addr, old)
        });
        let held = starve();

        // Nobody connects.
        watch(&runtime, &seen, "idle", 0);

        // Everybody connects.
        clients.iter().for_each(|client| client.connect(&addr.into()).unwrap());
        watch(&runtime, &seen, "loaded", 16);
        assert_eq!(*seen.errors.borrow(), [Some(libc::EMFILE)], "it is told once");
        // The accept that was with the kernel before has the limit of that time.
        let before = seen.accepted.borrow().len();
        assert!(before <= 1, "{before} accepted without a descriptor");

        // Those it has are served.
        runtime.block_on(async {
            for _ in 0..100 {
                assert_eq!(old.0.write_all("ping").await.0.unwrap(), 4);
                assert_eq!(old.1.read_exact(vec![0; 4]).await.1, b"ping");
            }
        });

        // Descriptors come free.
        assert!(held.len() > CLIENTS);
        drop(held);
        let began = Instant::now();
        runtime.block_on(async {
            while seen.accepted.borrow().len() < CLIENTS {
                let accepted = seen.accepted.borrow().len();
                assert!(began.elapsed() < LONG, "{accepted} of {CLIENTS} accepted");
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert_eq!(*seen.errors.borrow(), [Some(libc::EMFILE)], "no error afterwards");
    });
}

#[test]
fn r19_an_idle_listener_that_begins_without_descriptors_sleeps() {
    in_own_process("r19_an_idle_listener_that_begins_without_descriptors_sleeps", || {
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        let seen = Rc::new(Seen::default());
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let held = starve();
        runtime.block_on(async {
            drop(kael_rt::spawn(accept_for_ever(listener, seen.clone())));
            let began = Instant::now();
            while seen.errors.borrow().is_empty() && began.elapsed() < LONG {
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(*seen.errors.borrow(), [Some(libc::EMFILE)], "the first accept says why");
        watch(&runtime, &seen, "idle from the beginning", 0);
        client.connect(&addr.into()).unwrap();
        drop(held);
        let began = Instant::now();
        runtime.block_on(async {
            while seen.accepted.borrow().is_empty() {
                assert!(began.elapsed() < LONG, "it does not accept again");
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert_eq!(seen.errors.borrow().len(), 1, "no error afterwards");
    });
}

/// A retry is due at its time, whether the core ever waits or not.
#[test]
fn r19_a_listener_without_descriptors_recovers_on_a_core_that_never_rests() {
    in_own_process(
        "r19_a_listener_without_descriptors_recovers_on_a_core_that_never_rests",
        || {
            let runtime = kael_rt::runtime::Builder::new().build().unwrap();
            let seen = Rc::new(Seen::default());
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            let addr = listener.local_addr().unwrap();
            let held = starve();
            runtime.block_on(async {
                drop(kael_rt::spawn(accept_for_ever(listener, seen.clone())));
                while seen.errors.borrow().is_empty() {
                    sleep(Duration::from_millis(1)).await;
                }
                // Its next accept waits for a descriptor by now.
                sleep(Duration::from_millis(1)).await;
                drop(held);
                client.connect(&addr.into()).unwrap();
                let began = Instant::now();
                while seen.accepted.borrow().is_empty() {
                    assert!(began.elapsed() < LONG / 3, "it never asks again");
                    kael_rt::yield_now().await;
                }
            });
            assert_eq!(seen.errors.borrow().len(), 1, "no error afterwards");
        },
    );
}
