//! A system call on x86-64: one instruction.

/// # Safety
/// As the system call `number` demands of its arguments.
#[inline(always)]
pub(in crate::sys) unsafe fn call(number: usize, args: [usize; 6]) -> isize {
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
