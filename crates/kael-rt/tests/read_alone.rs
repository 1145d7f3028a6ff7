//! Reads of a file one after another: what is in memory is answered without the ring, which nobody can tell but by the count
//! of submissions. What is not, what ends early, and what is no file goes by the ring.

// Only a ring has another way.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;

use kael_rt::fs::File;
use kael_rt::runtime::{Builder, CoreMetrics, Handle};
use rig::{TempFile, within_limit};
use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::rc::Rc;

const PAGE: usize = 4096;
const PAGES: u64 = 64;

/// Each page full of its number, or what a byte takes of that.
fn pages(name: &str, count: u64) -> TempFile {
    let bytes: Vec<u8> = (0..count).flat_map(|page| [page as u8; PAGE]).collect();
    TempFile::new(name, &bytes)
}

fn now(handle: &Handle) -> CoreMetrics {
    handle.metrics().cores[0].clone()
}

/// Has the system forget some of a file, as far as it can.
fn forget(file: &TempFile, from: u64, len: u64) {
    let file = std::fs::File::open(&file.0).unwrap();
    file.sync_all().unwrap();
    // SAFETY: plain numbers.
    unsafe {
        libc::posix_fadvise(file.as_raw_fd(), from as i64, len as i64, libc::POSIX_FADV_DONTNEED)
    };
}

/// Whether the file system can read what is in memory and no more.
fn tells_what_is_in_memory(file: &TempFile) -> bool {
    let file = std::fs::File::open(&file.0).unwrap();
    let mut byte = 0u8;
    let vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: room for one byte, which is ours.
    let n = unsafe { libc::preadv2(file.as_raw_fd(), &raw const vector, 1, 0, libc::RWF_NOWAIT) };
    n == 1 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EOPNOTSUPP)
}

#[test]
fn e06_reads_in_memory_that_are_alone_need_no_submission() {
    within_limit(|| {
        let temp = pages("read-alone", PAGES);
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let file = File::open(&temp.0).await.unwrap();
            let mut buf = vec![0; PAGE];
            // The first of all brings the pages.
            file.read_at(vec![0; PAGES as usize * PAGE], 0).await.0.unwrap();
            kael_rt::yield_now().await;
            let before = now(&handle);
            for read in 0..1000 {
                let page = read % PAGES;
                let (n, back) = file.read_at(buf, page * PAGE as u64).await;
                assert_eq!(n.unwrap(), PAGE);
                assert!(back.iter().all(|byte| u64::from(*byte) == page));
                buf = back;
            }
            kael_rt::time::sleep(kael_rt::time::Duration::from_millis(1)).await;
            let after = now(&handle);
            let submitted = after.submitted - before.submitted;
            if tells_what_is_in_memory(&temp) {
                assert!(submitted < 200, "{submitted} submissions for 1000 reads");
            } else {
                println!("not checked: this file system does not tell what is in memory");
            }
            assert_eq!(after.completed - before.completed, 1000);
            // Each has one call, and a few go to what runs beside them.
            let calls = after.syscalls - before.syscalls;
            assert!(calls <= 1010, "{calls} calls for 1000 reads");
        });
    });
}

#[test]
fn e06_a_read_that_is_in_memory_in_part_is_whole_all_the_same() {
    within_limit(|| {
        // A system may keep a file in pieces of 2 MiB, and forgets only whole ones.
        let size = 8 << 20;
        let temp = pages("read-part", size as u64 / PAGE as u64);
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let file = File::open(&temp.0).await.unwrap();
            for round in 0..10 {
                // The first half is in memory, and reads have been alone for a while, so the next is tried at once.
                for _ in 0..100 {
                    file.read_at(vec![0; 64], 0).await.0.unwrap();
                }
                forget(&temp, size as u64 / 2, 0);
                let (n, bytes) = file.read_at(vec![0; size], 0).await;
                assert_eq!(n.unwrap(), size, "round {round}");
                let is_right = |(i, byte): (usize, &u8)| *byte == (i / PAGE) as u8;
                assert!(bytes.iter().enumerate().all(is_right));
            }
        });
    });
}

#[test]
fn e06_the_end_of_a_file_is_found() {
    within_limit(|| {
        let temp = TempFile::new("read-end", &[7; 100]);
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let file = File::open(&temp.0).await.unwrap();
            for _ in 0..100 {
                let (n, bytes) = file.read_at(Vec::with_capacity(64), 0).await;
                assert_eq!((n.unwrap(), bytes), (64, vec![7; 64]));
                let (n, bytes) = file.read_at(Vec::with_capacity(64), 64).await;
                assert_eq!((n.unwrap(), bytes), (36, vec![7; 36]));
                let (n, bytes) = file.read_at(Vec::with_capacity(64), 100).await;
                assert_eq!((n.unwrap(), bytes.len()), (0, 0));
                file.read_exact_at(vec![0; 100], 0).await.0.unwrap();
                let (error, _) = file.read_exact_at(vec![0; 100], 50).await;
                assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
                let (error, _) = file.read_exact_at(vec![0; 100], 200).await;
                assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
            }
            let written = File::create(&temp.0).await.unwrap();
            for _ in 0..20 {
                let (error, _) = written.read_at(vec![0; 10], 0).await;
                assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EBADF));
            }
        });
    });
}

#[test]
fn e06_reads_in_memory_leave_the_core_to_others() {
    within_limit(|| {
        let temp = pages("read-others", PAGES);
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let file = File::open(&temp.0).await.unwrap();
            let turns = Rc::new(Cell::new(0));
            let counted = turns.clone();
            let other = kael_rt::spawn(async move {
                loop {
                    counted.set(counted.get() + 1);
                    kael_rt::time::sleep(kael_rt::time::Duration::from_micros(1)).await;
                }
            });
            for _ in 0..2000 {
                file.read_at(vec![0; 64], 0).await.0.unwrap();
            }
            other.abort();
            assert!(turns.get() > 20, "{} turns of another task during 2000 reads", turns.get());
        });
    });
}
