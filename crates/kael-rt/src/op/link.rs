//! Links: operations of files that go to the kernel as a whole and run one after the other.
#![forbid(unsafe_code)]
#![expect(
    private_interfaces,
    private_bounds,
    reason = "the parts of a link are closed, as those of an operation are"
)]

use super::{Allocate, Op, Operation, ReadAt, Sync, WriteAt};
use crate::{
    budget::budget,
    buf::{IoBuf, IoBufMut},
    driver::{Driver, Group, Key, Seated},
    sys::MOST,
    task::context,
    time::{Sleep, sleep},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

/// Runs operations of files in their order, each only if the one before it has done all that it was asked for: two to
/// four in a tuple, of [`ReadAt`], [`WriteAt`], [`Sync`] and [`Allocate`], on one file or several.
///
/// They are begun together or not at all: their slots and their room in the submission queue are had before any of them is handed
/// over, and one that cannot be begun (a file of another runtime, direct I/O that is not aligned, a link that is longer than the queue)
/// keeps all of them from it. Then they run until the first that fails or is short: a read or write of fewer bytes than its buffer
/// has is short, also at the end of the file. What is behind it is not done, and its result is the kernel's error for a
/// cancelled operation (`ECANCELED`); [`Linked::broken`] says which broke it.
///
/// On io_uring it is a chain of submissions, and the core does nothing between them: see io_uring_enter(2), IOSQE_IO_LINK. Elsewhere
/// the driver begins each when the one before it is over, a turn later.
///
/// Dropping the future ends each by its own rule: a read is stopped, and a write that has begun is finished. Of what has not begun
/// nothing is done, except that the kernel goes on with a chain that it has, in order, up to where it breaks.
///
#[doc = budget!(file_link)]
///
/// # Panics
/// If one of the operations was polled already.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{fs::File, ops::link};
/// # let path = std::env::temp_dir().join(format!("kael-doc-link-{}", std::process::id()));
/// let log = File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
/// // The record is on the device before the mark that says so is written.
/// let done = link((
///     log.write_at("record", 8),
///     log.sync_data(),
///     log.write_at("1 record", 0),
///     log.sync_data(),
/// ))
/// .await;
/// assert_eq!(done.broken, None);
/// let ((wrote, _buf), synced, ..) = done.results;
/// assert_eq!(wrote?, 6);
/// synced?;
/// // A read that meets the end is short, and what is behind it is not done.
/// let done = link((log.read_at(vec![0; 100], 0), log.write_at("never", 0))).await;
/// assert_eq!(done.broken, Some(0));
/// let ((n, _), (refused, _)) = done.results;
/// assert_eq!(n?, 14);
/// assert!(refused.is_err());
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub fn link<L: Links>(operations: L) -> Link<L> {
    Link { stage: Stage::Fresh(operations.take()) }
}

/// What became of a [`link`].
#[derive(Debug)]
pub struct Linked<T> {
    /// What each operation gave, in order.
    pub results: T,
    /// The first operation, counted from 0, that failed or was short; `None` if all of them did all that they were asked for.
    pub broken: Option<usize>,
}

/// An operation that may be linked: [`ReadAt`], [`WriteAt`], [`Sync`] or [`Allocate`].
pub trait Linkable: Op {
    #[doc(hidden)]
    fn is_whole(output: &mut Self::Output) -> bool;
}

impl<B: IoBufMut> Linkable for ReadAt<B> {
    fn is_whole((result, buf): &mut Self::Output) -> bool {
        result.as_ref().is_ok_and(|n| *n >= buf.as_uninit().len().min(MOST))
    }
}

impl<B: IoBuf> Linkable for WriteAt<B> {
    fn is_whole((result, buf): &mut Self::Output) -> bool {
        result.as_ref().is_ok_and(|n| *n >= buf.as_init().len().min(MOST))
    }
}

impl Linkable for Sync {
    fn is_whole(result: &mut io::Result<()>) -> bool {
        result.is_ok()
    }
}

impl Linkable for Allocate {
    fn is_whole(result: &mut io::Result<()>) -> bool {
        result.is_ok()
    }
}

/// Operations that may be linked: a tuple of two to four.
pub trait Links: Sized {
    /// What they give, in a tuple.
    type Results;
    #[doc(hidden)]
    type Ops: Group;
    #[doc(hidden)]
    type Parts;
    #[doc(hidden)]
    fn take(self) -> Self::Ops;
    #[doc(hidden)]
    fn begin(driver: &Driver, keys: &<Self::Ops as Group>::Keys) -> Seated;
    #[doc(hidden)]
    fn parts(keys: <Self::Ops as Group>::Keys) -> Self::Parts;
    #[doc(hidden)]
    fn poll(parts: &mut Self::Parts, cx: &mut Context<'_>) -> Poll<Linked<Self::Results>>;
}

/// One of the operations, and its output when that is there.
pub struct Part<O: Op> {
    operation: Operation<O>,
    output: Option<O::Output>,
}

impl<O: Linkable> Part<O> {
    fn new(key: Key) -> Part<O> {
        Part { operation: Operation::begun(key), output: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.output.is_none() {
            self.output = Some(ready!(Pin::new(&mut self.operation).poll(cx)));
        }
        Poll::Ready(())
    }

    fn is_whole(&mut self) -> bool {
        self.output.as_mut().is_some_and(O::is_whole)
    }

    fn give(&mut self) -> O::Output {
        self.output.take().expect("all of them are over")
    }
}

/// For each number of operations: in one tuple.
macro_rules! links {
    ($n:literal: $($op:ident $at:tt),*) => {
        impl<$($op: Linkable),*> Links for ($(Operation<$op>,)*) {
            type Results = ($($op::Output,)*);
            type Ops = ($($op,)*);
            type Parts = ($(Part<$op>,)*);

            fn take(mut self) -> Self::Ops {
                ($(self.$at.take_unbegun().expect("an operation that was not polled yet"),)*)
            }

            fn begin(driver: &Driver, keys: &[Key; $n]) -> Seated {
                driver.begin_chain(keys)
            }

            fn parts(keys: [Key; $n]) -> Self::Parts {
                let mut keys = keys.into_iter();
                ($(Part::<$op>::new(keys.next().expect("one for each")),)*)
            }

            fn poll(parts: &mut Self::Parts, cx: &mut Context<'_>) -> Poll<Linked<Self::Results>> {
                $(ready!(parts.$at.poll(cx));)*
                let whole = [$(parts.$at.is_whole()),*];
                let results = ($(parts.$at.give(),)*);
                Poll::Ready(Linked { results, broken: whole.iter().position(|whole| !whole) })
            }
        }
    };
}

links!(2: A 0, B 1);
links!(3: A 0, B 1, C 2);
links!(4: A 0, B 1, C 2, D 3);

/// Operations that run in their order, as the future that a program awaits; made by [`link`].
#[must_use = "operations do nothing unless they are awaited"]
pub struct Link<L: Links> {
    stage: Stage<L>,
}

enum Stage<L: Links> {
    Fresh(L::Ops),
    /// There are not enough slots; its place in the queue for them.
    Waiting(L::Ops, Driver, u64),
    /// They have their slots, and the submission queue has no room for all of them.
    Seated(<L::Ops as Group>::Keys, Driver, Option<Sleep>),
    Begun(L::Parts),
    Over,
}

/// The time between two looks whether the queue has room, which a turn makes unless the kernel takes nothing.
const NO_ROOM: Duration = Duration::from_millis(1);

/// Stands for all operations that wait for no peer, in the queue for slots.
type Prompt = Sync;

impl<L: Links> Unpin for Link<L> {}

impl<L: Links> Link<L> {
    /// Takes slots for all of them, or a place in the queue.
    fn sit(ops: L::Ops, driver: Driver, ticket: Option<u64>, waker: &Waker) -> Stage<L> {
        match ops.sit(&driver, waker) {
            Ok(keys) => {
                if let Some(ticket) = ticket {
                    driver.leave_queue::<Prompt>(ticket);
                }
                Stage::Seated(keys, driver, None)
            }
            Err(ops) => {
                let ticket = driver.wait_for_slot::<Prompt>(ticket, waker);
                Stage::Waiting(ops, driver, ticket)
            }
        }
    }
}

impl<L: Links> Future for Link<L> {
    type Output = Linked<L::Results>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Over);
            self.stage = match stage {
                Stage::Fresh(ops) => {
                    let driver = context::with("a link", |core| core.driver.clone());
                    Link::sit(ops, driver, None, cx.waker())
                }
                Stage::Waiting(ops, driver, ticket) => {
                    Link::sit(ops, driver, Some(ticket), cx.waker())
                }
                Stage::Seated(keys, driver, pause) => {
                    if let Some(mut pause) = pause
                        && Pin::new(&mut pause).poll(cx).is_pending()
                    {
                        self.stage = Stage::Seated(keys, driver, Some(pause));
                        return Poll::Pending;
                    }
                    match L::begin(&driver, &keys) {
                        Seated::Begun => Stage::Begun(L::parts(keys)),
                        Seated::NoRoom => Stage::Seated(keys, driver, Some(sleep(NO_ROOM))),
                    }
                }
                Stage::Begun(mut parts) => {
                    let polled = L::poll(&mut parts, cx);
                    if polled.is_pending() {
                        self.stage = Stage::Begun(parts);
                    }
                    return polled;
                }
                Stage::Over => panic!("a link was polled after it was ready"),
            };
            if let Stage::Waiting(..) = self.stage {
                return Poll::Pending;
            }
        }
    }
}

impl<L: Links> Drop for Link<L> {
    fn drop(&mut self) {
        if let Stage::Waiting(_, driver, ticket) = &self.stage {
            driver.stop_waiting::<Prompt>(*ticket);
        }
    }
}

impl<L: Links> std::fmt::Debug for Link<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match self.stage {
            Stage::Fresh(_) => "not begun",
            Stage::Waiting(..) => "waiting for slots",
            Stage::Seated(..) => "waiting for room",
            Stage::Begun(_) => "begun",
            Stage::Over => "over",
        };
        f.debug_struct("Link").field("stage", &stage).finish()
    }
}
