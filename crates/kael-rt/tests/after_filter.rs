//! A filter is loaded after the runtime was built: from then on io_uring_enter(2) is all it may call of io_uring. The
//! filter belongs to the thread, and each test has a process of its own.

#![cfg(not(kael_backend = "sim"))] // The simulated kernel has no system calls.

mod rig;

use kael_rt::fs::File;
use kael_rt::runtime::{Builder, Runtime};
use rig::{TempFile, in_own_process, pair};
use std::io;
use std::rc::Rc;

const SETUP: u32 = 425;
const REGISTER: u32 = 427;

/// From here on io_uring_setup(2) and io_uring_register(2) end so.
fn filter(end: u32) {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        // The system call's number is the first word of seccomp_data.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, SETUP),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, REGISTER),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, end),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; this thread is the test's own.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies the program, which is here until then.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
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
        kael_rt::time::sleep(kael_rt::time::Duration::from_micros(100)).await;
    });
    assert_eq!(runtime.handle().metrics().cores[0].in_flight, 0);
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
