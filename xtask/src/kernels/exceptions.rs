//! What does not run on the older kernels in the guest, and why. A test that can know it by itself says so itself
//! (`not run: ...` on its standard output); this table is for the others. An entry that fits nothing is an error.

use super::programs::Program;

/// Programs, by their source.
pub(super) const PROGRAMS: &[(&str, &str)] = &[
    (
        "crates/kael-rt-macros/src/lib.rs",
        "it is a part of the compiler and needs its libraries; it has nothing to do with a kernel",
    ),
    (
        "crates/kael-rt-macros/tests/errors.rs",
        "it runs the compiler, which the guest does not have; no kernel changes its answer",
    ),
    ("xtask/src/main.rs", "it tests this repository, not the runtime"),
];

/// Single tests: the program's source, the test's whole name, the reason.
pub(super) const TESTS: &[(&str, &str, &str)] = &[];

/// The tests of a program that are left out.
pub(super) fn of(source: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    TESTS.iter().filter(move |(path, ..)| *path == source).map(|(_, test, reason)| (*test, *reason))
}

pub(super) fn check(programs: &[Program]) -> Result<(), String> {
    let find = |path: &str| programs.iter().find(|program| program.source == path);
    for (path, _) in PROGRAMS {
        if find(path).is_none() {
            return Err(format!("{path} is an exception and no test program"));
        }
    }
    for (path, test, _) in TESTS {
        let is_there = find(path).is_some_and(|program| program.tests.iter().any(|t| t == test));
        if !is_there {
            return Err(format!("{path} {test} is an exception and no test"));
        }
    }
    Ok(())
}
