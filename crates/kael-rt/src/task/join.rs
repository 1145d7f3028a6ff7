//! [`JoinHandle`]: the way to a task's output. What it does to a task of a core is in this file; a job of the
//! blocking pool has its own [`Outcome`].

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::atomic::Ordering;
use super::drops;
use super::error::JoinError;
use super::header::Task;
use super::state::*;
use super::{context, run};
use crate::rt::Outcome;

/// Waits for a task or a blocking job, and gives its output.
///
/// Dropping the handle detaches: the task runs on, and its output is dropped on its core when it ends. A handle may
/// go to another thread if `T` may; dropped there after the task has ended, it drops the output there. Where the
/// task was spawned, polling and dropping the handle are not atomic operations. Neither allocates.
///
/// ```
/// # kael_rt::block_on(async {
/// let handle = kael_rt::spawn(async { 6 * 7 });
/// assert_eq!(handle.await.unwrap(), 42);
/// # });
/// ```
///
/// A task that is no longer wanted is aborted.
///
/// ```
/// use kael_rt::time::{Duration, sleep};
/// kael_rt::block_on(async {
///     let slow = kael_rt::spawn(sleep(Duration::from_secs(3600)));
///     assert!(!slow.is_finished());
///     slow.abort();
///     assert!(slow.await.unwrap_err().is_cancelled());
/// });
/// ```
pub struct JoinHandle<T> {
    inner: Inner<T>,
}

enum Inner<T> {
    Task(TaskHandle<T>),
    Job(Arc<Outcome<T>>),
    /// The runtime had ended.
    Closed,
    /// The output was handed out.
    Taken,
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// The task's output is a `T`, and one of its references becomes the handle's.
    #[inline]
    pub(super) unsafe fn of(task: Task) -> JoinHandle<T> {
        JoinHandle { inner: Inner::Task(TaskHandle { task, _output: PhantomData }) }
    }

    pub(crate) fn of_job(job: Arc<Outcome<T>>) -> JoinHandle<T> {
        JoinHandle { inner: Inner::Job(job) }
    }

    pub(crate) fn closed() -> JoinHandle<T> {
        JoinHandle { inner: Inner::Closed }
    }

    /// Asks for the task to be cancelled: its future is dropped on its own thread, at the point where it would next
    /// have been polled, and the handle then gives a [`JoinError`] that [is cancelled](JoinError::is_cancelled).
    ///
    /// A task that ends before that gives its output; one that has ended is not affected. A blocking job is
    /// cancelled only if it has not begun.
    pub fn abort(&self) {
        match &self.inner {
            Inner::Task(task) => task.abort(),
            Inner::Job(job) => job.abort(),
            Inner::Closed | Inner::Taken => {}
        }
    }

    /// Whether the output is there (or was taken already): the handle would not have to wait.
    pub fn is_finished(&self) -> bool {
        match &self.inner {
            Inner::Task(task) => task.is_finished(),
            Inner::Job(job) => job.is_finished(),
            Inner::Closed | Inner::Taken => true,
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// When polled again after it gave the output.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = match &mut self.inner {
            Inner::Task(task) => task.poll(cx),
            Inner::Job(job) => job.poll(cx),
            Inner::Closed => Poll::Ready(Err(JoinError::cancelled())),
            Inner::Taken => panic!("JoinHandle polled after it gave the output"),
        };
        if polled.is_ready() {
            // The task's block goes back now, not when the handle is dropped.
            if let Inner::Task(task) = std::mem::replace(&mut self.inner, Inner::Taken) {
                task.let_go();
            }
        }
        polled
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}

/// The handle's reference to a task.
struct TaskHandle<T> {
    task: Task,
    _output: PhantomData<T>,
}

// SAFETY: the header's owner half is used only on the owner thread, its other half is atomic, and the output, which
// may leave by this handle, is `Send`.
unsafe impl<T: Send> Send for TaskHandle<T> {}
// SAFETY: `&self` gives only abort and is_finished, which take both sides of the header as above.
unsafe impl<T: Send> Sync for TaskHandle<T> {}

impl<T> TaskHandle<T> {
    #[inline(always)]
    fn is_here(&self) -> bool {
        // SAFETY: the handle's reference keeps the block.
        context::is_current(unsafe { self.task.as_ref() }.home)
    }

