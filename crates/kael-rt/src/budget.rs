//! What each operation costs in system calls: one table, which the documentation of each
//! operation shows, which the tests hold the code to, and which `kael analyze` measures.
//!
//! "One in flight" is one operation after the other, each awaited, on an otherwise idle core.
//! "64 in flight" is a ceiling for each of 64 operations that begin together. Counted are the
//! calls of one core's driver, and the calls that wake it; what other threads and the kernel's
//! own workers do is theirs.
#![forbid(unsafe_code)]

/// One row of the table.
///
/// ```
/// // What a sleep costs besides the wait: nothing.
/// let sleep = kael_rt::budget::TABLE.iter().find(|row| row.operation == "time::sleep").unwrap();
/// assert!(sleep.exact && sleep.one == 1.0);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Budget {
    /// The name of the row, as `kael analyze` prints it.
    pub operation: &'static str,
    /// What part of the library it is of.
    pub area: Area,
    /// System calls of one operation with nothing else in flight.
    pub one: f64,
    /// Whether `one` is exact; otherwise two threads race, and `one` is a ceiling.
    pub exact: bool,
    /// At most so many for each, with 64 in flight.
    pub many: f64,
    /// Heap allocations of one operation once the pools are full, at most.
    pub allocations: f64,
    /// Why it is so.
    pub why: &'static str,
}

/// A part of the library.
///
/// ```
/// use kael_rt::budget::{Area, TABLE};
/// assert!(TABLE.iter().filter(|row| row.area == Area::File).all(|row| row.one >= 1.0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Area {
    /// Files and paths.
    File,
    /// TCP and UDP.
    Socket,
    /// Buffer pools, and what is received into them.
    Buffer,
    /// Time.
    Timer,
    /// Tasks, wakes, threads.
    Task,
}

macro_rules! rule {
    (exact) => {
        true
    };
    (at_most) => {
        false
    };
}

macro_rules! budgets {
    ($($name:ident: $area:ident $title:literal, $rule:ident $one:literal, $many:literal, $allocations:literal, $why:literal;)*) => {
        /// The budgets of this build's platform.
        ///
        /// ```
        /// let read = kael_rt::budget::TABLE.iter().find(|row| row.operation == "File::read_at").unwrap();
        /// assert_eq!((read.one, read.allocations), (1.0, 0.0));
        /// ```
        pub const TABLE: &[Budget] = &[$(Budget {
            operation: $title, area: Area::$area, one: $one, exact: rule!($rule), many: $many,
            allocations: $allocations, why: $why,
        },)*];

        /// The row of an operation, as a sentence of its documentation.
        macro_rules! budget {
            $(($name) => {
                concat!(
                    "Budget (io_uring): ", $one, " system calls with one in flight, at most ", $many,
                    " each with 64 in flight, ", $allocations, " heap allocations: ", $why, "."
                )
            };)*
        }
        pub(crate) use budget;
    };
}

