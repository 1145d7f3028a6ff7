//! What a program decides by its seed, and the ways in which it drops a future.

use kael_rt::time::{Duration, sleep};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
};

#[derive(Clone)]
pub(crate) struct Ask(Rc<Cell<u64>>);

impl Ask {
    pub(crate) fn new(seed: u64) -> Ask {
        Ask(Rc::new(Cell::new(seed ^ 0x5eed_5eed_5eed_5eed)))
    }

    /// Another sequence, so that what one actor asks does not depend on the others.
    pub(crate) fn fork(&self) -> Ask {
        Ask::new(self.next())
    }

    fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn len(&self, from: usize, to: usize) -> usize {
        from + self.below((to - from + 1) as u64) as usize
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A moment: often none, mostly short.
    pub(crate) fn moment(&self) -> Duration {
        Duration::from_nanos(match self.below(4) {
            0 => 0,
            1 => self.below(1_000),
            2 => self.below(100_000),
            _ => self.below(5_000_000),
        })
    }

    pub(crate) async fn pause(&self) {
        match self.below(3) {
            0 => {}
            1 => kael_rt::yield_now().await,
            _ => sleep(self.moment()).await,
        }
    }
}

/// Polls a future once; `None`: it was not ready, and is dropped.
pub(crate) async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The future's output, unless time runs out first: then the future is dropped.
pub(crate) async fn unless<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut sleep = sleep(limit);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| None)
    })
    .await
}