    /// Whether the output is there for the handle.
    #[inline(always)]
    fn is_finished(&self) -> bool {
        // SAFETY: the handle's reference keeps the block.
        let header = unsafe { self.task.as_ref() };
        if self.is_here() {
            header.flags.get() & DONE != 0
        } else {
            header.word.load(Ordering::Acquire) & MERGED != 0
        }
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        // SAFETY: the handle's reference keeps the block.
        let header = unsafe { self.task.as_ref() };
        if self.is_here() {
            if header.flags.get() & DONE == 0 {
                let old = header.joiner.take();
                let (keep, old) = match old {
                    Some(waker) if waker.will_wake(cx.waker()) => (waker, None),
                    old => (cx.waker().clone(), old),
                };
                header.joiner.set(Some(keep));
                drop(old);
                return Poll::Pending;
            }
        } else if self.wait_elsewhere(cx.waker()) {
            return Poll::Pending;
        }
        let mut output: Option<Result<T, JoinError>> = None;
        // SAFETY: the task has ended, so the output is the handle's; its type is `T`.
        unsafe { (header.vtable.get().take_output)(self.task, (&raw mut output).cast()) };
        Poll::Ready(output.expect("the output is taken once"))
    }

    /// Gives up the reference after the output was taken, which spares the drop a look for it.
    #[inline]
    fn let_go(self) {
        let task = std::mem::ManuallyDrop::new(self).task;
        // SAFETY: the task has ended, so its references are counted in the word, and this one is not used again.
        unsafe { run::drop_counted(task) };
    }

    /// Leaves the waker for `finish`, from a thread that is not the owner. False if the task has ended.
    fn wait_elsewhere(&self, waker: &Waker) -> bool {
        // SAFETY: the handle's reference keeps the block.
        let header = unsafe { self.task.as_ref() };
        let Some(old) = self.claim_joiner() else { return false };
        drop(old);
        let waker = waker.clone();
        // SAFETY: `JOINER` is clear, so the slot is the handle's, and `&self` of this method is not shared (its
        // callers have `&mut self`).
        unsafe { *header.joiner_remote.get() = Some(waker) };
        let mut word = header.word.load(Ordering::Acquire);
        loop {
            if word & MERGED != 0 {
                // Too late: nobody else will look into the slot.
                // SAFETY: `finish` did not see `JOINER`, so the slot is still the handle's.
                drop(unsafe { (*header.joiner_remote.get()).take() });
                return false;
            }
            match header.word.compare_exchange_weak(
                word,
                word | JOINER,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes back the waker that was left for `finish`; `None` if the task has ended.
    fn claim_joiner(&self) -> Option<Option<Waker>> {
        // SAFETY: the handle's reference keeps the block.
        let header = unsafe { self.task.as_ref() };
        let mut word = header.word.load(Ordering::Acquire);
        loop {
            if word & MERGED != 0 {
                return None;
            }
            if word & JOINER == 0 {
                return Some(None);
            }
            match header.word.compare_exchange_weak(
                word,
                word & !JOINER,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                // SAFETY: `JOINER` is clear before `MERGED`, so the slot is the handle's again.
                Ok(_) => return Some(unsafe { (*header.joiner_remote.get()).take() }),
                Err(seen) => word = seen,
            }
        }
    }

    fn abort(&self) {
        // SAFETY: the handle's reference keeps the block and so the home; `abort_here` on the owner thread only.
        unsafe {
            if self.is_here() {
                run::abort_here(&*self.task.as_ref().home, self.task);
            } else {
                run::post(self.task, CANCEL);
            }
        }
    }

    /// Lets go before the task has ended, on the owner thread.
    fn detach_here(&self) {
        // SAFETY: the handle's reference keeps the block.
        let header = unsafe { self.task.as_ref() };
        let joiner = header.joiner.take();
        header.flags.set(header.flags.get() | GONE);
        // The core's own reference is still there.
        header.refs.set(header.refs.get() - 1);
        // Last, because it may be code of the user's.
        drop(joiner);
    }

    /// Lets go on any thread. False if the task has ended, and the output is the handle's to drop.
    fn detach_elsewhere(&self) -> bool {
        // SAFETY: the handle's reference keeps the block until the exchange below.
        let header = unsafe { self.task.as_ref() };
        let Some(joiner) = self.claim_joiner() else { return false };
        let mut word = header.word.load(Ordering::Acquire);
        let detached = loop {
            if word & MERGED != 0 {
                break false;
            }
            let left = (word | LEFT).wrapping_sub(ONE);
            match header.word.compare_exchange_weak(word, left, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => break true,
                Err(seen) => word = seen,
            }
        };
        drop(joiner);
        detached
    }
}

impl<T> Drop for TaskHandle<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the handle's reference keeps the block.
        let header = unsafe { self.task.as_ref() };
        if self.is_here()
            && header.flags.get() & DONE == 0
            && header.word.load(Ordering::Relaxed) & JOINER == 0
        {
            return self.detach_here();
        }
        if self.is_finished() || !self.detach_elsewhere() {
            // SAFETY: the task has ended and nobody else has the output; our reference goes with it.
            unsafe { drops::drop_output_and_reference(self.task) };
        }
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    const fn is_sync<T: Sync>() {}
    is_send::<JoinHandle<u8>>();
    is_sync::<JoinHandle<u8>>();
};
