//! io_uring_enter(2) fails: nothing is lost, nothing panics, and nothing spins.

use super::{TempPath, counters, faults, in_time, is_emulated, is_full, pair};
use crate::runtime::Builder;
use crate::time::{Duration, Instant, sleep};
use std::rc::Rc;

/// Echo over TCP, a file written and read, a timer, a stream that is dropped with a read under way.
async fn work(path: &TempPath) {
    let (here, there) = pair().await;
    let echo = crate::spawn(async move {
        let mut buf = Vec::with_capacity(64);
        loop {
            let (n, back) = there.read(buf).await;
            if n.unwrap() == 0 {
                return;
            }
            let (n, back) = there.write_all(back).await;
            n.unwrap();
            buf = back;
        }
    });
    let file = Rc::new(path.open().await);
    for round in 0..40u64 {
        let bytes = round.to_le_bytes().to_vec();
        let (n, bytes) = here.write_all(bytes).await;
        assert_eq!(n.unwrap(), 8);
        let (n, back) = here.read_exact(vec![0; 8]).await;
        assert_eq!(n.unwrap(), 8);
        assert_eq!(back, bytes);
        let writes = [round, round + 100].map(|at| {
            let file = file.clone();
            crate::spawn(async move { file.write_all_at(at.to_le_bytes().to_vec(), at * 8).await })
        });
        for write in writes {
            assert_eq!(write.await.unwrap().0.unwrap(), 8);
        }
        let (n, back) = file.read_exact_at(vec![0; 8], round * 8).await;
        assert_eq!(n.unwrap(), 8);
        assert_eq!(back, round.to_le_bytes());
    }
    sleep(Duration::from_micros(100)).await;
    let (idle, peer) = pair().await;
    let dropped = crate::spawn(async move { idle.read(vec![0; 8]).await.0 });
    crate::yield_now().await;
    dropped.abort();
    assert_eq!(peer.read(vec![0; 8]).await.0.unwrap(), 0);
    here.close().await.unwrap();
    echo.await.unwrap();
}

fn with_failing_enters(name: &str, errno: i32) {
    let name = name.to_owned();
    in_time(move || {
        let path = TempPath::holding(&name, &[0; 1024]);
        faults::clear();
        let quiet = run(&path);
        // How many calls it takes depends on the kernel: what one does at once, another leaves to a thread of its own.
        let calls = faults::enters();
        assert!(calls >= 100, "the work is {calls} calls");
        let steps = match (is_full(), is_emulated()) {
            (true, _) => 1,
            (false, true) => 9,
            (false, false) => 2,
        };
        let (mut runs, mut failed) = (0, 0);
        for nth in (1..=calls.min(200)).step_by(steps) {
            for count in [1, 4] {
                faults::fail_enter(nth, count, errno);
                let (turns, left) = run(&path);
                runs += 1;
                failed += u32::from(faults::hits() > 0);
                faults::clear();
                assert_eq!(left, 0, "in flight after {count} failures from call {nth} on");
                let bound = 2 * quiet.0 + 50;
                assert!(turns <= bound, "{turns} turns, {} without failures", quiet.0);
            }
        }
        // How many calls a run makes depends on how fast the kernel is, too.
        assert!(failed * 4 >= runs * 3, "{failed} of {runs} runs met a failure");
    });
}

/// The turns that the work took, and what is in flight afterwards.
fn run(path: &TempPath) -> (u64, u64) {
    let runtime = Builder::new().queue_depth(4).build().unwrap();
    runtime.block_on(work(path));
    let left = runtime.block_on(async { counters().in_flight });
    (runtime.handle().metrics().cores[0].turns, left)
}

#[test]
fn r08_enter_fails_with_eagain() {
    with_failing_enters("r08-eagain", libc::EAGAIN);
}

#[test]
fn r08_enter_fails_with_ebusy() {
    with_failing_enters("r08-ebusy", libc::EBUSY);
}

#[test]
fn r08_enter_fails_with_enomem() {
    with_failing_enters("r08-enomem", libc::ENOMEM);
}

#[test]
fn r08_enter_fails_with_eintr() {
    with_failing_enters("r08-eintr", libc::EINTR);
}

/// As long as the kernel takes no submission, the core waits between two attempts.
#[test]
fn r08_a_kernel_without_memory_is_not_asked_in_a_loop() {
    in_time(|| {
        for errno in [libc::EAGAIN, libc::EBUSY, libc::ENOMEM] {
            let path = TempPath::holding("r08-memory", &[7; 64]);
            let runtime = Builder::new().build().unwrap();
            runtime.block_on(async {
                let file = path.open().await;
                const FAILURES: u32 = 20;
                faults::fail_submitting(1, FAILURES, errno);
                let before = counters().syscalls;
                let began = Instant::now();
                let (n, buf) = file.read_at(vec![0; 64], 0).await;
                assert_eq!((n.unwrap(), buf), (64, vec![7; 64]));
                assert_eq!(faults::hits(), FAILURES);
                let calls = counters().syscalls - before;
                assert!(calls <= u64::from(3 * FAILURES), "{calls} calls for {FAILURES} failures");
                // Each failure costs a wait of 2 ms.
                let waited = began.elapsed();
                assert!(waited >= Duration::from_millis(u64::from(FAILURES)), "only {waited:?}");
                faults::clear();
            });
        }
    });
}

/// What was queued for the next submission, when there is none any more.
#[test]
fn r08_a_close_that_is_never_submitted_still_closes() {
    in_time(|| {
        let runtime = Builder::new().build().unwrap();
        let (addr, peer) = runtime.block_on(async {
            let (here, there) = pair().await;
            let addr = here.local_addr().unwrap();
            faults::fail_submitting(1, u32::MAX, libc::EAGAIN);
            drop(here);
            (addr, there.into_std().expect("nothing is under way"))
        });
        assert_eq!(peer.peer_addr().unwrap(), addr);
        drop(runtime);
        faults::clear();
        let mut peer = peer;
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let read = std::io::Read::read(&mut peer, &mut [0; 8]);
        assert_eq!(read.expect("the end, and no silence"), 0);
    });
}
