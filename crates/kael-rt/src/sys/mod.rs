//! The one place that knows the platform. A platform exports:
//!
//! * `Backend`: `new`, `start`, `start_plain`, `start_by_kind`, `polls_direct`, `read_at_once`, `cancel`, `turn`, `next_own`, `next`,
//!   `flags`, `flush`, `has_work`, `has_room`, `unpark`,
//!   `enter_table`, `leave_table`, `close`, `shut_down`, `lingers`, `let_go`, `may_let_go`, `provide`, `withdraw`, `buffer_at`,
//!   `give_back`, `claim`, `bundle`, `behind`, `stop_accepting`, `ends_accepting`, `soon`, `may_receive`, `take_lent`, `receive_waiting`,
//!   `register_memory`, `unregister_memory`, `registered_transfers`, `syscalls`, `submitted`; and the
//!   calls that never block: `socket`, `pipe`, `bind`, `listen`, `local_addr`, `peer_addr`, `set_option`,
//!   `duplicate`.
//! * `Unpark`: wakes a core that sleeps in `turn`; Send and Sync.
//! * `PoolJob`: a request that a thread of the blocking pool carries out.
//! * `Scratch`, `PeerAddr`, `StatBuf`, `Message`, `MessageMut`, `Vectors`, `VectorsMut`: the
//!   structures that the kernel wants beside a buffer.
//! * `RawPipe`, `SPLICES`: bytes that go from one descriptor to another through a pipe, where there is such a thing.
//! * `TRANSMITS`, `TRANSMITS_HEAD`: a file goes to a stream by one call, where there is one (`Request::Transmit`), and what stands
//!   before it goes along.
//! * `Packet`: what lies in each slot at an address of its own, for who wants one; `call`: a request as calls that may wait,
//!   for the pool.
//! * `errno`, `access`: error codes, and ways to open a file, by their names on Unix.
//! * `file_of`, `number_of_file`, `stream_of`, `number_of_stream`: the standard library's types by their numbers.
//! * `close_now`, `advise_huge_pages`, `pin_to_cpu`, `SocketOption`, `prefetch`: the rest.
//!
//! No other file has a `cfg` of the platform, `lib.rs` aside, and `net/mod.rs` for a public module that only Windows has.

pub(crate) mod budgets;
// A simulated kernel is held to nothing; it shows the ring's.
#[cfg(kael_backend = "epoll")]
pub(crate) use budgets::epoll as own_budgets;
#[cfg(any(
    kael_backend = "kqueue",
    not(any(target_os = "linux", windows, kael_backend = "sim"))
))]
pub(crate) use budgets::kqueue as own_budgets;
#[cfg(all(windows, feature = "rio"))]
pub(crate) use budgets::rio as own_budgets;
#[cfg(any(
    kael_backend = "sim",
    all(target_os = "linux", not(any(kael_backend = "epoll", kael_backend = "kqueue")))
))]
pub(crate) use budgets::uring as own_budgets;
#[cfg(all(windows, not(feature = "rio")))]
pub(crate) use budgets::windows as own_budgets;
mod event;
mod frames;
mod options;
#[cfg(not(windows))]
mod packet;
#[cfg(windows)]
#[path = "windows/packet.rs"]
mod packet;
#[cfg(not(windows))]
mod scratch;
#[cfg(windows)]
#[path = "windows/scratch.rs"]
mod scratch;
#[cfg(not(windows))]
#[path = "posix/vector.rs"]
mod vector;
#[cfg(windows)]
#[path = "windows/vector.rs"]
mod vector;
mod vectors;

/// What the system granted a core when its backend was made; see `Runtime::granted`.
///
/// ```
/// use kael_rt::runtime::{Builder, Granted};
///
/// fn describe(granted: &Granted) -> String {
///     let [submissions, completions] = granted.queue_entries;
///     format!("{}: {submissions} and {completions} entries", granted.interface)
/// }
/// let runtime = Builder::new().queue_depth(64).build()?;
/// println!("{}", describe(&runtime.granted()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Granted {
    /// The system's interface, as its manual calls it.
    pub interface: &'static str,
    /// How it is used, in one sentence without its full stop.
    pub model: &'static str,
    /// The options that were asked for and granted.
    pub flags: Vec<&'static str>,
    /// Entries of the submission and of the completion queue.
    pub queue_entries: [u32; 2],
    /// Memory shared with the kernel, in bytes.
    pub bytes_mapped: usize,
    /// Completions that the kernel had to drop for want of memory.
    pub lost_completions: u64,
    /// What follows from the system as it is, for who plans with it.
    pub remarks: Vec<Remark>,
}

