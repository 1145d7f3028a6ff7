//! [`Meter`]: runs an operation again and again, one at a time and 64 at a time, and counts what it costs. What the
//! operations are is known to the modules beside this one.
//!
//! Counted are the differences between two readings of the runtime's own counters around the operation. What a lane
//! does before each run (a peer that sends, an old connection that ends) is outside of them.

use crate::allocations;
use crate::fail::doing;
use crate::latency::{Latency, Recorder};
use indicatif::ProgressBar;
use kael_rt::budget::{self, Budget};
use kael_rt::runtime::Handle;
use kael_rt::time::{Duration, Instant};
use std::io;

pub(crate) const MANY: usize = 64;

/// Runs of an operation that fill the pools, before any is counted.
const WARM_RUNS: u64 = 1_000;
/// Not more than this part of the time goes into them (for operations that take milliseconds).
const WARM_SHARE: u32 = 3;
/// However long they take, so many batches and operations are counted.
const LEAST_BATCHES: u64 = 4;
const LEAST_OPERATIONS: u64 = 100;
/// A row that breaks its budget is measured again, so often at most: a thread that had to be started, or a wait that
/// the machine cut short, is not what each operation costs, and does not come again. What does is a break.
const MEASUREMENTS: u32 = 3;

/// What is run: the operation, and what must be made ready before each run of it.
pub(crate) struct Lane<P, R> {
    prepare: P,
    run: R,
}

/// A lane's first closure, where there is nothing to do.
pub(crate) type Ready = fn() -> io::Result<()>;

/// A lane that needs nothing made ready.
pub(crate) fn plain<R>(run: R) -> io::Result<Lane<Ready, R>>
where
    R: AsyncFnMut() -> io::Result<()>,
{
    Ok(Lane { prepare: || Ok(()), run })
}

/// A lane whose first closure is called before each run, uncounted.
pub(crate) fn prepared<P, R>(prepare: P, run: R) -> io::Result<Lane<P, R>>
where
    P: FnMut() -> io::Result<()>,
    R: AsyncFnMut() -> io::Result<()>,
{
    Ok(Lane { prepare, run })
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) budget: &'static Budget,
    pub(crate) in_flight: usize,
    pub(crate) operations: u64,
    pub(crate) syscalls: u64,
    pub(crate) submissions: u64,
    pub(crate) allocations: u64,
    pub(crate) latency: Latency,
    /// How often it was measured; what stands here is of the last time.
    pub(crate) measurements: u32,
}

pub(crate) struct Meter {
    handle: Handle,
    /// How many there were in this process so far.
    allocations: fn() -> u64,
    time_per_row: Duration,
    bar: ProgressBar,
    recorder: Recorder,
    /// Whether waits count. They do not for wakes from other threads: a wait is paid by whoever waits.
    count_waits: bool,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Copy, Default)]
struct Reading {
    syscalls: u64,
    submissions: u64,
    allocations: u64,
}

/// What the row before has left, peers that see the end of their connections above all, ends before a row begins.
async fn settle() {
    kael_rt::time::sleep(Duration::from_millis(2)).await;
}

/// How long operations of earlier rows are waited for.
const UNTIL_IDLE: Duration = Duration::from_secs(2);

impl Meter {
    pub(crate) fn new(handle: Handle, time_per_row: Duration, bar: ProgressBar) -> Meter {
        let recorder = Recorder::new();
        let allocations = allocations::count;
        Meter {
            handle,
            allocations,
            time_per_row,
            bar,
            recorder,
            count_waits: true,
            rows: Vec::new(),
        }
    }

    /// Measures an operation at one and at 64 in flight. `make` makes a lane.
    pub(crate) async fn row<P, R>(
        &mut self,
        operation: &'static str,
        mut make: impl FnMut() -> io::Result<Lane<P, R>>,
    ) -> io::Result<()>
    where
        P: FnMut() -> io::Result<()> + 'static,
        R: AsyncFnMut() -> io::Result<()> + 'static,
    {
        let lane = make().map_err(doing(operation))?;
        self.one(operation, lane).await?;
        self.many(operation, make).await
    }

