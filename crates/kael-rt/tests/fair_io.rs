//! Nobody is starved by I/O that is always ready. Counted, not timed: how often the others were polled between the
//! moment when something was ready and its poll.

#![cfg(not(kael_backend = "sim"))] // The flood needs a kernel that answers at once.

mod rig;

use kael_rt::fs::File;
use kael_rt::net::TcpStream;
use kael_rt::time::{Duration, Instant, interval, sleep};
use rig::{READINESS, pair, size, within_limit, zeros};
use std::cell::Cell;
use std::rc::Rc;

const FLOODING: u64 = 256;

/// Counts what the flood does while others wait.
#[derive(Default)]
struct Flood {
    /// Polls that ended with data.
    done: Cell<u64>,
    over: Cell<bool>,
    ticks: Cell<u64>,
    /// When the timer is due next, and how many of the flood's completions came after that.
    due: Cell<Option<Instant>>,
    late: Cell<u64>,
}

impl Flood {
    fn count(&self) {
        self.done.set(self.done.get() + 1);
        // One that never lets go is stopped, so that the others can say what came before them.
        assert!(self.done.get() < 5_000_000, "the flood keeps the core");
        if self.due.get().is_some_and(|due| Instant::now() >= due) {
            self.late.set(self.late.get() + 1);
        }
    }
}

/// Ticks each millisecond; between a tick's time and its poll, at most `bound` of the flood come first.
async fn tick(flood: Rc<Flood>, bound: u64) {
    let mut interval = interval(Duration::from_millis(1));
    while !flood.over.get() {
        flood.late.set(0);
        flood.due.set(Some(Instant::now() + Duration::from_millis(1)));
        interval.tick().await;
        flood.due.set(None);
        let late = flood.late.get();
        assert!(late <= bound, "{late} of the flood came before a timer that was due");
        flood.ticks.set(flood.ticks.get() + 1);
        // The interval may be behind; then the next tick is due at once, and nothing is measured.
        kael_rt::yield_now().await;
    }
}

/// Round trips; in each of the four moves at most `bound` of the flood come first.
async fn echo(flood: &Flood, here: TcpStream, there: TcpStream, bound: u64) {
    let server = kael_rt::spawn(async move {
        let mut buf = Vec::with_capacity(8);
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
    let mut most = 0;
    let (mut round, rounds) = (0, size(300, 10_000) as u64);
    // As long as it takes for a flood to be one; what came before counts for nothing.
    let begun = flood.done.get();
    while round < rounds || flood.done.get() - begun < 10 * rounds {
        round += 1;
        let before = flood.done.get();
        assert_eq!(here.write_all(round.to_le_bytes().to_vec()).await.0.unwrap(), 8);
        assert_eq!(here.read_exact(vec![0; 8]).await.1, round.to_le_bytes());
        most = most.max(flood.done.get() - before);
    }
    assert!(most <= 4 * bound, "{most} of the flood came before one round trip was over");
    drop(here);
    server.await.unwrap();
}

fn beside(flood: impl AsyncFn(Rc<Flood>) + Send + 'static, bound: u64) {
    within_limit(move || {
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        runtime.block_on(async {
            let state = Rc::new(Flood::default());
            flood(state.clone()).await;
            let ticks = kael_rt::spawn(tick(state.clone(), bound));
            let (here, there) = pair().await;
            echo(&state, here, there, bound).await;
            // How long that took is the machine's affair. One that has ended by an assertion says so below.
            while state.ticks.get() <= 10 && !ticks.is_finished() {
                sleep(Duration::from_millis(1)).await;
            }
            state.over.set(true);
            ticks.await.unwrap();
        });
    });
}

/// Each completion starts the next read of its own.
#[test]
fn r27_a_flood_of_completions_starves_nobody() {
    // All of the flood may be ready before, and each may be asked again in the same turn.
    beside(
        async |flood| {
            for _ in 0..FLOODING {
                let flood = flood.clone();
                let file = File::open(zeros()).await.unwrap();
                drop(kael_rt::spawn(async move {
                    let mut buf = Vec::with_capacity(16);
                    while !flood.over.get() {
                        let (n, back) = file.read_at(buf, 0).await;
                        assert_eq!(n.unwrap(), 16);
                        flood.count();
                        buf = back;
                    }
                }));
            }
        },
        // Where the calls are ours, those of a turn are done before and after the timer's task is put into the queue.
        if READINESS { 4 * FLOODING } else { 3 * FLOODING },
    );
}

/// Somebody writes to a stream as fast as it takes it, and it is read with small reads.
#[test]
fn r27_a_stream_that_is_always_ready_starves_nobody() {
    beside(
        async |flood| {
            let (mine, other) = pair().await;
            let mut other = other.into_std().unwrap();
            std::thread::spawn(move || {
                use std::io::Write;
                while other.write_all(&[7; 65_536]).is_ok() {}
            });
            drop(kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(16);
                while !flood.over.get() {
                    let (n, back) = mine.read(buf).await;
                    assert!(n.unwrap() > 0);
                    flood.count();
                    buf = back;
                }
            }));
        },
        // One stream is one completion a turn; or, where the calls are ours, what two polls may do at once, each with one more
        // that was put off.
        if READINESS { 2 * 33 } else { 64 },
    );
}
