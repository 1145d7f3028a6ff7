//! Tasks: futures that live, run and die on one core, and the ways to reach them from anywhere.
//!
//! This is the proof that `task/` is sound; the files say only which part of it they use.
//!
//! # The life of a block
//!
//! ```text
//!            (1) spawn                        (3) poll: Pending
//!   free ───────────────► LIVE | QUEUED ◄──┐ ┌──────────────────► LIVE (idle)
//!    ▲        (1') spawn elsewhere         │ │   (4) wake, abort      │
//!    │   NEW ──(2) drain ──────────────────┘ └──◄─────────────────────┘
//!    │                        │ (3) run
//!    │                        ▼
//!    │             Ready, panic, or ABORT: the stage holds the output
//!    │                        │ (5) finish: flags DONE, word MERGED
//!    │                        ▼
//!    │             DONE, held by handle and wakers only
//!    │                        │ (6) the last reference goes
//!    └──(7) give ◄────────────┤
//!                             └──(8) give_up, after the core's end
//! ```
//!
//! 1. `Owner::spawn` on the owner thread; 1'. `Home::spawn_remote`
//!    on another.
//! 2. `run::drain` adopts it: only now is it linked to the core's pool.
//! 3. `run::run` pops it and calls the future's `poll`, or `cancel` if `ABORT` is set.
//! 4. `run::schedule` on the owner thread; `run::post` and later `drain` from others. A task may be queued while it
//!    runs: its link is free then.
//! 5. `run::finish`.
//! 6. `run::drop_counted`, or `finish` itself.
//! 7. `Pool::give` on the owner thread, by way of the remote queue if the last reference went elsewhere.
//! 8. `pool::give_up`: the chunk counts down, and the last block frees it.
//!
//! # Who may touch what
//!
//! *The owner thread* is the one whose thread-local home is the task's (`context::is_current`). It is set only by
//! `Owner::enter`, and an `Owner` never leaves its thread, so at most one thread passes the test for a given home, at
//! any time. A thread that does not pass may still be the owner's (outside `block_on`, or inside another runtime); it
//! then takes the way of the other threads, which is open to all. The test compares addresses, and is asked only with
//! a header at hand, whose chunk keeps the home alive; so no other home can have the address.
//!
//! | field | before `MERGED` | after |
//! |---|---|---|
//! | `word`, `posted_next` | all threads, atomic | all threads, atomic |
//! | `flags`, `refs`, `next`, `joiner` | owner thread | owner thread; `refs` and `joiner` no more |
//! | stage | owner thread, in `poll`, `cancel`, `finish` | the handle, if there is one; else `finish` has emptied it |
//! | `joiner_remote` | the handle while `JOINER` is clear, nobody while it is set | `finish` if `JOINER` was set, else the handle |
//! | `home`, `chunk`, `vtable` | all read | all read |
//!
//! `finish` sets `MERGED` by an exchange that releases, and all others look at it with an acquire, so the two columns
//! never overlap. On the owner thread the handle looks at `DONE` instead: `finish` sets both within one call, during
//! which the handle cannot be used there, unless it is gone already.
//!
//! # References
//!
//! The core holds one reference to a task that is not done, the handle one, each waker one. A reference is *counted*
//! either in `refs` (owner thread, before `DONE`) or in `word` (otherwise), whichever is right where and when it is
//! made or dropped; so either may be negative, and only the sum means something. While the core's own reference
//! exists the sum is at least one and nobody needs to know it. `finish` adds `refs` to `word`, once; from then on
//! `word` has it all, and whoever takes it to zero frees the block. Two short cuts:
//! - `finish` finds the sum zero before it exchanges: nobody else has a reference, so nobody can change the word.
//! - `drop_counted` finds itself alone: likewise. Both are why spawn and join cost one exchange.
//!
//! A block in the run queue (`QUEUED`) keeps the core's reference even when the task is done, until it is popped. A
//! block in the remote queue (`POSTED`) is not free even with no reference; `drain` clears the bit and frees it.
//!
//! # The end of a core
//!
//! `Owner::cancel_all` marks every live task `ABORT` and runs the queue until it is empty:
//! futures are dropped one after the other, on their thread. `Owner::close` closes the remote
//! queue, so that every post is either in the last list that it drains or refused; then it gives up the free blocks
//! of each chunk. Blocks that are still referenced are all `MERGED`, so their holders use `word` only, and the last
//! of a chunk frees it. Each chunk holds its home, so a header's home is there as long as the header.
//!
//! # User code
//!
//! Futures, outputs and foreign wakers are code of the user's. It runs with nothing borrowed: cells are taken from
//! and set, never held. Panics of polls and drops go to the handle; those of wakers and of outputs that nobody reads
//! end where they happen. A task cannot run its own core (`Owner::run` refuses). What is dropped
//! by a drop waits for it (`drops.rs`), so no chain of ours recurses.
//!
//! # What is never done here
//!
//! No lock, no allocation but for chunks (and the block of a spawn from elsewhere), no atomic read-modify-write on
//! the owner thread but the one exchange in `finish`, and one per post that is drained.

mod atomic;
pub(crate) mod context;
mod drops;
mod error;
mod header;
mod home;
mod join;
#[cfg(all(test, loom))]
mod models;
mod pool;
mod remote;
mod run;
mod state;
mod waker;

pub(crate) type HomeArc = atomic::Arc<Home>;

pub use error::JoinError;
pub(crate) use home::{Home, Owner};
pub use join::JoinHandle;
pub(crate) use waker::{clone_waker, wake_here, wake_here_by_ref};
