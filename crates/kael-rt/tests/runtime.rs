//! Building, nesting and ending runtimes (R34, R42), and the blocking pool as its users see it (R33).

#[path = "support/again.rs"]
mod again;
#[path = "support/process.rs"]
mod process;
#[path = "support/scale.rs"]
mod scale;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use kael_rt::runtime::Builder;
use scale::size;

const LIMIT: Duration = Duration::from_secs(40);

fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    }
}

#[test]
fn r34_nested_block_on_panics_and_the_runtime_goes_on() {
    let runtime = Builder::new().build().unwrap();
    let other = Builder::new().build().unwrap();
    runtime.block_on(async {
        for text in
            [panic_text(|| kael_rt::block_on(async {})), panic_text(|| other.block_on(async {}))]
        {
            assert!(text.contains("block_on inside a running Kael runtime"), "{text}");
            assert!(text.contains("await the future, or spawn it"), "{text}");
        }
        assert_eq!(kael_rt::spawn(async { 1 }).await.unwrap(), 1);
    });
    assert_eq!(runtime.block_on(async { kael_rt::spawn(async { 2 }).await.unwrap() }), 2);
    assert_eq!(other.block_on(async { kael_rt::spawn(async { 3 }).await.unwrap() }), 3);
}

#[test]
fn r34_two_runtimes_take_turns_on_one_thread() {
    let (first, second) = (Builder::new().build().unwrap(), Builder::new().build().unwrap());
    let (to_second, from_first) = first.block_on(async {
        let mut waker = None;
        let mut polls = 0;
        let (sender, receiver) = std::sync::mpsc::channel();
        let task = kael_rt::spawn(std::future::poll_fn(move |cx| {
            polls += 1;
            waker.get_or_insert_with(|| {
                sender.send(cx.waker().clone()).unwrap();
            });
            if polls > 1 { std::task::Poll::Ready(polls) } else { std::task::Poll::Pending }
        }));
        kael_rt::yield_now().await;
        (receiver, task)
    });
    second.block_on(async move {
        // A task of the first runtime is woken and its handle polled while the second runs.
        to_second.recv().unwrap().wake();
        assert!(!from_first.is_finished());
        drop(kael_rt::spawn(from_first));
        kael_rt::yield_now().await;
    });
    first.block_on(async {
        for _ in 0..200 {
            kael_rt::yield_now().await;
        }
    });
    assert!(first.handle().metrics().cores[0].wakes_remote >= 1);
    second.block_on(async { kael_rt::yield_now().await });
    drop(first);
    assert_eq!(second.block_on(async { 5 }), 5);
}

#[test]
fn r34_block_on_in_the_drop_of_a_task_panics_clearly() {
    struct Blocks(Rc<RefCell<Vec<String>>>);
    impl Drop for Blocks {
        fn drop(&mut self) {
            self.0.borrow_mut().push(panic_text(|| kael_rt::block_on(async {})));
        }
    }
    let texts = Rc::new(RefCell::new(Vec::new()));
    let runtime = Builder::new().build().unwrap();
    runtime.block_on(async {
        let (in_task, at_end) = (Blocks(texts.clone()), Blocks(texts.clone()));
        kael_rt::spawn(async move { drop(in_task) }).await.unwrap();
        drop(kael_rt::spawn(async move {
            let _at_end = at_end;
            std::future::pending::<()>().await
        }));
        kael_rt::yield_now().await;
    });
    drop(runtime);
    let texts = texts.borrow();
    assert_eq!(texts.len(), 2);
    assert!(texts.iter().all(|text| text.contains("inside a running Kael runtime")), "{texts:?}");
}

#[test]
fn r34_spawning_outside_names_the_function_and_the_remedy() {
    let text = panic_text(|| drop(kael_rt::spawn(async {})));
    assert!(
        text.starts_with("kael_rt::spawn needs a running Kael runtime on this thread"),
        "{text}"
    );
    assert!(text.contains("kael_rt::block_on"), "{text}");
}

