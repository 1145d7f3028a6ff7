//! Time through the public API: on the real clock where being early or late matters, on virtual time elsewhere.
#![forbid(unsafe_code)]

use kael_rt::time::{
    Duration, Elapsed, Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout,
};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Runs on virtual time: the clock jumps to the next deadline when nothing can run.
fn paused<F: Future>(future: F) -> F::Output {
    kael_rt::runtime::Builder::new().start_paused(true).build().unwrap().block_on(future)
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Polls all to their end, in one task, and returns their outputs in the order in which they became ready.
async fn in_order_of_completion<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<Option<F>> = futures.into_iter().map(Some).collect();
    let mut outputs = Vec::new();
    poll_fn(|cx| {
        for place in &mut futures {
            if let Some(future) = place
                && let Poll::Ready(output) = Pin::new(future).poll(cx)
            {
                outputs.push(output);
                *place = None;
            }
        }
        if futures.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs
}

fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| _ = f())).expect_err("this should panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_string(),
    }
}

#[cfg_attr(kael_backend = "sim", ignore = "it looks at the system's clock")]
#[test]
fn no_sleep_is_early_and_short_ones_are_short() {
    let granted = kael_rt::runtime::Builder::new().build().unwrap().granted();
    // Before Linux 5.11 epoll waits for whole milliseconds; Windows does, and its clock may tick every 15.6 ms.
    let is_coarse = granted.interface == "epoll" && !granted.flags.contains(&"epoll_pwait2");
    let late = Duration::from_micros(match granted.interface {
        "IOCP" | "IOCP and RIO" => 17_000,
        _ if is_coarse => 1_700,
        _ => 700,
    });
    kael_rt::block_on(async move {
        for us in [0, 1, 50, 300, 1_000, 2_500] {
            let wanted = Duration::from_micros(us);
            let shortest = {
                let mut shortest = Duration::MAX;
                for _ in 0..10 {
                    let start = std::time::Instant::now();
                    sleep(wanted).await;
                    let took = start.elapsed();
                    assert!(took >= wanted, "{took:?} instead of {wanted:?}");
                    shortest = shortest.min(took);
                }
                shortest
            };
            // The best of ten, so that a busy machine does not matter; a tick of a millisecond would show.
            assert!(shortest < wanted + late, "{shortest:?} instead of {wanted:?}");
        }
    });
}

#[test]
fn sleeps_complete_in_the_order_of_their_deadlines() {
    let order = paused(async {
        let sleeps = [5u32, 3, 70, 1, 4000, 64, 3].map(|ms| {
            Box::pin(async move {
                sleep(ms * MS).await;
                ms
            })
        });
        in_order_of_completion(sleeps.into()).await
    });
    assert_eq!(order, [1, 3, 3, 5, 64, 70, 4000]);
}

#[test]
fn virtual_time_is_what_instant_and_elapsed_show() {
    let wall = std::time::Instant::now();
    paused(async {
        let start = Instant::now();
        sleep(24 * HOUR).await;
        assert_eq!(start.elapsed(), 24 * HOUR);
        assert!(sleep_until(start).is_elapsed());
        assert!(!sleep(HOUR).is_elapsed());
    });
    assert!(wall.elapsed() < HOUR);
}

#[test]
fn a_hundred_virtual_years_pass() {
    paused(async {
        let start = Instant::now();
        sleep(100 * 365 * 24 * HOUR).await;
        assert_eq!(start.elapsed(), 100 * 365 * 24 * HOUR);
    });
}

#[test]
fn zero_and_past_deadlines_complete() {
    for run in [paused::<Pin<Box<dyn Future<Output = ()>>>>, kael_rt::block_on] {
        run(Box::pin(async {
            sleep(Duration::ZERO).await;
            let past = Instant::now();
            sleep(MS).await;
            sleep_until(past).await;
            assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
            assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        }));
    }
}

#[test]
fn the_longest_sleep_never_completes_and_stops_no_other() {
    paused(async {
        let mut never = sleep(Duration::MAX);
        assert!(poll_once(&mut never).await.is_pending());
        assert!(timeout(1000 * 365 * 24 * HOUR, sleep(HOUR)).await.is_ok());
        assert_eq!(timeout(Duration::MAX, async { sleep(HOUR).await }).await, Ok(()));
        assert!(poll_once(&mut never).await.is_pending());
        assert!(!never.is_elapsed());
        assert_eq!(Instant::now() + Duration::MAX, never.deadline());
    });
}

#[test]
fn nothing_happens_before_the_first_poll() {
    paused(async {
        let start = Instant::now();
        let early = sleep(MS);
        sleep(HOUR).await;
        early.await;
        assert_eq!(start.elapsed(), HOUR, "the deadline counts from the call");
    });
}

