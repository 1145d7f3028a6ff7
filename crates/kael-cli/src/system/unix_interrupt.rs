//! What SIGINT, SIGTERM and SIGHUP do: a closure runs, on a thread of its own, so that it may block.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::thread;

/// Runs `f` at the first signal, with its number. A second one ends the process, with the status of shells.
pub(crate) fn on_signal(f: impl FnOnce(i32) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals.forever();
        if let Some(signal) = signals.next() {
            f(signal);
        }
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
    })?;
    Ok(())
}

/// As [`on_signal`], of SIGINT and SIGTERM; each SIGHUP runs `reload`.
#[cfg(feature = "serve")]
pub(crate) fn on_signal_or_reload(
    f: impl FnOnce(i32) + Send + 'static,
    mut reload: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let mut stop = Some(f);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            match (signal, stop.take()) {
                (SIGHUP, kept) => {
                    stop = kept;
                    reload();
                }
                (_, Some(f)) => f(signal),
                (_, None) => std::process::exit(128 + signal),
            }
        }
    })?;
    Ok(())
}
