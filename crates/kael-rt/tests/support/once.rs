//! Single polls, and turns of the runtime. No test is in here.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Polls once, with a waker that wakes nobody.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the runtime look at its completions a few times.
pub(crate) async fn turns(n: u32) {
    for _ in 0..n {
        // A yield need not turn the driver; to wait for a timer does.
        kael_rt::time::sleep(Duration::from_micros(50)).await;
    }
}
