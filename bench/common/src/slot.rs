//! A channel of one place between two tasks of one thread, the same code on every runtime: what it costs is the
//! runtime's waker and queue. Not a channel for use.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub struct Slot {
    value: Cell<Option<u64>>,
    waker: Cell<Option<Waker>>,
}

impl Slot {
    pub fn new() -> Rc<Slot> {
        Rc::new(Slot::default())
    }

    #[inline]
    pub fn send(&self, value: u64) {
        self.value.set(Some(value));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    #[inline]
    pub fn receive(&self) -> Receive<'_> {
        Receive(self)
    }
}

pub struct Receive<'a>(&'a Slot);

impl Future for Receive<'_> {
    type Output = u64;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        match self.0.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                self.0.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }
}
