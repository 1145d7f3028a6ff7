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
    /// Pipes, and from one descriptor to another.
    Bytes,
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

/// The rows of an interface: its own, or those of another one of which some are its own.
macro_rules! rows {
    ($own:ident) => {
        $own
    };
    ($own:ident, $base:ident) => {
        &crate::budget::over::<{ super::$base::ROWS.len() }>(super::$base::ROWS, $own)
    };
}

macro_rules! budgets {
    ($interface:literal $(, else $base:ident)?; $($name:ident: $area:ident $title:literal, $rule:ident $one:literal, $many:literal, $allocations:literal, $why:literal;)*) => {
        const OWN: &[Budget] = &[$(Budget {
            operation: $title, area: Area::$area, one: $one, exact: rule!($rule), many: $many,
            allocations: $allocations, why: $why,
        },)*];
        pub(crate) const ROWS: &[Budget] = crate::budget::rows!(OWN $(, $base)?);

        /// The row of an operation, as a sentence of its documentation.
        #[allow(unused_macros, reason = "the documentation shows the budgets of one interface")]
        macro_rules! budget {
            $(($name) => {
                concat!(
                    "Budget (", $interface, "): ", $one, " system calls with one in flight, at most ", $many,
                    " each with 64 in flight, ", $allocations, " heap allocations: ", $why, "."
                )
            };)*
            $(($other:ident) => {
                crate::sys::budgets::$base::budget!($other)
            };)?
        }
        #[allow(unused_imports, reason = "likewise")]
        pub(crate) use budget;
    };
}
pub(crate) use budgets;
pub(crate) use rows;
pub(crate) use rule;

/// A table with some rows replaced by those of the same operation.
pub(crate) const fn over<const N: usize>(table: &[Budget], rows: &[Budget]) -> [Budget; N] {
    let mut all = [table[0]; N];
    let (mut at, mut replaced) = (0, 0);
    while at < N {
        all[at] = table[at];
        let mut row = 0;
        while row < rows.len() {
            if is_same(table[at].operation.as_bytes(), rows[row].operation.as_bytes()) {
                all[at] = rows[row];
                replaced += 1;
            }
            row += 1;
        }
        at += 1;
    }
    assert!(replaced == rows.len(), "each row has the name of one that it replaces");
    all
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The budgets of this build's platform.
///
/// ```
/// let sleep = kael_rt::budget::TABLE.iter().find(|row| row.operation == "time::sleep").unwrap();
/// assert_eq!((sleep.one, sleep.allocations), (1.0, 0.0));
/// ```
pub const TABLE: &[Budget] = crate::sys::own_budgets::ROWS;
pub(crate) use crate::sys::own_budgets::budget;

/// The budgets of named pipes, which only Windows has. They are in no other table, and in every build, for who plans a
/// program for another platform.
///
/// ```
/// use kael_rt::budget::NAMED_PIPES;
/// let read = NAMED_PIPES.iter().find(|row| row.operation == "NamedPipe::read").unwrap();
/// assert_eq!(read.allocations, 0.0);
/// ```
pub const NAMED_PIPES: &[Budget] = crate::sys::budgets::pipes::ROWS;

/// An interface of a system to which Kael has a backend.
///
/// ```
/// use kael_rt::budget::{Interface, table};
///
/// // The same operations everywhere, in the same order.
/// let names = |interface| table(interface).iter().map(|row| row.operation);
/// assert!(names(Interface::IoUring).eq(names(Interface::Kqueue)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Interface {
    /// io_uring of Linux.
    IoUring,
    /// epoll of Linux.
    Epoll,
    /// kqueue of macOS and the BSDs.
    Kqueue,
    /// I/O completion ports of Windows.
    Iocp,
    /// Registered I/O of Windows, beside completion ports: with the cargo feature `rio`.
    Rio,
}

/// The budgets of an interface, whichever this build uses: for who plans a program for another platform.
///
/// ```
/// use kael_rt::budget::{Interface, table};
///
/// let calls = |interface| {
///     let row = table(interface).iter().find(|row| row.operation == "TcpStream round trip (queued)");
///     row.expect("each table has it").one
/// };
/// assert!(calls(Interface::IoUring) < calls(Interface::Epoll));
/// ```
pub const fn table(interface: Interface) -> &'static [Budget] {
    use crate::sys::budgets::{epoll, kqueue, rio, uring, windows};
    match interface {
        Interface::IoUring => uring::ROWS,
        Interface::Epoll => epoll::ROWS,
        Interface::Kqueue => kqueue::ROWS,
        Interface::Iocp => windows::ROWS,
        Interface::Rio => rio::ROWS,
    }
}