#[test]
fn r34_a_panic_out_of_block_on_leaves_the_runtime_usable() {
    let runtime = Builder::new().build().unwrap();
    let task = runtime.handle().spawn(|| async { 4 });
    assert_eq!(panic_text(|| runtime.block_on(async { panic!("out") })), "out");
    assert_eq!(runtime.block_on(task).unwrap(), 4);
}

#[test]
fn r34_spawning_while_the_runtime_ends_gives_a_cancelled_handle() {
    struct Spawns(Rc<RefCell<Vec<kael_rt::JoinHandle<()>>>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            self.0.borrow_mut().push(kael_rt::spawn(async {}));
        }
    }
    let handles = Rc::new(RefCell::new(Vec::new()));
    let runtime = Builder::new().build().unwrap();
    let spawns = Spawns(handles.clone());
    runtime.block_on(async move {
        drop(kael_rt::spawn(async move {
            let _spawns = spawns;
            std::future::pending::<()>().await
        }));
        kael_rt::yield_now().await;
    });
    drop(runtime);
    let handle = handles.borrow_mut().pop().expect("the future was dropped inside the runtime");
    assert!(kael_rt::block_on(handle).unwrap_err().is_cancelled());
}

#[test]
fn settings_out_of_range_say_their_range() {
    let error = |builder: Builder| builder.build().expect_err("out of range");
    let stands_still = Builder::new().cores(2).start_paused(true);
    assert_eq!(error(stands_still).kind(), std::io::ErrorKind::Unsupported);
    for (builder, name) in [
        (Builder::new().cores(0), "Builder::cores(0)"),
        (Builder::new().cores(1_025), "at most 1024"),
        (Builder::new().queue_depth(1), "Builder::queue_depth(1)"),
        (Builder::new().queue_depth(32_769), "at most 32768"),
        (Builder::new().max_in_flight(15), "at least 16"),
        (Builder::new().blocking_threads(0), "Builder::blocking_threads(0)"),
    ] {
        let error = error(builder);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// Bytes of memory and number of fds of this process.
fn footprint() -> (usize, usize) {
    (process::resident(), process::open().len())
}

fn build_and_drop(rounds: usize) {
    for round in 0..rounds {
        let runtime = Builder::new().queue_depth(8).build().unwrap();
        // Tasks that end, tasks that do not, and wakers and handles that outlive the runtime.
        let kept = runtime.block_on(async {
            let pending = kael_rt::spawn(std::future::pending::<()>());
            let waker = std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone()));
            let waker = kael_rt::spawn(waker).await.unwrap();
            (pending, waker, kael_rt::spawn(async move { vec![round; 10] }))
        });
        drop(runtime);
        kept.1.wake();
    }
}

#[test]
fn r42_ten_thousand_runtimes_leave_nothing_behind() {
    if std::env::var_os("KAEL_TEST_ALONE").is_none() {
        // Other tests in this process have threads and memory of their own.
        let name = "r42_ten_thousand_runtimes_leave_nothing_behind";
        let status = again::this_program()
            .args([name, "--exact", "--test-threads=1"])
            .env("KAEL_TEST_ALONE", "1")
            .status()
            .unwrap();
        assert!(status.success(), "{name}: {status}");
        return;
    }
    build_and_drop(size(1_000, 1_000));
    let (memory, fds) = footprint();
    build_and_drop(size(10_000, 10_000));
    let (memory_after, fds_after) = footprint();
    assert_eq!(fds_after, fds);
    // One block of 128 bytes left per runtime would be 1.2 MiB.
    let grown = memory_after.saturating_sub(memory);
    assert!(grown <= 1024 * 1024, "{grown} bytes more after 10,000 runtimes");
}

/// Holds the pool's threads until it is opened.
static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

