//! A random program made from a seed, and the laws that it is held to.
//!
//! It mixes connections, pipes, files, datagrams, timers, tasks; drops and cancels operations at every
//! stage; and now and then drops the whole runtime in the middle.

mod ask;
mod datagrams;
mod files;
mod frames;
mod pipes;
mod streams;
mod tasks;

use ask::Ask;
use kael_rt::{
    runtime::{Builder, Handle},
    sim_control::{self, Faults},
    time::{Duration, sleep},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

/// Runs the program of one seed. The hash of what its kernel did, or the laws that it violated.
pub(crate) fn run(seed: u64, late_writes: fn() -> u64) -> Result<u64, Vec<String>> {
    let ask = Ask::new(seed);
    sim_control::reset();
    let written_before = late_writes();
    sim_control::set_faults(faults(&ask));
    let mut handle = None;
    let ended = catch_unwind(AssertUnwindSafe(|| one(seed, &ask, &mut handle)));
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
        let text = text.unwrap_or_default();
        if !text.starts_with("simulation: ") {
            sim_control::violation(format!("panic: {text}"));
        }
    } else if let Some(handle) = handle {
        at_the_end(&handle);
    }
    if late_writes() != written_before {
        sim_control::violation("L1: a freed block was written to".to_owned());
    }
    match sim_control::take_violations() {
        none if none.is_empty() => Ok(sim_control::trace_hash()),
        some => Err(some),
    }
}

/// One actor can come to its end with so many, if it waits for them; several could hold them all.
const FEW_DESCRIPTORS: usize = 8;

fn faults(ask: &Ask) -> Faults {
    let mut faults = Faults::default();
    faults.longest_delay = Duration::from_micros(ask.one_of(&[0, 5, 200, 2_000, 50_000]));
    faults.short = ask.one_of(&[0, 0, 100, 500]);
    faults.interrupted = ask.one_of(&[0, 0, 30, 300]);
    faults.full = ask.one_of(&[0, 20, 300]);
    faults.aborted = ask.one_of(&[0, 0, 0, 100]);
    faults.lost_datagrams = ask.one_of(&[0, 0, 200]);
    faults.stream_buffer = ask.one_of(&[1, 7, 300, 5_000, 65_536]);
    faults.ended_shots = ask.one_of(&[0, 0, 50, 400]);
    faults.max_open = if ask.one_in(6) { FEW_DESCRIPTORS } else { 1 << 20 };
    faults.patience = Duration::ZERO;
    faults.max_turns = 400_000;
    faults.panics = false;
    faults.prints = std::env::var_os("KAEL_SIM_PRINT").is_some();
    faults
}

fn one(seed: u64, ask: &Ask, handle: &mut Option<Handle>) {
    let runtime = Builder::new()
        .seed(seed)
        .queue_depth(ask.one_of(&[2, 4, 16, 256]))
        .max_in_flight(ask.one_of(&[64, 64, 256, 65_536]))
        .build()
        .expect("a simulated kernel can always be made");
    *handle = Some(runtime.handle());
    let in_the_middle = ask.one_in(4);
    let ask = ask.clone();
    runtime.block_on(async move {
        let mut actors = Vec::new();
        let few = sim_control::faults().max_open == FEW_DESCRIPTORS;
        for _ in 0..if few { 1 } else { 1 + ask.below(4) } {
            let ask = ask.fork();
            actors.push(match ask.below(10) {
                0..4 => kael_rt::spawn(streams::run(ask)),
                4 => kael_rt::spawn(files::run(ask)),
                5 => kael_rt::spawn(datagrams::run(ask)),
                6 => kael_rt::spawn(tasks::timers(ask)),
                7 => kael_rt::spawn(tasks::aborts(ask)),
                8 => kael_rt::spawn(pipes::run(ask)),
                _ => kael_rt::spawn(tasks::ping_pong(ask)),
            });
        }
        if in_the_middle {
            sleep(Duration::from_nanos(ask.below(3_000_000))).await;
            return;
        }
        for actor in actors {
            if let Err(error) = actor.await {
                sim_control::violation(format!("an actor ended early: {error}"));
            }
        }
    });
    drop(runtime);
}

/// What must hold when the runtime is gone.
fn at_the_end(handle: &Handle) {
    let open = sim_control::open_descriptors();
    if open != 0 {
        sim_control::violation(format!("L2: {open} descriptors are open at the end"));
    }
    let core = &handle.metrics().cores[0];
    for (law, what, left) in [
        ("L4", "operations in flight", core.in_flight),
        ("L4", "slots in use", core.slots),
        ("L7", "operations leaked", core.leaked),
        ("L7", "tasks alive", core.tasks),
        ("L7", "timers left", core.timers),
    ] {
        if left != 0 {
            sim_control::violation(format!("{law}: {left} {what} at the end"));
        }
    }
}

/// A law as an assertion that names it.
fn law(holds: bool, text: impl FnOnce() -> String) {
    if !holds {
        sim_control::violation(text());
    }
}

type Shared<T> = Rc<T>;
