//! The other cores of a runtime: each is a thread that builds its own [`Core`] and runs it until it is told to end.
//!
//! ```text
//!   begin ──▶ the thread builds its core ──▶ reports it ──▶ waits for all ──▶ runs ──▶ is told ──▶ ends its core ──▶ reports
//!                      │ refused                                │ one was refused                     ▲
//!                      └──▶ reports why                         └─────────────────────────────────────┘
//! ```
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::blocking::BlockingPool;
use super::builder::Builder;
use super::core::Core;
use super::handle::Shared;
use super::run_loop;
use crate::sys;

/// How much longer than its limit the end of a runtime waits for a core to say that it has ended.
const GRACE: Duration = Duration::from_millis(200);

/// What the thread that has the runtime knows of the others. Dropped before they were told to end, it ends them.
pub(super) struct Others {
    running: Vec<Running>,
    ends: Arc<Ends>,
}

struct Running {
    shared: Arc<Shared>,
    /// Makes the core look whether it is to end.
    waker: Waker,
    /// Its other side goes when the thread has ended its core, in whatever way.
    ended: mpsc::Receiver<()>,
    thread: thread::JoinHandle<()>,
}

/// When the cores' operations are to have ended, once the cores are told to.
type Ends = OnceLock<Instant>;

/// What a core is when it has been built.
struct Report {
    shared: Arc<Shared>,
    waker: Waker,
}

/// What all cores are told when the last of them has been built.
type AllShared = Arc<[Arc<Shared>]>;

impl Others {
    /// Builds all cores but the first, which is there already and told of the others.
    pub(super) fn begin(builder: &Builder, first: &Core) -> io::Result<Others> {
        let mut others = Others { running: Vec::new(), ends: Arc::default() };
        let mut waiting = Vec::new();
        for index in 1..builder.cores {
            let (go, told) = mpsc::channel::<AllShared>();
            let (ends, ended) = mpsc::channel();
            let (report, built) = mpsc::sync_channel(1);
            let start = Start {
                index,
                builder: builder.clone(),
                pool: first.pool.clone(),
                ends: others.ends.clone(),
                _ended: ends,
            };
            let thread = thread::Builder::new().name(format!("kael-core-{index}"));
            let thread = thread
                .spawn(move || start.run(&report, &told))
                .map_err(|error| of_core(index, &error))?;
            let gone = || Err(io::Error::other("its thread ended while it was built"));
            let Report { shared, waker } = match built.recv().unwrap_or_else(|_| gone()) {
                Ok(report) => report,
                Err(error) => {
                    drop(thread.join());
                    return Err(of_core(index, &error));
                }
            };
            others.running.push(Running { shared, waker, ended, thread });
            waiting.push(go);
        }
        let running = others.running.iter().map(|core| core.shared.clone());
        let all: AllShared = std::iter::once(first.shared.clone()).chain(running).collect();
        first.meet(all.clone());
        // Who has the runtime may place tasks at once.
        others.running.iter().for_each(|core| core.shared.set_running(true));
        for go in waiting {
            // A core that is gone already says so to whom it matters: its handles are cancelled.
            let _ = go.send(all.clone());
        }
        Ok(others)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Tells them to end. Their operations have until `deadline`.
    pub(super) fn begin_to_end(&self, deadline: Instant) {
        let told = self.ends.set(deadline);
        assert!(told.is_ok(), "they are told once");
        for core in &self.running {
            core.shared.close();
            core.waker.wake_by_ref();
        }
    }

    /// Waits until they have ended. One whose task blocks its thread is left alone, and counted: it ends when that does.
    pub(super) fn end(mut self, deadline: Instant) {
        let latest = deadline + GRACE;
        for core in self.running.drain(..) {
            let left = latest.saturating_duration_since(Instant::now());
            match core.ended.recv_timeout(left) {
                Err(mpsc::RecvTimeoutError::Timeout) => core.shared.counters.left_running.set(1),
                // What panicked has said so where it did, and nobody else is to.
                Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => drop(core.thread.join()),
            }
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        if self.ends.get().is_none() {
            self.begin_to_end(Instant::now());
            for core in self.running.drain(..) {
                // It has had no task yet, so nothing blocks it.
                drop(core.thread.join());
            }
        }
    }
}

/// The error of one core's beginning, with its number.
fn of_core(index: usize, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("core {index}: {error}"))
}

/// What a thread begins with.
struct Start {
    index: usize,
    builder: Builder,
    pool: Arc<BlockingPool>,
    ends: Arc<Ends>,
    /// Goes with the thread's last words.
    _ended: mpsc::Sender<()>,
}

impl Start {
    fn run(self, report: &mpsc::SyncSender<io::Result<Report>>, told: &mpsc::Receiver<AllShared>) {
        let pinned = self.builder.pin_cores.then(|| sys::pin_to_cpu(self.index)).transpose();
        let built =
            pinned.and_then(|pinned| Ok((pinned, Core::new(&self.builder, self.pool.clone())?)));
        let (_pinned, core) = match built {
            Ok(built) => built,
            Err(error) => return drop(report.send(Err(error))),
        };
        // Whatever happens from here on, the core has its end.
        let core = EndsWithThread { core, ends: &self.ends, limit: self.builder.shutdown_timeout };
        let waker = core.core.main_waker.clone();
        let sent = report.send(Ok(Report { shared: core.core.shared.clone(), waker }));
        let (Ok(()), Ok(all)) = (sent, told.recv()) else { return };
        core.core.meet(all);
        run_loop::block_on(
            &core.core,
            poll_fn(|_| match self.ends.get() {
                Some(_) => Poll::Ready(()),
                None => Poll::Pending,
            }),
        );
    }
}

struct EndsWithThread<'a> {
    core: Rc<Core>,
    ends: &'a Ends,
    limit: Duration,
}

impl Drop for EndsWithThread<'_> {
    fn drop(&mut self) {
        // Without a deadline it is the core that cannot go on, by its own panic.
        let left =
            self.ends.get().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        self.core.end(left.unwrap_or(self.limit));
    }
}
