//! What happens inside one core: spawn, yield, wake, timers, a socket, a wake from another thread.
//!
//! Where nothing blocks the clock is the thread's CPU time. A figure is the best of a few repetitions: what disturbs a
//! repetition only ever adds. The runner takes the median of several runs.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock::{pin as pin_thread, process_cpu};
use crate::rng::Rng;
use crate::thread_flag::ThreadFlag;
use crate::{Allocations, Peer, Slot, ThreadTimer, Work, report};

pub(crate) async fn suite<P: Peer>(group: &str) {
    let wanted = |name| group == "all" || group == name;
    if wanted("spawn") {
        spawn_and_join::<P>().await;
        spawn_batch::<P>().await;
    }
    if wanted("yield") {
        yields::<P>().await;
    }
    if wanted("channel") {
        slot_rounds::<P>().await;
        channel_rounds::<P>().await;
    }
    if wanted("timer") {
        timers::<P>().await;
    }
    if wanted("sleeps") {
        sleeps::<P>().await;
    }
    if wanted("socket") {
        socket::<P>().await;
    }
    if wanted("thread") {
        thread_rounds::<P>().await;
    }
}

/// One task at a time: spawned, run, joined.
async fn spawn_and_join<P: Peer>() {
    const ROUNDS: u64 = 100_000;
    spawn_one_by_one::<P>(ROUNDS / 5).await;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let timer = ThreadTimer::start();
        spawn_one_by_one::<P>(ROUNDS).await;
        best = best.min(timer.elapsed_ns() as f64 / ROUNDS as f64);
    }
    report("spawn_join_ns", best);

    const COUNTED: u64 = 10_000;
    Allocations::start();
    spawn_one_by_one::<P>(COUNTED).await;
    let allocations = Allocations::stop();
    report("spawn_join_allocs", allocations.count as f64 / COUNTED as f64);
    report("spawn_join_bytes", allocations.bytes as f64 / COUNTED as f64);
}

async fn spawn_one_by_one<P: Peer>(tasks: u64) {
    for _ in 0..tasks {
        P::spawn(nothing()).await;
    }
}

/// One type for the tasks of every spawn measure.
async fn nothing() {}

/// 10,000 tasks spawned, then joined.
async fn spawn_batch<P: Peer>() {
    const TASKS: usize = 10_000;
    let mut handles = Vec::with_capacity(TASKS);
    let mut best = f64::MAX;
    for _ in 0..30 {
        let timer = ThreadTimer::start();
        for _ in 0..TASKS {
            handles.push(P::spawn(nothing()));
        }
        for handle in handles.drain(..) {
            handle.await;
        }
        best = best.min(timer.elapsed_ns() as f64 / TASKS as f64);
    }
    report("spawn_batch_ns", best);

    Allocations::start();
    for _ in 0..TASKS {
        handles.push(P::spawn(nothing()));
    }
    for handle in handles.drain(..) {
        handle.await;
    }
    report("spawn_batch_allocs", Allocations::stop().count as f64 / TASKS as f64);
}

/// A task that wakes itself: alone, and among 64.
async fn yields<P: Peer>() {
    const ALONE: u64 = 500_000;
    let mut best = f64::MAX;
    for _ in 0..3 {
        let task = P::spawn(async {
            let timer = ThreadTimer::start();
            yield_times(ALONE).await;
            timer.elapsed_ns()
        });
        best = best.min(task.await as f64 / ALONE as f64);
    }
    report("yield_ns", best);

    const TASKS: u64 = 64;
    const EACH: u64 = 20_000;
    let mut best = f64::MAX;
    for _ in 0..3 {
        let timer = ThreadTimer::start();
        let tasks: Vec<_> = (0..TASKS).map(|_| P::spawn(yield_times(EACH))).collect();
        for task in tasks {
            task.await;
        }
        best = best.min(timer.elapsed_ns() as f64 / (TASKS * EACH) as f64);
    }
    report("yield_64_ns", best);

    const COUNTED: u64 = 10_000;
    Allocations::start();
    P::spawn(yield_times(COUNTED)).await;
    report("yield_allocs", Allocations::stop().count as f64 / COUNTED as f64);
}

