//! The lanes of CI, in the order in which they run: what is quick and likely to fail comes first.

use crate::ci::Run;
use crate::{cross, kernels, kqueue, red, sim, tidy, tools, workspace};
use std::process::Command;

pub(crate) struct Lane {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) steps: fn(&mut Run),
}

pub(crate) const LANES: &[Lane] = &[
    Lane {
        name: "linux",
        about: "format, lints, documents, dependencies, tidy, tests, examples",
        steps: linux,
    },
    Lane {
        name: "sim",
        about: "the suites and 2,000 seeds on the simulated kernel",
        steps: simulator,
    },
    Lane {
        name: "epoll",
        about: "lints, all tests, examples and a short `kael analyze` on epoll",
        steps: epoll,
    },
    Lane {
        name: "kqueue",
        about: "lints, the suites as three systems and 200 seeds on an emulated kqueue",
        steps: emulated_kqueue,
    },
    Lane { name: "loom", about: "task state and queues under all interleavings", steps: loom },
    Lane {
        name: "asan",
        about: "the suites under AddressSanitizer (nightly toolchain)",
        steps: asan,
    },
    Lane { name: "strace", about: "the counted system calls agree with strace", steps: strace },
    Lane {
        name: "kernels",
        about: "the suites on Linux 6.1, the oldest supported, and 6.12, emulated",
        steps: older_kernels,
    },
    Lane {
        name: "aarch64",
        about: "the suites of that processor, emulated: readiness, and io_uring on Linux 6.1",
        steps: cross::aarch64,
    },
    Lane {
        name: "bsd",
        about: "clippy and linking for macOS, FreeBSD, NetBSD, OpenBSD",
        steps: cross::bsd,
    },
    Lane {
        name: "windows",
        about: "lints, all tests, examples and `kael` for Windows, run under wine",
        steps: cross::windows,
    },
    Lane { name: "bench-build", about: "the benchmarks' runner builds", steps: bench },
    Lane { name: "red", about: "each mutant is found by its test", steps: red },
];

/// Lanes that only build: in a run of all lanes they do that beside the others, while those wait for something.
pub(crate) const BESIDE: &[&str] = &["bsd"];

/// The simulator's own target folder: its flags would otherwise rebuild everything twice per round of work.
const SIM_TARGET: &str = "target/sim";
const SIM_SEEDS: u64 = 2_000;

fn cargo(line: &str) -> Command {
    workspace::cargo(&line.split_whitespace().collect::<Vec<_>>())
}

