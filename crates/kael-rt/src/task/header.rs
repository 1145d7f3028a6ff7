//! The head of every task block, and the functions that know the future's type. Policy is elsewhere: `run.rs`
//! decides when they are called.

use std::any::Any;
use std::cell::UnsafeCell;
use std::future::Future;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};

use super::JoinError;
use super::atomic::{AtomicPtr, AtomicUsize, Cell};
use super::home::Home;
use super::pool::Chunk;

/// A task block, by its head. Always derived from the chunk's allocation, so it may be cast to the whole block.
pub(super) type Task = NonNull<Header>;

#[repr(C)]
pub(crate) struct Header {
    /// Shared: flags and references, see `state.rs`.
    pub(super) word: AtomicUsize,
    /// Shared: the link of the remote queue. Written by whoever set `POSTED`, read by `drain`.
    pub(super) posted_next: AtomicPtr<Header>,
    /// Constant while the chunk lives. The chunk keeps the home alive.
    pub(super) home: *const Home,
    pub(super) chunk: NonNull<Chunk>,
    /// Constant from spawn until the block is free.
    pub(super) vtable: Cell<&'static VTable>,
    /// Owner: the link of the run queue, or of the free list.
    pub(super) next: Cell<*mut Header>,
    /// Owner: see `state.rs`.
    pub(super) flags: Cell<u32>,
    /// Owner: references that this thread made, less those that it dropped, until `finish`.
    pub(super) refs: Cell<isize>,
    /// Owner: who waits for the output, if the handle was polled on this thread.
    pub(super) joiner: Cell<Option<Waker>>,
    /// The handle's while `JOINER` is clear, `finish`'s once it is set and `MERGED`.
    pub(super) joiner_remote: UnsafeCell<Option<Waker>>,
}

/// What depends on the future's type. Each takes a task whose vtable this is.
pub(super) struct VTable {
    /// Polls; true when the stage holds the output now.
    pub(super) poll: unsafe fn(Task) -> bool,
    /// Drops the future and leaves "cancelled" (or the panic of its drop) as the output.
    pub(super) cancel: unsafe fn(Task),
    /// Drops the output, if it is still there.
    pub(super) drop_output: unsafe fn(Task),
    /// Moves the output to an `Option<Result<T, JoinError>>`, which becomes `None` if it was taken before.
    pub(super) take_output: unsafe fn(Task, *mut ()),
    /// The bytes of the block that are used.
    pub(super) size: usize,
}

/// A whole block.
#[repr(C)]
pub(super) struct Block<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// Touched by the owner thread until `MERGED`, by the handle after it.
enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

impl Header {
    pub(super) fn new(home: *const Home, chunk: NonNull<Chunk>) -> Header {
        Header {
            word: AtomicUsize::new(0),
            posted_next: AtomicPtr::new(ptr::null_mut()),
            home,
            chunk,
            vtable: Cell::new(&UNUSED),
            next: Cell::new(ptr::null_mut()),
            flags: Cell::new(0),
            refs: Cell::new(0),
            joiner: Cell::new(None),
            joiner_remote: UnsafeCell::new(None),
        }
    }
}

/// The vtable of a block that has never held a task. A table of functions that do nothing rather than a null that
/// somebody could call.
static UNUSED: VTable = VTable {
    poll: |_| false,
    cancel: |_| (),
    drop_output: |_| (),
    take_output: |_, _| (),
    size: 0,
};

impl<F: Future> Block<F> {
    pub(super) const VTABLE: VTable = VTable {
        poll: poll::<F>,
        cancel: cancel::<F>,
        drop_output: drop_output::<F>,
        take_output: take_output::<F>,
        size: size_of::<Self>(),
    };

    /// Writes the future into a free block.
    ///
    /// # Safety
    /// The block is free, the caller has it alone, and it is large and aligned enough for `Block<F>`.
    #[inline(always)]
    pub(super) unsafe fn fill(task: Task, future: F) {
        // SAFETY: the block is the caller's and large enough; a free block's stage is uninitialised or empty.
        unsafe {
            (*task.as_ptr()).vtable.set(const { &Self::VTABLE });
            (&raw mut (*task.cast::<Self>().as_ptr()).stage)
                .write(UnsafeCell::new(Stage::Future(future)));
        }
    }

    /// The stage of a task of this type.
    ///
    /// # Safety
    /// `task` holds an `F`.
    #[inline(always)]
    unsafe fn stage(task: Task) -> *mut Stage<F> {
        // SAFETY: the caller says so; no reference is made, so nothing is claimed about the neighbours.
        unsafe { UnsafeCell::raw_get(&raw const (*task.cast::<Self>().as_ptr()).stage) }
    }
}

