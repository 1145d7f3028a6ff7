//! The forms of results that can be compared.

use super::{Figure, Form, List, Unit};

/// `kael analyze` on this machine.
pub(crate) static MEASUREMENT: Form = Form {
    command: "kael analyze",
    circumstances: &[
        ("Kernel", "/machine/kernel"),
        ("Architecture", "/machine/architecture"),
        ("Processor", "/machine/processor"),
        ("Cores", "/machine/cores"),
        ("Interface", "/machine/interface"),
        ("File system", "/machine/filesystem"),
    ],
    lists: &[
        List {
            name: "syscall_budget",
            keys: &[("/operation", ""), ("/in_flight", " in flight")],
            told: None,
            figures: &[
                Figure { name: "system calls", pointer: "/measured_syscalls", unit: Unit::Each },
                Figure { name: "heap allocations", pointer: "/heap_allocations", unit: Unit::Each },
                P50,
                P99,
            ],
        },
        List {
            name: "open_loop",
            keys: &[("/operation", ""), ("/per_second", "/s")],
            told: None,
            figures: &[P50, P99],
        },
        List {
            name: "ways",
            keys: &[("/way", ""), ("/message_bytes", " bytes")],
            told: None,
            figures: &[
                Figure {
                    name: "system calls/MiB",
                    pointer: "/system_calls_per_mib",
                    unit: Unit::Amount,
                },
                Figure { name: "CPU µs/MiB", pointer: "/cpu_us_per_mib", unit: Unit::Amount },
            ],
        },
    ],
};

const P50: Figure = Figure { name: "p50", pointer: "/latency_ns/p50", unit: Unit::Nanoseconds };
const P99: Figure = Figure { name: "p99", pointer: "/latency_ns/p99", unit: Unit::Nanoseconds };

/// `kael analyze --target`.
pub(crate) static DESIGN: Form = Form {
    command: "kael analyze --target",
    circumstances: &[("Target", "/target"), ("Operations", "/ops"), ("Need", "/need")],
    lists: &[
        List {
            name: "recommended_approach",
            keys: &[("/rule", "")],
            told: Some("/recommend"),
            figures: &[],
        },
        List {
            name: "syscall_budget",
            keys: &[("/operation", "")],
            told: None,
            figures: &[
                Figure { name: "system calls", pointer: "/expected_syscalls", unit: Unit::Each },
                Figure {
                    name: "system calls, 64 in flight",
                    pointer: "/expected_syscalls_of_64",
                    unit: Unit::Each,
                },
                Figure {
                    name: "heap allocations",
                    pointer: "/expected_heap_allocations",
                    unit: Unit::Each,
                },
            ],
        },
        List {
            name: "load",
            keys: &[("/operation", ""), ("/in_flight", " in flight")],
            told: None,
            figures: &[Figure {
                name: "system calls a second",
                pointer: "/system_calls_per_second",
                unit: Unit::Amount,
            }],
        },
    ],
};

/// `kael analyze -- COMMAND`. The same call is another row for a socket than for a file.
pub(crate) static PROGRAM: Form = Form {
    command: "kael analyze -- COMMAND",
    circumstances: &[
        ("Target", "/target"),
        ("I/O Model", "/io_model"),
        ("Requests counted by", "/requests_by"),
    ],
    lists: &[List {
        name: "syscall_budget",
        keys: &[("/operation", ""), ("/target", "")],
        told: None,
        figures: &[
            Figure { name: "a request", pointer: "/per_request", unit: Unit::Each },
            Figure { name: "a second", pointer: "/per_second", unit: Unit::Amount },
            P50,
            P99,
        ],
    }],
};

/// `kael review`. A finding is the same one when its line has moved.
pub(crate) static REVIEW: Form = Form {
    command: "kael review",
    circumstances: &[],
    lists: &[List {
        name: "findings",
        keys: &[("/file", ""), ("/rule", ""), ("/message", "")],
        told: None,
        figures: &[],
    }],
};