async fn yield_times(times: u64) {
    for _ in 0..times {
        Yield { woken: false }.await;
    }
}

/// The same yield on every runtime: wakes itself and is pending once.
struct Yield {
    woken: bool,
}

impl Future for Yield {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.woken {
            return Poll::Ready(());
        }
        self.woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Two tasks that wake each other, through a place that is the same code on every runtime.
async fn slot_rounds<P: Peer>() {
    const ROUNDS: u64 = 100_000;
    let mut best = f64::MAX;
    for _ in 0..3 {
        let (there, back) = (Slot::new(), Slot::new());
        let echo = {
            let (there, back) = (there.clone(), back.clone());
            P::spawn(async move {
                for _ in 0..ROUNDS {
                    let value = there.receive().await;
                    back.send(value + 1);
                }
            })
        };
        let ping = P::spawn(async move {
            let timer = ThreadTimer::start();
            for round in 0..ROUNDS {
                there.send(round);
                assert_eq!(back.receive().await, round + 1);
            }
            timer.elapsed_ns()
        });
        best = best.min(ping.await as f64 / ROUNDS as f64);
        echo.await;
    }
    report("wake_round_ns", best);
}

/// The same through the channel that the runtime's users take.
async fn channel_rounds<P: Peer>() {
    const ROUNDS: u64 = 300_000;
    const COUNTED: u64 = 10_000;
    P::channel_rounds(COUNTED).await;
    let mut best = f64::MAX;
    for _ in 0..3 {
        best = best.min(P::channel_rounds(ROUNDS).await as f64 / ROUNDS as f64);
    }
    report("channel_round_ns", best);
    Allocations::start();
    P::channel_rounds(COUNTED).await;
    report("channel_round_allocs", Allocations::stop().count as f64 / COUNTED as f64);
}

/// Timers that are set and dropped before they are due, with few and with many others pending.
async fn timers<P: Peer>() {
    const TIMERS: u64 = 250_000;
    set_and_drop::<P>(TIMERS).await;
    let timer = ThreadTimer::start();
    for _ in 0..4 {
        set_and_drop::<P>(TIMERS).await;
    }
    report("timer_set_drop_ns", timer.elapsed_ns() as f64 / (4 * TIMERS) as f64);

    let mut random = Rng(9);
    let mut held = Vec::with_capacity(P::HELD_TIMERS);
    let timer = ThreadTimer::start();
    for number in 0..P::HELD_TIMERS as u64 {
        breathe(number).await;
        let mut sleep = Box::pin(P::sleep(Duration::from_millis(20_000 + random.next() % 60_000)));
        poll_once(sleep.as_mut()).await;
        held.push(sleep);
    }
    report("timer_set_held_ns", timer.elapsed_ns() as f64 / P::HELD_TIMERS as f64);

    let timer = ThreadTimer::start();
    set_and_drop::<P>(TIMERS).await;
    report("timer_set_drop_beside_held_ns", timer.elapsed_ns() as f64 / TIMERS as f64);

    let timer = ThreadTimer::start();
    drop(held);
    report("timer_drop_held_ns", timer.elapsed_ns() as f64 / P::HELD_TIMERS as f64);

    const COUNTED: u64 = 10_000;
    Allocations::start();
    set_and_drop::<P>(COUNTED).await;
    report("timer_allocs", Allocations::stop().count as f64 / COUNTED as f64);
}

async fn set_and_drop<P: Peer>(timers: u64) {
    let mut random = Rng(7);
    for number in 0..timers {
        breathe(number).await;
        let mut sleep = pin!(P::sleep(Duration::from_millis(1_000 + random.next() % 60_000)));
        poll_once(sleep.as_mut()).await;
    }
}

/// Gives the loop a turn now and then: some runtimes take dropped timers out only there.
async fn breathe(number: u64) {
    if number.is_multiple_of(64) {
        yield_times(1).await;
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) {
    std::future::poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "a timer was due at once");
        Poll::Ready(())
    })
    .await;
}

