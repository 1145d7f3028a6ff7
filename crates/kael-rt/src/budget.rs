//! What each operation costs in system calls: one table, which the documentation of each
//! operation shows, which the tests hold the code to, and which `kael analyze` measures.
//!
//! "One in flight" is exact: one operation after the other, each awaited, on an otherwise idle
//! core. "64 in flight" is a ceiling for each of many concurrent operations.
#![forbid(unsafe_code)]

/// One row of the table.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Budget {
    /// The name of the row, as `kael analyze` prints it.
    pub operation: &'static str,
    /// System calls of one operation with nothing else in flight.
    pub one: f64,
    /// At most so many for each, with 64 in flight.
    pub many: f64,
    /// Heap allocations of one operation once the pools are full.
    pub allocations: f64,
    /// Why it is so.
    pub why: &'static str,
}

macro_rules! budgets {
    ($($name:ident: $title:literal, $one:literal, $many:literal, $allocations:literal, $why:literal;)*) => {
        /// The budgets of this build's platform.
        ///
        /// ```
        /// let read = kael_rt::budget::TABLE.iter().find(|row| row.operation == "File::read_at").unwrap();
        /// assert_eq!((read.one, read.allocations), (1.0, 0.0));
        /// ```
        pub const TABLE: &[Budget] = &[$(Budget {
            operation: $title, one: $one, many: $many, allocations: $allocations, why: $why,
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
    file_read: "File::read_at", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    file_read_exact: "File::read_exact_at", 1.0, 0.05, 0.0, "as read_at, again after a short read";
    file_read_vectored: "File::read_vectored_at", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    file_write: "File::write_at", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    file_write_all: "File::write_all_at", 1.0, 0.05, 0.0, "as write_at, again after a short write";
    file_write_vectored: "File::write_vectored_at", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    file_sync: "File::sync_data", 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_metadata: "File::metadata", 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_set_len: "File::set_len", 1.0, 1.0, 0.0, "a worker of the kernel does it (before Linux 6.9 a thread of the pool: 2 more)";
    file_allocate: "File::allocate", 1.0, 1.0, 0.0, "a worker of the kernel does it";
    file_open_close: "File::open + close", 2.0, 2.0, 1.0, "one enter each; the path is copied";
    tcp_round_trip: "TcpStream round trip", 2.0, 0.05, 0.0, "the write's enter and the read's enter of one side";
    tcp_read: "TcpStream::read", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_write: "TcpStream::write", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_write_vectored: "TcpStream::write_vectored", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_peek: "TcpStream::peek", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    tcp_connect: "TcpStream::connect + accept + close", 3.0, 3.0, 0.0, "socket(2) and one enter for each end; the closes ride along";
    udp_send: "UdpSocket::send_to", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    udp_recv: "UdpSocket::recv_from", 1.0, 0.05, 0.0, "one enter submits, waits and reaps";
    udp_round_trip: "UdpSocket round trip", 2.0, 0.05, 0.0, "the send's enter and the receive's enter of one side";
    sleep: "time::sleep", 1.0, 0.05, 0.0, "no submission: the deadline is the timeout of the wait";
    timer: "time::timeout (not reached)", 0.0, 0.0, 0.0, "the wheel is plain memory";
    yield_now: "yield_now", 0.0, 0.0, 0.0, "the run queue is plain memory";
    wake: "wake on the same core", 0.0, 0.0, 0.0, "a flag and a push";
    spawn: "spawn + join", 0.0, 0.0, 0.0, "tasks are pooled";
    remote_wake: "wake of a sleeping core", 1.0, 1.0, 0.0, "the waker writes to the core's eventfd; the core's own wait is its next operation's";
    spawn_blocking: "spawn_blocking + join", 4.0, 4.0, 3.0, "futex and eventfd between two threads; the closure is boxed";
}
