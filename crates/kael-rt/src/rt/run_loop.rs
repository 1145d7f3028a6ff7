//! The loop: polls what is runnable in order of its wakes, looks after timers, completions and other threads at
//! least every [`POLLS_PER_TURN`] polls, and waits only when nothing is runnable.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::core::Core;
use super::handle::Shared;
use crate::driver::{Driver, Wait};
use crate::task::context;

/// Polls between two looks at completions, timers and other threads, if there is always something to poll.
pub(super) const POLLS_PER_TURN: u32 = 127;
/// Timers that fire in one turn; the others fire in the next ones.
const TIMERS_PER_TURN: usize = 256;
/// Turns between two publications of the counters, if the core never sleeps.
const TURNS_PER_PUBLICATION: u64 = 64;

pub(super) fn block_on<F: Future>(core: &Rc<Core>, future: F) -> F::Output {
    // The future is declared after the guard, so its drop still finds the core.
    let _current = context::enter(core);
    let _running = Running::begin(&core.shared);
    let mut future = pin!(future);
    let mut cx = Context::from_waker(&core.main_waker);
    let mut budget = POLLS_PER_TURN;
    core.main_woken.set(true);
    loop {
        if core.main_woken.take()
            && let Poll::Ready(output) = future.as_mut().poll(&mut cx)
        {
            core.driver.flush();
            core.publish();
            return output;
        }
        // The task behind `main_waker` is one of these, so the polls above are counted too.
        budget -= core.tasks.run(budget, &core.main_woken);
        if budget == 0 || !core.is_runnable() {
            turn(core);
            budget = POLLS_PER_TURN;
        }
    }
}

/// A core gets new tasks while this lives.
struct Running<'a>(&'a Shared);

impl Running<'_> {
    fn begin(core: &Shared) -> Running<'_> {
        core.set_running(true);
        Running(core)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set_running(false);
    }
}

/// One look at everything but the tasks. Waits only if nothing is runnable.
fn turn(core: &Core) {
    let turns = core.shared.counters.turns.count();
    look(core);
    if !core.is_runnable() {
        // One call to the kernel submits, waits and reaps.
        wait(core);
        look(core);
    } else if core.driver.has_work() {
        turn_driver(core, Wait::No);
    }
    if turns.is_multiple_of(TURNS_PER_PUBLICATION) {
        core.publish();
    }
}

/// What other threads have posted, and the timers that are due.
#[inline(always)]
fn look(core: &Core) {
    if core.tasks.is_posted() || core.timers.len() > 0 {
        look_closely(core);
    }
}

fn look_closely(core: &Core) {
    if core.tasks.is_posted() {
        core.tasks.drain();
    }
    if core.timers.len() > 0 {
        core.timers.fire(core.timers.clock().now_ns(), TIMERS_PER_TURN);
    }
}

fn wait(core: &Core) {
    if core.is_watched() {
        core.publish();
    }
    let deadline = match (core.timers.next_deadline(), core.driver.deadline()) {
        (Some(timer), Some(driver)) => Some(timer.min(driver)),
        (timer, driver) => timer.or(driver),
    };
    let clock = core.timers.clock();
    if clock.is_virtual() && !Driver::MOVES_CLOCK {
        turn_driver(core, Wait::No);
        if core.is_runnable() || core.tasks.is_posted() {
            return;
        }
        if let Some(deadline) = deadline {
            clock.set_virtual(deadline);
            return;
        }
    }
    let asleep = core.tasks.fall_asleep();
    if asleep {
        core.shared.counters.sleeps.count();
    }
    turn_driver(core, if asleep { Wait::Until(deadline) } else { Wait::No });
    core.tasks.wake_up();
}

fn turn_driver(core: &Core, wait: Wait) {
    if let Err(error) = core.driver.turn(wait) {
        // The driver retries what can be retried, so the core cannot go on. The panic leaves `block_on`, and dropping
        // the runtime is sound.
        core.tasks.wake_up();
        panic!("the I/O driver of the Kael runtime failed: {error}");
    }
}
