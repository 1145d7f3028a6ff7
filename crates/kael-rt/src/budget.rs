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
    ($interface:literal; $($name:ident: $area:ident $title:literal, $rule:ident $one:literal, $many:literal, $allocations:literal, $why:literal;)*) => {
        pub(crate) const ROWS: &[Budget] = &[$(Budget {
            operation: $title, area: Area::$area, one: $one, exact: rule!($rule), many: $many,
            allocations: $allocations, why: $why,
        },)*];

        /// The row of an operation, as a sentence of its documentation.
        macro_rules! budget {
            $(($name) => {
                concat!(
                    "Budget (", $interface, "): ", $one, " system calls with one in flight, at most ", $many,
                    " each with 64 in flight, ", $allocations, " heap allocations: ", $why, "."
                )
            };)*
        }
        pub(crate) use budget;
    };
}
pub(crate) use budgets;
pub(crate) use rule;

/// The budgets of this build's platform.
///
/// ```
/// let sleep = kael_rt::budget::TABLE.iter().find(|row| row.operation == "time::sleep").unwrap();
/// assert_eq!((sleep.one, sleep.allocations), (1.0, 0.0));
/// ```
pub const TABLE: &[Budget] = crate::sys::budgets::ROWS;
pub(crate) use crate::sys::budgets::budget;
