//! `kael analyze`: the form of what it prints, and that it leaves nothing behind. The figures are not judged here, where
//! other tests run beside it: a broken budget must show in the exit status and in the report alike.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::{Folder, PROGRAM, judged, stdout};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn analyze(folder: &Folder, arguments: &str) -> Output {
    Command::new(PROGRAM)
        .args(["analyze", "--seconds", "2", "--dir"])
        .arg(&folder.0)
        .args(arguments.split_whitespace())
        .output()
        .expect("the program starts")
}

#[test]
fn the_markdown_has_exactly_its_headings_and_columns() {
    let folder = Folder::new("markdown");
    let output = analyze(&folder, "");
    // No progress bar either, where there is no terminal.
    let is_good = judged(&output);
    let text = stdout(&output);
    assert_eq!(text.contains("rows are within their budgets."), is_good);
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
    let columns = "| Operation | Expected Syscalls | In flight | Measured | Heap allocations | p50 | p90 | p99 | p99.9 | max |";
    assert_eq!(text.lines().filter(|line| *line == columns).count(), 1);
    // Each row of the library's table, at both depths.
    for row in kael_rt::budget::TABLE {
        for in_flight in [1, 64] {
            let found = text.lines().filter(|line| {
                let mut cells = line.split(" | ");
                cells.next() == Some(&format!("| {}", row.operation))
                    && cells.nth(1) == Some(&in_flight.to_string())
            });
            assert_eq!(found.count(), 1, "{} at {in_flight}", row.operation);
        }
    }
    assert!(folder.is_empty(), "the files under test are gone");
}

#[test]
fn the_json_has_the_same_and_goes_to_a_file() {
    let folder = Folder::new("json");
    let report = folder.0.join("report.json");
    let output =
        analyze(&folder, &format!("--format json --ops timer,task --output {}", report.display()));
    let is_good = judged(&output);
    assert!(output.stdout.is_empty());
    let text = fs::read_to_string(&report).expect("it was written");
    let json: Value = serde_json::from_str(&text).expect("it is JSON");
    assert!(json["target"].as_str().is_some_and(|target| target.starts_with("Linux ")));
    assert_eq!(json["broken"] == Value::Array(Vec::new()), is_good);
    let rows = json["syscall_budget"].as_array().expect("the rows");
    let operations: BTreeSet<&str> =
        rows.iter().filter_map(|row| row["operation"].as_str()).collect();
    // Only what was asked for.
    assert!(operations.contains("time::sleep") && operations.contains("spawn + join"));
    assert!(!operations.contains("File::read_at") && !operations.contains("TcpStream round trip"));
    let sleep = rows.iter().find(|row| row["operation"] == "time::sleep" && row["in_flight"] == 1);
    let sleep = sleep.expect("the row of sleeps");
    assert_eq!(sleep["submissions"], 0.0);
    assert!(sleep["latency_ns"]["p50"].as_u64() >= Some(200_000), "it sleeps for 200 µs");
    assert_eq!(json["open_loop"], Value::Array(Vec::new()));
}

#[test]
fn an_interrupted_run_removes_its_files() {
    let folder = Folder::new("interrupted");
    let mut child = Command::new(PROGRAM)
        .args(["analyze", "--seconds", "600", "--dir"])
        .arg(&folder.0)
        .spawn()
        .expect("the program starts");
    let limit = Instant::now() + Duration::from_secs(60);
    while folder.is_empty() {
        assert!(Instant::now() < limit, "it makes no files");
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    // The folder is made before the signals are awaited; a signal between the two is the default's: the end.
    while child.try_wait().expect("it is our child").is_none() {
        let blocks = fs::read_dir(&folder.0)
            .expect("it is there")
            .filter_map(Result::ok)
            .any(|entry| entry.path().join("blocks").exists());
        if blocks {
            rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
            break;
        }
        assert!(Instant::now() < limit, "it makes no files");
        std::thread::yield_now();
    }
    let status = child.wait().expect("it is our child");
    assert_eq!(status.code(), Some(130));
    assert!(folder.is_empty(), "the files under test are gone");
}
