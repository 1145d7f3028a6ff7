//! Measuring code that every comparison program shares, so that only the runtime differs.
//!
//! A program is one type that implements [`Peer`] and a `main` that calls [`run`]. This crate starts nothing and
//! compares nothing: `runner` does.
//!
//! ```text
//! p-NAME echo PORT                                  an echo server on 127.0.0.1, until it is killed
//! p-NAME proxy PORT TARGET_PORT [VARIANT]           a proxy from the one port to the other, until it is killed
//! p-NAME file PATH buffered|direct DEPTH SECS [VARIANT]   random 4 KiB reads
//! p-NAME micro GROUP                                spawn, yield, channel, timer, sleeps, socket, thread, or all
//! ```
//! Figures are printed as `name=value`.

mod alloc;
mod clock;
pub mod file;
mod joined;
mod micro;
pub mod net;
mod rng;
mod slot;
mod thread_flag;

use std::future::Future;
use std::time::Duration;

pub use alloc::{Allocations, Counting};
pub use clock::ThreadTimer;
pub use file::FileConfig;
pub use joined::Joined;
pub use slot::Slot;

/// What a runtime is set up for. Some peers are faster without a part that only some work needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Echo,
    Proxy,
    File,
    Micro,
}

/// A runtime under comparison. The bodies are what its documentation would have a user write.
pub trait Peer: 'static {
    /// How many timers the suite holds at once.
    const HELD_TIMERS: usize = 100_000;

    /// Sets a runtime up on this thread and runs `future` in it.
    fn block_on<F: Future + 'static>(work: Work, future: F) -> F::Output;

    /// A task on the same thread. The result's future panics if the task did.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static;

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static;

    /// `rounds` of a number sent to another task and back through the channel that users of this runtime take.
    /// Gives the CPU time in nanoseconds.
    fn channel_rounds(rounds: u64) -> impl Future<Output = u64>;

    /// `rounds` of 64 bytes sent to another task and back over a TCP connection. Gives nanoseconds of wall time.
    fn socket_rounds(rounds: u64) -> impl Future<Output = u64>;

    /// An echo server: accepts for ever, one task for each connection.
    fn echo(port: u16) -> impl Future<Output = ()> + 'static;

    /// A TCP proxy: accepts for ever, and relays both ways to the target's port, without Nagle's algorithm.
    fn proxy(
        _port: u16,
        _target: u16,
        _variant: Option<&'static str>,
    ) -> impl Future<Output = ()> + 'static {
        async { unimplemented!("the runner has no proxy of this runtime") }
    }

    /// Opens the file, then calls [`file::measure`] with its reader.
    fn files(config: FileConfig) -> impl Future<Output = ()> + 'static;
}

/// The `main` of every program: reads the command line and does what it says.
pub fn run<P: Peer>() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["echo", port] => {
            let port = port.parse().expect("echo takes a port number");
            P::block_on(Work::Echo, P::echo(port));
        }
        ["proxy", port, target, ref variant @ ..] => {
            let number = |port: &str| port.parse().expect("proxy takes two port numbers");
            let variant = variant.first().map(|variant| &*variant.to_string().leak());
            P::block_on(Work::Proxy, P::proxy(number(port), number(target), variant));
        }
        ["file", path, mode, depth, secs, ref variant @ ..] => {
            let config = FileConfig::new(path, mode, depth, secs, variant.first().copied());
            P::block_on(Work::File, async move {
                P::files(config).await;
                // Some peers panic or hang when a file is dropped outside the runtime; the figures are out by now.
                std::process::exit(0);
            });
        }
        ["micro", ref group @ ..] => {
            let group = group.first().copied().unwrap_or("all").to_owned();
            // In a task, not in the main future: the two are woken differently in most runtimes.
            P::block_on(Work::Micro, async move {
                P::spawn(async move { micro::suite::<P>(&group).await }).await;
                std::process::exit(0);
            });
        }
        _ => {
            eprintln!(
                "usage: echo PORT | proxy PORT TARGET_PORT [VARIANT] | file PATH buffered|direct DEPTH SECS [VARIANT] | micro [GROUP]"
            );
            std::process::exit(2);
        }
    }
}

/// Whether the runner asked for the flags that the peer's documentation offers beyond its defaults.
pub fn tuned() -> bool {
    std::env::var_os("PEER_TUNED").is_some()
}

/// Prints one figure in the form that the runner reads.
pub(crate) fn report(name: &str, value: f64) {
    println!("{name}={value:.4}");
}
