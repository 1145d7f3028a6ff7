//! What the tests of limits share: sizes, time limits, and processes of their own. No test is in here.
#![allow(dead_code, reason = "each test program uses a part of it")]

use kael_rt::net::{TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

#[path = "../support/again.rs"]
mod again;
#[path = "../support/backend.rs"]
mod backend;
#[path = "../support/once.rs"]
mod once;
#[path = "../support/plain.rs"]
mod plain;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/scale.rs"]
mod scale;
#[path = "../support/until.rs"]
mod until;

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use again::this_program;

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use backend::{COPIES, READINESS};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use once::{poll_once, turns};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use plain::{null, zeros};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use process::resident;

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use scale::{is_emulated, is_emulated_without, is_full, size};

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use until::until;

/// Runs `test` on a thread, for a generous time at most.
pub(crate) fn within_limit(test: impl FnOnce() + Send + 'static) {
    let limit = Duration::from_secs(if is_full() { 900 } else { 120 });
    let (done, end) = channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    if end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!("the test's time limit of {limit:?} has passed");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Runs `test` in a process of its own, for what a process has once: its limits, its descriptors, its filters.
pub(crate) fn in_own_process(name: &str, test: impl FnOnce() + Send + 'static) {
    again::in_own_process(name, || within_limit(test));
}

/// Runs `test` in a process of its own, and expects as many open descriptors afterwards as before.
pub(crate) fn expect_nothing_open(name: &str, test: impl FnOnce() + Send + 'static) {
    in_own_process(name, || {
        let before = open_descriptors();
        test();
        // A thread of the pool holds its core's wake descriptor until it has reported, and reports before it lets go.
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while open_descriptors() != before && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        assert_eq!(open_descriptors(), before, "descriptors are left open");
    });
}

/// The descriptors that this process has open.
pub(crate) fn open_descriptors() -> usize {
    process::open().len()
}

/// Both ends of a connection.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (other, _) = listener.accept().await.unwrap();
    (one, other)
}

/// A file of its own that goes with the value.
pub(crate) struct TempFile(pub std::path::PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> TempFile {
        let path = std::env::temp_dir().join(format!("kael-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).expect("the folder for temporary files can be written");
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
