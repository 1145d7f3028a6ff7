//! [`relay`]: what one end of a connection sends goes to the other, both ways, until both have ended.

use crate::before::before;
use kael_rt::io::{Progress, copy_bidirectional_with};
use kael_rt::net::TcpStream;
use kael_rt::time::{Duration, sleep};
use std::io;

/// How often it is looked whether anything has moved, in the time after which a connection is idle.
const LOOKS: u32 = 8;

/// Relays between `a` and `b` until both directions have ended; the end of one is passed on, and the other goes on. Fails
/// when one of the streams does, or with `TimedOut` when nothing has gone either way for `idle`, or for an eighth longer.
///
/// A direction holds nothing while it waits for something to come: an end that does not read holds up its own connection,
/// and no other.
pub(super) async fn relay(
    a: &TcpStream,
    b: &TcpStream,
    idle: Duration,
    progress: &Progress,
) -> io::Result<()> {
    let ended = before(copy_bidirectional_with(a, b, progress), quiet(progress, idle)).await;
    ended.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// Waits until nothing has gone either way for so long. Who looks now and then needs no clock for each piece.
async fn quiet(progress: &Progress, limit: Duration) {
    let moved = || progress.there() + progress.back();
    let (mut last, mut looks) = (moved(), 0);
    while looks < LOOKS {
        sleep(limit / LOOKS).await;
        let now = moved();
        looks = if now == last { looks + 1 } else { 0 };
        last = now;
    }
}
