//! The system calls that the runtime counts are those that strace sees. Start and end of the process cancel out in the
//! difference between N and 2N rounds.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::{Folder, PROGRAM, expect_success, stdout, two_echoes};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// How far the two counts may be apart.
const AGREEMENT: f64 = 0.02;

/// Says that there is no strace and that the test proves nothing; fails if it is required.
fn is_missing() -> bool {
    if Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success())
    {
        return false;
    }
    assert!(std::env::var_os("KAEL_REQUIRE_STRACE").is_none(), "strace is required and missing");
    println!("not run: strace is not installed");
    true
}

/// What the runtime counted and what strace saw, of one run.
fn counts(folder: &Folder, arguments: &str, rounds: u64) -> (f64, f64) {
    let table = folder.0.join(format!("calls-{rounds}"));
    let output = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(&table)
        .args([PROGRAM, "probe"])
        .args(arguments.split_whitespace())
        .args(["--rounds", &rounds.to_string()])
        .output()
        .expect("strace starts");
    expect_success(&output);
    let counted: serde_json::Value =
        serde_json::from_str(&stdout(&output)).expect("probe prints JSON");
    let counted = counted["syscalls"].as_f64().expect("a number");
    let table = fs::read_to_string(table).expect("strace writes its table");
    let seen = table
        .lines()
        .filter(|line| !line.trim_end().ends_with("total"))
        .filter_map(|line| line.split_whitespace().next()?.parse::<f64>().ok())
        .sum();
    (counted, seen)
}

/// Compares both, and returns the counted calls of one round.
#[track_caller]
fn agree(name: &str, arguments: &str, rounds: u64) -> f64 {
    let folder = Folder::new(&format!("strace-{name}"));
    if arguments.contains("--file") {
        fs::write(folder.0.join("block"), [7; 4096]).expect("the folder can be written");
    }
    let arguments = arguments.replace("FOLDER", &folder.0.display().to_string());
    let (counted, seen) = counts(&folder, &arguments, rounds);
    let (counted_twice, seen_twice) = counts(&folder, &arguments, 2 * rounds);
    let (counted, seen) = (counted_twice - counted, seen_twice - seen);
    println!("{name}: {rounds} rounds: {counted} calls counted, {seen} seen by strace");
    let apart = (counted - seen).abs() / seen.max(1.0);
    assert!(apart <= AGREEMENT, "{counted} counted, {seen} seen: {:.1} % apart", apart * 100.0);
    counted / rounds as f64
}

/// What the library's own table says: with one in flight, with 64.
fn budget(operation: &str) -> (f64, f64) {
    let row = kael_rt::budget::TABLE.iter().find(|row| row.operation == operation);
    row.map(|row| (row.one, row.many)).expect("a row of the table")
}

#[test]
fn strace_tcp_ping_pong() {
    if is_missing() {
        return;
    }
    let each = agree("tcp", &format!("tcp --peer {}", two_echoes()), 2_000);
    let (one, _) = budget("TcpStream round trip");
    assert!((each - one).abs() <= AGREEMENT * one, "{each} calls a round trip");
}

#[test]
fn strace_queued_ping_pong() {
    if is_missing() {
        return;
    }
    let each = agree("queued", &format!("queued --peer {}", two_echoes()), 2_000);
    let (one, _) = budget("TcpStream round trip (queued)");
    assert!((each - one).abs() <= AGREEMENT * one, "{each} calls a round trip");
}

#[test]
fn strace_reads_one_in_flight() {
    if is_missing() {
        return;
    }
    let each = agree("read1", "read1 --file FOLDER/block", 4_000);
    assert!((each - 1.0).abs() <= AGREEMENT, "{each} calls a read");
}

#[test]
fn strace_reads_64_in_flight() {
    if is_missing() {
        return;
    }
    let each = agree("read64", "read64 --file FOLDER/block", 128_000);
    assert!(each <= budget("File::read_at").1, "{each} calls a read");
}

#[test]
fn strace_sleeps() {
    if is_missing() {
        return;
    }
    let each = agree("sleep", "sleep", 1_000);
    assert!(each <= 1.0 + AGREEMENT, "{each} calls a sleep");
}

/// The calls of strace's table, by name.
fn seen_by_strace(folder: &Folder, command: &[&str]) -> BTreeMap<String, u64> {
    let table = folder.0.join("calls");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&table).args(command);
    expect_success(&strace.output().expect("strace starts"));
    let table = fs::read_to_string(table).expect("strace writes its table");
    let rows = table.lines().filter_map(|line| {
        let (calls, name) = line.trim().split_once(char::is_whitespace)?;
        Some((name.trim().to_owned(), calls.parse().ok()?))
    });
    rows.filter(|(name, _)| name != "total").collect()
}

fn seen_by_analyze(folder: &Folder, command: &[&str]) -> BTreeMap<String, u64> {
    let report = folder.0.join("report");
    let mut analyze = Command::new(PROGRAM);
    analyze.args(["analyze", "--format", "json", "--output"]).arg(&report).arg("--").args(command);
    expect_success(&analyze.output().expect("the program starts"));
    let report = fs::read_to_string(report).expect("the report was written");
    let report: serde_json::Value = serde_json::from_str(&report).expect("it is JSON");
    let mut calls = BTreeMap::new();
    for row in report["syscall_budget"].as_array().expect("the rows") {
        let name = row["operation"].as_str().expect("a name").to_owned();
        *calls.entry(name).or_default() += row["calls"].as_u64().expect("a number");
    }
    calls
}

/// `kael analyze -- COMMAND` counts, by name, what strace counts of the same command.
#[test]
fn strace_and_analyze_see_the_same_calls() {
    if is_missing() {
        return;
    }
    let folder = Folder::new("strace-analyze");
    let line = "for i in 1 2 3; do dd if=/dev/zero of=/dev/null bs=1 count=500; done; ls /";
    let command = ["sh", "-c", line];
    let (strace, analyze) = (seen_by_strace(&folder, &command), seen_by_analyze(&folder, &command));
    println!("strace: {strace:?}\nkael analyze: {analyze:?}");
    let names: std::collections::BTreeSet<&String> = strace.keys().chain(analyze.keys()).collect();
    for name in names {
        let count = |calls: &BTreeMap<String, u64>| calls.get(name).copied().unwrap_or(0);
        let (seen, counted) = (count(&strace), count(&analyze));
        // strace counts some calls that never return, such as exit_group.
        let room = (seen as f64 * AGREEMENT).max(4.0);
        assert!(seen.abs_diff(counted) as f64 <= room, "{name}: {seen} and {counted}");
    }
}
