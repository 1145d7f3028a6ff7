//! `kael analyze`: runs every public operation on this machine, counts what each costs, and prints a Platform Analysis.

mod advice;
mod buffers;
mod files;
mod machine;
mod meter;
mod queued;
mod rate;
mod report;
mod scratch;
mod signatures;
mod tasks;
mod tcp;
mod timers;
mod udp;
mod ways;

use crate::fail::{Fail, doing};
use crate::{interrupt, limits};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kael_rt::budget::{self, Area};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::Duration;
use machine::Machine;
use meter::Meter;
use report::Report;
use scratch::ScratchDir;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Measure what each operation costs here, and print a Platform Analysis
///
/// Exit status: 0 if every figure is within its budget, 1 if not (the rows are named), 2 for bad use.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Md)]
    format: Format,
    /// Where it is written instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Which operations are measured
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Ops::File, Ops::Socket, Ops::Buffers, Ops::Timer, Ops::Task])]
    ops: Vec<Ops>,
    /// How long the measurements take in all, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// The directory for the files under test
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Md,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ops {
    File,
    Socket,
    /// Pools, and each way to receive and to send
    Buffers,
    Timer,
    Task,
}

/// Requests per second of the open loops: what the smallest machine carries.
const READS_PER_SECOND: u32 = 5_000;
const ROUND_TRIPS_PER_SECOND: u32 = 2_000;
/// The part of the time that each open loop has.
const RATE_SHARE: f64 = 0.05;
/// Descriptors that 64 lanes of sockets with both ends here need, with room.
const DESCRIPTORS: u64 = 512;

pub(crate) fn run(options: &Options) -> Result<(), Fail> {
    enough_descriptors(options)?;
    let mut output = output(options)?;
    let dir = ScratchDir::new(&options.dir).map_err(|error| {
        Fail::Use(format!("no file can be made in {}: {error}", options.dir.display()))
    })?;
    let doomed = dir.root().to_owned();
    interrupt::on_signal(move |signal| {
        scratch::remove(&doomed);
        std::process::exit(128 + signal);
    })?;

    let runtime = Builder::new().build()?;
    let report = runtime.block_on(measure(options, &runtime, &dir))?;
    drop(runtime);
    let text = match options.format {
        Format::Md => report.markdown(),
        Format::Json => format!("{:#}\n", report.json()),
    };
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(doing("the result"))?;

    let broken = report.broken();
    if broken.is_empty() { Ok(()) } else { Err(Fail::Work(broken.join("\nkael: "))) }
}

fn enough_descriptors(options: &Options) -> Result<(), Fail> {
    let limit = limits::raise_descriptors(DESCRIPTORS);
    let uses_sockets = [Ops::Socket, Ops::Buffers].iter().any(|ops| options.ops.contains(ops));
    if limit.is_at_least(DESCRIPTORS) || !uses_sockets {
        return Ok(());
    }
    Err(Fail::Use(format!(
        "the operations of sockets need {DESCRIPTORS} descriptors, and the hard limit is {limit}: raise it (`ulimit -Hn \
         {DESCRIPTORS}` as root; systemd: `LimitNOFILE=`), or leave them out (`--ops file,timer,task`)"
    )))
}

/// Opened before anything is measured, so that a wrong path shows at once.
fn output(options: &Options) -> Result<Box<dyn Write>, Fail> {
    Ok(match &options.output {
        None => Box::new(io::stdout()),
        Some(path) => Box::new(File::create(path).map_err(|error| {
            Fail::Use(format!("{} cannot be written: {error}", path.display()))
        })?),
    })
}

impl Options {
    /// In the order of the table, each once.
    fn areas(&self) -> Vec<Area> {
        [
            (Ops::File, Area::File),
            (Ops::Socket, Area::Socket),
            (Ops::Buffers, Area::Buffer),
            (Ops::Timer, Area::Timer),
            (Ops::Task, Area::Task),
        ]
        .into_iter()
        .filter(|(ops, _)| self.ops.contains(ops))
        .map(|(_, area)| area)
        .collect()
    }
}

async fn measure(options: &Options, runtime: &Runtime, dir: &ScratchDir) -> io::Result<Report> {
    let areas = options.areas();
    let machine = Machine::look(runtime.granted(), dir).await?;
    let rows = budget::TABLE.iter().filter(|row| areas.contains(&row.area)).count() as u32;
    let time = Duration::from_secs(options.seconds.into());
    let rates =
        [Area::File, Area::Socket].iter().filter(|area| areas.contains(area)).count() as u32;
    let rate_time = time.mul_f64(RATE_SHARE);
    let measured_ways = if areas.contains(&Area::Buffer) { ways::COUNT } else { 0 };
    let bar = progress(u64::from(rows * 2 + rates));
    let time_per_row = (time - rate_time * rates) / (rows * 2 + measured_ways);

    let mut meter = Meter::new(runtime.handle(), time_per_row, bar.clone());
    let mut open_loops = Vec::new();
    for area in &areas {
        match area {
            Area::File => files::measure(&mut meter, dir).await?,
            Area::Socket => {
                tcp::measure(&mut meter).await?;
                udp::measure(&mut meter).await?;
            }
            Area::Buffer => buffers::measure(&mut meter, dir).await?,
            Area::Timer => timers::measure(&mut meter, dir).await?,
            _ => tasks::measure(&mut meter, &runtime.handle()).await?,
        }
    }
    if areas.contains(&Area::File) {
        open_loops.push(rate::file_reads(dir, READS_PER_SECOND, rate_time).await?);
        bar.inc(1);
    }
    if areas.contains(&Area::Socket) {
        open_loops.push(rate::tcp_round_trips(ROUND_TRIPS_PER_SECOND, rate_time).await?);
        bar.inc(1);
    }
    let mut costs = Vec::new();
    if areas.contains(&Area::Buffer) {
        costs = ways::measure(&runtime.handle(), time_per_row).await?;
    }
    bar.finish_and_clear();
    let rows = std::mem::take(&mut meter.rows);
    let unmeasured = budget::TABLE.iter().find(|row| {
        areas.contains(&row.area) && rows.iter().all(|r| r.budget.operation != row.operation)
    });
    match unmeasured {
        Some(row) => {
            Err(io::Error::other(format!("the row `{}` has no measurement", row.operation)))
        }
        None => Ok(Report { machine, areas, rows, rates: open_loops, ways: costs }),
    }
}

/// A bar on a terminal, and nothing anywhere else. It draws between the measurements only.
fn progress(rows: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("[{bar:40}] {pos}/{len} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
