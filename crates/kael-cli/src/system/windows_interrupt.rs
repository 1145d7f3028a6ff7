//! What Ctrl-C and the end of a console do: a closure runs, on a thread of its own, so that it may block.

use std::io;

/// What Unix calls the signal.
const SIGINT: i32 = 2;

/// Runs `f` the first time. A second one ends the process.
pub(crate) fn on_signal(f: impl FnOnce(i32) + Send + 'static) -> io::Result<()> {
    let mut stop = Some(f);
    ctrlc::set_handler(move || match stop.take() {
        Some(f) => f(SIGINT),
        None => std::process::exit(128 + SIGINT),
    })
    .map_err(io::Error::other)
}