/// 100,000 tasks that each sleep between 1 and 100 ms.
async fn sleeps<P: Peer>() {
    const SLEEPS: usize = 100_000;
    let mut random = Rng(11);
    let cpu = process_cpu();
    let tasks: Vec<_> = (0..SLEEPS)
        .map(|_| {
            let duration = Duration::from_micros(1_000 + random.next() % 99_000);
            P::spawn(async move {
                let begin = Instant::now();
                P::sleep(duration).await;
                begin.elapsed().checked_sub(duration)
            })
        })
        .collect();
    let mut early = 0;
    let mut lateness_us = Vec::with_capacity(SLEEPS);
    for task in tasks {
        match task.await {
            Some(late) => lateness_us.push(late.as_micros() as u64),
            None => early += 1,
        }
    }
    report("sleeps_cpu_ms", (process_cpu() - cpu).as_secs_f64() * 1e3);
    lateness_us.sort_unstable();
    report("sleeps_late_p50_us", quantile(&lateness_us, 0.50));
    report("sleeps_late_p99_us", quantile(&lateness_us, 0.99));
    report("sleeps_early", f64::from(early));
}

/// 64 bytes there and back between two tasks of one core.
async fn socket<P: Peer>() {
    const ROUNDS: u64 = 30_000;
    P::socket_rounds(ROUNDS / 10).await;
    let cpu = process_cpu();
    let wall_ns = P::socket_rounds(ROUNDS).await;
    report("socket_round_cpu_us", (process_cpu() - cpu).as_secs_f64() * 1e6 / ROUNDS as f64);
    report("socket_round_us", wall_ns as f64 / 1e3 / ROUNDS as f64);

    const COUNTED: u64 = 5_000;
    const OPERATIONS: u64 = 4 * COUNTED;
    Allocations::start();
    P::socket_rounds(COUNTED).await;
    report("socket_allocs", Allocations::stop().count as f64 / OPERATIONS as f64);
}

/// A number there and back between two runtimes on two threads, each of which sleeps in between.
async fn thread_rounds<P: Peer>() {
    const ROUNDS: u64 = 30_000;
    let (there, back) = (Arc::new(ThreadFlag::default()), Arc::new(ThreadFlag::default()));
    let other = {
        let (there, back) = (there.clone(), back.clone());
        std::thread::spawn(move || {
            pin_thread(&[1]);
            P::block_on(Work::Micro, async move {
                for _ in 0..ROUNDS {
                    let value = there.receive().await;
                    back.send(value);
                }
            });
        })
    };
    pin_thread(&[0]);
    P::sleep(Duration::from_millis(50)).await;

    let mut rounds_us = Vec::with_capacity(ROUNDS as usize);
    let cpu = process_cpu();
    for round in 1..=ROUNDS {
        let begin = Instant::now();
        there.send(round);
        assert_eq!(back.receive().await, round);
        rounds_us.push(begin.elapsed().as_micros() as u64);
    }
    let cpu = process_cpu() - cpu;
    other.join().unwrap();
    pin_thread(&[0, 1]);

    rounds_us.sort_unstable();
    report("thread_round_cpu_us", cpu.as_secs_f64() * 1e6 / ROUNDS as f64);
    report("thread_round_p50_us", quantile(&rounds_us, 0.50));
    report("thread_round_p99_us", quantile(&rounds_us, 0.99));
}

fn quantile(sorted: &[u64], fraction: f64) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n => sorted[((n - 1) as f64 * fraction) as usize] as f64,
    }
}
