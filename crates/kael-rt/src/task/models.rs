//! Loom models of tasks against other threads, on the real code. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p kael-rt --release --lib loom`.
//!
//! Each model is exhaustive within three preemptions. Loom itself checks that all cells are used in order and that
//! every `Arc` (so every home, and through it every chunk) is freed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;

use super::JoinHandle;
use super::atomic::{Ordering, Unpark};
use super::home::{Home, Owner};

fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

fn owner() -> (Owner, Arc<AtomicBool>) {
    let unparked = Arc::new(AtomicBool::new(false));
    (Owner::new(Unpark::Token(unparked.clone())), unparked)
}

fn run_all(owner: &Owner) {
    let never = std::cell::Cell::new(false);
    loop {
        owner.drain();
        if owner.run(100, &never) == 0 {
            return;
        }
    }
}

/// A task that waits until `ready` says so, and the waker it was last polled with.
fn waiting(owner: &Owner, ready: impl Fn() -> bool + 'static) -> (JoinHandle<()>, Waker) {
    let slot = std::rc::Rc::new(std::cell::RefCell::new(None));
    let waker = slot.clone();
    let handle = owner.spawn(poll_fn(move |cx| {
        if ready() {
            return Poll::Ready(());
        }
        *slot.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }));
    run_all(owner);
    let waker = waker.take().expect("the task was polled");
    (handle, waker)
}

struct Notified(loom::sync::Notify);

impl Wake for Notified {
    fn wake(self: std::sync::Arc<Notified>) {
        self.0.notify();
    }
}

/// What a thread without a runtime does with a future. A wake that is lost is a deadlock, which loom reports.
fn wait_for<F: Future>(future: F) -> F::Output {
    let notified = std::sync::Arc::new(Notified(loom::sync::Notify::new()));
    let waker = Waker::from(notified.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        notified.0.wait();
    }
}

/// Counts its drops. The loom cell inside makes an unordered use an error.
struct Tracked {
    drops: Arc<AtomicUsize>,
    value: loom::cell::Cell<u32>,
}

impl Tracked {
    fn new(drops: &Arc<AtomicUsize>) -> Tracked {
        Tracked { drops: drops.clone(), value: loom::cell::Cell::new(7) }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        assert_eq!(self.value.replace(0), 7);
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: loom's cells check at run time what `Send` promises when compiling.
unsafe impl Send for Tracked {}

#[test]
fn loom_r23_two_remote_wakes_against_a_core_that_falls_asleep() {
    model(|| {
        let (owner, unparked) = owner();
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let current = owner.enter();
        let seen = flags.clone();
        let (handle, waker) =
            waiting(&owner, move || seen.iter().all(|flag| flag.load(Ordering::Relaxed)));
        let remotes = [0, 1].map(|i| {
            let (flags, waker) = (flags.clone(), waker.clone());
            thread::spawn(move || {
                flags[i].store(true, Ordering::Relaxed);
                waker.wake();
            })
        });
        drop(waker);

        // The core, until it would wait. Two posts can keep it awake twice.
        let mut asleep = false;
        for _ in 0..3 {
            run_all(&owner);
            asleep = owner.fall_asleep();
            if asleep {
                break;
            }
            owner.wake_up();
        }
        assert!(asleep, "nothing is posted, and still the core does not sleep");
        let was_finished = handle.is_finished();
        remotes.into_iter().for_each(|remote| remote.join().unwrap());
        assert!(
            was_finished || unparked.load(Ordering::Relaxed),
            "lost wake: the core sleeps, a task was woken, and nobody unparked the core"
        );
        owner.wake_up();
        run_all(&owner);
        assert!(
            handle.is_finished(),
            "lost wake: both wakes are over, and the task was not polled after them"
        );
        drop(handle);
        drop(current);
    });
}

#[test]
fn loom_r22_wake_and_drop_of_a_waker_against_the_end_of_the_core() {
    model(|| {
        let (owner, _) = owner();
        let current = owner.enter();
        let (handle, waker) = waiting(&owner, || false);
        drop(handle);
        let remote = thread::spawn(move || {
            let other = waker.clone();
            waker.wake();
            drop(other);
        });
        drop(current);
        drop(owner);
        remote.join().unwrap();
    });
}

#[test]
fn loom_r22_two_wakers_outlive_the_core() {
    model(|| {
        let (owner, _) = owner();
        let current = owner.enter();
        let (handle, waker) = waiting(&owner, || false);
        let other = waker.clone();
        let remote = thread::spawn(move || drop(waker));
        drop(current);
        drop(owner);
        other.wake();
        drop(handle);
        remote.join().unwrap();
    });
}

#[test]
fn loom_r22_spawn_from_another_thread_against_the_end_of_the_core() {
    model(|| {
        let (owner, _) = owner();
        let drops = Arc::new(AtomicUsize::new(0));
        let (home, tracked) = (owner.home().clone(), Tracked::new(&drops));
        let remote = thread::spawn(move || {
            drop(Home::spawn_remote(&home, move || async move {
                let _tracked = tracked;
                std::future::pending::<()>().await
            }))
        });
        drop(owner);
        remote.join().unwrap();
        assert_eq!(
            drops.load(Ordering::Relaxed),
            1,
            "the future, or what it was to be made of, is dropped"
        );
    });
}

/// A task that ends with a `Tracked`, its handle on another thread; `f` runs there.
fn completion_against(f: impl Fn(JoinHandle<Tracked>) + Send + Sync + Copy + 'static) {
    model(move || {
        let (owner, _) = owner();
        let drops = Arc::new(AtomicUsize::new(0));
        let current = owner.enter();
        let tracked = Tracked::new(&drops);
        let handle = owner.spawn(async move { tracked });
        let remote = thread::spawn(move || f(handle));
        run_all(&owner);
        remote.join().unwrap();
        run_all(&owner);
        drop(current);
        drop(owner);
        assert_eq!(drops.load(Ordering::Relaxed), 1, "the output is dropped once");
    });
}

#[test]
fn loom_r24_completion_against_drop_of_the_handle_elsewhere() {
    completion_against(drop);
}

#[test]
fn loom_r24_completion_against_abort_elsewhere() {
    completion_against(|handle| {
        handle.abort();
        drop(handle);
    });
}

#[test]
fn loom_r24_completion_against_polls_elsewhere() {
    completion_against(|handle| {
        let mut handle = pin!(handle);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            if let Poll::Ready(output) = handle.as_mut().poll(&mut cx) {
                assert_eq!(output.unwrap().value.get(), 7);
                return;
            }
        }
    });
}

#[test]
fn loom_r24_completion_wakes_a_handle_that_waits_elsewhere() {
    model(|| {
        let (owner, _) = owner();
        let current = owner.enter();
        let handle = owner.spawn(async { 7 });
        let remote = thread::spawn(move || assert_eq!(wait_for(handle).unwrap(), 7));
        run_all(&owner);
        drop(current);
        remote.join().unwrap();
        drop(owner);
    });
}

#[test]
fn loom_r24_handle_elsewhere_against_the_end_of_the_core() {
    model(|| {
        let (owner, _) = owner();
        let current = owner.enter();
        let handle = owner.spawn(std::future::pending::<()>());
        let remote = thread::spawn(move || assert!(wait_for(handle).unwrap_err().is_cancelled()));
        drop(current);
        drop(owner);
        remote.join().unwrap();
    });
}
