//! A linked pair: the second operation runs only if the first succeeds, and both go to the
//! kernel in one call.
#![forbid(unsafe_code)]

use super::{Op, Operation};
use crate::{
    driver::{Driver, Paired},
    task::context,
};
use std::future::poll_fn;
use std::task::Poll;

/// Runs `first` and then `second` as a chain. The second's answer is `ECANCELED` if the first
/// failed or was short.
///
/// Both slots and the room in the queue are had before anything is handed over: a chain that is
/// split over two calls runs its tail although the head failed.
pub(crate) async fn linked<A: Op, B: Op>(first: A, second: B) -> (A::Output, B::Output) {
    let mut ops = Some((first, second));
    let (a, b) = poll_fn(|cx| {
        let driver: Driver = context::with("a linked pair", |core| core.driver.clone());
        let (first, second) = ops.take().expect("polled until it is ready");
        match driver.submit_pair(first, second, cx.waker()) {
            Paired::Begun(a, b) => {
                Poll::Ready((Operation::<A>::begun(a), Operation::<B>::begun(b)))
            }
            Paired::Full(first, second) => {
                ops = Some((first, second));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await;
    (a.await, b.await)
}
