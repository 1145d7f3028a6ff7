//! A system call on aarch64: one instruction.

/// # Safety
/// As the system call `number` demands of its arguments.
#[inline(always)]
pub(in crate::sys) unsafe fn call(number: usize, args: [usize; 6]) -> isize {
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
