//! A file that was closed is closed, although the ring had it in a table of its own.

#![cfg(not(kael_backend = "sim"))] // Others look at its files, and run them.

mod rig;

use kael_rt::fs::File;
use kael_rt::time::{Duration, Instant, sleep};
use rig::within_limit;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// More files than the table has places.
const FILES: usize = 1_500;

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

/// Fails unless nobody has the file open soon. (Before Linux 6.13 the kernel empties a place in the background.)
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

#[derive(Clone, Copy, Debug)]
enum Way {
    Close,
    IntoStd,
}

/// A program that somebody has open for writing cannot be run (ETXTBSY).
#[test]
fn r07_a_program_that_was_written_can_be_run_once_it_is_closed() {
    within_limit(|| {
        kael_rt::block_on(async {
            let path = TempPath::new("program");
            for way in [Way::Close, Way::IntoStd].into_iter().cycle().take(10) {
                let file = File::options().write(true).create(true).truncate(true).open(&path.0);
                let file = file.await.unwrap();
                file.write_all_at("#!/bin/sh\nexit 7\n", 0).await.0.unwrap();
                match way {
                    Way::Close => file.close().await.unwrap(),
                    Way::IntoStd => drop(file.into_std().unwrap()),
                }
                std::fs::set_permissions(&path.0, Permissions::from_mode(0o700)).unwrap();
                let ran = Command::new(&path.0).status();
                let ran = ran.unwrap_or_else(|error| panic!("closed by {way:?}: {error}"));
                assert_eq!(ran.code(), Some(7));
            }
        });
    });
}