budgets! {
    file_read: File "File::read_at", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    file_read_exact: File "File::read_exact_at", exact 1.0, 0.05, 0.0, "as read_at, again after a short read";
    file_read_vectored: File "File::read_vectored_at", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    file_write: File "File::write_at", exact 1.0, 1.0, 0.0, "one enter submits, waits and reaps; 0.05 each where the file system writes without blocking (xfs, btrfs, tmpfs, direct I/O), on ext4 a worker of the kernel writes to the page cache";
    file_write_all: File "File::write_all_at", exact 1.0, 1.0, 0.0, "as write_at, again after a short write; 0.05 each where the file system writes without blocking (xfs, btrfs, tmpfs, direct I/O), on ext4 a worker of the kernel writes to the page cache";
    file_write_vectored: File "File::write_vectored_at", exact 1.0, 1.0, 0.0, "one enter submits, waits and reaps; 0.05 each where the file system writes without blocking (xfs, btrfs, tmpfs, direct I/O), on ext4 a worker of the kernel writes to the page cache";
    file_sync_all: File "File::sync_all", exact 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_sync: File "File::sync_data", exact 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_metadata: File "File::metadata", exact 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_set_len: File "File::set_len", exact 1.0, 1.0, 0.0, "a worker of the kernel does it (before Linux 6.9 a thread of the pool: 1 more)";
    file_allocate: File "File::allocate", exact 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_open_close: File "File::open + close", exact 2.0, 2.0, 1.0, "one enter each; the path is copied";
    file_create_close: File "File::create + close", exact 2.0, 2.0, 1.0, "one enter each; the path is copied";
    path_metadata: File "fs::metadata", exact 1.0, 1.0, 1.0, "a worker of the kernel does it; the path is copied";
    path_symlink_metadata: File "fs::symlink_metadata", exact 1.0, 1.0, 1.0, "a worker of the kernel does it; the path is copied";
    path_directory: File "fs::create_dir + remove_dir", exact 2.0, 2.0, 2.0, "one enter each; the paths are copied";
    path_rename: File "fs::rename", exact 1.0, 1.0, 2.0, "a worker of the kernel does it; the paths are copied";
    path_write: File "fs::write + remove_file", exact 4.0, 4.0, 2.0, "open, write, close, unlink; the paths are copied";
    path_read: File "fs::read", exact 4.0, 4.0, 2.0, "open, stat, read, read of the end; the close rides along; path and content";
    path_read_to_string: File "fs::read_to_string", exact 4.0, 4.0, 2.0, "as fs::read";
    tcp_round_trip: Socket "TcpStream round trip", exact 2.0, 0.1, 0.0, "the write's enter and the read's enter of one side; with 64 in flight both sides are on the core";
    tcp_read: Socket "TcpStream::read", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_read_exact: Socket "TcpStream::read_exact", exact 1.0, 0.05, 0.0, "as read, again after a short read";
    tcp_read_vectored: Socket "TcpStream::read_vectored", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_peek: Socket "TcpStream::peek", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_write: Socket "TcpStream::write", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_write_all: Socket "TcpStream::write_all", exact 1.0, 0.05, 0.0, "as write, again after a short write";
    tcp_write_vectored: Socket "TcpStream::write_vectored", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_write_all_vectored: Socket "TcpStream::write_all_vectored", exact 1.0, 0.05, 0.0, "as write_vectored, again after a short write";
    tcp_write_queued: Socket "TcpStream::write_queued + flush", exact 2.0, 0.1, 0.0, "one enter hands over what is queued, and one passes behind it; without the flush it rides along with the next call";
    tcp_write_queued_vectored: Socket "TcpStream::write_queued_vectored + flush", exact 2.0, 0.1, 0.0, "as write_queued";
    tcp_queued_round_trip: Socket "TcpStream round trip (queued)", exact 1.0, 0.1, 0.0, "the read's enter carries the write; with 64 in flight both sides are on the core";
    tcp_send_zc: Socket "TcpStream::send_zc", at_most 2.0, 0.1, 0.0, "one enter submits and waits; one more when the notification comes after the result";
    tcp_send_zc_vectored: Socket "TcpStream::send_zc_vectored", at_most 2.0, 0.1, 0.0, "as send_zc";
    tcp_shutdown: Socket "TcpStream::shutdown", exact 1.0, 1.0, 0.0, "a worker of the kernel does it";
    tcp_close: Socket "TcpStream::close", exact 3.0, 0.1, 0.0, "what was written ends, what is read ends, the close";
    tcp_detach: Socket "TcpStream::detach", exact 2.0, 0.1, 0.0, "what was written ends, what is read ends; one call more for a stream that was accepted or connected";
    tcp_std: Socket "TcpStream::from_std + into_std", exact 1.0, 1.0, 0.0, "ioctl(2) makes it wait in the kernel; else the descriptor changes hands";
    lookup_host: Socket "net::lookup_host (an address)", exact 0.0, 0.0, 1.0, "nothing is looked up; a name goes to the blocking pool";
    tcp_option: Socket "TcpStream::set_nodelay", exact 1.0, 1.0, 0.0, "setsockopt(2); other options and addresses alike";
    tcp_bind: Socket "TcpListener::bind", exact 4.0, 4.05, 0.0, "socket(2), setsockopt(2), bind(2), listen(2); the close of a dropped one rides along with a later enter";
    tcp_connect: Socket "TcpStream::connect", exact 2.0, 1.05, 0.0, "socket(2) and one enter; the close of a dropped stream rides along with a later enter";
    tcp_accept: Socket "TcpListener::accept", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_incoming: Socket "TcpListener::incoming", exact 1.0, 0.05, 0.0, "as accept";
    udp_bind: Socket "UdpSocket::bind", exact 2.0, 2.05, 0.0, "socket(2) and bind(2); the close of a dropped one rides along with a later enter";
    udp_connect: Socket "UdpSocket::connect", exact 1.0, 1.0, 0.0, "connect(2), which does not wait";
    udp_send: Socket "UdpSocket::send", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    udp_send_zc: Socket "UdpSocket::send_zc", at_most 2.0, 0.1, 0.0, "one enter submits and waits; one more when the notification comes after the result";
    udp_send_to: Socket "UdpSocket::send_to", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    udp_recv: Socket "UdpSocket::recv", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    udp_recv_from: Socket "UdpSocket::recv_from", exact 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    udp_round_trip: Socket "UdpSocket round trip", exact 2.0, 0.1, 0.0, "the send's enter and the receive's enter of one side; with 64 in flight both sides are on the core";
    pool_get: Buffer "BufferPool::get", exact 0.0, 0.0, 0.0, "a list in plain memory";
    file_read_pooled: Buffer "File::read_at (BufferPool)", exact 1.0, 0.05, 0.0, "as read_at, without looking up and pinning pages";
    file_write_pooled: Buffer "File::write_at (BufferPool)", exact 1.0, 1.0, 0.0, "as write_at, without looking up and pinning pages";
    tcp_recv_pooled: Buffer "TcpStream::recv_pooled", exact 1.0, 0.1, 0.0, "one enter submits, waits and reaps; of 64 that wait already, Linux runs about 20 an enter";
    tcp_recv_stream: Buffer "RecvStream::next", exact 1.0, 0.1, 0.0, "one enter waits and reaps, and nothing is submitted; of 64, Linux runs about 20 an enter";
    sleep: Timer "time::sleep", exact 1.0, 0.05, 0.0, "no submission: the deadline is the timeout of the wait";
    sleep_until: Timer "time::sleep_until", exact 1.0, 0.05, 0.0, "no submission: the deadline is the timeout of the wait";
    interval: Timer "time::interval tick", at_most 1.0, 0.05, 0.0, "as sleep; none when the tick is due already";
    timer: Timer "time::timeout (not reached)", exact 0.0, 0.0, 0.0, "the wheel is plain memory";
    operation_timeout: Timer "Operation::timeout (not reached)", exact 1.0, 0.05, 0.0, "the operation's own enter";
    operation_cancel_on: Timer "Operation::cancel_on (not cancelled)", exact 1.0, 0.05, 0.0, "the operation's own enter";
    cancel: Timer "CancelToken::cancel + cancelled", exact 0.0, 0.0, 2.0, "plain memory; the token and its list of waiters";
    yield_now: Task "yield_now", exact 0.0, 0.0, 0.0, "the run queue is plain memory";
    wake: Task "wake on the same core", exact 0.0, 0.0, 0.0, "a flag and a push";
    spawn: Task "spawn + join", exact 0.0, 0.0, 0.0, "tasks are pooled";
    remote_wake: Task "wake of a sleeping core", at_most 1.0, 1.0, 0.0, "the waker writes to the core's eventfd; the wait that it ends is not counted here; none if the core is awake by then";
    remote_spawn: Task "Handle::spawn from another thread", at_most 1.0, 1.0, 1.0, "as a wake; the task's memory is allocated";
    spawn_blocking: Task "spawn_blocking + join", at_most 2.0, 2.0, 3.0, "the core's wait and the write that ends it; the two threads' futex calls are not counted; the closure and its outcome are boxed, and now and then a thread is started";
}
