//! A number handed from one thread to another: one atomic and one waker, so that what is measured is the remote wake.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use atomic_waker::AtomicWaker;

/// Zero means empty.
#[derive(Default)]
pub(crate) struct ThreadFlag {
    value: AtomicU64,
    waker: AtomicWaker,
}

impl ThreadFlag {
    pub(crate) fn send(&self, value: u64) {
        self.value.store(value, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) async fn receive(&self) -> u64 {
        poll_fn(|cx| {
            let value = self.value.swap(0, Ordering::AcqRel);
            if value != 0 {
                return Poll::Ready(value);
            }
            self.waker.register(cx.waker());
            // Once more: a value that came between the look and the registration woke nobody.
            match self.value.swap(0, Ordering::AcqRel) {
                0 => Poll::Pending,
                value => Poll::Ready(value),
            }
        })
        .await
    }
}
