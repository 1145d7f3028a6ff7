//! The three system calls of io_uring.
//!
//! `libc::syscall` costs a call, an errno in thread-local storage, and a branch; on the two
//! architectures that are tested the instruction itself is three lines. rustix has the same
//! instruction, but wants a `BorrowedFd`, which a registered ring's index is not.

use super::abi::{Params, SYS_ENTER, SYS_REGISTER, SYS_SETUP};

/// # Safety
/// As the system call `number` demands of its arguments.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the Linux calling convention of x86-64: rcx and r11 are clobbered, memory may be
    // written (no `nomem`), the stack is left alone.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack, preserves_flags)
        );
    }
    result
}

/// # Safety
/// As the system call `number` demands of its arguments.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the Linux calling convention of aarch64: only x0 changes, memory may be written.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as isize => result,
            in("x1") args[1], in("x2") args[2], in("x3") args[3],
            in("x4") args[4], in("x5") args[5],
            options(nostack, preserves_flags)
        );
    }
    result
}

/// # Safety
/// As the system call `number` demands of its arguments.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller's word.
    match unsafe { libc::syscall(number as libc::c_long, a, b, c, d, e, f) } {
        -1 => -(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL) as isize),
        result => result as isize,
    }
}

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
