use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

struct Loaded(Option<Vec<u8>>);

impl Future for Loaded {
    type Output = Vec<u8>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(self.0.take().unwrap_or_default())
    }
}

fn poll(path: &str) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}
