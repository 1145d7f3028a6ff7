//! Tasks, wakes and timers.

use super::{ask::Ask, law};
use kael_rt::{
    CancelToken,
    net::UdpSocket,
    time::{self, Duration, Instant, sleep},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// A timer never fires early, and not much later than it should.
pub(crate) async fn timers(ask: Ask) {
    for _ in 0..1 + ask.below(8) {
        let (limit, began) = (ask.moment(), Instant::now());
        if ask.one_in(3) {
            let ended = time::timeout(limit, std::future::pending::<()>()).await;
            law(ended.is_err(), || "a future that never ends ended".to_owned());
        } else {
            sleep(limit).await;
        }
        let elapsed = began.elapsed();
        law(elapsed >= limit, || format!("a timer of {limit:?} fired after {elapsed:?}"));
        law(elapsed <= limit + Duration::from_millis(60), || {
            format!("L5: a timer of {limit:?} fired after {elapsed:?}")
        });
    }
}

/// Tasks that are aborted or abandoned with operations under way.
pub(crate) async fn aborts(ask: Ask) {
    let token = CancelToken::new();
    let mut tasks = Vec::new();
    for _ in 0..1 + ask.below(6) {
        let (ask, token) = (ask.fork(), token.clone());
        tasks.push(kael_rt::spawn(async move {
            let Ok(socket) = UdpSocket::bind("127.0.0.1:0").await else { return };
            let (result, _) = if ask.one_in(2) {
                socket.recv(Vec::with_capacity(32)).cancel_on(&token).await
            } else {
                socket.recv(Vec::with_capacity(32)).timeout(ask.moment()).await
            };
            law(result.is_err(), || "a datagram came from nowhere".to_owned());
        }));
    }
    ask.pause().await;
    let mut aborted = Vec::new();
    for task in tasks.drain(..) {
        if ask.one_in(3) {
            task.abort();
        }
        if !ask.one_in(4) {
            aborted.push(task);
        }
    }
    ask.pause().await;
    token.cancel();
    for task in aborted {
        if let Err(error) = task.await {
            law(error.is_cancelled(), || format!("a task: {error}"));
        }
    }
}

/// A queue between two tasks: each wake must arrive.
pub(crate) async fn ping_pong(ask: Ask) {
    #[derive(Default)]
    struct Queue {
        items: RefCell<VecDeque<u32>>,
        waker: RefCell<Option<Waker>>,
        sent: Cell<u32>,
    }
    let queue = Rc::new(Queue::default());
    let count = 5 + ask.below(60) as u32;
    let (sender, sending) = (queue.clone(), ask.fork());
    let task = kael_rt::spawn(async move {
        for i in 0..count {
            sender.items.borrow_mut().push_back(i);
            sender.sent.set(i + 1);
            let waker = sender.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
            sending.pause().await;
        }
    });
    for expected in 0..count {
        let item = poll_fn(|cx| match queue.items.borrow_mut().pop_front() {
            Some(item) => Poll::Ready(item),
            None => {
                *queue.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await;
        law(item == expected, || format!("L5: item {item} instead of {expected}"));
    }
    let ended = task.await;
    law(ended.is_ok(), || "the sender ended early".to_owned());
}