#[test]
fn reset_moves_the_wake_up_without_a_poll() {
    paused(async {
        let start = Instant::now();
        let mut moved = sleep(24 * HOUR);
        assert!(poll_once(&mut moved).await.is_pending());
        moved.reset(start + HOUR);
        (&mut moved).await;
        assert_eq!(start.elapsed(), HOUR);
        moved.reset(start + 2 * HOUR);
        assert!(poll_once(&mut moved).await.is_pending());
        moved.reset(start + 3 * HOUR);
        moved.await;
        assert_eq!(start.elapsed(), 3 * HOUR);
    });
}

#[test]
fn reset_takes_back_a_sleep_that_has_fired() {
    paused(async {
        let start = Instant::now();
        let mut fired = sleep(MS);
        assert!(poll_once(&mut fired).await.is_pending());
        sleep(HOUR).await;
        fired.reset(start + 2 * HOUR);
        assert!(poll_once(&mut fired).await.is_pending());
        fired.await;
        assert_eq!(start.elapsed(), 2 * HOUR);
    });
}

#[test]
fn the_last_task_to_poll_is_the_one_woken() {
    paused(async {
        let mut handed_over = sleep(MS);
        let nobody = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut handed_over).poll(nobody).is_pending());
        handed_over.await;
    });
}

#[test]
fn polling_after_completion_panics_with_the_name() {
    paused(async {
        let mut done = sleep(MS);
        (&mut done).await;
        let text = panic_text(|| Pin::new(&mut done).poll(&mut Context::from_waker(Waker::noop())));
        assert_eq!(text, "kael_rt::time::sleep was polled after it had completed");

        let mut done = pin!(timeout(MS, ready(())));
        assert_eq!(done.as_mut().await, Ok(()));
        let text = panic_text(|| done.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        assert_eq!(text, "kael_rt::time::timeout was polled after it had completed");
    });
}

#[test]
fn outside_of_a_runtime_a_poll_panics_with_the_remedy() {
    let mut sleep = sleep(MS);
    let text = panic_text(|| Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop())));
    assert!(text.starts_with("kael_rt::time::sleep needs a running Kael runtime"), "{text}");
    assert!(text.contains("block_on"), "{text}");
}

#[cfg_attr(kael_backend = "sim", ignore = "it looks at the system's clock")]
#[test]
fn a_sleep_may_change_its_runtime_or_outlive_it() {
    let start = std::time::Instant::now();
    // Longer than the slowest machine takes to make a runtime.
    let mut traveller = sleep(200 * MS);
    assert!(kael_rt::block_on(poll_once(&mut traveller)).is_pending());
    kael_rt::block_on(traveller);
    assert!(start.elapsed() >= 199 * MS);

    let mut survivor = sleep(HOUR);
    assert!(kael_rt::block_on(poll_once(&mut survivor)).is_pending());
    survivor.reset(Instant::now());
    drop(survivor);
}

#[test]
fn a_runtime_that_ends_lets_go_of_the_wakers() {
    struct Nothing;
    impl std::task::Wake for Nothing {
        fn wake(self: std::sync::Arc<Self>) {
            drop(self);
        }
    }
    let nothing = std::sync::Arc::new(Nothing);
    let waker = Waker::from(nothing.clone());
    let mut survivor = sleep(HOUR);
    kael_rt::block_on(async {
        assert!(Pin::new(&mut survivor).poll(&mut Context::from_waker(&waker)).is_pending());
    });
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&nothing), 1);
}

#[test]
fn timeout_gives_the_inner_future_the_first_poll() {
    paused(async {
        let polled = Cell::new(0);
        let both_ready = poll_fn(|_| {
            polled.set(polled.get() + 1);
            if polled.get() == 1 { Poll::Pending } else { Poll::Ready("inner") }
        });
        let mut race = pin!(timeout(MS, both_ready));
        assert!(poll_fn(|cx| Poll::Ready(race.as_mut().poll(cx))).await.is_pending());
        sleep(HOUR).await;
        assert_eq!(race.await, Ok("inner"), "what is ready at the deadline is not lost");
    });
}

#[test]
fn timeout_returns_elapsed_and_the_future() {
    paused(async {
        let start = Instant::now();
        let elapsed: Elapsed = timeout(HOUR, pending::<()>()).await.unwrap_err();
        assert_eq!(start.elapsed(), HOUR);
        assert_eq!(elapsed.to_string(), "the deadline has elapsed");
        assert_eq!(std::io::Error::from(elapsed).kind(), std::io::ErrorKind::TimedOut);

        let mut slow = timeout(HOUR, Box::pin(sleep(2 * HOUR)));
        assert!((&mut slow).await.is_err());
        slow.into_inner().await;
        assert_eq!(start.elapsed(), 3 * HOUR);
    });
}

