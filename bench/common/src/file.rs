//! Random reads of 4 KiB: which page comes next, when to stop, and the check that the page is the right one.
//!
//! The first eight bytes of each page of the data file hold its number, little endian; the runner writes it so.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock::process_cpu;
use crate::rng::Rng;
use crate::{Allocations, Peer};

pub const PAGE: usize = 4096;

/// The clock is read once in this many reads, as `c/fread_uring.c` does.
const READS_PER_LOOK: u64 = 32;

const WARM_UP: Duration = Duration::from_millis(100);
const ALLOCATION_PHASE: Duration = Duration::from_millis(200);

/// What the command line asks for.
pub struct FileConfig {
    pub path: String,
    /// Past the page cache (O_DIRECT).
    pub direct: bool,
    /// Reads in flight.
    pub depth: usize,
    /// A second way that the same runtime offers, if one is asked for.
    pub variant: Option<String>,
    duration: Duration,
    pages: u64,
}

impl FileConfig {
    pub(crate) fn new(
        path: &str,
        mode: &str,
        depth: &str,
        secs: &str,
        variant: Option<&str>,
    ) -> FileConfig {
        let bytes = std::fs::metadata(path).expect("the data file exists").len();
        FileConfig {
            path: path.to_owned(),
            direct: mode == "direct",
            depth: depth.parse().expect("the depth is a number"),
            variant: variant.map(str::to_owned),
            duration: Duration::from_secs_f64(secs.parse().expect("the seconds are a number")),
            pages: bytes / PAGE as u64,
        }
    }

    /// The file through the standard library, for the runtimes that take it over from there.
    pub fn open(&self) -> File {
        let mut options = OpenOptions::new();
        options.read(true);
        if self.direct {
            options.custom_flags(libc::O_DIRECT);
        }
        options.open(&self.path).unwrap()
    }
}

/// One phase of reading, shared by its readers.
pub struct FileRun {
    reads: Cell<u64>,
    /// The clock is looked at when there were so many. 0: the time is over.
    next_look: Cell<u64>,
    random: Cell<Rng>,
    end: Instant,
    pages: u64,
}

impl FileRun {
    fn new(pages: u64, duration: Duration) -> FileRun {
        FileRun {
            reads: Cell::new(0),
            next_look: Cell::new(1),
            random: Cell::new(Rng(0x9E37_79B9_7F4A_7C15)),
            end: Instant::now() + duration,
            pages,
        }
    }

    /// The page to read next, or `None` when the time is over.
    #[inline]
    pub fn next(&self) -> Option<u64> {
        if self.reads.get() >= self.next_look.get() && self.is_over() {
            return None;
        }
        let mut random = self.random.get();
        let number = random.next();
        self.random.set(random);
        Some(((u128::from(number) * u128::from(self.pages)) >> 64) as u64)
    }

    #[cold]
    fn is_over(&self) -> bool {
        let is_over = Instant::now() >= self.end;
        self.next_look.set(if is_over { 0 } else { self.reads.get() + READS_PER_LOOK });
        is_over
    }

    /// Checks one finished read and counts it.
    #[inline]
    pub fn done(&self, page: u64, read: usize, bytes: &[u8]) {
        let number = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        if read != PAGE || number != Some(page) {
            wrong(page, read, number);
        }
        self.reads.set(self.reads.get() + 1);
    }
}

#[cold]
fn wrong(page: u64, read: usize, number: Option<u64>) -> ! {
    panic!("a read of page {page} gave {read} bytes, of page {number:?}");
}

/// Warms up, measures, counts allocations, prints. `reader` is given the phase and its own number, and reads until
/// [`FileRun::next`] says `None`; `depth` of them run at once.
pub async fn measure<P: Peer, R>(config: &FileConfig, reader: impl Fn(Rc<FileRun>, usize) -> R)
where
    R: Future<Output = ()> + 'static,
{
    phase::<P, R>(config, WARM_UP, &reader).await;

    let (cpu, wall) = (process_cpu(), Instant::now());
    let reads = phase::<P, R>(config, config.duration, &reader).await as f64;
    let (cpu, wall) = ((process_cpu() - cpu).as_secs_f64(), wall.elapsed().as_secs_f64());

    // A phase of its own, so that counting is not in the times. The readers' tasks are in the count, but spread over
    // so many reads that what is left is the cost of a read.
    Allocations::start();
    let counted = phase::<P, R>(config, ALLOCATION_PHASE, &reader).await as f64;
    let allocations = Allocations::stop().count as f64;

    println!(
        "iops={:.0} cpu_per_m={:.4} allocs={:.3}",
        reads / wall,
        cpu * 1e6 / reads,
        allocations / counted
    );
}

async fn phase<P: Peer, R>(
    config: &FileConfig,
    duration: Duration,
    reader: &impl Fn(Rc<FileRun>, usize) -> R,
) -> u64
where
    R: Future<Output = ()> + 'static,
{
    let run = Rc::new(FileRun::new(config.pages, duration));
    let readers: Vec<_> =
        (0..config.depth).map(|number| P::spawn(reader(run.clone(), number))).collect();
    for reader in readers {
        reader.await;
    }
    run.reads.get()
}

/// A page of memory on a page boundary, as O_DIRECT wants it, in the shape that every runtime takes.
///
/// It is not the allocator's: `std::mem::forget` it, never drop it.
pub fn page_buffer() -> Vec<u8> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory that exists.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
            -1,
            0,
        )
    };
    assert_ne!(memory, libc::MAP_FAILED, "mmap failed");
    // SAFETY: the mapping is PAGE bytes of zeroes, is unmapped by nobody, and the vector is never grown or dropped.
    unsafe { Vec::from_raw_parts(memory.cast(), PAGE, PAGE) }
}
