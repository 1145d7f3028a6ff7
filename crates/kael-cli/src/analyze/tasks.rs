//! The rows of tasks: spawns, and wakes from here and from another thread.

use super::meter::{Meter, plain};
use kael_rt::runtime::Handle;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// How long the other thread waits before it wakes us, so that the core is asleep by then.
const UNTIL_ASLEEP: Duration = Duration::from_micros(100);

pub(crate) async fn measure(meter: &mut Meter, handle: &Handle) -> io::Result<()> {
    let yielding = || {
        plain(async || {
            kael_rt::yield_now().await;
            Ok(())
        })
    };
    meter.row("yield_now", yielding).await?;
    meter
        .row("wake on the same core", || {
            let ball = Rc::new(Ball::default());
            kael_rt::spawn(ball.clone().play(1));
            plain(async move || {
                ball.pass(1);
                ball.wait(0).await;
                Ok(())
            })
        })
        .await?;
    meter
        .row("spawn + join", || {
            plain(async || kael_rt::spawn(async {}).await.map_err(io::Error::other))
        })
        .await?;
    let other = Other::start(handle.clone())?;
    meter
        .row_without_waits("wake of a sleeping core", || {
            let (other, signal) = (other.sender.clone(), Arc::new(Signal::default()));
            plain(async move || signal.wait(&other, Request::Wake).await)
        })
        .await?;
    meter
        .row_without_waits("Handle::spawn from another thread", || {
            let (other, signal) = (other.sender.clone(), Arc::new(Signal::default()));
            plain(async move || signal.wait(&other, Request::Spawn).await)
        })
        .await?;
    let blocking =
        || plain(async || kael_rt::spawn_blocking(|| ()).await.map_err(io::Error::other));
    meter.row("spawn_blocking + join", blocking).await
}

/// Two tasks that wake each other in turn.
#[derive(Default)]
struct Ball {
    at: Cell<usize>,
    waiting: RefCell<[Option<Waker>; 2]>,
}

impl Ball {
    fn pass(&self, to: usize) {
        self.at.set(to);
        let waker = self.waiting.borrow_mut()[to].take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self, side: usize) {
        poll_fn(|cx| {
            if self.at.get() == side {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut()[side] = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Gives the ball back, for ever.
    async fn play(self: Rc<Ball>, side: usize) {
        loop {
            self.wait(side).await;
            self.pass(1 - side);
        }
    }
}

/// Set by another thread, or by a task that it started here.
#[derive(Default)]
struct Signal {
    set: AtomicBool,
}

enum Request {
    Wake,
    Spawn,
}

type Sender = SyncSender<(Request, Arc<Signal>, Waker)>;

impl Signal {
    /// Asks the other thread to set it, and waits.
    async fn wait(self: &Arc<Signal>, other: &Sender, request: Request) -> io::Result<()> {
        self.set.store(false, Ordering::Relaxed);
        let mut request = Some(request);
        poll_fn(|cx| {
            if self.set.load(Ordering::Acquire) {
                return Poll::Ready(Ok(()));
            }
            if let Some(request) = request.take() {
                // There is room for all lanes, so this does not block.
                let message = (request, self.clone(), cx.waker().clone());
                if other.send(message).is_err() {
                    return Poll::Ready(Err(io::Error::other("the other thread ended")));
                }
            }
            Poll::Pending
        })
        .await
    }

    fn set(&self, waker: Waker) {
        self.set.store(true, Ordering::Release);
        waker.wake();
    }
}

/// A thread that wakes us. It ends when the last sender is gone.
struct Other {
    sender: Sender,
}

impl Other {
    fn start(handle: Handle) -> io::Result<Other> {
        // An array of fixed size: sending allocates nothing.
        let (sender, requests) =
            mpsc::sync_channel::<(Request, Arc<Signal>, Waker)>(super::meter::MANY);
        thread::Builder::new().name("other".to_owned()).spawn(move || {
            for (request, signal, waker) in requests {
                thread::park_timeout(UNTIL_ASLEEP);
                match request {
                    Request::Wake => signal.set(waker),
                    Request::Spawn => drop(handle.spawn(move || async move { signal.set(waker) })),
                }
            }
        })?;
        Ok(Other { sender })
    }
}
