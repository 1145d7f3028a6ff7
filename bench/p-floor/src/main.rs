//! The floor of the scheduler's figures: the least executor that runs this suite on one thread. No I/O, no timers.
//!
//! It is **not sound as an API**: a waker that left its thread would race. It says what spawn, yield and wake can cost
//! when nothing else is promised, and is called by no one but the suite.
//!
//! A task is one block: a header, the future, the output. It is counted by its wakers, its join handle, and its place
//! in the queue. Freed blocks wait in a list per size for the next task.

use std::alloc::{Layout, alloc, handle_alloc_error};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::null_mut;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use common::{Counting, FileConfig, Peer, Slot, ThreadTimer, Work};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Task blocks come in multiples of this, and start on a cache line.
const BLOCK: usize = 64;
const SIZES: usize = 64;

fn main() {
    common::run::<Floor>();
}

#[repr(C)]
struct Header {
    next: Cell<*mut Header>,
    references: Cell<u32>,
    queued: Cell<bool>,
    done: Cell<bool>,
    poll: unsafe fn(*mut Header),
    free: unsafe fn(*mut Header),
    joiner: Cell<Option<Waker>>,
}

#[repr(C)]
struct Task<F: Future> {
    header: Header,
    future: UnsafeCell<Option<F>>,
    output: Cell<Option<F::Output>>,
}

/// The run queue, linked through the headers, and the free blocks by size.
struct Executor {
    head: Cell<*mut Header>,
    tail: Cell<*mut Header>,
    free: RefCell<[Vec<*mut u8>; SIZES]>,
}

thread_local! {
    static EXECUTOR: Executor = const {
        Executor {
            head: Cell::new(null_mut()),
            tail: Cell::new(null_mut()),
            free: RefCell::new([const { Vec::new() }; SIZES]),
        }
    };
}

/// Puts a task at the end of the queue unless it is in it.
///
/// # Safety
/// `task` is alive and belongs to this thread.
#[inline]
unsafe fn push(task: *mut Header) {
    // SAFETY: alive, by the contract; only this thread has references to its cells.
    let header = unsafe { &*task };
    if header.queued.replace(true) {
        return;
    }
    header.references.set(header.references.get() + 1);
    header.next.set(null_mut());
    EXECUTOR.with(|executor| {
        let tail = executor.tail.replace(task);
        if tail.is_null() {
            executor.head.set(task);
        } else {
            // SAFETY: the queue holds a reference to each task in it.
            unsafe { (*tail).next.set(task) };
        }
    });
}

fn pop() -> Option<*mut Header> {
    EXECUTOR.with(|executor| {
        let task = executor.head.get();
        if task.is_null() {
            return None;
        }
        // SAFETY: the queue holds a reference to each task in it.
        let next = unsafe { (*task).next.get() };
        executor.head.set(next);
        if next.is_null() {
            executor.tail.set(null_mut());
        }
        Some(task)
    })
}

/// Gives one reference back.
///
/// # Safety
/// The caller owns one reference to `task` and does not use it again.
#[inline]
unsafe fn release(task: *mut Header) {
    // SAFETY: alive, because the caller owns a reference.
    let header = unsafe { &*task };
    let left = header.references.get() - 1;
    header.references.set(left);
    if left == 0 {
        // SAFETY: that was the last reference, and `free` is the function of this task's own type.
        unsafe { (header.free)(task) };
    }
}

static WAKER: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

unsafe fn clone_waker(task: *const ()) -> RawWaker {
    // SAFETY: the waker that is being cloned holds a reference.
    let header = unsafe { &*task.cast::<Header>() };
    header.references.set(header.references.get() + 1);
    RawWaker::new(task, &WAKER)
}

unsafe fn wake(task: *const ()) {
    // SAFETY: the waker holds a reference, which ends here.
    unsafe {
        push(task.cast_mut().cast());
        release(task.cast_mut().cast());
    }
}

unsafe fn wake_by_ref(task: *const ()) {
    // SAFETY: the waker holds a reference.
    unsafe { push(task.cast_mut().cast()) };
}

unsafe fn drop_waker(task: *const ()) {
    // SAFETY: the waker holds a reference, which ends here.
    unsafe { release(task.cast_mut().cast()) };
}

/// # Safety
/// `task` is a `Task<F>` that is alive and not done, and nothing else is polling it.
unsafe fn poll<F: Future>(task: *mut Header) {
    // SAFETY: by the contract; the future is reached by no one else while it is polled.
    let (whole, future) = unsafe {
        let whole = &*task.cast::<Task<F>>();
        (whole, &mut *whole.future.get())
    };
    // SAFETY: the table's functions fit a task's header. The waker counts for nothing and is not dropped.
    let waker =
        ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task as *const (), &WAKER)) });
    let Some(running) = future else { return };
    // SAFETY: a task's block does not move, and the future is dropped in place below.
    let running = unsafe { Pin::new_unchecked(running) };
    if let Poll::Ready(output) = running.poll(&mut Context::from_waker(&waker)) {
        *future = None;
        whole.output.set(Some(output));
        whole.header.done.set(true);
        if let Some(joiner) = whole.header.joiner.take() {
            joiner.wake();
        }
    }
}

