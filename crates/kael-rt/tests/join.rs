//! What can be done with a join handle, at every stage of its task, from the core's thread and from another.
//! Every case ends with: the future dropped once, on the core's thread; the output delivered or dropped once.

#[path = "support/until.rs"]
mod until;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use kael_rt::JoinHandle;
use kael_rt::runtime::{Builder, Runtime};
use until::until;

const LIMIT: Duration = Duration::from_secs(40);

/// What happened to a task, counted where other threads can see it.
#[derive(Default)]
struct Log {
    future_drops: AtomicUsize,
    future_drops_elsewhere: AtomicUsize,
    outputs_made: AtomicUsize,
    output_drops: AtomicUsize,
}

struct Output(Arc<Log>);

impl Drop for Output {
    fn drop(&mut self) {
        self.0.output_drops.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Polled, waiting for nothing that will come.
    Idle,
    /// Woken, not polled since.
    Queued,
    /// Inside its poll.
    Running,
    Done,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Drop,
    Abort,
    Await,
    AbortThenAwait,
}

/// The task under test. Its home is `core`; at `end` it gives its output.
struct Subject {
    log: Arc<Log>,
    core: ThreadId,
    end: Rc<Cell<bool>>,
    waker: Rc<Cell<Option<Waker>>>,
    /// Runs inside the poll, once.
    inside: Option<Box<dyn FnOnce()>>,
}

impl Future for Subject {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        assert_eq!(thread::current().id(), self.core);
        if let Some(inside) = self.inside.take() {
            inside();
        }
        if self.end.get() {
            self.log.outputs_made.fetch_add(1, Ordering::SeqCst);
            return Poll::Ready(Output(self.log.clone()));
        }
        self.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.log.future_drops.fetch_add(1, Ordering::SeqCst);
        if thread::current().id() != self.core {
            self.log.future_drops_elsewhere.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// What awaiting gave: the output, or why not.
type Awaited = Option<Result<(), bool>>;

/// Awaits with the thread parked; gives up after `LIMIT`.
fn wait_here<T>(mut handle: JoinHandle<T>) -> Result<T, kael_rt::JoinError> {
    struct Unparker(thread::Thread);
    impl std::task::Wake for Unparker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparker(thread::current())));
    let start = std::time::Instant::now();
    loop {
        if let Poll::Ready(result) = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        assert!(start.elapsed() < LIMIT, "the handle's waker was not woken");
        thread::park_timeout(LIMIT);
    }
}

fn flatten<T>(result: Result<T, kael_rt::JoinError>) -> Awaited {
    Some(result.map(drop).map_err(|error| error.is_cancelled()))
}

/// Does the act on a thread that has no runtime.
fn act_elsewhere(act: Act, handle: JoinHandle<Output>) -> Awaited {
    match act {
        Act::Drop => drop(handle),
        Act::Abort => handle.abort(),
        Act::Await => return flatten(wait_here(handle)),
        Act::AbortThenAwait => {
            handle.abort();
            return flatten(wait_here(handle));
        }
    }
    None
}

async fn act_here(act: Act, handle: JoinHandle<Output>) -> Awaited {
    match act {
        Act::Drop => drop(handle),
        Act::Abort => handle.abort(),
        Act::Await => return flatten(handle.await),
        Act::AbortThenAwait => {
            handle.abort();
            return flatten(handle.await);
        }
    }
    None
}

async fn settle() {
    for _ in 0..4 {
        kael_rt::yield_now().await;
    }
}

fn case(act: Act, stage: Stage, elsewhere: bool) {
    // A detached task runs on, so its future lives until the runtime ends.
    let runs_on = matches!(act, Act::Drop) && stage != Stage::Done;
    let log = Arc::new(Log::default());
    let runtime = Builder::new().build().unwrap();
    let (end, waker) = (Rc::new(Cell::new(stage == Stage::Done)), Rc::new(Cell::new(None)));
    let awaited = runtime.block_on({
        let (log, end, waker, counts) = (log.clone(), end.clone(), waker.clone(), log.clone());
        async move {
            let core = thread::current().id();
            let (to_other, from_core) = mpsc::channel::<JoinHandle<Output>>();
            let (to_core, from_other) = mpsc::channel();
            let other = elsewhere.then(|| {
                thread::spawn(move || {
                    let handle = from_core.recv_timeout(LIMIT).expect("the core sends the handle");
                    if !matches!(act, Act::Await | Act::AbortThenAwait) {
                        let awaited = act_elsewhere(act, handle);
                        to_core.send(()).unwrap();
                        return awaited;
                    }
                    if matches!(act, Act::AbortThenAwait) {
                        handle.abort();
                    }
                    to_core.send(()).unwrap();
                    act_elsewhere(Act::Await, handle)
                })
            });
            // Hands the handle to whoever acts, and waits until that has begun to matter.
            let from_other = Rc::new(from_other);
            let slot = Rc::new(Cell::new(None::<JoinHandle<Output>>));
            let hand_over = {
                let slot = slot.clone();
                move || {
                    let handle = slot.take().expect("the handle is there");
                    to_other.send(handle).unwrap();
                    from_other.recv_timeout(LIMIT).expect("the other thread acts");
                }
            };
            let inside: Option<Box<dyn FnOnce()>> = match (stage, elsewhere) {
                (Stage::Running, true) => Some(Box::new(hand_over.clone())),
                // On the same thread only these two can be done from inside the poll.
                (Stage::Running, false) if matches!(act, Act::Drop) => {
                    let slot = slot.clone();
                    Some(Box::new(move || drop(slot.take())))
                }
                (Stage::Running, false) if matches!(act, Act::Abort | Act::AbortThenAwait) => {
                    let slot = slot.clone();
                    Some(Box::new(move || {
                        let handle = slot.take().unwrap();
                        handle.abort();
                        slot.set(Some(handle));
                    }))
                }
                _ => None,
            };
            let subject = Subject { log, core, end: end.clone(), waker: waker.clone(), inside };
            slot.set(Some(kael_rt::spawn(subject)));
            settle().await;
            if stage == Stage::Queued {
                waker.take().expect("it was polled").wake();
            }
            let mut awaited = None;
            if elsewhere {
                if stage != Stage::Running {
                    hand_over();
                }
                // An await ends when the task does.
                if matches!(act, Act::Await) && stage != Stage::Done {
                    end.set(true);
                    if let Some(waker) = waker.take() {
                        waker.wake();
                    }
                }
                let other = other.unwrap();
                until("the other thread is done", || other.is_finished()).await;
                awaited = other.join().unwrap();
            } else if let Some(handle) = slot.take() {
                if matches!(act, Act::Await) && stage != Stage::Done {
                    let (end, waker) = (end.clone(), waker.clone());
                    drop(kael_rt::spawn(async move {
                        end.set(true);
                        if let Some(waker) = waker.take() {
                            waker.wake();
                        }
                    }));
                }
                awaited = act_here(act, handle).await;
            }
            settle().await;
            if elsewhere && !runs_on {
                until("the future is dropped", || counts.future_drops.load(Ordering::SeqCst) > 0)
                    .await;
            }
            awaited
        }
    });

    let name = format!("{act:?} while {stage:?}, elsewhere: {elsewhere}");
    let get = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    assert_eq!(
        get(&log.future_drops),
        usize::from(!runs_on),
        "{name}: future drops before the end"
    );
    drop(waker.take());
    drop(runtime);
    assert_eq!(get(&log.future_drops), 1, "{name}: the future is dropped once");
    assert_eq!(get(&log.future_drops_elsewhere), 0, "{name}: and on the core's thread");
    assert_eq!(
        get(&log.output_drops),
        get(&log.outputs_made),
        "{name}: every output is dropped once"
    );
    let ends = stage == Stage::Done || matches!(act, Act::Await);
    assert_eq!(get(&log.outputs_made), usize::from(ends), "{name}: the task gave its output");
    let expected = match act {
        Act::Drop | Act::Abort => None,
        Act::Await => Some(Ok(())),
        Act::AbortThenAwait if stage == Stage::Done => Some(Ok(())),
        Act::AbortThenAwait => Some(Err(true)),
    };
    assert_eq!(awaited, expected, "{name}: what the await gave");
}

macro_rules! matrix {
    ($($name:ident: $act:ident $stage:ident $elsewhere:literal;)*) => {
        $(#[test] fn $name() { case(Act::$act, Stage::$stage, $elsewhere); })*
    };
}

matrix! {
    r24_drop_while_idle_same_thread: Drop Idle false;
    r24_drop_while_queued_same_thread: Drop Queued false;
    r24_drop_while_running_same_thread: Drop Running false;
    r24_drop_when_done_same_thread: Drop Done false;
    r24_abort_while_idle_same_thread: Abort Idle false;
    r24_abort_while_queued_same_thread: Abort Queued false;
    r24_abort_while_running_same_thread: Abort Running false;
    r24_abort_when_done_same_thread: Abort Done false;
    r24_await_while_idle_same_thread: Await Idle false;
    r24_await_while_queued_same_thread: Await Queued false;
    r24_await_while_running_same_thread: Await Running false;
    r24_await_when_done_same_thread: Await Done false;
    r24_abort_then_await_while_idle_same_thread: AbortThenAwait Idle false;
    r24_abort_then_await_while_queued_same_thread: AbortThenAwait Queued false;
    r24_abort_then_await_while_running_same_thread: AbortThenAwait Running false;
    r24_abort_then_await_when_done_same_thread: AbortThenAwait Done false;
    r24_drop_while_idle_other_thread: Drop Idle true;
    r24_drop_while_queued_other_thread: Drop Queued true;
    r24_drop_while_running_other_thread: Drop Running true;
    r24_drop_when_done_other_thread: Drop Done true;
    r24_abort_while_idle_other_thread: Abort Idle true;
    r24_abort_while_queued_other_thread: Abort Queued true;
    r24_abort_while_running_other_thread: Abort Running true;
    r24_abort_when_done_other_thread: Abort Done true;
    r24_await_while_idle_other_thread: Await Idle true;
    r24_await_while_queued_other_thread: Await Queued true;
    r24_await_while_running_other_thread: Await Running true;
    r24_await_when_done_other_thread: Await Done true;
    r24_abort_then_await_while_idle_other_thread: AbortThenAwait Idle true;
    r24_abort_then_await_while_queued_other_thread: AbortThenAwait Queued true;
    r24_abort_then_await_while_running_other_thread: AbortThenAwait Running true;
    r24_abort_then_await_when_done_other_thread: AbortThenAwait Done true;
}

fn runtime() -> Runtime {
    Builder::new().build().unwrap()
}

#[test]
fn r24_a_handle_outlives_its_runtime() {
    let runtime = runtime();
    let (pending, done) = runtime.block_on(async {
        let pending = kael_rt::spawn(std::future::pending::<()>());
        let done = kael_rt::spawn(async { vec![1, 2, 3] });
        settle().await;
        (pending, done)
    });
    drop(runtime);
    assert!(pending.is_finished() && done.is_finished());
    pending.abort();
    assert!(wait_here(pending).unwrap_err().is_cancelled());
    assert_eq!(thread::spawn(|| wait_here(done).unwrap()).join().unwrap(), [1, 2, 3]);
}

#[test]
fn r24_a_panic_goes_to_the_handle() {
    let error = kael_rt::block_on(async {
        kael_rt::spawn(async { std::panic::panic_any(String::from("the reason")) })
            .await
            .unwrap_err()
    });
    assert!(error.is_panic() && !error.is_cancelled());
    assert_eq!(error.to_string(), "the task panicked: the reason");
    assert_eq!(*error.into_panic().downcast::<String>().unwrap(), "the reason");
}

#[test]
fn r25_a_panic_in_the_drop_of_a_future_goes_to_the_handle() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    kael_rt::block_on(async {
        let bomb = Bomb;
        let ended = kael_rt::spawn(std::future::poll_fn(move |_| {
            let _ = &bomb;
            Poll::Ready(5)
        }));
        assert!(ended.await.unwrap_err().is_panic());

        let bomb = Bomb;
        let aborted = kael_rt::spawn(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        });
        settle().await;
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_panic());

        // An output whose handle is gone is dropped by the core, and its panic stays there.
        drop(kael_rt::spawn(async { Bomb }));
        settle().await;
        assert_eq!(kael_rt::spawn(async { 1 }).await.unwrap(), 1);
    });
}

#[test]
fn r24_awaiting_from_several_tasks_in_turn_wakes_the_last() {
    kael_rt::block_on(async {
        let gate = Rc::new(Cell::new(None::<Waker>));
        let open = Rc::new(Cell::new(false));
        let mut handle = {
            let (gate, open) = (gate.clone(), open.clone());
            kael_rt::spawn(std::future::poll_fn(move |cx| {
                gate.set(Some(cx.waker().clone()));
                if open.get() { Poll::Ready(9) } else { Poll::Pending }
            }))
        };
        // First polled by a waker that nobody listens to, then by this task.
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        settle().await;
        drop(kael_rt::spawn(async move {
            open.set(true);
            gate.take().unwrap().wake();
        }));
        assert_eq!(handle.await.unwrap(), 9);
    });
}

#[test]
#[should_panic(expected = "JoinHandle polled after it gave the output")]
fn r24_polling_after_the_output_panics() {
    kael_rt::block_on(async {
        let mut handle = kael_rt::spawn(async {});
        (&mut handle).await.unwrap();
        assert!(handle.is_finished());
        let _ = (&mut handle).await;
    });
}
