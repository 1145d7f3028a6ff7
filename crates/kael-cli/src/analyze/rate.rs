//! Latency at a fixed rate: each request has a time at which it is meant to start, whether or not the one before it is
//! done, and its latency counts from then. So a pause shows in every request that it held up (no coordinated omission).

use super::files::{self, BLOCK_BYTES, Walk, whole};
use super::scratch::ScratchDir;
use super::tcp::MESSAGE_BYTES;
use crate::latency::{Latency, Recorder};
use crate::peer::Peer;
use kael_rt::net::TcpStream;
use kael_rt::time::{self, Duration, Instant};
use std::cell::RefCell;
use std::io;
use std::mem::take;
use std::rc::Rc;

const LANES: usize = 64;

/// The latencies of one workload at one rate.
pub(crate) struct AtRate {
    pub(crate) operation: &'static str,
    pub(crate) per_second: u32,
    pub(crate) operations: u64,
    pub(crate) latency: Latency,
}

pub(crate) async fn file_reads(
    dir: &ScratchDir,
    per_second: u32,
    time: Duration,
) -> io::Result<AtRate> {
    let file = files::cached_file(dir).await?;
    let lanes = (0..LANES).map(|_| {
        let (file, mut walk, mut buf) =
            (file.clone(), Walk::new(), Vec::with_capacity(BLOCK_BYTES));
        async move || {
            let (result, back) = file.read_at(take(&mut buf), walk.next()).await;
            buf = back;
            whole(result, BLOCK_BYTES)
        }
    });
    run("File::read_at", lanes, per_second, time).await
}

pub(crate) async fn tcp_round_trips(per_second: u32, time: Duration) -> io::Result<AtRate> {
    let peer = Peer::start()?;
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        let stream = TcpStream::connect(peer.tcp).await?;
        stream.set_nodelay(true)?;
        let (mut out, mut back) = (vec![1; MESSAGE_BYTES], vec![0; MESSAGE_BYTES]);
        lanes.push(async move || {
            let (result, buf) = stream.write_all(take(&mut out)).await;
            out = buf;
            result?;
            let (result, buf) = stream.read_exact(take(&mut back)).await;
            back = buf;
            whole(result, MESSAGE_BYTES)
        });
    }
    run("TcpStream round trip", lanes.into_iter(), per_second, time).await
}

/// Request i starts at i / rate, on lane i modulo their number. A lane that is late does not shift its later ones.
async fn run<R: AsyncFnMut() -> io::Result<()> + 'static>(
    operation: &'static str,
    lanes: impl ExactSizeIterator<Item = R>,
    per_second: u32,
    time: Duration,
) -> io::Result<AtRate> {
    let step = Duration::from_secs(1) / per_second;
    let total = (time.as_nanos() / step.as_nanos()).max(1) as u64;
    let count = lanes.len() as u64;
    let recorder = Rc::new(RefCell::new(Recorder::new()));
    let start = Instant::now() + Duration::from_millis(1);
    let tasks: Vec<_> = (0..)
        .zip(lanes)
        .map(|(first, mut lane)| {
            let recorder = recorder.clone();
            kael_rt::spawn(async move {
                for number in (first..total).step_by(count as usize) {
                    let due = start + Duration::from_nanos(number * step.as_nanos() as u64);
                    time::sleep_until(due).await;
                    lane().await?;
                    recorder.borrow_mut().record(due.elapsed());
                }
                Ok::<_, io::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    let latency = recorder.borrow().summary();
    Ok(AtRate { operation, per_second, operations: total, latency })
}
