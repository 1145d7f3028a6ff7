//! A ring that nobody may make: the error says who forbids it, and what to do.

#![cfg(not(any(windows, kael_backend = "epoll", kael_backend = "kqueue", kael_backend = "sim")))] // Its subject is the set-up of a ring.

mod rig;
#[path = "support/seccomp.rs"]
mod seccomp;

use kael_rt::Error;
use kael_rt::runtime::Builder;
use rig::expect_nothing_open;

fn expect_forbidden(errno: i32) {
    // As container runtimes do it.
    seccomp::filter(&[seccomp::IO_URING_SETUP], libc::SECCOMP_RET_ERRNO | errno as u32);
    let error = Builder::new().build().unwrap_err();
    assert!(Error::of(&error).is_some_and(Error::is_setup), "{error}");
    let text = error.to_string();
    for part in ["seccomp", "allow io_uring_setup", "kael_backend=\"epoll\""] {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
    // `block_on` has nobody to give the error to: it panics with the text.
    let panic = std::panic::catch_unwind(|| kael_rt::block_on(async {})).unwrap_err();
    let said = panic.downcast_ref::<String>().expect("a text");
    assert!(said.contains("seccomp"), "{said}");
}

#[test]
fn io_uring_forbidden_by_a_filter() {
    expect_nothing_open("io_uring_forbidden_by_a_filter", || expect_forbidden(libc::EPERM));
}

/// Docker's default profile answered so for years.
#[test]
fn io_uring_hidden_by_a_filter() {
    expect_nothing_open("io_uring_hidden_by_a_filter", || expect_forbidden(libc::ENOSYS));
}