/// A fact of the system under a runtime, and what to do about it; see [`Granted::remarks`].
///
/// ```
/// for remark in kael_rt::runtime::Builder::new().build()?.granted().remarks {
///     println!("{}: {}", remark.fact, remark.follows);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Remark {
    /// The fact, in few words.
    pub fact: String,
    /// What follows, in whole sentences.
    pub follows: String,
}

impl Remark {
    #[allow(dead_code, reason = "a simulated system has nothing to remark")]
    fn new(fact: impl Into<String>, follows: impl Into<String>) -> Remark {
        Remark { fact: fact.into(), follows: follows.into() }
    }
}

// io_uring: what Linux gets without a choice.
#[cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]
mod uring;
#[cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]
pub(crate) use uring::Backend;
#[cfg(all(
    target_os = "linux",
    target_arch = "aarch64",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]
#[path = "call/aarch64.rs"]
mod call;
#[cfg(all(
    target_os = "linux",
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        kael_backend = "sim",
        kael_backend = "epoll",
        kael_backend = "kqueue"
    ))
))]
#[path = "call/other.rs"]
mod call;
#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]
#[path = "call/x86_64.rs"]
mod call;

// Who completes by itself.
#[cfg(any(
    kael_backend = "sim",
    windows,
    all(target_os = "linux", not(any(kael_backend = "epoll", kael_backend = "kqueue")))
))]
mod by_itself;

// Who repeats accepts, and who is asked for each.
#[cfg(any(
    windows,
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", kael_backend = "sim"))
))]
mod one_by_one;
#[cfg(any(
    kael_backend = "sim",
    all(target_os = "linux", not(any(kael_backend = "epoll", kael_backend = "kqueue")))
))]
mod shots;

// Who has one way to the system for all operations.
#[cfg(any(
    not(target_os = "linux"),
    kael_backend = "sim",
    kael_backend = "epoll",
    kael_backend = "kqueue"
))]
mod unpolled;

// Who has a completion for each buffer.
#[cfg(any(
    not(target_os = "linux"),
    kael_backend = "sim",
    kael_backend = "epoll",
    kael_backend = "kqueue"
))]
mod unbundled;

// Whose sends are the system's when they are answered.
#[cfg(not(all(windows, feature = "rio")))]
mod hands_over;

// Who answers no read before it is a request.
#[cfg(any(
    windows,
    kael_backend = "epoll",
    kael_backend = "kqueue",
    kael_backend = "sim",
    not(target_os = "linux")
))]
mod by_request;

// Who is called for each request.
#[cfg(any(
    windows,
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", kael_backend = "sim"))
))]
mod at_once;
#[cfg(any(
    windows,
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", kael_backend = "sim"))
))]
mod unlinked;
#[cfg(any(
    windows,
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", kael_backend = "sim"))
))]
mod unregistered;

// Readiness: the calls are ours, and epoll or kqueue says when.
#[cfg(kael_backend = "epoll")]
mod epoll;
#[cfg(kael_backend = "epoll")]
use epoll::Poller;
#[cfg(any(kael_backend = "kqueue", not(any(target_os = "linux", windows, kael_backend = "sim"))))]
mod kqueue;
#[cfg(any(
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", windows, kael_backend = "sim"))
))]
mod ready;
#[cfg(any(
    kael_backend = "kqueue",
    not(any(target_os = "linux", windows, kael_backend = "sim"))
))]
use kqueue::Poller;
#[cfg(any(
    kael_backend = "kqueue",
    not(any(target_os = "linux", windows, kael_backend = "sim"))
))]
pub(crate) use kqueue::Unpark;
#[cfg(any(
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", windows, kael_backend = "sim"))
))]
pub(crate) use ready::Backend;

