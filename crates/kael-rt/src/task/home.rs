//! One core's tasks, from both sides: [`Home`] is what every header points at, [`Owner`] is the right to use its
//! owner half, held by the core. How a task moves through its states is in `run.rs`.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::atomic::{Arc, Cell, Unpark};
use super::header::{Block, Header, Task};
use super::join::JoinHandle;
use super::pool::{Pool, Size};
use super::remote::Remote;
use super::{context, pool, run, state};

/// The tasks of one core. Shared with every thread that holds one of its wakers or handles.
pub(crate) struct Home {
    /// Any thread.
    pub(super) remote: Remote,
    pub(super) unpark: Unpark,
    /// Owner only, from here on.
    pub(super) queue: RunQueue,
    pub(super) pool: Pool,
    pub(super) stage: Cell<Stage>,
    pub(super) running: Cell<bool>,
    pub(super) counts: Counts,
}

/// What a core's tasks have done. Owner only, but `live`.
#[derive(Default)]
pub(super) struct Counts {
    /// Those that have not ended. Others may read it, and who does makes do with a moment ago.
    live: AtomicU64,
    pub(super) polls: Cell<u64>,
    pub(super) wakes_remote: Cell<u64>,
}

impl Counts {
    /// Only the owner writes it, so no exchange is needed.
    #[inline(always)]
    pub(super) fn one_more(&self) {
        self.live.store(self.live.load(Relaxed) + 1, Relaxed);
    }

    #[inline(always)]
    pub(super) fn one_less(&self) {
        self.live.store(self.live.load(Relaxed) - 1, Relaxed);
    }
}

/// How far a core is from its end. Owner only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    Open,
    /// No task is taken any more; those that are here are cancelled.
    Ending,
    /// Blocks are no longer given to the pool but given up.
    Ended,
}

// SAFETY: `remote` and `unpark` are for all threads. The other fields are cells, which are reached through `Owner`
// (one per home, and not `Send`) or by code that has asked `context::is_current`, which is true on the thread of
// the `Owner` only, since only `Owner::enter` makes it so.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

/// The intrusive first-in-first-out queue of the tasks that want to be polled.
pub(super) struct RunQueue {
    head: Cell<*mut Header>,
    /// Where the next task's pointer goes: the link of the last task, or `head` if there is none.
    tail: Cell<*const Cell<*mut Header>>,
}

impl RunQueue {
    fn new() -> RunQueue {
        RunQueue { head: Cell::new(ptr::null_mut()), tail: Cell::new(ptr::null()) }
    }

    /// The queue has come to rest at its final address.
    fn settle(&self) {
        self.tail.set(&self.head);
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// # Safety
    /// On the owner thread; the task is in no local queue or list, and its block stays until it is popped.
    #[inline(always)]
    pub(super) unsafe fn push(&self, task: Task) {
        // SAFETY: the block is alive and its link is ours.
        let next = unsafe { &(*task.as_ptr()).next };
        next.set(ptr::null_mut());
        // SAFETY: the link of a queued task, whose block stays, or our own head, which does not move
        // after `settle`.
        unsafe { (*self.tail.replace(next)).set(task.as_ptr()) };
    }

    #[inline(always)]
    pub(super) fn pop(&self) -> Option<Task> {
        let task = NonNull::new(self.head.get())?;
        // SAFETY: a queued task's block stays.
        let next = unsafe { task.as_ref() }.next.get();
        self.head.set(next);
        if next.is_null() {
            self.tail.set(&self.head);
        }
        Some(task)
    }
}

/// The owner half of a home: not `Send`, not `Clone`, and held by the core.
pub(crate) struct Owner {
    home: Arc<Home>,
    _this_thread: PhantomData<*const ()>,
}

impl Deref for Owner {
    type Target = Home;

