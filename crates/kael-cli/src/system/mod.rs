//! What programs ask each kind of system for in its own way: limits, signals, the system's name. Nothing of it is about I/O,
//! which is the library's.

#[cfg(unix)]
#[path = "unix_interrupt.rs"]
pub(crate) mod interrupt;
#[cfg(windows)]
#[path = "windows_interrupt.rs"]
pub(crate) mod interrupt;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "no_trace.rs"]
pub(crate) mod trace;
// What other programs ask of the kernel is told by the kernel: each has its own way, and Linux's is known here.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "../trace/mod.rs"]
pub(crate) mod trace;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    descriptors, is_starved, locked_memory, parameter, raise_descriptors, release,
};
#[cfg(windows)]
pub(crate) use windows::{
    descriptors, is_starved, locked_memory, parameter, raise_descriptors, release,
};
