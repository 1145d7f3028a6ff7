#![forbid(unsafe_code)]
//! The bits of a task's two state words, with their rules. No code touches them here; see `task/mod.rs` for the
//! life of a task.
//!
//! **`Header::flags`** belongs to the owner thread and is an ordinary cell:
//!
//! | bit | set by | cleared by | meaning |
//! |---|---|---|---|
//! | `QUEUED` | `schedule` | `run`, when popped | the header is linked in the run queue; its block stays |
//! | `LIVE` | `spawn`, `adopt` | `finish` | the future exists and is counted among the core's tasks |
//! | `DONE` | `finish` | `Pool::give` | no more polls; from here on this thread counts atomically too |
//! | `ABORT` | `abort`, `drain` | `finish` | the next run drops the future instead of polling it |
//! | `GONE` | the handle's drop on this thread | `Pool::give` | nobody will read the output |
//! | `NEW` | a spawn from another thread | `adopt` | built elsewhere, not yet linked to this core's pool |
//!
//! All clear means that the block is free.
//!
//! **`Header::word`** is atomic and shared by all threads. Its low bits are flags, the rest is a signed count of
//! references in units of `ONE`:
//!
//! | bit | set by | cleared by | meaning |
//! |---|---|---|---|
//! | `MERGED` | `finish` | `Pool::give` | the counts are one now, and the output belongs to the handle |
//! | `POSTED` | a wake or abort from another thread, a last drop there | `drain` (or the poster, if the queue is closed) | the header is (about to be) linked in the remote queue; its block stays |
//! | `CANCEL` | an abort from another thread | `drain` | travels with `POSTED` |
//! | `LEFT` | the handle's drop on another thread, before `MERGED` | `Pool::give` | nobody will read the output |
//! | `JOINER` | the handle's poll on another thread | the same, its drop, or `finish` | `Header::joiner_remote` holds a waker that `finish` will take |
//!
//! Before `MERGED` the count alone says nothing and may be negative: a waker cloned on the owner thread is counted
//! in `Header::refs`, and dropped elsewhere it is subtracted here. Only the sum counts, and only `finish` forms it.

pub(super) const QUEUED: u32 = 1;
pub(super) const LIVE: u32 = 1 << 1;
pub(super) const DONE: u32 = 1 << 2;
pub(super) const ABORT: u32 = 1 << 3;
pub(super) const GONE: u32 = 1 << 4;
pub(super) const NEW: u32 = 1 << 5;

pub(super) const MERGED: usize = 1;
pub(super) const POSTED: usize = 1 << 1;
pub(super) const CANCEL: usize = 1 << 2;
pub(super) const LEFT: usize = 1 << 3;
pub(super) const JOINER: usize = 1 << 4;
/// One reference.
pub(super) const ONE: usize = 1 << 5;

/// The references in a word, which may be negative before `MERGED`.
#[inline]
pub(super) fn count(word: usize) -> isize {
    (word as isize) >> ONE.trailing_zeros()
}

/// Whether a word says that nobody holds or can reach the block any more.
#[inline]
pub(super) fn is_free(word: usize) -> bool {
    word & (MERGED | POSTED) == MERGED && count(word) == 0
}

/// References beyond which a process is not counting but forgetting wakers in a loop; it is stopped, as `Arc` does.
pub(super) const MAX_REFS: isize = isize::MAX >> 8;
