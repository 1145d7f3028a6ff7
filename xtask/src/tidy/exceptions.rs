//! The exceptions to tidy's rules. Each has its reason, and tidy says so when one is no longer needed.

/// Folders in which unsafe code may stand: what talks to the kernel, what the kernel writes into, and a model of one.
pub(super) const UNSAFE_FOLDERS: &[&str] = &[
    "crates/kael-rt/src/buf/",
    "crates/kael-rt/src/driver/",
    "crates/kael-rt/src/sys/",
    "crates/kael-rt/src/task/",
    "crates/rio-model/src/",
];

/// Other product files with unsafe code: path, reason. Tests may have unsafe code anywhere, with its reasons.
pub(super) const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "crates/kael-cli/src/allocations.rs",
        "a counting allocator: GlobalAlloc cannot be implemented without",
    ),
    (
        "crates/kael-cli/src/trace/ptrace.rs",
        "ptrace(2): nix's form drops signals that have no name, has no PTRACE_LISTEN, and its answer is a union",
    ),
];

/// The files of the library that may ask for the target: they choose the platform.
pub(super) const CFG_FILES: &[&str] = &[
    "crates/kael-rt/src/lib.rs",
    // `net::windows`, a public module that only Windows has.
    "crates/kael-rt/src/net/mod.rs",
    "crates/kael-rt/src/sys/mod.rs",
];

/// Lines of code that a file may have: lines with something on them that is not a comment.
pub(super) const LINES: usize = 400;
pub(super) const MEDIAN_LINES: usize = 200;

/// Longer files: path, lines it may have, reason. Only a table, one entry one shape, has a good reason.
pub(super) const LONGER: &[(&str, usize, &str)] = &[(
    "crates/kael-rt/src/sys/sim/attempt.rs",
    480,
    "a table: what each request does to the simulated kernel",
)];

/// Calls of `thread::sleep` per file: path, number, reason. A test waits for events; a sleep is a guess.
pub(super) const SLEEPS: &[(&str, usize, &str)] = &[
    (
        "crates/kael-cli/tests/serve_slow.rs",
        3,
        "a measurement: clients that are slow, clients that think, and how long both are watched",
    ),
    (
        "crates/kael-rt/src/sys/uring/mod.rs",
        1,
        "set-up waits for memory that the kernel frees later, without an event",
    ),
    (
        "crates/kael-rt/tests/wake.rs",
        1,
        "lets the core fall asleep first, usually; the test holds either way",
    ),
    (
        "xtask/src/cross/windows/wine.rs",
        1,
        "waits for the end of processes that are not its own children; no event tells of it",
    ),
];

/// Folders whose Rust files are data and no code of ours: path, reason.
pub(super) const DATA_FOLDERS: &[(&str, &str)] =
    &[("crates/kael-cli/tests/review/", "what `kael review` is tested on: faults on purpose")];

/// Public items without a runnable example, in per cent of all.
pub(super) const WITHOUT_EXAMPLE_PER_CENT: f64 = 5.0;

/// Hosts that documents and comments may point at.
pub(super) const HOSTS: &[&str] = &[
    "127.0.0.1",
    "apache.org",
    "crates.io",
    "developer.apple.com",
    "doc.rust-lang.org",
    "docs.kernel.org",
    "docs.oasis-open.org",
    "docs.rs",
    "git.kernel.org",
    "github.com",
    "kernel.dk",
    "keepachangelog.com",
    "learn.microsoft.com",
    "localhost",
    "lwn.net",
    "man.freebsd.org",
    "man7.org",
    "opensource.org",
    "rust-lang.org",
    "static.crates.io",
    "semver.org",
    "www.apache.org",
    "www.kernel.org",
    "www.rust-lang.org",
    "www.w3.org",
];