/// # Safety
/// On the owner thread, with the future in its stage and no other call for this task running.
unsafe fn poll<F: Future>(task: Task) -> bool {
    // SAFETY: the caller's contract: the stage holds the future and is ours alone until `MERGED`.
    let stage = unsafe { Block::<F>::stage(task) };
    // SAFETY: the task outlives this call (it is live), so a waker that counts nothing is fine as long as it is not
    // dropped; whoever wants to keep it clones it.
    let waker = ManuallyDrop::new(unsafe { super::waker::uncounted(task) });
    let polled = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the stage is ours alone during the poll.
        let Stage::Future(future) = (unsafe { &mut *stage }) else {
            // SAFETY: the caller's contract: the stage holds the future.
            unsafe { std::hint::unreachable_unchecked() }
        };
        // SAFETY: the block never moves, and the future is dropped in place, so it may be pinned.
        unsafe { Pin::new_unchecked(future) }.poll(&mut Context::from_waker(&waker))
    }));
    match polled {
        Ok(Poll::Pending) => false,
        Ok(Poll::Ready(output)) => {
            // The output is written where it stays at once: put together with its tag elsewhere and then copied, it
            // would be read before the two stores have met (a tenth of spawn and join).
            // SAFETY: the poll is over, the stage is still ours, and its future is dropped before it is overwritten.
            unsafe {
                match drop_future(stage) {
                    Ok(()) => stage.write(Stage::Output(Ok(output))),
                    Err(payload) => {
                        stage.write(Stage::Output(Err(JoinError::panicked(payload))));
                        drop_contained(output);
                    }
                }
            }
            true
        }
        Err(payload) => {
            // SAFETY: as above.
            unsafe { fail(stage, JoinError::panicked(payload)) };
            true
        }
    }
}

/// # Safety
/// As for [`poll`].
unsafe fn cancel<F: Future>(task: Task) {
    // SAFETY: the caller's contract.
    unsafe { fail(Block::<F>::stage(task), JoinError::cancelled()) }
}

/// Drops the future and leaves an error, the panic of that drop before the one that is given.
///
/// # Safety
/// As for [`drop_future`].
#[cold]
unsafe fn fail<F: Future>(stage: *mut Stage<F>, error: JoinError) {
    // SAFETY: the caller's contract; what was there is dropped before it is overwritten.
    unsafe {
        let dropped = drop_future(stage);
        stage.write(Stage::Output(Err(match dropped {
            Ok(()) => error,
            Err(payload) => {
                drop_contained(error);
                JoinError::panicked(payload)
            }
        })));
    }
}

/// Drops the future in its place; its panic is returned. In both cases the stage must be overwritten next.
///
/// # Safety
/// The stage holds the future and is the caller's alone.
#[inline(always)]
unsafe fn drop_future<F: Future>(stage: *mut Stage<F>) -> Result<(), Box<dyn Any + Send>> {
    if !std::mem::needs_drop::<F>() {
        return Ok(());
    }
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's contract; whether or not this panics, the future is not dropped again.
        unsafe { ptr::drop_in_place(stage) }
    }))
}

/// # Safety
/// The output is the caller's: either the handle is gone, or the caller is the handle and `MERGED` is set.
unsafe fn drop_output<F: Future>(task: Task) {
    // SAFETY: the caller's contract.
    let stage = unsafe { std::mem::replace(&mut *Block::<F>::stage(task), Stage::Empty) };
    drop_contained(stage);
}

/// # Safety
/// As for [`drop_output`]; `into` points at an initialised `Option<Result<F::Output, JoinError>>`.
unsafe fn take_output<F: Future>(task: Task, into: *mut ()) {
    // SAFETY: the caller's contract.
    let stage = unsafe { std::mem::replace(&mut *Block::<F>::stage(task), Stage::Empty) };
    if let Stage::Output(result) = stage {
        // SAFETY: `into` has this type; it holds `None`, which needs no drop.
        unsafe {
            into.cast::<MaybeUninit<Option<Result<F::Output, JoinError>>>>()
                .write(MaybeUninit::new(Some(result)))
        };
    }
}

/// Drops a value of the user's; a panic ends here. A payload that panics in its own drop is leaked.
pub(super) fn drop_contained<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        contained(|| drop(value));
    }
}

/// Runs code of the user's whose panic has nobody to go to.
#[inline]
pub(super) fn contained(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        forget_payload(payload);
    }
}

#[cold]
fn forget_payload(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<Header>() == 96, "a task's head is a line and a half");
