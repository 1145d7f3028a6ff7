//! `kael analyze`: runs every public operation on this machine, counts what each costs, and prints a Platform Analysis. With
//! `--target` nothing is run, and the analysis is a design (`crate::design`).

mod advice;
mod buffers;
mod bytes;
mod files;
mod machine;
mod meter;
mod page;
mod pipes;
mod queued;
mod rate;
mod report;
mod scratch;
pub(crate) mod signatures;
mod tasks;
mod tcp;
mod timers;
mod udp;
mod ways;

use crate::design::{self, Design, Need, Target};
use crate::fail::{Fail, doing};
use crate::result::{self, Format};
use crate::system::trace;
use crate::{interrupt, limits};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kael_rt::budget::{self, Area};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::Duration;
use machine::Machine;
use meter::Meter;
use report::Report;
pub(crate) use report::write_head;
use scratch::ScratchDir;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Measure what each operation costs here, or design for another place, and print a Platform Analysis
///
/// With --target nothing is run: --need says what is asked for, and each choice comes with its reason, a document and the
/// command that measures it. The fields of a need: conns, size, depth, rate, p99_us, durable, memory_mb, container.
///
/// With `-- COMMAND` or --pid: trace that program (Linux), and print what it asks of the kernel beside what the library's
/// table says the same work could cost.
///
/// Exit status: 0 if every figure is within its budget, or the need can be met; 1 if not (what it is is named); 2 for bad use.
/// Of a traced program: 0 if it was traced, however it ended itself (the report says how), 1 if that or its client failed, 2
/// for bad use: no such program or process, or it may not be traced.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Md)]
    format: Format,
    /// Where it is written instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// An earlier result of this command (--format json): what has changed is shown
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Which operations are measured, or designed for
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Ops::File, Ops::Socket, Ops::Buffers, Ops::Bytes, Ops::Timer, Ops::Task])]
    ops: Vec<Ops>,
    /// How long the measurements take in all, in seconds: 20 if it is not given; a traced program: until it ends
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3600), conflicts_with = "target")]
    seconds: Option<u32>,
    /// The directory for the files under test
    #[arg(long, default_value = ".", conflicts_with = "target")]
    dir: PathBuf,
    /// Design for this system, and measure nothing
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// What is asked for, such as conns=10k,size=64,depth=1,rate=200k,p99_us=500,durable=yes,memory_mb=512,container=docker
    #[arg(long, requires = "target", value_parser = Need::parse)]
    need: Option<Need>,
    /// A file with more rules to design by, in the form of the built-in ones
    #[arg(long, value_name = "FILE", requires = "target")]
    rules: Option<PathBuf>,
    #[command(flatten)]
    program: trace::Program,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Ops {
    File,
    Socket,
    /// Pools, and each way to receive and to send
    Buffers,
    /// Pipes; files into sockets and sockets into each other, and each way to do that
    Bytes,
    Timer,
    Task,
}

impl Ops {
    /// As the command line calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ops::File => "file",
            Ops::Socket => "socket",
            Ops::Buffers => "buffers",
            Ops::Bytes => "bytes",
            Ops::Timer => "timer",
            Ops::Task => "task",
        }
    }
}

/// How long the measurements take in all, unless somebody says it.
const SECONDS: u32 = 20;
/// Requests per second of the open loops: what the smallest machine carries.
const READS_PER_SECOND: u32 = 5_000;
const ROUND_TRIPS_PER_SECOND: u32 = 2_000;
/// The part of the time that each open loop has.
const RATE_SHARE: f64 = 0.05;
/// Descriptors that 64 lanes of sockets with both ends here need, with room.
const DESCRIPTORS: u64 = 512;

pub(crate) fn run(options: &Options) -> Result<(), Fail> {
    match options.target {
        Some(target) => run_design(options, target),
        None if options.program.is_given() => trace_program(options),
        None => run_measurements(options),
    }
}

fn run_design(options: &Options, target: Target) -> Result<(), Fail> {
    let earlier = result::earlier::<Design>(options.against.as_deref())?;
    let ops =
        Ops::value_variants().iter().copied().filter(|ops| options.ops.contains(ops)).collect();
    let need = options.need.clone().unwrap_or_default();
    let design = design::design(target, ops, need, options.rules.as_deref())?;
    let text = result::written(&design, options.format, earlier.as_ref());
    write_to(&mut *output(options)?, &text)?;
    named(&design.impossible())
}

fn write_to(output: &mut dyn Write, text: &str) -> io::Result<()> {
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(doing("the result"))
}

/// What is wrong with the result, a line each; or nothing is.
fn named(wrong: &[String]) -> Result<(), Fail> {
    if wrong.is_empty() { Ok(()) } else { Err(Fail::Work(wrong.join("\nkael: "))) }
}

fn run_measurements(options: &Options) -> Result<(), Fail> {
    let earlier = result::earlier::<Report>(options.against.as_deref())?;
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
    let text = result::written(&report, options.format, earlier.as_ref());
    write_to(&mut *output, &text)?;
    named(&report.broken())
}

fn trace_program(options: &Options) -> Result<(), Fail> {
    let earlier = result::earlier::<trace::Report>(options.against.as_deref())?;
    let mut output = output(options)?;
    let limit = options.seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let report = trace::run(&options.program, limit)?;
    write_to(&mut *output, &result::written(&report, options.format, earlier.as_ref()))?;
    report.failure().map_or(Ok(()), |failure| Err(Fail::Work(failure.to_owned())))
}

fn enough_descriptors(options: &Options) -> Result<(), Fail> {
    let limit = limits::raise_descriptors(DESCRIPTORS);
    let uses_sockets =
        [Ops::Socket, Ops::Buffers, Ops::Bytes].iter().any(|ops| options.ops.contains(ops));
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
            (Ops::Bytes, Area::Bytes),
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
    let time = Duration::from_secs(options.seconds.unwrap_or(SECONDS).into());
    let rates =
        [Area::File, Area::Socket].iter().filter(|area| areas.contains(area)).count() as u32;
    let rate_time = time.mul_f64(RATE_SHARE);
    let measured_ways = [(Area::Buffer, ways::COUNT), (Area::Bytes, bytes::COUNT)];
    let measured_ways: u32 =
        measured_ways.iter().filter(|(area, _)| areas.contains(area)).map(|(_, count)| count).sum();
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
            Area::Bytes => {
                pipes::measure(&mut meter).await?;
                bytes::measure(&mut meter, dir).await?;
            }
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
    if areas.contains(&Area::Bytes) {
        costs.extend(bytes::ways(&runtime.handle(), dir, time_per_row).await?);
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
