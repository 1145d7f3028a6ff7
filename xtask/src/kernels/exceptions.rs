//! What does not run in a guest, or under wine, and why. A test that can know it by itself says so itself (`not run: ...` on its
//! standard output); these tables are for the others. An entry that fits nothing is an error.

use super::programs::Program;

pub(crate) struct Exceptions {
    /// Programs, by their source, and the reason.
    programs: &'static [(&'static str, &'static str)],
    /// Single tests: the program's source, the test's whole name, the reason.
    tests: &'static [(&'static str, &'static str, &'static str)],
}

/// The tests of the workspace on the older kernels.
pub(super) const OLDER_KERNELS: Exceptions = Exceptions {
    programs: &[
        (
            "crates/kael-rt-macros/src/lib.rs",
            "it is a part of the compiler and needs its libraries; it has nothing to do with a kernel",
        ),
        (
            "crates/kael-rt-macros/tests/errors.rs",
            "it runs the compiler, which the guest does not have; no kernel changes its answer",
        ),
        ("xtask/src/main.rs", "it tests this repository, not the runtime"),
        ("crates/kael-cli/src/main.rs", ASKS_NO_KERNEL),
        ("crates/kael-cli/tests/design/main.rs", ASKS_NO_KERNEL),
        ("crates/kael-cli/tests/page.rs", ASKS_NO_KERNEL),
        ("crates/kael-cli/tests/review.rs", ASKS_NO_KERNEL),
        ("crates/kael-cli/tests/review_judged.rs", ASKS_NO_KERNEL),
        ("crates/kael-cli/tests/review_projects.rs", ASKS_NO_KERNEL),
    ],
    tests: &[],
};

const ASKS_NO_KERNEL: &str = "it reads texts of this repository, which the guest does not have, and computes: no kernel changes its answer";

/// The tests of the library on aarch64. They all pass there, and take seven minutes: what does not depend on the
/// processor is left to the lanes on x86-64.
pub(super) const AARCH64: Exceptions = Exceptions {
    programs: &[
        ("crates/kael-rt/tests/alloc_io.rs", COUNTS_MEMORY),
        ("crates/kael-rt/tests/alloc_task.rs", COUNTS_MEMORY),
        ("crates/kael-rt/tests/alloc_time.rs", COUNTS_MEMORY),
        ("crates/kael-rt/tests/drop_alloc.rs", COUNTS_MEMORY),
        ("crates/kael-rt/tests/pooled_soak.rs", COUNTS_MEMORY),
        ("crates/kael-rt/tests/rss_time.rs", COUNTS_MEMORY),
    ],
    tests: &[(
        "crates/kael-rt/tests/runtime.rs",
        "r42_ten_thousand_runtimes_leave_nothing_behind",
        COUNTS_MEMORY,
    )],
};

/// The tests of the library and of `kael` under wine, an implementation of Windows' interface on Linux.
pub(crate) const WINE: Exceptions = Exceptions {
    programs: &[],
    tests: &[(
        "crates/kael-rt/tests/queued.rs",
        "queued_send_of_a_dropped_stream_leaves_no_gap",
        "all that was queued comes, whole: the test finds nothing that the end has cut off, and so proves nothing",
    )],
};

/// The tests of streams and datagrams over the model of registered I/O, under wine.
pub(crate) const RIO: Exceptions = Exceptions {
    programs: &[],
    tests: &[
        (
            "crates/kael-rt/tests/bad_input.rs",
            "a_connection_reset_while_it_is_read",
            "the reset comes before the turn that hands the receive over, and wine tells of it once, to nobody",
        ),
        (
            "crates/kael-rt/tests/bidirectional.rs",
            "r37_a_reset_ends_both_directions_with_their_counts",
            "likewise",
        ),
        (
            "crates/kael-rt/tests/early_end.rs",
            "limits_that_race_with_bytes_lose_none",
            "what comes for a read that was stopped lies in the stream's own memory, and answers the next one at its first poll, which is to wait there",
        ),
        (
            "crates/kael-rt/tests/queued.rs",
            "queued_send_of_a_dropped_stream_leaves_no_gap",
            "as without registered I/O",
        ),
        (
            READINESS,
            "e01_bytes_and_the_end_in_one_hint_are_both_seen",
            "there are no hints: the end is a completion of its own, which a read may have to wait for",
        ),
        (
            READINESS,
            "e02_datagrams_that_wait_for_nothing_are_received_at_once",
            "it counts the calls of a receive that asks the system; here the first opens a queue and later ones cost none (`public_datagrams` counts them)",
        ),
        (
            READINESS,
            "e04_a_stream_that_goes_to_the_standard_library_blocks",
            "a stream that was read from stays with the runtime",
        ),
        (
            READINESS,
            "e05_what_is_done_at_once_is_counted",
            "a flush waits until the bytes are sent, and so is an operation of its own",
        ),
    ],
};

const READINESS: &str = "crates/kael-rt/tests/readiness.rs";

const COUNTS_MEMORY: &str = "it counts allocations, or repeats itself to see that memory does not grow, on every processor alike";

impl Exceptions {
    /// The programs that run, each with what it leaves out. What does not run is printed.
    pub(crate) fn sort(&self, programs: Vec<Program>) -> Result<Vec<Program>, String> {
        self.check(&programs)?;
        for (path, reason) in self.programs {
            println!("does not run there: {path}: {reason}");
        }
        let runs =
            |program: &Program| self.programs.iter().all(|(path, _)| *path != program.source);
        let sorted = programs.into_iter().filter(runs).map(|mut program| {
            let tests = self.tests.iter().filter(|(path, ..)| *path == program.source);
            program.left_out = tests.map(|(_, test, reason)| (*test, *reason)).collect();
            program
        });
        Ok(sorted.collect())
    }

    fn check(&self, programs: &[Program]) -> Result<(), String> {
        let find = |path: &str| programs.iter().find(|program| program.source == path);
        for (path, _) in self.programs {
            if find(path).is_none() {
                return Err(format!("{path} is an exception and no test program"));
            }
        }
        for (path, test, _) in self.tests {
            let is_there =
                find(path).is_some_and(|program| program.tests.iter().any(|t| t == test));
            if !is_there {
                return Err(format!("{path} {test} is an exception and no test"));
            }
        }
        Ok(())
    }
}