    #[inline(always)]
    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Owner {
    pub(crate) fn new(unpark: impl Into<Unpark>) -> Owner {
        let home = Home {
            remote: Remote::new(),
            unpark: unpark.into(),
            queue: RunQueue::new(),
            pool: Pool::new(),
            stage: Cell::new(Stage::Open),
            running: Cell::new(false),
            counts: Counts::default(),
        };
        let home = Arc::new(home);
        home.queue.settle();
        Owner { home, _this_thread: PhantomData }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Makes this home the current one of the thread while the guard lives: wakes of its tasks stay local.
    pub(crate) fn enter(&self) -> context::HomeGuard<'_> {
        context::HomeGuard::new(&self.home)
    }

    /// Starts a task. No allocation once blocks of its size are pooled. After the end: a cancelled handle.
    #[inline]
    pub(crate) fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output>
    where
        F::Output: 'static,
    {
        if self.stage.get() != Stage::Open {
            return JoinHandle::closed();
        }
        // SAFETY: an `Owner` is on its thread; the block is free and of the size for this future.
        unsafe {
            let task = self.pool.take(&self.home, const { Size::of::<Block<F>>() });
            Block::fill(task, future);
            let header = task.as_ref();
            header.flags.set(state::LIVE | state::QUEUED);
            // The core's own reference and the handle's.
            header.refs.set(2);
            self.counts.one_more();
            self.queue.push(task);
            JoinHandle::of(task)
        }
    }

    /// Polls up to `budget` tasks in order, stopping early when `stop` is set. Returns how many were taken from the
    /// queue. User code runs in here; it cannot get back in here.
    pub(crate) fn run(&self, budget: u32, stop: &std::cell::Cell<bool>) -> u32 {
        assert!(!self.running.replace(true), "a task cannot run its own core");
        let mut left = budget;
        while left > 0 && !stop.get() {
            let Some(task) = self.queue.pop() else { break };
            left -= 1;
            self.counts.polls.set(self.counts.polls.get() + 1);
            // SAFETY: on the owner thread, popped from the queue, and not from within a poll.
            unsafe { run::run(&self.home, task) };
        }
        self.running.set(false);
        budget - left
    }

    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether other threads have posted something: one load.
    #[inline]
    pub(crate) fn is_posted(&self) -> bool {
        self.remote.is_posted()
    }

    /// Queues what other threads have posted.
    pub(crate) fn drain(&self) {
        // SAFETY: on the owner thread.
        unsafe { run::drain(&self.home, self.remote.take()) };
    }

    /// Announces that the core is about to wait; false if something was posted meanwhile. In both cases
    /// [`Owner::wake_up`] follows.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.remote.fall_asleep()
    }

    pub(crate) fn wake_up(&self) {
        self.remote.wake_up();
    }

    pub(crate) fn tasks(&self) -> u64 {
        self.counts.live.load(Relaxed)
    }

    pub(crate) fn polls(&self) -> u64 {
        self.counts.polls.get()
    }

    pub(crate) fn wakes_remote(&self) -> u64 {
        self.counts.wakes_remote.get()
    }

    /// Takes no more tasks and drops the futures of all there are, one after the other (never one inside another).
    pub(crate) fn cancel_all(&self) {
        if self.stage.get() == Stage::Open {
            self.stage.set(Stage::Ending);
        }
        // SAFETY: on the owner thread; this calls no user code and takes no block.
        self.pool.for_each(|task| unsafe {
            if task.as_ref().flags.get() & state::LIVE != 0 {
                run::abort_here(&self.home, task);
            }
        });
        let never = std::cell::Cell::new(false);
        loop {
            self.drain();
            if self.run(u32::MAX, &never) == 0 && !self.is_posted() {
                return;
            }
        }
    }

    /// The end: what is posted from here on is refused, and memory goes back when its last holder lets go.
    pub(crate) fn close(&self) {
        if self.stage.get() == Stage::Ended {
            return;
        }
        self.cancel_all();
        // SAFETY: on the owner thread; after the queue is closed nothing new comes, so what is queued now is all.
        unsafe { run::drain(&self.home, self.remote.close()) };
        let never = std::cell::Cell::new(false);
        while self.run(u32::MAX, &never) > 0 {}
        self.stage.set(Stage::Ended);
        // SAFETY: on the owner thread, once. All tasks are merged, and `Ended` keeps this thread away from the pool.
        unsafe { self.pool.close() };
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _guard = self.enter();
        self.close();
    }
}

impl Home {
    /// How many tasks the core has, with those on their way to it. Any thread.
    pub(crate) fn load(&self) -> u64 {
        self.remote.arriving() + self.counts.live.load(Relaxed)
    }

    /// Starts a task from a thread that is not the owner, or not inside the runtime. Allocates the block.
    pub(crate) fn spawn_remote<S, F>(home: &Arc<Home>, start: S) -> JoinHandle<F::Output>
    where
        S: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        fill_remote(home, async move { start().await })
    }
}

/// `future` is not `Send` by its type, but it has never been polled and holds only captures that are.
fn fill_remote<F: Future + 'static>(home: &Arc<Home>, future: F) -> JoinHandle<F::Output> {
    let task = pool::alone(home, const { Size::of::<Block<F>>() });
    // SAFETY: the block is this thread's alone until it is posted; `post_new` says what happens if it cannot be.
    unsafe {
        Block::fill(task, future);
        task.as_ref().flags.set(state::NEW);
        task.as_ref().refs.set(2);
        if run::post_new(home, task) { JoinHandle::of(task) } else { JoinHandle::closed() }
    }
}
