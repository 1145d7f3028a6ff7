//! A filter is loaded after the runtime was built: from then on io_uring_enter(2) is all it may call of io_uring. The
//! filter belongs to the thread, and each test has a process of its own.

// Its subject is the filter of a ring.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;
#[path = "support/seccomp.rs"]
mod seccomp;

use kael_rt::fs::File;
use kael_rt::runtime::{Builder, Runtime};
use rig::{TempFile, in_own_process, pair, until};
use seccomp::{IO_URING_REGISTER, IO_URING_SETUP};
use std::rc::Rc;

/// From here on io_uring_setup(2) and io_uring_register(2) end so.
fn filter(end: u32) {
    seccomp::filter(&[IO_URING_SETUP, IO_URING_REGISTER], end);
}

/// Connections, files, timers, jobs, dropped operations; more at a time than the queues hold.
fn work(runtime: &Runtime) {
    let path = TempFile::new("after-filter", &[7; 4096]);
    runtime.block_on(async {
        let file = Rc::new(File::open(&path.0).await.unwrap());
        let reads: Vec<_> = (0..400)
            .map(|i| {
                let file = file.clone();
                kael_rt::spawn(async move { file.read_at(vec![0; 8], i).await.1 })
            })
            .collect();
        for read in reads {
            assert_eq!(read.await.unwrap(), [7; 8]);
        }
        let (here, there) = pair().await;
        let dropped = kael_rt::spawn(async move { there.read(vec![0; 8]).await.0 });
        kael_rt::yield_now().await;
        dropped.abort();
        assert_eq!(here.read(vec![0; 8]).await.0.unwrap(), 0);
        assert_eq!(kael_rt::spawn_blocking(|| 7).await.unwrap(), 7);
        let handle = runtime.handle();
        until("nothing is in flight", || handle.metrics().cores[0].in_flight == 0).await;
    });
}

#[test]
fn b17_a_ring_that_keeps_its_size_only_enters() {
    in_own_process("b17_a_ring_that_keeps_its_size_only_enters", || {
        let runtime = Builder::new().queue_depth(2).queue_limit(0).build().unwrap();
        filter(libc::SECCOMP_RET_KILL_PROCESS);
        work(&runtime);
        drop(runtime);
    });
}

/// A growth that the filter refuses changes nothing.
#[test]
fn b17_a_ring_that_may_not_grow_works_all_the_same() {
    in_own_process("b17_a_ring_that_may_not_grow_works_all_the_same", || {
        let runtime = Builder::new().queue_depth(2).build().unwrap();
        filter(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
        for _ in 0..10 {
            work(&runtime);
        }
        assert_eq!(runtime.granted().queue_entries, [2, 8]);
        assert_eq!(runtime.granted().lost_completions, 0);
    });
}