fn blocks<F: Future>() -> usize {
    let blocks = size_of::<Task<F>>().div_ceil(BLOCK);
    assert!(blocks < SIZES, "a future of this suite is larger than the floor's largest block");
    blocks
}

/// # Safety
/// `task` is a `Task<F>` to which no reference is left.
unsafe fn free<F: Future>(task: *mut Header) {
    // SAFETY: by the contract; the block itself stays allocated.
    unsafe { std::ptr::drop_in_place(task.cast::<Task<F>>()) };
    EXECUTOR.with(|executor| executor.free.borrow_mut()[blocks::<F>()].push(task.cast()));
}

fn spawn<F: Future + 'static>(future: F) -> Join<F::Output> {
    let size = blocks::<F>();
    let block = EXECUTOR.with(|executor| executor.free.borrow_mut()[size].pop());
    let block = block.unwrap_or_else(|| {
        let layout = Layout::from_size_align(size * BLOCK, BLOCK).unwrap();
        // SAFETY: the layout's size is not zero: a header is in every task.
        let block = unsafe { alloc(layout) };
        if block.is_null() {
            handle_alloc_error(layout);
        }
        block
    });
    let task: *mut Task<F> = block.cast();
    let header = Header {
        next: Cell::new(null_mut()),
        references: Cell::new(1),
        queued: Cell::new(false),
        done: Cell::new(false),
        poll: poll::<F>,
        free: free::<F>,
        joiner: Cell::new(None),
    };
    // SAFETY: the block is as large as `size` says, aligned to a cache line, and nothing lives in it.
    unsafe {
        task.write(Task { header, future: UnsafeCell::new(Some(future)), output: Cell::new(None) });
        push(task.cast());
    }
    Join { task: task.cast(), take: take_output::<F>, output: PhantomData }
}

/// # Safety
/// `task` is a `Task<F>` that is alive.
unsafe fn take_output<F: Future>(task: *mut Header) -> F::Output {
    // SAFETY: by the contract.
    unsafe { (*task.cast::<Task<F>>()).output.take() }.expect("polled after it was ready")
}

/// Owns one reference to its task.
struct Join<T> {
    task: *mut Header,
    take: unsafe fn(*mut Header) -> T,
    output: PhantomData<T>,
}

impl<T> Future for Join<T> {
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: alive, because the handle owns a reference; `take` is the function of this task's own type.
        unsafe {
            if (*self.task).done.get() {
                return Poll::Ready((self.take)(self.task));
            }
            (*self.task).joiner.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        // SAFETY: the handle owns a reference, which ends here.
        unsafe { release(self.task) };
    }
}

struct Floor;

impl Peer for Floor {
    const HELD_TIMERS: usize = 0;

    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        let main = spawn(future);
        while let Some(task) = pop() {
            // SAFETY: the queue's reference to the task is ours now, and is given back after the poll.
            unsafe {
                (*task).queued.set(false);
                if !(*task).done.get() {
                    ((*task).poll)(task);
                }
                release(task);
            }
        }
        // SAFETY: alive, because the handle owns a reference.
        let done = unsafe { (*main.task).done.get() };
        assert!(done, "the queue is empty and the main future is not done");
        // SAFETY: it is done, and its output has not been taken.
        unsafe { (main.take)(main.task) }
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn(future)
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, back) = (Slot::new(), Slot::new());
        let (there2, back2) = (there.clone(), back.clone());
        let echo = spawn(async move {
            for _ in 0..rounds {
                let value = there2.receive().await;
                back2.send(value + 1);
            }
        });
        let ping = spawn(async move {
            let timer = ThreadTimer::start();
            for round in 0..rounds {
                there.send(round);
                assert_eq!(back.receive().await, round + 1);
            }
            timer.elapsed_ns()
        });
        let elapsed = ping.await;
        echo.await;
        elapsed
    }

    #[expect(clippy::manual_async_fn, reason = "the trait asks for a 'static future")]
    fn sleep(_: Duration) -> impl Future<Output = ()> + 'static {
        async { panic!("the floor has no timers") }
    }

    async fn socket_rounds(_: u64) -> u64 {
        panic!("the floor has no sockets")
    }

    async fn echo(_: u16) {
        panic!("the floor has no sockets")
    }

    async fn files(_: FileConfig) {
        panic!("the floor has no files")
    }
}
