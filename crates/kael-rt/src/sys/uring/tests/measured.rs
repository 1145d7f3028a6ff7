//! Measurements behind choices, for whoever doubts them. They assert nothing about time.

use super::super::{abi::*, restrict, ring::Ring};
use std::time::Instant;

fn ring(registered: bool, restricted: bool) -> Ring {
    let mut ring = Ring::new(64, 256).unwrap();
    if registered {
        ring.register_limit();
        assert!(ring.has_registered_limit(), "this kernel has no regions for waits");
    }
    if restricted {
        let probe = ring.probe().unwrap();
        ring.restrict(&restrict::allowed(&probe, false, false));
        assert!(ring.is_restricted());
    }
    ring.enable().unwrap();
    ring
}

/// Nanoseconds for each of `count` waits with a limit that end with a completion.
fn waits(ring: &mut Ring, count: u32, limit: Option<u64>) -> f64 {
    let began = Instant::now();
    for i in 0..count {
        let nop = Sqe { opcode: OP_NOP, fd: -1, user_data: u64::from(i), ..Sqe::default() };
        // SAFETY: it points at nothing.
        unsafe { ring.push(nop) };
        assert_eq!(ring.enter(true, 1, limit), Ok(1));
        assert_eq!(ring.next().map(|cqe| cqe.user_data), Some(u64::from(i)));
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}

#[test]
#[ignore = "a measurement: cargo test --release -p kael-rt --lib -- --ignored --nocapture timed_waits"]
fn timed_waits_with_and_without_a_region() {
    let (mut copied, mut registered) = (ring(false, false), ring(true, false));
    let mut restricted = ring(true, true);
    let mut results = [const { Vec::new() }; 4];
    // A million of each, in turns.
    for _ in 0..100 {
        results[0].push(waits(&mut copied, 10_000, Some(1_000_000)));
        results[1].push(waits(&mut registered, 10_000, Some(1_000_000)));
        results[2].push(waits(&mut restricted, 10_000, Some(1_000_000)));
        results[3].push(waits(&mut copied, 10_000, None));
    }
    let names = ["copied", "registered", "registered, ring restricted", "no limit"];
    for (name, mut ns) in names.into_iter().zip(results) {
        ns.sort_by(f64::total_cmp);
        println!("{name}: {:.1} ns at best, {:.1} ns median", ns[0], ns[ns.len() / 2]);
    }
}
