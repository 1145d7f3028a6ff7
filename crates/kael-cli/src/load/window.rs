//! [`Window`]: the messages of one connection that are under way: at most so many, oldest first.

use kael_rt::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Between the task that sends and the one that receives.
pub(crate) struct Window {
    depth: usize,
    /// When each message began, or was meant to.
    starts: RefCell<VecDeque<Instant>>,
    closed: Cell<bool>,
    sender: RefCell<Option<Waker>>,
    receiver: RefCell<Option<Waker>>,
}

impl Window {
    pub(crate) fn new(depth: usize) -> Window {
        Window {
            depth,
            starts: RefCell::new(VecDeque::with_capacity(depth)),
            closed: Cell::new(false),
            sender: RefCell::default(),
            receiver: RefCell::default(),
        }
    }

    /// Waits until another message may be sent; false: nobody receives any more.
    pub(crate) async fn room(&self) -> bool {
        poll_fn(|cx| {
            if self.closed.get() {
                return Poll::Ready(false);
            }
            if self.starts.borrow().len() < self.depth {
                return Poll::Ready(true);
            }
            *self.sender.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(crate) fn push(&self, start: Instant) {
        self.starts.borrow_mut().push_back(start);
        wake(&self.receiver);
    }

    /// Waits until a message is under way; false: there will be none.
    pub(crate) async fn is_awaited(&self) -> bool {
        poll_fn(|cx| {
            if !self.starts.borrow().is_empty() {
                return Poll::Ready(true);
            }
            if self.closed.get() {
                return Poll::Ready(false);
            }
            *self.receiver.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// The oldest message came back: when it had begun.
    pub(crate) fn pop(&self) -> Option<Instant> {
        let start = self.starts.borrow_mut().pop_front();
        wake(&self.sender);
        start
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.borrow().len()
    }

    /// Nothing more is sent, or received.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        wake(&self.sender);
        wake(&self.receiver);
    }
}

fn wake(waiting: &RefCell<Option<Waker>>) {
    let waker = waiting.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}
