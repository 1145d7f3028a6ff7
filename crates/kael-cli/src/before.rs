//! Two futures on one task, until one ends.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// The future's output, unless `end` comes before.
pub(crate) async fn before<F: Future>(future: F, end: impl Future) -> Option<F::Output> {
    let (mut future, mut end) = (pin!(future), pin!(end));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(cx).map(|_| None),
    })
    .await
}
