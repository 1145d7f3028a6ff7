//! [`Metrics`]: what a runtime has done, as numbers. It only carries them.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// A runtime's counters at one moment.
///
/// ```
/// use kael_rt::runtime::{Builder, Metrics};
///
/// fn system_calls(metrics: &Metrics) -> u64 {
///     metrics.cores.iter().map(|core| core.syscalls).sum()
/// }
/// let runtime = Builder::new().build()?;
/// let handle = runtime.handle();
/// runtime.block_on(async {
///     let before = handle.metrics();
///     kael_rt::fs::metadata("/").await?;
///     assert!(system_calls(&handle.metrics()) > system_calls(&before));
///     Ok::<_, std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// One entry per core.
    pub cores: Vec<CoreMetrics>,
}

/// One counter that its core writes and others read. Not exact across counters: each is right for itself.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds one, for a counter that is kept here alone. Only its core writes it, so no exchange is needed.
    #[inline]
    pub(super) fn count(&self) -> u64 {
        let value = self.get() + 1;
        self.set(value);
        value
    }
}

/// Declares the counters once, for the public struct and for the one the core writes.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One core's counters. Totals count from the core's beginning.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct CoreMetrics {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> CoreMetrics {
                CoreMetrics { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// System calls made by the core's driver: total.
    syscalls,
    /// Operations submitted to the kernel: total.
    submitted,
    /// Completions reaped: total.
    completed,
    /// Operations that the kernel has now.
    in_flight,
    /// Slots in use: operations that the kernel has, that wait for their turn, or that nobody has read yet.
    slots,
    /// What dropped receives and accepts left for the next one, now.
    carries,
    /// Completions that belonged to no operation, and were ignored: total.
    stale,
    /// Times that an accept waited because no descriptor was free: total.
    starved,
    /// Zero-copy sends whose memory the kernel has let go of: total.
    zero_copy_sends,
    /// Those of them that the kernel had to copy after all, as it does on the loopback device: total. Linux says so from 6.3 on.
    zero_copy_copied,
    /// Receives into buffers of a pool: total.
    pooled_receives,
    /// Those of them that came by one completion with the next one (Linux 6.16): total.
    bundled_receives,
    /// Receives of a `RecvStream` whose messages are large and fit a buffer: it reads each plainly then, instead of by a
    /// request for all of them. Total.
    plain_receives,
    /// Those of them that had to wait, with something there to be received, for a buffer to come back: total.
    pool_starved,
    /// Reads, writes and zero-copy sends whose memory was registered with the ring, of one buffer or (Linux 6.15) several: total.
    registered_transfers,
    /// Queued writes that the kernel took whole in the call that handed them over: total.
    queued_sends,
    /// Queued writes of pool buffers that were sent together with the one before them: total. Such a row counts once above.
    gathered_sends,
    /// Bytes that streams got from files or other streams, and that were copied through no buffer: by splice(2), sendfile(2)
    /// or TransmitFile. Total.
    spliced_bytes,
    /// Polls of tasks and of the future of `block_on`: total.
    task_polls,
    /// Tasks that have not ended.
    tasks,
    /// Wakes and aborts that came from other threads: total.
    wakes_remote,
    /// Looks at completions, timers and other threads: total.
    turns,
    /// Times that the core had nothing to do and waited: total.
    sleeps,
    /// Timers that have not fired.
    timers,
    /// Operations that the kernel still held at the runtime's end, and whose memory was leaked for that reason.
    leaked,
    /// Threads of the blocking pool now. The cores share it; the first core's counters have it.
    blocking_threads,
    /// Blocking jobs that were still running at the runtime's end; as above.
    blocking_left,
    /// 1: the core had not ended when the runtime's end stopped waiting for it, because a task blocks its thread.
    left_running,
}
