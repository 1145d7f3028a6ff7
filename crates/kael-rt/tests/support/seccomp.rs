//! A filter of system calls for the thread that loads it, as container runtimes install them.

use std::io;

pub(crate) const IO_URING_SETUP: u32 = 425;
#[allow(dead_code, reason = "each test program uses a part of it")]
pub(crate) const IO_URING_REGISTER: u32 = 427;

/// From here on the calls of these numbers end so; all others pass.
pub(crate) fn filter(calls: &[u32], end: u32) {
    let step = |code: u32, jt, k| libc::sock_filter { code: code as u16, jt, jf: 0, k };
    // The system call's number is the first word of seccomp_data.
    let mut program = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (i, call) in calls.iter().enumerate() {
        let to_the_end = (calls.len() - i) as u8;
        program.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_the_end, *call));
    }
    program.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    program.push(step(libc::BPF_RET | libc::BPF_K, 0, end));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; this thread is the test's own.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies the program, which is here until then.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}