    /// As [`row`](Self::row), for wakes: the waits that they end are not counted.
    pub(crate) async fn row_without_waits<P, R>(
        &mut self,
        operation: &'static str,
        make: impl FnMut() -> io::Result<Lane<P, R>>,
    ) -> io::Result<()>
    where
        P: FnMut() -> io::Result<()> + 'static,
        R: AsyncFnMut() -> io::Result<()> + 'static,
    {
        self.until_idle().await;
        self.count_waits = false;
        let result = self.row(operation, make).await;
        self.count_waits = true;
        result
    }

    /// While the kernel has operations, a core that is busy looks for their answers, by calls that are no wake's. (Wine may
    /// take its time to cancel what an earlier row has dropped.)
    async fn until_idle(&self) {
        let latest = Instant::now() + UNTIL_IDLE;
        loop {
            let left = self.handle.metrics().cores[0].in_flight;
            if left == 0 {
                return;
            }
            if Instant::now() > latest {
                return self.bar.suspend(|| {
                    eprintln!("kael: {left} operations of earlier rows have not ended: the looks for them are counted");
                });
            }
            settle().await;
        }
    }

    /// One operation after the other.
    pub(crate) async fn one<P, R>(
        &mut self,
        operation: &'static str,
        mut lane: Lane<P, R>,
    ) -> io::Result<()>
    where
        P: FnMut() -> io::Result<()>,
        R: AsyncFnMut() -> io::Result<()>,
    {
        for measurement in 1..=MEASUREMENTS {
            settle().await;
            let mut count = self.begin(operation, 1);
            while self.goes_on(&mut count) {
                (lane.prepare)().map_err(doing(operation))?;
                let before = self.read_before();
                let start = Instant::now();
                (lane.run)().await.map_err(doing(operation))?;
                let time = start.elapsed();
                self.add(&mut count, before);
                self.recorder.record(time);
            }
            if self.is_done(&count, measurement) {
                break;
            }
        }
        Ok(())
    }

