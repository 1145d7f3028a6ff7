//! CPU clocks and pinning. CPU time is what is compared: on a shared machine wall time says little.

use std::time::Duration;

/// CPU time of the whole process, kernel threads that work for it included.
pub(crate) fn process_cpu() -> Duration {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Time on the CPU clock of this thread, the clock of every figure whose work never blocks.
pub struct ThreadTimer(Duration);

impl ThreadTimer {
    pub fn start() -> ThreadTimer {
        ThreadTimer(read(libc::CLOCK_THREAD_CPUTIME_ID))
    }

    pub fn elapsed_ns(&self) -> u64 {
        (read(libc::CLOCK_THREAD_CPUTIME_ID) - self.0).as_nanos() as u64
    }
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that lives across the call, and both clocks exist on every Linux.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(status, 0, "clock_gettime failed");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Binds this thread to these CPUs. A machine that has fewer of them leaves the thread as it was.
pub(crate) fn pin(cpus: &[usize]) {
    // SAFETY: a cpu_set_t is an array of integers, for which zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        // SAFETY: the set is a valid cpu_set_t; CPU_SET ignores numbers beyond its size.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: the set lives across the call and its size is passed with it; 0 names this thread.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
}
