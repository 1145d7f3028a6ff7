//! A file that was closed is closed, although the ring had it in a table of its own.

// Only a ring has such a table.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;

use kael_rt::fs::File;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, Instant, sleep};
use rig::within_limit;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

/// More files than the table has places.
const FILES: usize = 1_500;

/// One test at a time: a child of one would have the files and leases of another for a moment.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|error| error.into_inner())
}

/// A path of its own; what is there goes with the value.
struct TempPath(PathBuf);

impl TempPath {
    fn new(name: &str) -> TempPath {
        TempPath(std::env::temp_dir().join(format!("kael-table-{name}-{}", std::process::id())))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether nobody has the file open: only then does the kernel lease it for writing. `None`: this file system has no
/// leases.
fn is_open_nowhere(path: &Path) -> Option<bool> {
    let file = std::fs::File::open(path).unwrap();
    // SAFETY: a lease points at no memory.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
    if answer == 0 {
        return Some(true);
    }
    let error = std::io::Error::last_os_error();
    (error.kind() == ErrorKind::WouldBlock).then_some(false)
}

/// Fails unless nobody has the file open soon.
async fn is_let_go(path: &Path, otherwise: &str) {
    let began = Instant::now();
    loop {
        match is_open_nowhere(path) {
            Some(true) => return,
            Some(false) => {}
            None => return println!("not checked: leases, which this file system does not have"),
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{otherwise}");
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn r07_files_that_were_dropped_or_closed_are_open_nowhere() {
    within_limit(|| {
        let _alone = alone();
        kael_rt::block_on(async {
            let path = TempPath::new("read");
            std::fs::write(&path.0, b"many").unwrap();
            for closed in [false, true] {
                for _ in 0..FILES {
                    let file = File::open(&path.0).await.unwrap();
                    assert_eq!(file.read_at(vec![0; 4], 0).await.1, b"many");
                    if closed {
                        file.close().await.unwrap();
                    }
                }
                let how = if closed { "closed" } else { "dropped" };
                is_let_go(&path.0, &format!("a file that was {how} is open still")).await;
            }
        });
    });
}

/// A program that is open for writing. (It is not written through the ring: a worker of the kernel may have a file
/// for a moment after its write is done.)
async fn written(path: &Path) -> File {
    std::fs::write(path, "#!/bin/sh\nexit 7\n").unwrap();
    let file = File::options().write(true).open(path).await.unwrap();
    // The ring has it in its table with the next call.
    file.metadata().await.unwrap();
    file
}

/// Runs a program, which is refused while somebody has it open for writing (ETXTBSY).
fn run(path: &Path) {
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    let ran = Command::new(path).status().expect("nobody has the program open");
    assert_eq!(ran.code(), Some(7));
}

#[test]
fn r07_a_program_that_was_written_and_closed_can_be_run() {
    within_limit(|| {
        let _alone = alone();
        let path = TempPath::new("closed");
        for _ in 0..10 {
            kael_rt::block_on(async {
                written(&path.0).await.close().await.unwrap();
                run(&path.0);
            });
        }
    });
}

#[test]
fn r07_a_program_whose_file_the_standard_library_closed_can_be_run() {
    within_limit(|| {
        let _alone = alone();
        let path = TempPath::new("std");
        for _ in 0..10 {
            kael_rt::block_on(async {
                drop(written(&path.0).await.into_std().unwrap());
                run(&path.0);
            });
        }
    });
}

#[test]
fn r07_a_program_whose_file_outlived_its_runtime_can_be_run() {
    within_limit(|| {
        let _alone = alone();
        let path = TempPath::new("outlived");
        for _ in 0..10 {
            let runtime = Builder::new().build().unwrap();
            let file = runtime.block_on(written(&path.0));
            drop(runtime);
            drop(file);
            run(&path.0);
        }
    });
}
