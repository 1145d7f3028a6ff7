//! What the tests of dropped futures share: pairs of sockets, a race of two futures, and a watchdog. It knows nothing of
//! the rules that they check.
#![allow(dead_code, reason = "each test program uses a part of it")]

use kael_rt::net::TcpStream;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::Poll;
use std::thread;
use std::time::Duration;

#[path = "backend.rs"]
mod backend;
#[path = "once.rs"]
mod once;
#[path = "plain.rs"]
mod plain;
#[path = "process.rs"]
mod process;
#[path = "scale.rs"]
mod scale;

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use backend::{COPIES, READINESS};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use once::{poll_once, turns};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use plain::{Plain, into_file, null, number, plain_pair, zeros};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use scale::{is_emulated, is_full as full, size};

/// Long enough for the busiest machine; what has not happened then never will.
pub(crate) const FOREVER: Duration = Duration::from_secs(90);

/// Runs `test` on a thread of its own and fails with `otherwise` if it does not end.
#[track_caller]
pub(crate) fn within(otherwise: &str, test: impl FnOnce() + Send + 'static) {
    let (ended, end) = channel();
    let thread = thread::spawn(move || {
        test();
        drop(ended);
    });
    // What is emulated has a tenth of the rounds at a twentieth of the speed, or less.
    let limit = FOREVER * if full() { 60 } else { 1 + 2 * u32::from(is_emulated()) };
    match end.recv_timeout(limit) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("{otherwise}"),
    }
}

/// [`within`], in a runtime.
#[track_caller]
pub(crate) fn runs<F: Future<Output = ()>>(
    otherwise: &str,
    test: impl FnOnce() -> F + std::marker::Send + 'static,
) {
    within(otherwise, move || kael_rt::block_on(test()));
}

/// Leaves what `feed` brings in `read`, which is dropped. Where the kernel completes, it is there before the read is,
/// which takes it although it is cancelled in the same call. Where the system says what is ready, such a read would be
/// answered at once: so it waits first, and is dropped when it has its answer and nobody has looked.
pub(crate) async fn leave_in<F: Future + Unpin>(mut read: F, feed: impl FnOnce()) {
    if !READINESS {
        feed();
        assert!(poll_once(&mut read).is_pending());
        return;
    }
    assert!(poll_once(&mut read).is_pending());
    feed();
    turns(1).await;
}

/// Polls, lets the runtime turn so many times, polling in between, and gives up.
pub(crate) async fn briefly<F: Future + Unpin>(mut future: F, times: u64) -> Option<F::Output> {
    for turn in 0..=times {
        if let Poll::Ready(output) = poll_once(&mut future) {
            return Some(output);
        }
        if turn < times {
            turns(1).await;
        }
    }
    None
}

pub(crate) enum First<A, B> {
    Left(A),
    Right(B),
}

/// Polls both, the left one first, until one is ready; the other one is dropped.
pub(crate) async fn race<A: Future, B: Future>(left: A, right: B) -> First<A::Output, B::Output> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if let Poll::Ready(output) = left.as_mut().poll(cx) {
            return Poll::Ready(First::Left(output));
        }
        right.as_mut().poll(cx).map(First::Right)
    })
    .await
}

/// Two connected stream sockets: one of the runtime, one of the standard library.
pub(crate) fn pair() -> (TcpStream, Plain) {
    let (ours, theirs) = plain_pair();
    (adopt(ours), theirs)
}

/// Two connected stream sockets of the runtime.
pub(crate) fn both() -> (TcpStream, TcpStream) {
    let (a, b) = plain_pair();
    (adopt(a), adopt(b))
}

pub(crate) fn adopt(socket: Plain) -> TcpStream {
    TcpStream::from_std(plain::to_tcp(socket)).unwrap()
}

/// The numbers of this process's open descriptors at this moment.
pub(crate) fn open_now() -> Vec<i32> {
    process::open()
}

/// [`open_now`], when it has been the same for a while: a thread of the pool lets go of
/// its core's wake descriptor a moment after the core may have ended.
pub(crate) fn open_fds() -> Vec<i32> {
    let mut numbers = open_now();
    let mut looks = 0;
    // To look takes a millisecond on Windows.
    while looks < if cfg!(windows) { 4 } else { 20 } {
        std::thread::yield_now();
        let now = open_now();
        looks = if now == numbers { looks + 1 } else { 0 };
        numbers = now;
    }
    numbers
}
