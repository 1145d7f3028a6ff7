//! [`Builder`]: the settings of a runtime, their ranges and defaults. What they mean is known elsewhere.
#![forbid(unsafe_code)]

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::runtime::Runtime;
use crate::driver::Driver;
use crate::sys::RingOptions;

/// Sets up a [`Runtime`].
///
/// ```
/// use kael_rt::runtime::Builder;
///
/// let runtime = Builder::new().queue_depth(64).blocking_threads(4).build()?;
/// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A server that bounds what it holds at a time and how long its end takes:
///
/// ```
/// use kael_rt::{runtime::Builder, time::Duration};
///
/// let limits = Builder::new().cores(1).max_in_flight(4096).shutdown_timeout(Duration::from_secs(2));
/// let runtime = limits.build()?;
/// assert_eq!(runtime.cores(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A test of an hour that takes no time. With the simulated kernel, the seed makes a run repeatable.
///
/// ```
/// use kael_rt::{runtime::Builder, time::{Duration, Instant, sleep}};
///
/// let runtime = Builder::new().start_paused(true).seed(7).build()?;
/// runtime.block_on(async {
///     let (start, hour) = (Instant::now(), Duration::from_secs(3600));
///     sleep(hour).await;
///     assert!(start.elapsed() >= hour);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) cores: usize,
    pub(super) pin_cores: bool,
    pub(super) queue_depth: u32,
    queue_limit: Option<u32>,
    batch_wait: Duration,
    busy_poll: Duration,
    direct_descriptors: bool,
    submission_thread: Duration,
    poll_direct_io: bool,
    pub(super) max_in_flight: u32,
    pub(super) blocking_threads: usize,
    pub(super) shutdown_timeout: Duration,
    pub(super) start_paused: bool,
    pub(super) seed: u64,
}

const CORES: RangeInclusive<usize> = 1..=1_024;
const QUEUE_DEPTHS: RangeInclusive<u32> = 2..=32_768;
const MAX_IN_FLIGHTS: RangeInclusive<u32> = 16..=1_048_576;
const MAX_WAIT: Duration = Duration::from_secs(1);
const BLOCKING_THREADS: RangeInclusive<usize> = 1..=4_096;

impl Builder {
    /// One core, not pinned; see the methods for the other defaults.
    pub fn new() -> Builder {
        Builder {
            cores: 1,
            pin_cores: false,
            queue_depth: 256,
            queue_limit: None,
            batch_wait: Duration::ZERO,
            busy_poll: Duration::ZERO,
            direct_descriptors: false,
            submission_thread: Duration::ZERO,
            poll_direct_io: false,
            max_in_flight: 65_536,
            blocking_threads: 64,
            shutdown_timeout: Duration::from_secs(10),
            start_paused: false,
            seed: 0,
        }
    }

