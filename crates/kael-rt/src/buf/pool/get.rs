//! Waiting for a buffer.

use super::{PoolBuf, Shared};
use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// A buffer as soon as one is free; made by [`BufferPool::get`](super::BufferPool::get).
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::buf::{BufferPool, Get};
///
/// async fn greeting(buffer: Get) -> usize {
///     buffer.await.put(b"hello")
/// }
/// let pool = BufferPool::new(1, 8)?;
/// let only = pool.try_get().expect("it is free");
/// let waiting = kael_rt::spawn(greeting(pool.get()));
/// kael_rt::yield_now().await;
/// drop(only);
/// assert_eq!(waiting.await.unwrap(), 5);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Get {
    /// `None`: it was given out.
    shared: Option<Rc<Shared>>,
    /// Its place in the queue.
    ticket: Option<u64>,
}

impl Get {
    pub(super) fn new(shared: Rc<Shared>) -> Get {
        Get { shared: Some(shared), ticket: None }
    }
}

impl Future for Get {
    type Output = PoolBuf;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<PoolBuf> {
        let get = &mut *self;
        let shared = get.shared.as_ref().expect("a buffer was polled for after it was there");
        match shared.wait(&mut get.ticket, cx.waker().clone()) {
            None => Poll::Pending,
            Some(index) => {
                let shared = get.shared.take().expect("it was just there");
                Poll::Ready(PoolBuf::new(shared, index, 0))
            }
        }
    }
}

impl Drop for Get {
    fn drop(&mut self) {
        if let (Some(shared), Some(ticket)) = (&self.shared, self.ticket) {
            shared.stop_waiting(ticket);
        }
    }
}

impl std::fmt::Debug for Get {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Get").field("waits", &self.ticket.is_some()).finish()
    }
}
