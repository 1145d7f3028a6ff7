//! The rows of time.

use super::files::{self, BLOCK_BYTES, Walk, whole};
use super::meter::{Meter, plain};
use super::scratch::ScratchDir;
use kael_rt::CancelToken;
use kael_rt::time::{self, Duration, Instant};
use std::io;
use std::mem::take;

const NAP: Duration = Duration::from_micros(200);
/// Far away: it is never reached.
const LIMIT: Duration = Duration::from_secs(3600);

pub(crate) async fn measure(meter: &mut Meter, dir: &ScratchDir) -> io::Result<()> {
    meter
        .row("time::sleep", || {
            plain(async || {
                time::sleep(NAP).await;
                Ok(())
            })
        })
        .await?;
    meter
        .row("time::sleep_until", || {
            plain(async || {
                time::sleep_until(Instant::now() + NAP).await;
                Ok(())
            })
        })
        .await?;
    meter
        .row("time::interval tick", || {
            let mut interval = time::interval(NAP);
            plain(async move || {
                interval.tick().await;
                Ok(())
            })
        })
        .await?;
    meter
        .row("time::timeout (not reached)", || {
            plain(async || {
                time::timeout(LIMIT, kael_rt::yield_now()).await.map_err(io::Error::other)
            })
        })
        .await?;
    operations(meter, dir).await?;
    meter
        .row("CancelToken::cancel + cancelled", || {
            plain(async || {
                let token = CancelToken::new();
                let waiting = kael_rt::spawn(token.cancelled());
                kael_rt::yield_now().await;
                token.cancel();
                waiting.await.map_err(io::Error::other)
            })
        })
        .await
}

/// Reads with a limit, and with a token.
async fn operations(meter: &mut Meter, dir: &ScratchDir) -> io::Result<()> {
    let file = files::cached_file(dir).await?;
    meter
        .row("Operation::timeout (not reached)", || {
            let (file, mut walk, mut buf) =
                (file.clone(), Walk::new(), Vec::with_capacity(BLOCK_BYTES));
            plain(async move || {
                let (result, back) = file.read_at(take(&mut buf), walk.next()).timeout(LIMIT).await;
                buf = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await?;
    let token = CancelToken::new();
    meter
        .row("Operation::cancel_on (not cancelled)", || {
            let (file, token) = (file.clone(), token.clone());
            let (mut walk, mut buf) = (Walk::new(), Vec::with_capacity(BLOCK_BYTES));
            plain(async move || {
                let (result, back) =
                    file.read_at(take(&mut buf), walk.next()).cancel_on(&token).await;
                buf = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await
}
