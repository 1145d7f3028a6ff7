//! What does not run in a guest, and why. A test that can know it by itself says so itself (`not run: ...` on its
//! standard output); these tables are for the others. An entry that fits nothing is an error.

use super::programs::Program;

pub(super) struct Exceptions {
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
    ],
    tests: &[],
};

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

const COUNTS_MEMORY: &str = "it counts allocations, or repeats itself to see that memory does not grow, on every processor alike";

impl Exceptions {
    /// The programs that run, each with what it leaves out. What does not run is printed.
    pub(super) fn sort(&self, programs: Vec<Program>) -> Result<Vec<Program>, String> {
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
