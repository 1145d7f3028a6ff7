//! Registered I/O (RIO) as a model: the whole table of functions, over ordinary overlapped WSARecv and WSASend,
//! and of datagrams WSARecvFrom and WSASendTo.
//!
//! It is of the tests only. Wine has no registered I/O, and Windows' own says little about misuse: much of what breaks
//! its contract is undefined there. The model is strict instead. It records each violation by kind (`count`) and
//! refuses what Windows refuses, with the same error. With a seed (`seed`, or the variable `KAEL_RIO_SEED`) it also
//! does what a system may do within its contract: it delays completions, orders them differently across queues,
//! begins deferred requests early, receives less than there is of a stream, resets connections, says of datagrams that an
//! earlier one found nobody, and is short of memory.
//!
//! What it does not have: events instead of a port, RIO_MSG_WAITALL, and local addresses, control data or flags in the
//! calls that end in `Ex`. It says WSAEOPNOTSUPP then. And it says nothing about speed.
//!
//! Tests that link it call `table`. Others load the library and call `kael_rio_model_table`.

#![cfg(windows)]
#![allow(
    clippy::missing_const_for_thread_local,
    reason = "they are const; clippy does not see it on this target"
)]

mod chance;
mod completions;
pub mod exports;
mod guard;
mod peers;
mod pump;
mod requests;
mod settings;
mod table;
mod transfer;
mod violations;
mod world;

pub use guard::inside;
pub use settings::{gather, seed};
pub use table::table;
pub use violations::{KINDS, Violation, count, total};
