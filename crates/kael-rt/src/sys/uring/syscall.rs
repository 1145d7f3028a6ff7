//! The three system calls of io_uring.
//!
//! `libc::syscall` costs a call, an errno in thread-local storage, and a branch; on the two
//! architectures that are tested the instruction itself is three lines. rustix has the same
//! instruction, but wants a `BorrowedFd`, which a registered ring's index is not.

use super::abi::{Params, SYS_ENTER, SYS_REGISTER, SYS_SETUP};
use crate::sys::call::call;

fn answer(result: isize) -> Result<u32, i32> {
    if result < 0 { Err(-result as i32) } else { Ok(result as u32) }
}

/// io_uring_setup(2).
pub(super) fn setup(entries: u32, params: &mut Params) -> Result<u32, i32> {
    let params: *mut Params = params;
    // SAFETY: the kernel reads and writes one Params.
    answer(unsafe { call(SYS_SETUP, [entries as usize, params as usize, 0, 0, 0, 0]) })
}

/// io_uring_enter(2).
///
/// # Safety
/// Every queued submission points at memory that stays until its completion, and `arg` of
/// `arg_len` bytes is what `flags` says.
#[inline]
pub(super) unsafe fn enter(
    ring: u32,
    submit: u32,
    want: u32,
    flags: u32,
    arg: usize,
    arg_len: usize,
) -> Result<u32, i32> {
    let args = [ring as usize, submit as usize, want as usize, flags as usize, arg, arg_len];
    // SAFETY: the caller's word.
    answer(unsafe { call(SYS_ENTER, args) })
}

/// io_uring_register(2).
///
/// # Safety
/// `arg` and `count` are what `opcode` demands, and memory that is registered stays.
pub(super) unsafe fn register(fd: u32, opcode: u32, arg: usize, count: u32) -> Result<u32, i32> {
    let args = [fd as usize, opcode as usize, arg, count as usize, 0, 0];
    // SAFETY: the caller's word.
    answer(unsafe { call(SYS_REGISTER, args) })
}