    /// The number of cores, each a thread with its own ring (or port, or kqueue), timers and tasks, from 1 to 1,024.
    /// Default: 1.
    ///
    /// The first is the thread that calls [`Runtime::block_on`] and runs inside that call only; the others are threads that
    /// [`build`](Builder::build) starts and dropping the runtime ends. Nothing is moved from core to core by itself: a
    /// task, a socket, a file and a pool stay where they were made. Work is placed by
    /// [`Handle::spawn`](super::Handle::spawn) and [`spawn_on`](super::Handle::spawn_on); connections are spread by the system
    /// among listeners of each core ([`TcpSocket::set_reuseport`](crate::net::TcpSocket::set_reuseport)), or handed over
    /// ([`TcpStream::detach`](crate::net::TcpStream::detach)). All other settings are for each core, but the
    /// blocking pool, which they share.
    ///
    /// ```
    /// use kael_rt::runtime::Builder;
    ///
    /// let runtime = Builder::new().cores(4).build();
    /// # if cfg!(kael_backend = "sim") { return Ok(()) } // One core is simulated.
    /// let runtime = runtime?;
    /// let parts: Vec<_> = (0..runtime.cores() as u64)
    ///     .map(|n| runtime.spawn_on(n as usize, move || async move { (n * 1000..(n + 1) * 1000).sum::<u64>() }))
    ///     .collect();
    /// let total = runtime.block_on(async {
    ///     let mut total = 0;
    ///     for part in parts {
    ///         total += part.await.unwrap();
    ///     }
    ///     total
    /// });
    /// assert_eq!(total, (0..4000).sum());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cores(mut self, cores: usize) -> Builder {
        self.cores = cores;
        self
    }

    /// Whether each core is bound to a CPU: core 0 to CPU 0, for the length of each [`Runtime::block_on`], core 1 to CPU
    /// 1, and so on. Default: no.
    ///
    /// ```
    /// match kael_rt::runtime::Builder::new().pin_cores(true).build() {
    ///     Ok(runtime) => runtime.block_on(async { println!("runs on CPU 0") }),
    ///     Err(error) => eprintln!("this process may not use CPU 0: {error}"),
    /// }
    /// ```
    pub fn pin_cores(mut self, pin: bool) -> Builder {
        self.pin_cores = pin;
        self
    }

    /// Submissions that one system call can carry, from 2 to 32,768. Default: 256. The kernel rounds up to a power of
    /// two. More may wait to be submitted; nothing fails when the queue is full.
    pub fn queue_depth(mut self, entries: u32) -> Builder {
        self.queue_depth = entries;
        self
    }

    /// How far the queue grows when it is too small, in submissions, up to 32,768. Default: eight times the
    /// [`queue_depth`](Builder::queue_depth). It doubles, at most once a turn of the loop, when it was full repeatedly,
    /// or when completions found no room; a core stands still for that, some 50 µs on Linux 6.18. A limit of `queue_depth`, or
    /// 0, keeps the queue as it is: for a filter that forbids io_uring_register(2), say.
    ///
    /// Nothing fails where the queue cannot grow (Linux before 6.13, and those in which that has a bug): a call to the
    /// kernel then carries less. [`Granted`](super::Granted) has the flag "resizable" where it can, and the size that it
    /// has.
    ///
    /// ```
    /// use kael_rt::runtime::Builder;
    ///
    /// let runtime = Builder::new().queue_depth(64).queue_limit(1024).build()?;
    /// let [submissions, _] = runtime.granted().queue_entries;
    /// assert!(submissions <= 1024);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn queue_limit(mut self, entries: u32) -> Builder {
        self.queue_limit = Some(entries);
        self
    }

    /// How long a core that waits lets completions come together before it handles them, in whole microseconds, up to
    /// 1 second. Default: zero, a wait ends with the first completion.
    ///
    /// It trades latency for throughput: a turn of the loop, with its call to the kernel, then serves all peers that have
    /// sent meanwhile, but whatever ends a wait (a message, a wake from another thread) comes up to that much later.
    /// Timers do not: a wait never goes on past the next one. A core with something to do never waits, so a core under
    /// full load is not slowed down; neither is one that gets 256 completions at once. 50 to 200 µs are usual.
    ///
    /// Where the kernel cannot do that (Linux before 6.12, the simulated kernel), waits end with the first completion.
    /// [`Granted`](super::Granted) has the flag "batch wait" where it is in force.
    ///
    /// ```
    /// use kael_rt::{runtime::Builder, time::{Duration, Instant, sleep}};
    ///
    /// let runtime = Builder::new().batch_wait(Duration::from_micros(100)).build()?;
    /// if !runtime.granted().flags.contains(&"batch wait") {
    ///     println!("this kernel cannot gather completions");
    /// }
    /// runtime.block_on(async {
    ///     let (start, limit) = (Instant::now(), Duration::from_micros(20));
    ///     sleep(limit).await;
    ///     assert!(start.elapsed() >= limit);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn batch_wait(mut self, longest: Duration) -> Builder {
        self.batch_wait = longest;
        self
    }

    /// How long a core that waits polls the network cards of its sockets before it sleeps (NAPI busy polling), in whole
    /// microseconds, up to 1 second. Default: zero, it sleeps at once.
    ///
    /// It saves a message the interrupt and the wake of the thread, some microseconds, and costs CPU time: a core that
    /// waits keeps its CPU busy for that long each time, also when nothing comes. It is for machines whose CPUs have nothing
    /// better to do. Only sockets that have received from a card whose driver has NAPI are polled: loopback, Unix
    /// sockets, pipes, files and most virtual interfaces are not, and a core with nothing else sleeps at once.
    ///
    /// Where the kernel cannot do that (Linux before 6.9, or built without CONFIG_NET_RX_BUSY_POLL; the simulated
    /// kernel), waits sleep at once. [`Granted`](super::Granted) has the flag "busy poll" where it is in force.
    ///
    /// ```
    /// use kael_rt::{runtime::Builder, time::Duration};
    ///
    /// let runtime = Builder::new().busy_poll(Duration::from_micros(50)).build()?;
    /// if !runtime.granted().flags.contains(&"busy poll") {
    ///     println!("this kernel does not poll network cards for a ring");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn busy_poll(mut self, longest: Duration) -> Builder {
        self.busy_poll = longest;
        self
    }

    /// Whether TCP connections, accepted and connected ones, live in a table of the core instead of among the process's
    /// descriptors. Default: no.
    ///
    /// It gains: a connection takes none of the descriptors that RLIMIT_NOFILE allows, so a server is not starved by
    /// them (and starves nobody else in the process); it is put into the table by the operation that makes it, which spares
    /// two submissions a connection (and no noticeable time). It costs: such a socket has no
    /// number, so `try_as_fd` is an error that says so, until [`TcpStream::install`](crate::net::TcpStream::install) has given
    /// it one; the *getters* of addresses and options make three system calls instead of one and need a free descriptor for
    /// that moment (the setters are one call as always, and `accept` tells the peer's address in any case); `send_file` and
    /// `copy_bidirectional` copy through a buffer, unless it is installed first. `into_std` and `detach` install it by themselves.
    ///
    /// The table is as large as RLIMIT_NOFILE at the time of `build`, 65,536 places at most (8 bytes of the kernel's memory
    /// each); three quarters are for such connections and the rest for files and other sockets. When no place is free, a
    /// connection gets an ordinary descriptor: nothing is lost and nobody waits. So `ulimit -n` is the bound to raise.
    ///
    /// The ring may be asked for three operations more: sockets, numbers for what is in its table, and `IORING_OP_URING_CMD`,
    /// which sets options, and which the kernel would also carry out on devices that the process has open.
    ///
    /// Listeners, UDP sockets, files, and what [`TcpListener::incoming`](crate::net::TcpListener::incoming) accepts are ordinary. Where the system cannot do that (Linux before 6.15, where the end of
    /// such a socket may wait for another's operation; every other interface), all are ordinary, and the same program works.
    /// [`Granted`](super::Granted) has the flag "direct descriptors" where it is in force.
    ///
    /// ```
    /// use kael_rt::{net::{TcpListener, TcpStream}, runtime::Builder};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = Builder::new().direct_descriptors(true).build()?;
    /// runtime.block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (stream, _peer) = listener.accept().await?;
    ///     stream.set_nodelay(true)?;
    ///     stream.write_all("hello").await.0?;
    ///     assert_eq!(client.read_exact(vec![0; 5]).await.1, b"hello");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn direct_descriptors(mut self, on: bool) -> Builder {
        self.direct_descriptors = on;
        self
    }

    /// A thread of the kernel takes each core's submissions (io_uring_setup(2), SQPOLL), so that a core with something to do
    /// hands operations over, and finds their results, without a system call. `idle` is how long the thread looks for
    /// work in vain before it sleeps, rounded up to whole milliseconds, up to 1 second. Default: zero, there is no such
    /// thread.
    ///
    /// It costs a CPU: while there is work, and for `idle` after it, the thread polls without pause, also when nothing
    /// comes. So it pays only where each core has a second CPU to itself and is busy enough to wait seldom: a core that waits
    /// still calls the kernel, and after an idle time once more to wake the thread. It is worse than none where CPUs are scarce (the
    /// thread takes the core's own time, and operations wait until it runs), where a core mostly waits (each operation
    /// crosses two CPUs before its answer), and for [`write_queued`](crate::net::TcpStream::write_queued), whose
    /// answers then end waits as any other's do. Measure both.
    ///
    /// A close is answered when the thread has begun it, and the file may stay open for some microseconds more: a program that was
    /// just written may still be busy. The queue does not grow ([`queue_limit`](Builder::queue_limit) has no effect). Where the kernel refuses the thread,
    /// or there is no such thing, everything works without; [`Granted`](super::Granted) has the flag "submission thread"
    /// where it is in force. The thread counts towards RLIMIT_NPROC, and ends with the runtime.
    ///
    /// ```
    /// use kael_rt::{runtime::Builder, time::Duration};
    ///
    /// let runtime = Builder::new().submission_thread(Duration::from_millis(2)).build()?;
    /// if !runtime.granted().flags.contains(&"submission thread") {
    ///     println!("submissions are handed over by calls");
    /// }
    /// assert!(runtime.block_on(kael_rt::fs::metadata("/"))?.is_dir());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn submission_thread(mut self, idle: Duration) -> Builder {
        self.submission_thread = idle;
        self
    }

    /// Whether a core looks for the end of its direct I/O at the device instead of being told (io_uring_setup(2), IOPOLL). It is for
    /// reads and writes by their offset of files that were opened with [`direct(true)`](crate::fs::OpenOptions::direct), on devices
    /// with queues for that: NVMe with the kernel's parameter `nvme.poll_queues`, say. Default: no.
    ///
    /// It saves each transfer the interrupt and the wake of the thread, some microseconds, and costs CPU time: while one is
    /// under way the core does not sleep, and calls the kernel once a turn. It is worse than none where a transfer takes longer than
    /// those microseconds, or where the CPU has anything else to do. As many transfers as the
    /// [`queue_depth`](Builder::queue_depth) are polled at a time; more, and those of chains, are not. Pools' registered memory is plain memory to them.
    ///
    /// A device says that it cannot only when it is asked, and that may take some milliseconds. Then, and where the kernel makes no such
    /// ring, everything works as without; the first refusal ends it for all files of the runtime. [`Granted`](super::Granted) has the flag
    /// "polled direct I/O" as long as it is in force.
    ///
    /// ```
    /// use kael_rt::{fs::File, runtime::Builder};
    ///
    /// let runtime = Builder::new().poll_direct_io(true).build()?;
    /// # let path = std::env::temp_dir().join(format!("kael-doc-poll-direct-{}", std::process::id()));
    /// # std::fs::write(&path, [7; 4096])?;
    /// runtime.block_on(async {
    ///     // Some file systems have no direct I/O.
    ///     if let Ok(file) = File::options().read(true).direct(true).open(&path).await {
    ///         let pool = kael_rt::buf::BufferPool::new(1, 4096)?;
    ///         let (n, buf) = file.read_at(pool.get().await, 0).await;
    ///         assert_eq!((n?, buf[0]), (4096, 7));
    ///     }
    ///     Ok::<_, std::io::Error>(())
    /// })?;
    /// if !runtime.granted().flags.contains(&"polled direct I/O") {
    ///     println!("the device tells when it is done");
    /// }
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll_direct_io(mut self, poll: bool) -> Builder {
        self.poll_direct_io = poll;
        self
    }

    /// Operations in flight at a time, from 16 to 1,048,576. Default: 65,536. Further ones wait for their turn.
    pub fn max_in_flight(mut self, operations: u32) -> Builder {
        self.max_in_flight = operations;
        self
    }

    /// The most threads that run blocking jobs at a time, from 1 to 4,096. Default: 64. They are started when there
    /// is work for them, and end when there was none for 10 seconds.
    pub fn blocking_threads(mut self, threads: usize) -> Builder {
        self.blocking_threads = threads;
        self
    }

    /// How long dropping the runtime waits for the kernel to let go of what is in flight. Default: 10 seconds. What it
    /// holds longer is leaked, never freed, and counted in [`CoreMetrics::leaked`](super::CoreMetrics).
    pub fn shutdown_timeout(mut self, limit: Duration) -> Builder {
        self.shutdown_timeout = limit;
        self
    }

    /// Whether time stands still and jumps to the next deadline whenever nothing else can go on. For tests.
    pub fn start_paused(mut self, paused: bool) -> Builder {
        self.start_paused = paused;
        self
    }

    /// The seed of the simulated kernel (`--cfg kael_backend="sim"`); no other backend uses it. Default: 0.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Builds the runtime, which belongs to the calling thread.
    ///
    /// # Errors
    /// `InvalidInput` for a setting that is out of its range, `Unsupported` for several cores whose time does not go on
    /// by itself ([`start_paused`](Builder::start_paused), the simulated kernel), and what the platform answers when a ring is
    /// set up or a thread is started, with the number of the core.
    pub fn build(self) -> io::Result<Runtime> {
        check("cores", self.cores, CORES)?;
        if self.cores > 1 && (self.start_paused || Driver::MOVES_CLOCK) {
            let error = format!(
                "Builder::cores({}): time that does not go on by itself is one core's own; use one core with \
                 start_paused and in the simulation",
                self.cores
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, error));
        }
        check("queue_depth", self.queue_depth, QUEUE_DEPTHS)?;
        check("queue_limit", self.queue_limit.unwrap_or(0), 0..=*QUEUE_DEPTHS.end())?;
        check_wait("batch_wait", self.batch_wait)?;
        check_wait("busy_poll", self.busy_poll)?;
        check_wait("submission_thread", self.submission_thread)?;
        check("max_in_flight", self.max_in_flight, MAX_IN_FLIGHTS)?;
        check("blocking_threads", self.blocking_threads, BLOCKING_THREADS)?;
        Runtime::new(&self)
    }
}

impl Builder {
    /// What the backend is asked for beyond the size of its queue.
    pub(super) fn ring_options(&self) -> RingOptions {
        let eightfold = self.queue_depth.saturating_mul(8).min(*QUEUE_DEPTHS.end());
        RingOptions {
            queue_limit: self.queue_limit.unwrap_or(eightfold),
            batch_wait_us: micros(self.batch_wait),
            busy_poll_us: micros(self.busy_poll),
            direct: self.direct_descriptors,
            thread_idle_ms: micros(self.submission_thread).div_ceil(1_000),
            poll_direct_io: self.poll_direct_io,
        }
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

fn micros(wait: Duration) -> u32 {
    u32::try_from(wait.as_micros()).expect("build() has checked that it is short")
}

fn check_wait(name: &str, wait: Duration) -> io::Result<()> {
    if wait <= MAX_WAIT {
        return Ok(());
    }
    let error = format!("Builder::{name}({wait:?}): it must be at most {MAX_WAIT:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, error))
}

fn check<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    range: RangeInclusive<T>,
) -> io::Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = range.into_inner();
    let error = format!("Builder::{name}({value}): it must be at least {low} and at most {high}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, error))
}
