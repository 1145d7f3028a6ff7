//! Why a ring could not be made, in a sentence that says what to do.

use crate::Error;
use std::{fs, io};

/// The error for what `step` answered.
pub(super) fn explain(errno: i32, step: &str) -> io::Error {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    // A filter belongs to a thread.
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let filtered = status
        .lines()
        .any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() != "0"));
    let text = sentence(errno, step, kernel.trim(), disabled.trim(), filtered);
    let kind = io::Error::from_raw_os_error(errno).kind();
    Error::setup(kind, text)
}

/// A kernel release's first two numbers.
pub(super) fn release(kernel: &str) -> Option<(u32, u32)> {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn sentence(errno: i32, step: &str, kernel: &str, disabled: &str, filtered: bool) -> String {
    const EPOLL: &str = "or build with RUSTFLAGS='--cfg kael_backend=\"epoll\"'";
    let old = release(kernel).is_some_and(|version| version < (6, 1));
    let cause = match errno {
        libc::ENOSYS | libc::EINVAL if old => format!(
            "this kernel ({kernel}) is too old: Kael's io_uring build needs Linux 6.1 or newer; \
             run a newer kernel, {EPOLL}"
        ),
        libc::EPERM | libc::EACCES if disabled == "2" || disabled == "1" => format!(
            "io_uring is forbidden by the sysctl kernel.io_uring_disabled = {disabled}; set it to 0 \
             (or, with 1, add the user to kernel.io_uring_group), {EPOLL}"
        ),
        libc::EPERM | libc::EACCES | libc::ENOSYS if filtered => format!(
            "io_uring is forbidden by a seccomp filter, as container runtimes install one; allow \
             io_uring_setup, io_uring_enter and io_uring_register in its profile (for Docker: \
             --security-opt seccomp=PROFILE.json), {EPOLL}"
        ),
        libc::EPERM | libc::EACCES => format!(
            "io_uring is forbidden, by a security module or a filter around this process; allow \
             io_uring_setup, {EPOLL}"
        ),
        libc::ENOSYS => format!(
            "this kernel ({kernel}) was built without io_uring (CONFIG_IO_URING); use one that has \
             it, {EPOLL}"
        ),
        libc::EMFILE => "this process has no file descriptor left for the ring (RLIMIT_NOFILE); \
                         close some, or raise the limit with `ulimit -n`"
            .to_owned(),
        libc::ENFILE => "the system has no file descriptor left for the ring; raise the sysctl \
                         fs.file-max"
            .to_owned(),
        libc::ENOMEM | libc::EAGAIN => {
            "the kernel has no memory for the ring: raise RLIMIT_MEMLOCK \
                         (`ulimit -l`) or the container's memory limit, or choose a smaller \
                         Builder::queue_depth"
                .to_owned()
        }
        libc::EINVAL => format!(
            "this kernel ({kernel}) refuses the ring's options; Kael's io_uring build needs Linux \
             6.1 or newer (SINGLE_ISSUER, DEFER_TASKRUN): run a newer kernel, {EPOLL}"
        ),
        _ => "the kernel refused".to_owned(),
    };
    let error = io::Error::from_raw_os_error(errno);
    format!("cannot set up io_uring: {cause} [{step}: {error}]")
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn r09_each_refusal_names_its_cause_and_remedy() {
        let say = |errno, kernel, disabled, filtered| {
            sentence(errno, "io_uring_setup", kernel, disabled, filtered)
        };
        assert!(say(libc::ENOSYS, "5.10.0", "", false).contains("too old"));
        assert!(say(libc::EINVAL, "5.15.0-91", "0", false).contains("6.1 or newer"));
        assert!(say(libc::EPERM, "6.6.1", "2", false).contains("kernel.io_uring_disabled = 2"));
        assert!(say(libc::EPERM, "6.6.1", "0", true).contains("seccomp"));
        assert!(say(libc::ENOSYS, "6.6.1", "0", true).contains("seccomp"));
        assert!(say(libc::ENOSYS, "6.6.1", "0", false).contains("CONFIG_IO_URING"));
        assert!(say(libc::EMFILE, "6.6.1", "0", false).contains("RLIMIT_NOFILE"));
        assert!(say(libc::ENOMEM, "6.6.1", "0", false).contains("RLIMIT_MEMLOCK"));
    }
}
