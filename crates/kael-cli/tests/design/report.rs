//! The report: its headings and columns are those of the measured analysis, and it speaks of one platform.

use crate::{design, run, stderr, stdout};
use kael_rt::budget::{Interface, table};
use std::fs;
use std::path::{Path, PathBuf};

/// With it, most of what a report can have is there.
const MUCH: &str = "conns=60k,size=4KiB,depth=64,rate=2M,p99_us=900,durable=yes,memory_mb=1200";
const TARGETS: [&str; 5] = ["linux", "linux-epoll", "windows", "macos", "freebsd"];
const ALL: &str = "";

#[test]
fn the_markdown_has_the_headings_of_a_measured_analysis() {
    for target in TARGETS {
        let text = stdout(&run(target, "file,socket,timer", MUCH, &[]));
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(
            headings,
            [
                "## Platform Analysis",
                "### Recommended Approach",
                "### Implementation",
                "### Syscall Budget"
            ]
        );
        for start in ["**Target:** ", "**I/O Model:** "] {
            assert_eq!(text.lines().filter(|line| line.starts_with(start)).count(), 1, "{start}");
        }
        assert!(text.contains("\n| Operation | Expected Syscalls | "), "{target}");
        assert!(text.contains(&format!("`--ops file,socket,timer --need {MUCH}`")));
    }
}

#[test]
fn each_choice_has_its_need_reason_document_and_command() {
    for target in TARGETS {
        let text = stdout(&run(target, ALL, MUCH, &[]));
        let lines: Vec<&str> = text.lines().collect();
        let choices: Vec<usize> =
            (0..lines.len()).filter(|line| lines[*line].starts_with("- ")).collect();
        assert!(choices.len() > 10, "{target}");
        for place in choices {
            let (choice, details) = (lines[place], lines[place + 1]);
            let cause = choice.strip_prefix("- **").and_then(|rest| rest.split_once(":** "));
            let (cause, what) = cause.unwrap_or_else(|| panic!("{choice}"));
            assert!(cause.split(", ").all(|part| part.contains('=')), "{choice}");
            assert!(what.ends_with('.'), "{choice}");
            assert!(details.starts_with("  Because "), "{details}");
            assert_eq!(details.matches("](https://").count(), 1, "{details}");
            assert!(details.contains("Measure it: `kael ") && details.ends_with('`'), "{details}");
        }
    }
}

#[test]
fn the_budget_is_the_targets_own() {
    for (target, interface) in [
        ("linux", Interface::IoUring),
        ("linux-epoll", Interface::Epoll),
        ("windows", Interface::Iocp),
        ("macos", Interface::Kqueue),
        ("freebsd", Interface::Kqueue),
    ] {
        let json = design(target, "file,socket,timer", MUCH);
        let rows = json["syscall_budget"].as_array().expect("the rows");
        assert!(rows.len() > 5, "{target}");
        for row in rows {
            let budget =
                table(interface).iter().find(|budget| row["operation"] == budget.operation);
            let budget = budget.unwrap_or_else(|| panic!("{target}: {row}"));
            assert_eq!(row["expected_syscalls"], budget.one);
            assert_eq!(row["expected_syscalls_of_64"], budget.many);
            assert_eq!((&row["exact"], &row["why"]), (&budget.exact.into(), &budget.why.into()));
        }
    }
}