fn linux(run: &mut Run) {
    run.step("lock file", &mut cargo("fetch --locked"));
    run.step("format", &mut cargo("fmt --all -- --check --color never"));
    run.step("lints", &mut cargo("clippy --workspace --all-targets -- -D warnings"));
    run.step(
        "lints with bytes",
        &mut cargo("clippy -p kael-rt --features bytes --all-targets -- -D warnings"),
    );
    run.check("tidy", || tidy::main(&[]));
    run.step("documents", cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-Dwarnings"));
    match tools::cargo_deny() {
        // Advisories are left out: they need a database from the network, and their answer changes without a commit.
        Ok(program) => run.step(
            "dependencies",
            Command::new(program)
                .args(["--locked", "check", "bans", "licenses", "sources"])
                .current_dir(workspace::root()),
        ),
        Err(reason) => run.fail("dependencies", &reason),
    }
    run.tests("tests", &mut cargo("test --workspace --no-fail-fast"));
    // All that the feature adds is types that are buffers.
    run.tests(
        "tests with bytes",
        &mut cargo("test -p kael-rt --features bytes --test bytes --no-fail-fast"),
    );
    examples(run);
    // The README's command, shortened: it exits with 1 when a measurement breaks its budget.
    let mut analyze =
        cargo("run --release -p kael-cli -- analyze --seconds 5 --output target/analysis.md");
    run.step("analyze", workspace::quick_kael(&mut analyze));
}

/// Every example is a demonstration that needs no arguments and ends by itself. `sim_run` is not one: it is the program
/// that `cargo xtask sim` builds for the simulated kernel.
fn examples(run: &mut Run) {
    run.step("examples", &mut cargo("build -p kael-rt --examples"));
    let names = match workspace::examples() {
        Ok(names) => names,
        Err(reason) => return run.fail("examples", &reason),
    };
    for name in names.iter().filter(|name| *name != sim::EXAMPLE) {
        run.step(
            &format!("example {name}"),
            &mut cargo(&format!("run --quiet -p kael-rt --example {name}")),
        );
    }
}

fn simulator(run: &mut Run) {
    let mut suites =
        cargo(&format!("test -p kael-rt --lib --tests --no-fail-fast --target-dir {SIM_TARGET}"));
    run.tests("suites", suites.env("RUSTFLAGS", r#"--cfg kael_backend="sim""#));
    run.check("seeds", || sim::campaign(SIM_SEEDS));
}

/// No system with a kqueue is at hand: the driver for it runs over an emulation of kevent(2).
fn emulated_kqueue(run: &mut Run) {
    let line = format!("clippy -p kael-rt --all-targets --target-dir {}", kqueue::TARGET);
    let mut lints = cargo(&line);
    run.step("lints", lints.env("RUSTFLAGS", kqueue::FLAGS).args(["--", "-D", "warnings"]));
    run.check("suites", kqueue::suites);
    run.check("seeds", kqueue::campaign);
}

/// As `linux`, for the backend where the system says what is ready.
fn epoll(run: &mut Run) {
    let on_epoll = |line: &str| {
        let mut command = cargo(&format!("{line} --target-dir target/epoll"));
        command.env("RUSTFLAGS", r#"--cfg kael_backend="epoll""#);
        command
    };
    let mut lints = on_epoll("clippy -p kael-rt -p kael-cli --all-targets");
    run.step("lints", lints.args(["--", "-D", "warnings"]));
    run.tests(
        "tests",
        &mut on_epoll("test -p kael-rt -p kael-rt-macros -p kael-cli --no-fail-fast"),
    );
    run.step("examples", &mut on_epoll("build -p kael-rt --examples"));
    // Within the budgets of this backend, or it exits with 1. They are counts, so the build of the tests will do.
    let mut analyze = on_epoll("run -p kael-cli");
    run.step(
        "analyze",
        analyze.args(["--", "analyze", "--seconds", "5", "--output", "target/analysis-epoll.md"]),
    );
}

fn loom(run: &mut Run) {
    let mut models = cargo("test -p kael-rt --release --lib --target-dir target/loom loom_");
    workspace::quick_release(&mut models);
    run.tests("models", models.env("RUSTFLAGS", "--cfg loom").env("LOOM_MAX_PREEMPTIONS", "3"));
}

/// Leaks are not looked for: the tests of `mem::forget` and of the shutdown limit leak on purpose, and count it.
/// The sanitizer does not see the kernel's writes; the tests have a canary allocator for those.
fn asan(run: &mut Run) {
    // Two rows compare the process's memory with what it was; AddressSanitizer keeps freed memory in quarantine, so they
    // cannot run under it. They run in the lane `linux`.
    let arguments = "test -p kael-rt --target x86_64-unknown-linux-gnu --lib --tests --no-fail-fast --target-dir \
                     target/asan -- --skip r29_sleeps_created_and_dropped --skip r42_ten_thousand_runtimes";
    match tools::nightly_cargo(&arguments.split_whitespace().collect::<Vec<_>>()) {
        Ok(mut suites) => run.tests(
            "suites",
            suites.env("RUSTFLAGS", "-Zsanitizer=address").env("ASAN_OPTIONS", "detect_leaks=0"),
        ),
        Err(reason) => run.fail("suites", &reason),
    }
}

/// Elsewhere these tests pass without strace and say so; here its absence is a failure.
fn strace(run: &mut Run) {
    match tools::strace() {
        Ok(()) => {
            run.tests("agreement", cargo("test --workspace strace").env("KAEL_REQUIRE_STRACE", "1"))
        }
        Err(reason) => run.fail("agreement", &reason),
    }
}

/// The machine's own kernel is the subject of the lane `linux`.
fn older_kernels(run: &mut Run) {
    let mut prepared = None;
    run.check("programs", || kernels::prepare(None, None).map(|files| prepared = Some(files)));
    // Without programs there is nothing to run, and the lane has failed.
    let Some(prepared) = prepared else { return };
    run.check("suites", || prepared.run(kernels::KERNELS));
}

/// Only our runner. The peers are built by who measures them: they are half a million lines of other people's code, and
/// nothing that they break is ours.
fn bench(run: &mut Run) {
    run.step(
        "format",
        &mut cargo("fmt --manifest-path bench/Cargo.toml -p runner -- --check --color never"),
    );
    run.step("build", &mut cargo("check --manifest-path bench/Cargo.toml -p runner"));
}

fn red(run: &mut Run) {
    run.check("mutants", || red::main(&[]));
}