    /// 64 operations that begin together, then the next 64.
    pub(crate) async fn many<P, R>(
        &mut self,
        operation: &'static str,
        mut make: impl FnMut() -> io::Result<Lane<P, R>>,
    ) -> io::Result<()>
    where
        P: FnMut() -> io::Result<()> + 'static,
        R: AsyncFnMut() -> io::Result<()> + 'static,
    {
        let mut lanes = Vec::with_capacity(MANY);
        for _ in 0..MANY {
            lanes.push(make().map_err(doing(operation))?);
        }
        let mut tasks = Vec::with_capacity(MANY);
        for measurement in 1..=MEASUREMENTS {
            settle().await;
            let mut count = self.begin(operation, MANY);
            while self.goes_on(&mut count) {
                for lane in &mut lanes {
                    (lane.prepare)().map_err(doing(operation))?;
                }
                let before = self.read_before();
                for mut lane in lanes.drain(..) {
                    tasks.push(kael_rt::spawn(async move {
                        let start = Instant::now();
                        let result = (lane.run)().await;
                        (lane, result, start.elapsed())
                    }));
                }
                for task in tasks.drain(..) {
                    let (lane, result, time) = task.await.map_err(io::Error::other)?;
                    result.map_err(doing(operation))?;
                    self.recorder.record(time);
                    lanes.push(lane);
                }
                self.add(&mut count, before);
            }
            if self.is_done(&count, measurement) {
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, operation: &'static str, in_flight: usize) -> Count {
        let budget = budget::TABLE
            .iter()
            .find(|budget| budget.operation == operation)
            .unwrap_or_else(|| panic!("`{operation}` is no row of kael_rt::budget::TABLE"));
        self.bar.set_message(operation);
        self.recorder.reset();
        let now = Instant::now();
        Count {
            budget,
            in_flight,
            warm_until: now + self.time_per_row / WARM_SHARE,
            until: now + self.time_per_row,
            warm: 0,
            warming: true,
            batches: 0,
            sum: Reading::default(),
        }
    }

    /// Whether there is another batch, and whether it is still one that warms up.
    fn goes_on(&mut self, count: &mut Count) -> bool {
        let now = Instant::now();
        if count.warming && count.warm > 0 && (count.warm >= WARM_RUNS || now >= count.warm_until) {
            count.warming = false;
            count.batches = 0;
            count.sum = Reading::default();
            self.recorder.reset();
        }
        let operations = count.batches * count.in_flight as u64;
        let is_enough = count.batches >= LEAST_BATCHES && operations >= LEAST_OPERATIONS;
        count.warming || now < count.until || !is_enough
    }

    fn add(&self, count: &mut Count, before: Reading) {
        let after = self.read_after();
        count.warm += count.in_flight as u64;
        count.batches += 1;
        count.sum.syscalls += after.syscalls.saturating_sub(before.syscalls);
        count.sum.submissions += after.submissions - before.submissions;
        count.sum.allocations += after.allocations - before.allocations;
    }

    /// Notes the row, unless it is to be measured again.
    fn is_done(&mut self, count: &Count, measurements: u32) -> bool {
        let row = Row {
            budget: count.budget,
            in_flight: count.in_flight,
            operations: count.batches * count.in_flight as u64,
            syscalls: count.sum.syscalls,
            submissions: count.sum.submissions,
            allocations: count.sum.allocations,
            latency: self.recorder.summary(),
            measurements,
        };
        let is_done = row.broken().is_none() || measurements == MEASUREMENTS;
        if is_done {
            self.bar.inc(1);
            self.rows.push(row);
        }
        is_done
    }

    /// The reading itself allocates, so it stands outside of what it reads.
    fn read_before(&self) -> Reading {
        let reading = self.read();
        Reading { allocations: (self.allocations)(), ..reading }
    }

    fn read_after(&self) -> Reading {
        let allocations = (self.allocations)();
        Reading { allocations, ..self.read() }
    }

    fn read(&self) -> Reading {
        let core = &self.handle.metrics().cores[0];
        // Each wait is one call.
        let waits = if self.count_waits { 0 } else { core.sleeps };
        let syscalls = core.syscalls.saturating_sub(waits);
        Reading { syscalls, submissions: core.submitted, allocations: 0 }
    }
}

/// A row while it is measured.
struct Count {
    budget: &'static Budget,
    in_flight: usize,
    warm_until: Instant,
    until: Instant,
    warm: u64,
    warming: bool,
    batches: u64,
    sum: Reading,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row of an operation that waits in its first so many runs, which its budget does not have.
    fn measured(waiting: u64) -> Row {
        let runtime = kael_rt::runtime::Builder::new().build().expect("a runtime");
        let mut meter = Meter::new(runtime.handle(), Duration::ZERO, ProgressBar::hidden());
        // Other tests allocate meanwhile.
        meter.allocations = || 0;
        let mut runs = 0;
        let lane = plain(async || {
            runs += 1;
            if runs <= waiting {
                kael_rt::time::sleep(Duration::from_micros(100)).await;
            }
            Ok(())
        });
        let lane = lane.expect("nothing is made ready");
        runtime.block_on(meter.one("yield_now", lane)).expect("it is measured");
        meter.rows.pop().expect("one row")
    }

    #[test]
    fn what_does_not_come_again_breaks_no_budget() {
        let (never, once) = (measured(0), measured(LEAST_OPERATIONS / 2));
        assert_eq!((never.measurements, never.broken()), (1, None));
        assert_eq!((once.measurements, once.broken()), (2, None));
    }

    #[test]
    fn what_comes_each_time_breaks_its_budget() {
        let row = measured(u64::MAX);
        assert_eq!(row.measurements, MEASUREMENTS);
        assert!(row.broken().expect("a wait each").contains("system calls"));
    }
}
