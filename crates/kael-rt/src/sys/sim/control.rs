//! What a test program sets and asks of the simulated kernels of its thread: the faults, the trace
//! hash, the violations of the laws. It decides nothing.
#![forbid(unsafe_code)]

use super::world::World;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

/// What a simulated kernel does besides working. Rates are per thousand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Faults {
    /// The longest that an operation takes once it can go on.
    pub longest_delay: Duration,
    /// Transfers that move less than they could.
    pub short: u32,
    /// Transfers that are answered EINTR, and nothing is moved.
    pub interrupted: u32,
    /// Requests and cancels for which there is no room just now.
    pub full: u32,
    /// Connections that end while they wait to be accepted.
    pub aborted: u32,
    /// Datagrams that are lost.
    pub lost_datagrams: u32,
    /// Multishot receives that the kernel ends for no reason.
    pub ended_shots: u32,
    /// Descriptors that may be open at a time.
    pub max_open: usize,
    /// Bytes that a stream holds in each direction.
    pub stream_buffer: usize,
    /// How long, in real time, a core waits for other threads before a standstill counts as a
    /// violation. A program without other threads has none.
    pub patience: Duration,
    /// Turns of one runtime after which it counts as running in circles.
    pub max_turns: u64,
    /// Every step of the trace is printed to stderr.
    pub prints: bool,
    /// A violation panics at once, rather than being kept for [`take_violations`].
    pub panics: bool,
}

impl Default for Faults {
    /// A kernel without faults but delays, for the suites that run on every backend.
    fn default() -> Faults {
        Faults {
            longest_delay: Duration::from_micros(200),
            short: 0,
            interrupted: 0,
            full: 30,
            aborted: 0,
            lost_datagrams: 0,
            ended_shots: 0,
            max_open: 1 << 20,
            stream_buffer: 64 * 1024,
            patience: Duration::from_secs(20),
            max_turns: u64::MAX,
            prints: false,
            panics: true,
        }
    }
}

/// Says of a piece of memory whether it has been freed.
pub type MemoryCheck = fn(*const u8, usize) -> bool;

struct Control {
    faults: RefCell<Faults>,
    hash: Cell<u64>,
    violations: RefCell<Vec<String>>,
    world: RefCell<Rc<RefCell<World>>>,
    is_freed: Cell<Option<MemoryCheck>>,
}

thread_local! {
    static CONTROL: Control = Control {
        faults: RefCell::default(),
        hash: Cell::new(0),
        violations: RefCell::default(),
        world: RefCell::default(),
        is_freed: Cell::new(None),
    };
}

/// Sets the faults of the runtimes that this thread builds from now on.
pub fn set_faults(faults: Faults) {
    CONTROL.with(|control| *control.faults.borrow_mut() = faults);
}

/// The faults as they are set.
pub fn faults() -> Faults {
    CONTROL.with(|control| control.faults.borrow().clone())
}

/// Forgets everything: files, sockets, violations, the hash. Only between runtimes.
pub fn reset() {
    CONTROL.with(|control| {
        control.hash.set(0);
        control.violations.borrow_mut().clear();
        let old = control.world.replace(Rc::default());
        drop(old);
    });
}

/// A number made of everything that the kernels of this thread have done since [`reset`].
pub fn trace_hash() -> u64 {
    CONTROL.with(|control| control.hash.get())
}

/// The violations since [`reset`], as sentences that begin with the law.
pub fn take_violations() -> Vec<String> {
    CONTROL.with(|control| control.violations.take())
}

/// A law was violated since [`reset`].
pub(super) fn is_violated() -> bool {
    CONTROL.with(|control| !control.violations.borrow().is_empty())
}

/// How many simulated descriptors are open, direct ones included.
pub fn open_descriptors() -> usize {
    world().borrow().open()
}

/// Sets what says whether memory was freed: a test's own allocator.
pub fn set_memory_check(check: MemoryCheck) {
    CONTROL.with(|control| control.is_freed.set(Some(check)));
}

/// Reports a violation of a law.
pub fn violation(text: String) {
    let panics = CONTROL.with(|control| {
        control.violations.borrow_mut().push(text.clone());
        control.faults.borrow().panics
    });
    if panics && !std::thread::panicking() {
        panic!("simulation: {text}");
    }
}

/// Takes something into the trace.
pub(super) fn note(what: u64, a: u64, b: u64) {
    CONTROL.with(|control| {
        let mut hash = control.hash.get();
        for word in [what, a, b] {
            hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        control.hash.set(hash);
        if control.faults.borrow().prints {
            eprintln!("{what:3} {a:#x} {:x} {}", b >> 32, b as i32);
        }
    });
}

pub(super) fn world() -> Rc<RefCell<World>> {
    CONTROL.with(|control| control.world.borrow().clone())
}

/// The world, unless the thread is ending.
pub(super) fn try_world() -> Option<Rc<RefCell<World>>> {
    CONTROL.try_with(|control| control.world.borrow().clone()).ok()
}

pub(super) fn is_freed(at: *const u8, len: usize) -> bool {
    CONTROL.with(|control| control.is_freed.get()).is_some_and(|check| check(at, len))
}