// kqueue on Linux is an emulation, for tests: it has to be told of each close.
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
mod kevent;
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
use kevent as kqueues;
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
use kevent::closing;
#[cfg(not(any(target_os = "linux", windows, kael_backend = "sim")))]
use libc as kqueues;
#[cfg(not(any(windows, kael_backend = "sim", all(target_os = "linux", kael_backend = "kqueue"))))]
fn closing(_: i32) {}

// Linux, by whatever.
#[cfg(all(target_os = "linux", not(any(kael_backend = "sim", kael_backend = "kqueue"))))]
mod eventfd;
#[cfg(all(target_os = "linux", not(kael_backend = "sim")))]
mod linux;
#[cfg(all(target_os = "linux", not(any(kael_backend = "sim", kael_backend = "kqueue"))))]
pub(crate) use eventfd::Unpark;
#[cfg(all(target_os = "linux", not(kael_backend = "sim")))]
use linux as own;

// The systems with a kqueue, and what each has of its own.
#[cfg(not(any(target_os = "linux", windows, kael_backend = "sim")))]
mod bsd;
#[cfg(all(target_vendor = "apple", not(kael_backend = "sim")))]
#[path = "bsd/apple.rs"]
mod differs;
#[cfg(all(target_os = "freebsd", not(kael_backend = "sim")))]
#[path = "bsd/freebsd.rs"]
mod differs;
#[cfg(all(target_os = "netbsd", not(kael_backend = "sim")))]
#[path = "bsd/netbsd.rs"]
mod differs;
#[cfg(all(target_os = "openbsd", not(kael_backend = "sim")))]
#[path = "bsd/openbsd.rs"]
mod differs;
#[cfg(all(target_os = "dragonfly", not(kael_backend = "sim")))]
#[path = "bsd/dragonfly.rs"]
mod differs;
#[cfg(not(any(target_os = "linux", windows, kael_backend = "sim")))]
mod stat;
#[cfg(not(any(target_os = "linux", target_os = "freebsd", windows, kael_backend = "sim")))]
#[path = "bsd/unpinned.rs"]
mod unpinned;
#[cfg(not(any(target_os = "linux", windows, kael_backend = "sim")))]
use bsd as own;
#[cfg(not(any(target_os = "linux", windows, kael_backend = "sim")))]
pub(crate) use stat::StatBuf;

// The status of a file.
#[cfg(any(target_os = "linux", kael_backend = "sim"))]
mod statx;
#[cfg(any(target_os = "linux", kael_backend = "sim"))]
pub(crate) use statx::StatBuf;

// Sockets, by whatever.
#[cfg(not(kael_backend = "sim"))]
mod asking;
#[cfg(not(kael_backend = "sim"))]
pub(crate) use asking::SocketOption;
#[cfg(not(any(windows, kael_backend = "sim")))]
use own::{past_close, reuse_port};
#[cfg(not(any(windows, kael_backend = "sim")))]
use sockets::reuse_address;
#[cfg(windows)]
use windows::{past_close, reuse_address, reuse_port};

// Work for the blocking pool.
#[cfg(not(kael_backend = "sim"))]
mod inbox;
#[cfg(not(kael_backend = "sim"))]
mod job;
#[cfg(not(kael_backend = "sim"))]
mod jobs;
#[cfg(not(kael_backend = "sim"))]
pub(crate) use job::PoolJob;

// Windows: completion ports.
#[cfg(windows)]
#[path = "windows/handles.rs"]
mod handles;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::access::O_DIRECT;
#[cfg(windows)]
use windows::call;
#[cfg(windows)]
pub(crate) use windows::pipes;
#[cfg(windows)]
pub(crate) use windows::{
    Backend, MOST, StatBuf, Unpark, access, advise_huge_pages, borrow, close_now, errno, pin_to_cpu,
};

// Unix, by whatever.
#[cfg(not(windows))]
#[path = "posix/access.rs"]
pub(crate) mod access;
#[cfg(not(windows))]
#[path = "posix/errno.rs"]
pub(crate) mod errno;
#[cfg(not(windows))]
#[path = "posix/handles.rs"]
mod handles;
pub(crate) use handles::{file_of, number_of_file, number_of_stream, stream_of};
#[cfg(not(any(windows, kael_backend = "sim")))]
use posix::call;
#[cfg(not(any(target_vendor = "apple", windows, kael_backend = "sim")))]
mod flags;
#[cfg(not(any(windows, kael_backend = "sim")))]
mod posix;
#[cfg(not(any(windows, kael_backend = "sim")))]
mod sockets;
#[cfg(not(any(windows, kael_backend = "sim")))]
pub(crate) use {
    own::{MOST, O_DIRECT, advise_huge_pages, pin_to_cpu},
    sockets::{borrow, close_now},
};

