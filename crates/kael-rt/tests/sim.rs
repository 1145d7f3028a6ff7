//! The random program of `cargo xtask sim` on a few seeds: the laws hold, and a seed repeats. The
//! planted faults are found by the same.

#![cfg(kael_backend = "sim")] // Its kernels are made of seeds.

#[path = "../examples/sim_run/canary.rs"]
mod canary;
#[path = "../examples/sim_run/program/mod.rs"]
mod program;

#[global_allocator]
static ALLOCATOR: canary::Canary = canary::Canary;

const SEEDS: u64 = 60;

#[test]
fn sim_programs_obey_the_laws_and_repeat() {
    kael_rt::sim_control::set_memory_check(canary::is_freed);
    for seed in 0..SEEDS {
        let first = program::run(seed, canary::late_writes);
        assert!(first.is_ok(), "seed {seed} violates {}", first.unwrap_err().join("; "));
        if seed % 6 == 0 {
            let second = program::run(seed, canary::late_writes);
            assert_eq!(first, second, "seed {seed} does not repeat");
        }
    }
}

/// The simulated kernel reads the bytes of a zero-copy send again when it notifies.
#[test]
fn r16_sim_programs_change_no_byte_before_its_notification() {
    kael_rt::sim_control::set_memory_check(canary::is_freed);
    for seed in 1_000..1_000 + SEEDS {
        let run = program::run(seed, canary::late_writes);
        assert!(run.is_ok(), "seed {seed} violates {}", run.unwrap_err().join("; "));
    }
}