#[test]
fn timeout_drops_the_future_with_itself() {
    let held = Rc::new(());
    let inside = held.clone();
    let waiting = timeout(HOUR, async move { drop((pending::<()>().await, inside)) });
    assert_eq!(Rc::strong_count(&held), 2);
    drop(waiting);
    assert_eq!(Rc::strong_count(&held), 1);
}

/// The times, in ms, at which ticks are taken if the second one is taken 25 ms late.
fn ticks(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    paused(async {
        let start = Instant::now();
        let ms = |instant: Instant| (instant - start).as_millis();
        let mut interval = interval(10 * MS);
        interval.set_missed_tick_behavior(behavior);
        let mut ticks = Vec::new();
        for turn in 0..6 {
            let due = interval.tick().await;
            ticks.push((ms(due), ms(Instant::now())));
            if turn == 0 {
                sleep(35 * MS).await;
            }
        }
        ticks
    })
}

#[test]
fn interval_bursts_to_catch_up() {
    let expected = [(0, 0), (10, 35), (20, 35), (30, 35), (40, 40), (50, 50)];
    assert_eq!(ticks(MissedTickBehavior::Burst), expected);
}

#[test]
fn interval_delays_the_schedule() {
    let expected = [(0, 0), (10, 35), (45, 45), (55, 55), (65, 65), (75, 75)];
    assert_eq!(ticks(MissedTickBehavior::Delay), expected);
}

#[test]
fn interval_skips_to_the_schedule() {
    let expected = [(0, 0), (10, 35), (40, 40), (50, 50), (60, 60), (70, 70)];
    assert_eq!(ticks(MissedTickBehavior::Skip), expected);
}

#[test]
fn a_dropped_tick_is_not_lost() {
    paused(async {
        let mut interval = interval(10 * MS);
        let first = interval.tick().await;
        assert!(timeout(MS, interval.tick()).await.is_err());
        assert_eq!(interval.tick().await - first, 10 * MS);
        interval.reset();
        assert_eq!(interval.tick().await - first, 20 * MS);
    });
}

#[test]
fn interval_of_the_longest_period_ticks_once() {
    paused(async {
        let mut interval = interval(Duration::MAX);
        interval.tick().await;
        assert!(timeout(HOUR, interval.tick()).await.is_err());
    });
}

#[test]
#[should_panic(expected = "kael_rt::time::interval: the period must not be zero")]
fn interval_of_zero_panics() {
    interval(Duration::ZERO);
}

#[test]
fn instants_calculate_within_their_range() {
    let now = Instant::now();
    assert_eq!((now + MS) - now, MS);
    assert_eq!((now + MS - MS), now);
    assert_eq!(now - (now + MS), Duration::ZERO);
    assert_eq!(now.checked_duration_since(now + MS), None);
    assert_eq!(now.checked_add(Duration::MAX), None);
    assert_eq!(now.checked_sub(Duration::MAX), None);
    assert!(now + Duration::MAX > now + HOUR);
    assert!(now - Duration::MAX <= now);
    let mut moved = now;
    moved += HOUR;
    moved -= MS;
    assert_eq!(moved.duration_since(now), HOUR - MS);

    let std = std::time::Instant::now();
    assert_eq!(Instant::from(std::time::Instant::from(now)), now);
    assert_eq!(std::time::Instant::from(Instant::from(std)), std);
    assert!(Instant::from(std) >= now);
}

/// A waker's clone, wake and drop may use timers themselves.
#[test]
fn wakers_may_use_timers() {
    thread_local! { static KEPT: RefCell<Vec<Pin<Box<kael_rt::time::Sleep>>>> = const { RefCell::new(Vec::new()) } }
    struct Busy;
    impl std::task::Wake for Busy {
        fn wake(self: std::sync::Arc<Self>) {
            drop(self);
        }
    }
    impl Drop for Busy {
        fn drop(&mut self) {
            let mut sleep = Box::pin(sleep(MS));
            let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            KEPT.with_borrow_mut(|kept| kept.push(sleep));
        }
    }
    paused(async {
        let poll = |future: &mut kael_rt::time::Sleep| {
            let waker = Waker::from(std::sync::Arc::new(Busy));
            assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
        };
        let mut woken = sleep(MS);
        poll(&mut woken);
        let mut replaced = sleep(MS);
        poll(&mut replaced);
        poll(&mut replaced);
        let mut dropped = sleep(MS);
        poll(&mut dropped);
        drop(dropped);
        sleep(HOUR).await;
        assert_eq!(KEPT.take().len(), 4);
    });
}