// Bytes through pipes: Linux, where the calls are its own. (An emulated kqueue is not told of pipes.)
#[cfg(all(target_os = "linux", not(any(kael_backend = "sim", kael_backend = "kqueue"))))]
mod splice;
#[cfg(not(all(target_os = "linux", not(any(kael_backend = "sim", kael_backend = "kqueue")))))]
#[path = "unspliced.rs"]
mod splice;
pub(crate) use splice::{RawPipe, SPLICES};

// A file to a socket by one call: the kqueues of those who have sendfile(2), and Windows.
#[cfg(any(
    all(target_os = "freebsd", not(kael_backend = "sim")),
    all(target_vendor = "apple", not(kael_backend = "sim")),
    all(target_os = "linux", kael_backend = "kqueue")
))]
mod sendfile;
#[cfg(not(any(
    windows,
    all(target_os = "freebsd", not(kael_backend = "sim")),
    all(target_vendor = "apple", not(kael_backend = "sim")),
    all(target_os = "linux", kael_backend = "kqueue")
)))]
#[path = "unsent.rs"]
mod sendfile;
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
use kevent::{SF_NODISKIO as NODISKIO, apple_sendfile, freebsd_sendfile};
#[cfg(all(target_vendor = "apple", not(kael_backend = "sim")))]
use libc::sendfile as apple_sendfile;
#[cfg(all(target_os = "freebsd", not(kael_backend = "sim")))]
use libc::{SF_NODISKIO as NODISKIO, sendfile as freebsd_sendfile};
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
#[path = "sendfile/apple.rs"]
mod sendfile_apple;
#[cfg(all(target_vendor = "apple", not(kael_backend = "sim")))]
#[path = "sendfile/apple.rs"]
mod sendfile_form;
#[cfg(all(target_os = "freebsd", not(kael_backend = "sim")))]
#[path = "sendfile/freebsd.rs"]
mod sendfile_form;
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
#[path = "sendfile/emulated.rs"]
mod sendfile_form;
#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
#[path = "sendfile/freebsd.rs"]
mod sendfile_freebsd;
#[cfg(not(windows))]
pub(crate) use sendfile::{TRANSMITS, TRANSMITS_HEAD};
#[cfg(any(windows, test))]
#[path = "windows/transmit/rules.rs"]
mod transmit_rules;
#[cfg(windows)]
pub(crate) use windows::{TRANSMITS, TRANSMITS_HEAD};

#[cfg(kael_backend = "sim")]
mod sim;
#[cfg(kael_backend = "sim")]
pub(crate) use sim::control as sim_control;
#[cfg(kael_backend = "sim")]
pub(crate) use sim::{
    Backend, MOST, O_DIRECT, PoolJob, SocketOption, Unpark, advise_huge_pages, borrow, close_now,
    pin_to_cpu,
};

// What is wanted soon.
#[cfg(not(target_arch = "x86_64"))]
#[path = "prefetch/other.rs"]
mod prefetch;
#[cfg(target_arch = "x86_64")]
#[path = "prefetch/x86_64.rs"]
mod prefetch;
pub(crate) use prefetch::prefetch;

#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    windows,
    kael_backend = "sim"
)))]
compile_error!(
    "kael-rt runs on Linux (io_uring, or epoll with --cfg kael_backend=\"epoll\"), on macOS and on the BSDs (kqueue), \
     and on Windows (IOCP); on any Unix, --cfg kael_backend=\"sim\" builds it over the simulator"
);

pub(crate) use event::{
    Buffers, COPIED, Event, LOOK, MORE, NOTIFICATION, PART, Region, Started, buffer_flags,
    buffer_of,
};
pub(crate) use frames::{Frame, HEAD as FRAME_HEAD};
pub(crate) use options::RingOptions;
pub(crate) use packet::Packet;
pub(crate) use scratch::{Message, MessageMut, PeerAddr, Scratch, Vectors, VectorsMut};
