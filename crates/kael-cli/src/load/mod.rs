//! `kael load`: drives an echo server over many connections, checks every byte that comes back, and reports throughput
//! and latencies.

mod connection;
mod pattern;
mod window;

use crate::fail::{Fail, doing};
use crate::latency::{Latency, Recorder};
use crate::{interrupt, limits};
use connection::Plan;
use kael_rt::net::{TcpStream, lookup_host};
use kael_rt::time::{Duration, Instant};
use kael_rt::{CancelToken, JoinHandle, runtime::Builder};
use pattern::Pattern;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// Drive an echo server: send, check what comes back, report throughput and latencies
///
/// Without --rate the loop is closed: a connection sends the next message when one of its --depth messages came back.
/// With --rate it is open: messages are due at a fixed rate, and a latency counts from the time at which its message
/// was due. Exit status: 0 if all came back as sent, 1 if not, 2 for bad use.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The server's address, for example 127.0.0.1:7000
    #[arg(long, value_name = "ADDR")]
    connect: String,
    /// How many connections
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// Bytes of a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=67_108_864))]
    size: u32,
    /// Messages under way on one connection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    depth: u32,
    /// Messages per second of all connections together; as many as go if it is not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    /// How long it lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

/// Connections that are being made at a time.
const CONNECTING: usize = 128;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Descriptors beside the connections.
const OTHER_DESCRIPTORS: u64 = 32;
/// Errors that are told one by one.
const TOLD: usize = 5;

/// What all connections count together.
pub(crate) struct Tally {
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) messages: Cell<u64>,
    pub(crate) bytes: Cell<u64>,
    /// Messages that were due and not sent when the time was up.
    pub(crate) unsent: Cell<u64>,
    errors: RefCell<Vec<String>>,
}

impl Tally {
    fn new() -> Tally {
        Tally {
            recorder: RefCell::new(Recorder::new()),
            messages: Cell::new(0),
            bytes: Cell::new(0),
            unsent: Cell::new(0),
            errors: RefCell::default(),
        }
    }

    pub(crate) fn arrived(&self, bytes: usize, time: Duration) {
        self.messages.set(self.messages.get() + 1);
        self.bytes.set(self.bytes.get() + bytes as u64);
        self.recorder.borrow_mut().record(time);
    }

    fn failed(&self, error: &io::Error) {
        self.errors.borrow_mut().push(error.to_string());
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Fail> {
    let wanted = u64::from(options.connections) + OTHER_DESCRIPTORS;
    let limit = limits::raise_descriptors(wanted);
    if !limit.is_at_least(wanted) {
        return Err(Fail::Use(format!(
            "{} connections need {wanted} descriptors, and the hard limit is {limit}: raise it (`ulimit -Hn {wanted}` as \
             root; systemd: `LimitNOFILE=`), or ask for fewer connections",
            options.connections
        )));
    }
    let stop = CancelToken::new();
    let stopped = stop.clone();
    interrupt::on_signal(move |_| stopped.cancel())?;
    let tally = Rc::new(Tally::new());
    let time = Builder::new().build()?.block_on(drive(options, &tally, &stop))?;
    report(options, &tally, time)
}

/// Connects, runs, and says how long the run took.
async fn drive(options: &Options, tally: &Rc<Tally>, stop: &CancelToken) -> io::Result<Duration> {
    let addr = lookup_host(options.connect.as_str())
        .await
        .map_err(doing(&options.connect))?
        .next()
        .ok_or_else(|| io::Error::other(format!("{} has no address", options.connect)))?;
    let streams = connect(addr, options.connections as usize, tally).await?;
    if streams.is_empty() {
        return Ok(Duration::ZERO);
    }
    let pattern = Pattern::new(options.size as usize);
    let start = Instant::now();
    let plan = Plan {
        start,
        end: start + Duration::from_secs(options.seconds.into()),
        depth: options.depth as usize,
        connections: streams.len() as u64,
        rate: options.rate,
        stop: stop.clone(),
    };
    let plan = Rc::new(plan);
    let tasks: Vec<_> = (0..)
        .zip(streams)
        .map(|(number, stream)| {
            let (plan, pattern, tally) = (plan.clone(), pattern.clone(), tally.clone());
            kael_rt::spawn(connection::run(number, stream, plan, pattern, tally))
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        if let Err(error) = flatten(task).await {
            tally.failed(&doing(format!("connection {number}"))(error));
        }
    }
    Ok(start.elapsed().min(plan.end - plan.start))
}

async fn flatten<T>(task: JoinHandle<io::Result<T>>) -> io::Result<T> {
    task.await.map_err(io::Error::other)?
}

/// Makes the connections. Those that cannot be made are counted as errors, and the others go on.
async fn connect(addr: SocketAddr, count: usize, tally: &Tally) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() + tally.errors.borrow().len() < count {
        let missing = count - streams.len() - tally.errors.borrow().len();
        let tasks: Vec<_> = (0..missing.min(CONNECTING))
            .map(|_| {
                kael_rt::spawn(async move {
                    let connecting = TcpStream::connect(addr);
                    let stream = kael_rt::time::timeout(CONNECT_LIMIT, connecting)
                        .await
                        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                    stream.set_nodelay(true)?;
                    Ok(stream)
                })
            })
            .collect();
        for task in tasks {
            match flatten(task).await {
                Ok(stream) => streams.push(stream),
                Err(error) => tally.failed(&doing(format!("connecting to {addr}"))(error)),
            }
        }
    }
    Ok(streams)
}

fn report(options: &Options, tally: &Tally, time: Duration) -> Result<(), Fail> {
    let seconds = time.as_secs_f64().max(f64::MIN_POSITIVE);
    let (messages, bytes) = (tally.messages.get(), tally.bytes.get());
    println!(
        "{} connections, {} bytes, depth {}, {}",
        options.connections,
        options.size,
        options.depth,
        match options.rate {
            None => "closed loop".to_owned(),
            Some(rate) => format!("open loop at {rate}/s"),
        }
    );
    println!(
        "{messages} messages in {seconds:.1} s: {:.0}/s, {:.1} MiB/s each way, every byte checked",
        messages as f64 / seconds,
        bytes as f64 / seconds / f64::from(1 << 20)
    );
    let latency = tally.recorder.borrow().summary();
    let columns: Vec<String> = Latency::COLUMNS
        .iter()
        .zip(latency.cells())
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    println!("latency: {}", columns.join(", "));
    if tally.unsent.get() > 0 {
        println!(
            "{} messages were due and not sent: the server does not keep up",
            tally.unsent.get()
        );
    }
    let errors = tally.errors.borrow();
    println!("errors: {}", errors.len());
    if errors.is_empty() {
        return Ok(());
    }
    let mut told = errors[..errors.len().min(TOLD)].join("\nkael: ");
    if errors.len() > TOLD {
        told.push_str(&format!("\nkael: and {} more errors", errors.len() - TOLD));
    }
    Err(Fail::Work(told))
}