#[test]
fn r33_a_full_pool_rejects_and_everything_resolves() {
    const WAITING: usize = 65_536;
    let runtime = Builder::new().blocking_threads(2).build().unwrap();
    runtime.block_on(async {
        let started = Instant::now();
        let hold = || {
            kael_rt::spawn_blocking(|| {
                let open = GATE.0.lock().unwrap();
                drop(GATE.1.wait_timeout_while(open, LIMIT, |open| !*open).unwrap());
            })
        };
        let held = [hold(), hold()];
        let mut waiting = Vec::new();
        let rejected = loop {
            let handle = kael_rt::spawn_blocking(|| 1);
            if handle.is_finished() {
                break handle;
            }
            waiting.push(handle);
            assert!(waiting.len() <= WAITING, "the queue has a bound");
        };
        let error = rejected.await.unwrap_err();
        assert!(error.is_rejected());
        let text = error.to_string();
        assert!(text.contains("queue is full") && text.contains("65536"), "{text}");
        assert!(text.contains("Builder::blocking_threads"), "{text}");
        // The core was never blocked by any of this.
        kael_rt::time::sleep(Duration::from_millis(1)).await;
        assert!(started.elapsed() < LIMIT);
        // A job that waits can be cancelled.
        waiting.last().unwrap().abort();
        *GATE.0.lock().unwrap() = true;
        GATE.1.notify_all();
        for handle in held {
            handle.await.unwrap();
        }
        let last = waiting.pop().unwrap();
        assert!(last.await.unwrap_err().is_cancelled());
        for handle in waiting {
            assert_eq!(handle.await.unwrap(), 1);
        }
    });
}

#[test]
fn r33_a_panic_in_a_job_goes_to_its_handle() {
    kael_rt::block_on(async {
        let error = kael_rt::spawn_blocking(|| panic!("in a job")).await.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(
            kael_rt::spawn_blocking(|| std::thread::current().name().map(str::to_owned))
                .await
                .unwrap()
                .unwrap(),
            "kael-blocking"
        );
    });
}

#[test]
fn r33_the_end_does_not_wait_for_a_stuck_job() {
    let (free, stuck) = std::sync::mpsc::channel::<()>();
    let runtime = Builder::new().blocking_threads(1).build().unwrap();
    let handle = runtime.handle();
    let (begun, has_begun) = std::sync::mpsc::channel::<()>();
    let (running, waiting) = runtime.block_on(async {
        let running = kael_rt::spawn_blocking(move || {
            begun.send(()).unwrap();
            stuck.recv_timeout(LIMIT)
        });
        (running, kael_rt::spawn_blocking(|| ()))
    });
    has_begun.recv_timeout(LIMIT).unwrap();
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < LIMIT / 2);
    assert_eq!(handle.metrics().cores[0].blocking_left, 1);
    assert!(kael_rt::block_on(waiting).unwrap_err().is_cancelled());
    free.send(()).unwrap();
    assert!(
        kael_rt::block_on(running).unwrap().is_ok(),
        "a job that has begun still gives its output"
    );
}

// A simulated machine has no processors to be bound to, and Windows counts all of them in any case.
#[cfg(not(any(windows, kael_backend = "sim")))]
#[test]
fn pinning_lasts_as_long_as_block_on() {
    fn cpus() -> usize {
        std::thread::available_parallelism().unwrap().get()
    }
    let before = cpus();
    let runtime = Builder::new().pin_cores(true).build().unwrap();
    runtime.block_on(async { assert_eq!(cpus(), 1) });
    assert_eq!(cpus(), before);
}

/// What every supported kernel has is granted on each; what this one has besides is printed.
#[cfg(not(kael_backend = "sim"))]
#[test]
fn what_every_kernel_has_is_granted() {
    let granted = Builder::new().build().unwrap().granted();
    println!("granted: {}", granted.flags.join(", "));
    let ring =
        ["SINGLE_ISSUER", "DEFER_TASKRUN", "TASKRUN_FLAG", "SUBMIT_ALL", "registered ring fd"];
    let floor = match granted.interface {
        "io_uring" => &ring[..],
        "epoll" => &["edge-triggered"],
        _ => &[],
    };
    for flag in floor {
        assert!(granted.flags.contains(flag), "{flag} is not among {:?}", granted.flags);
    }
}
