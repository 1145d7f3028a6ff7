//! Chains of a million wakes, joins and drops on a stack of 64 KiB (R26): nothing of ours recurses. Each case runs in
//! a process of its own, because a stack overflow ends the process; the assertion is on how it ended.

#[path = "support/again.rs"]
mod again;
#[path = "support/scale.rs"]
mod scale;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;

use kael_rt::JoinHandle;
use kael_rt::runtime::Builder;

/// A tenth of it overflows the stack as surely.
fn length() -> usize {
    scale::size(1_000_000, 1_000_000)
}

const STACK_BYTES: usize = 64 * 1024;
const CHILD: &str = "KAEL_TEST_CHAIN";

/// Runs `body` on a small stack in a child process that runs only the test called `name`.
fn on_small_stack(name: &str, body: fn()) {
    if std::env::var_os(CHILD).is_some() {
        thread::Builder::new().stack_size(STACK_BYTES).spawn(body).unwrap().join().unwrap();
        return;
    }
    let child = again::this_program()
        .args([name, "--exact", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    let status = child.status;
    assert!(status.success(), "{name} on a stack of {STACK_BYTES} bytes: {status}: {said}");
}

#[test]
fn r26_a_chain_of_joins_is_woken_without_recursion() {
    on_small_stack("r26_a_chain_of_joins_is_woken_without_recursion", || {
        let sum = kael_rt::block_on(async {
            let mut last: Option<JoinHandle<usize>> = None;
            for _ in 0..length() {
                let before = last.take();
                last = Some(kael_rt::spawn(async move {
                    match before {
                        Some(before) => before.await.unwrap() + 1,
                        None => {
                            kael_rt::yield_now().await;
                            1
                        }
                    }
                }));
            }
            last.unwrap().await.unwrap()
        });
        assert_eq!(sum, length());
    });
}

#[test]
fn r26_a_chain_of_outputs_is_dropped_without_recursion() {
    struct Link(#[allow(dead_code)] Option<JoinHandle<Link>>);
    on_small_stack("r26_a_chain_of_outputs_is_dropped_without_recursion", || {
        kael_rt::block_on(async {
            let mut last: Option<JoinHandle<Link>> = None;
            for _ in 0..length() {
                let before = last.take();
                last = Some(kael_rt::spawn(async move { Link(before) }));
                kael_rt::yield_now().await;
            }
            // Every task has ended, and each output holds the handle of the one before.
            assert!(last.as_ref().unwrap().is_finished());
            drop(last);
        });
    });
}

#[test]
fn r26_a_chain_of_outputs_outlives_the_runtime() {
    struct Link(#[allow(dead_code)] Option<JoinHandle<Link>>);
    on_small_stack("r26_a_chain_of_outputs_outlives_the_runtime", || {
        let last = kael_rt::block_on(async {
            let mut last: Option<JoinHandle<Link>> = None;
            for _ in 0..length() {
                let before = last.take();
                last = Some(kael_rt::spawn(async move { Link(before) }));
                kael_rt::yield_now().await;
            }
            last
        });
        drop(last);
    });
}

#[test]
fn r26_a_chain_of_pending_tasks_is_dropped_without_recursion() {
    on_small_stack("r26_a_chain_of_pending_tasks_is_dropped_without_recursion", || {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let mut last = kael_rt::spawn(std::future::pending::<()>());
            for _ in 0..length() {
                let before = last;
                last = kael_rt::spawn(async move { before.await.unwrap() });
            }
            drop(last);
            kael_rt::yield_now().await;
        });
        // Each future holds a handle and each task a waker of the next.
        drop(runtime);
    });
}

#[test]
fn r26_a_chain_of_wakers_held_by_tasks() {
    on_small_stack("r26_a_chain_of_wakers_held_by_tasks", || {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let wakers = Rc::new(RefCell::new(Vec::<Waker>::new()));
            for _ in 0..length() / 10 {
                let wakers = wakers.clone();
                let mut held = None;
                let mut polls = 0;
                drop(kael_rt::spawn(poll_fn(move |cx| {
                    // Wakes the task before it and keeps its waker, so that its end may be the waker's last drop.
                    let before = wakers.borrow_mut().pop();
                    if let Some(waker) = before {
                        waker.wake_by_ref();
                        held = Some(waker);
                    }
                    polls += 1;
                    if polls > 3 {
                        return Poll::Ready(());
                    }
                    wakers.borrow_mut().push(cx.waker().clone());
                    let _ = &held;
                    Poll::Pending
                })));
            }
            for _ in 0..10 {
                kael_rt::yield_now().await;
            }
        });
        drop(runtime);
    });
}
