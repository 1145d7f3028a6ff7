//! Runtimes whose registered I/O is the model's, and who talks to their datagram sockets.

use crate::loaded::Model;
use kael_rt::runtime::Builder;
use std::future::{Future, poll_fn};
use std::net::UdpSocket;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// How completions are gathered is the process's, so one test at a time.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) fn one() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs on a runtime with registered I/O, in which the contract is kept.
pub(crate) fn run<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    let runtime = Builder::new().build().unwrap();
    assert_eq!(runtime.granted().interface, "IOCP and RIO");
    let output = runtime.block_on(test());
    drop(runtime);
    assert_eq!(Model::get().total(), 0, "the contract was broken");
    output
}

pub(crate) fn std_socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

/// The answer, if it is there at once; otherwise the operation is dropped.
pub(crate) async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
