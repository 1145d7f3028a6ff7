//! A process without descriptors, for tests in a process of their own. No test is in here.

use std::fs::File;
use std::os::fd::AsRawFd;

/// Takes all descriptors that are left.
pub(crate) fn starve() -> Vec<File> {
    let one = File::open("/dev/null").unwrap();
    // Room for those in use and a few more, so that there is not much to be filled.
    let most = one.as_raw_fd() as u64 + 16;
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a limit by its address; this process is the test's own.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let mut held = vec![one];
    loop {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                return held;
            }
        }
    }
}
