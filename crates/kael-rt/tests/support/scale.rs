//! How much a test does: what runs in seconds, the scorecard's size, or a tenth where the processor is emulated.
#![allow(dead_code, reason = "each test program uses a part of it")]

/// The scorecard's whole size was asked for.
pub(crate) fn is_full() -> bool {
    std::env::var_os("KAEL_FULL").is_some()
}

/// The processor is emulated: twenty times slower, and its times say nothing about the code.
pub(crate) fn is_emulated() -> bool {
    std::env::var_os("KAEL_EMULATED").is_some()
}

/// [`is_emulated`]; prints what is therefore not checked.
pub(crate) fn is_emulated_without(check: &str) -> bool {
    if is_emulated() {
        println!("not checked: {check}: the processor is emulated");
    }
    is_emulated()
}

/// A size that runs in seconds, or the scorecard's.
pub(crate) fn size(quick: usize, full: usize) -> usize {
    match (is_full(), is_emulated()) {
        (true, _) => full,
        // What is small already is a number of things, and not of rounds.
        (false, true) if quick >= 1_000 => quick / 10,
        (false, _) => quick,
    }
}
