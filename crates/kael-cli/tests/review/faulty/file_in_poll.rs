use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

struct Load(String);

impl Future for Load {
    type Output = std::io::Result<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(std::fs::read(&self.0)) //~ blocking-file
    }
}