#[test]
fn what_a_rate_costs_is_by_the_requests_under_way() {
    let calls = |need| {
        let json = design("linux", "socket", need);
        json["load"][0]["system_calls_per_second"].as_f64().expect("a rate was given")
    };
    // One connection: a call for each. From 64 on: a tenth of one.
    assert_eq!(calls("conns=1,size=64,depth=1,rate=10k"), 10_000.0);
    assert_eq!(calls("conns=64,size=64,depth=1,rate=10k"), 1_000.0);
    // The epoll build's figure of 64 counts both sides on one core; a request costs its side's three at most.
    let json = design("linux-epoll", "socket", "conns=64,depth=1,rate=10k");
    assert_eq!(json["load"][0]["system_calls_per_second"], 30_000.0);
    let text = stdout(&run("linux", "socket", "conns=64,size=64,depth=1,rate=10k", &[]));
    let line = "rate=10k of `TcpStream round trip (queued)` is at most 1000 system calls a second, with 64 in flight.";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn what_cannot_be_had_comes_first_and_is_exit_status_1() {
    let output = run("linux", "socket", "container=docker,conns=100,memory_mb=512", &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.starts_with("kael: container=docker: Build for epoll instead"), "{said}");
    let text = stdout(&output);
    let first = text.lines().find(|line| line.starts_with("- ")).expect("a choice");
    assert!(first.starts_with("- **container=docker:** **Not possible as asked.** "), "{first}");

    let possible = run("linux-epoll", "socket", "container=docker,conns=100,memory_mb=512", &[]);
    assert_eq!((possible.status.code(), stderr(&possible)), (Some(0), String::new()));
    assert!(!stdout(&possible).contains("Not possible"));
}

#[test]
fn a_report_speaks_of_its_platform_only() {
    let foreign = |target| -> &[&str] {
        match target {
            "linux" => &["kqueue", "IOCP", "Windows", "macOS", "BSD", "Wine"],
            "linux-epoll" => &["io_uring", "kqueue", "IOCP", "Windows", "macOS", "BSD", "Wine"],
            "windows" => {
                &["io_uring", "epoll", "kqueue", "eventfd", "Linux", "macOS", "BSD", "(2)"]
            }
            "macos" => {
                &["io_uring", "epoll", "eventfd", "futex", "Linux", "Windows", "FreeBSD", "WSA"]
            }
            _ => &[
                "io_uring", "epoll", "eventfd", "futex", "Linux", "Windows", "macOS", "Apple",
                "WSA",
            ],
        }
    };
    for target in TARGETS {
        for need in [MUCH, "conns=9,size=1MiB,depth=1,p99_us=40,durable=no,rate=500", ""] {
            let text = stdout(&run(target, ALL, need, &[]));
            assert!(text.contains("### Syscall Budget"), "{target}: there is a report");
            for word in foreign(target) {
                let line = text.lines().find(|line| line.contains(word));
                assert_eq!(line, None, "{target}: {word}");
            }
        }
    }
}

/// A file of its own, removed at the end.
struct RulesFile(PathBuf);

impl RulesFile {
    fn new(name: &str, text: &str) -> RulesFile {
        let name = format!("{name}-{}.toml", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).expect("the target's folder can be written");
        RulesFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("it is text")
    }
}

impl Drop for RulesFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A rule for all targets, with all that the built-in table has.
fn rule(name: &str, recommend: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\ntargets = [\"linux\", \"linux-epoll\", \"windows\", \"macos\", \"freebsd\"]\n\
         recommend = \"{recommend}\"\nreason = \"it is ours\"\ndocument = \"Our handbook\"\nmeasure = \"ours --size {{size}}\"\n\
         structure = \"task {name}\"\nrows = [\"yield_now\"]\nrequest = \"UdpSocket::send\"\n"
    )
}

const HANDBOOK: &str = "[documents]\nlinux = { \"Our handbook\" = \"https://docs.example.com/io\" }\n\
                        windows = { \"Our handbook\" = \"https://docs.example.com/io\" }\n\
                        macos = { \"Our handbook\" = \"https://docs.example.com/io\" }\n\
                        freebsd = { \"Our handbook\" = \"https://docs.example.com/io\" }\n";

#[test]
fn a_file_adds_rules_and_replaces_them_by_name() {
    let text = [HANDBOOK, &rule("ours", "Ask us."), &rule("ring-per-core", "One ring.")].concat();
    let file = RulesFile::new("adds", &text);
    let output = run("linux", "task", "size=9", &["--rules", file.path()]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let text = stdout(&output);
    assert!(text.contains("- **target=linux:** One ring.\n"), "{text}");
    assert!(!text.contains("One runtime, and so one ring"), "{text}");
    assert!(text.contains(
        "- **target=linux:** Ask us.\n  Because it is ours ([Our handbook](https://docs.example.com/io)). Measure it: \
         `ours --size 9`\n"
    ));
    assert!(text.contains("\n// task ours\n") && text.contains("\n| yield_now | "), "{text}");
}

#[test]
fn a_report_has_at_most_150_lines() {
    let mut text = HANDBOOK.to_owned();
    (0..60).for_each(|number| text.push_str(&rule(&format!("ours-{number}"), "Ask us.")));
    let file = RulesFile::new("many", &text);
    for target in TARGETS {
        for arguments in [&[][..], &["--rules", file.path()]] {
            let text = stdout(&run(target, ALL, MUCH, arguments));
            let lines = text.lines().count();
            assert!((80..=150).contains(&lines), "{target} {arguments:?}: {lines}");
            // Whatever was left out is said, and the built-in table needs no more room than there is.
            assert_eq!(text.contains("have no room here"), !arguments.is_empty(), "{target}");
        }
    }
}

#[test]
fn the_result_goes_to_a_file() {
    let file = RulesFile::new("output", "");
    let output = run("windows", ALL, "", &["--output", file.path()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), String::new()));
    let text = fs::read_to_string(&file.0).expect("it was written");
    assert!(text.starts_with("## Platform Analysis\n"));
}
