//! The system calls that the runtime counts are those that strace sees. Start and end of the process cancel out in the
//! difference between N and 2N rounds.

mod common;

use common::{Folder, PROGRAM, expect_success, stdout};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

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

/// An echo server whose calls strace does not see, because it is in this process. Serves two runs.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.expect("somebody connects");
            let mut message = [0; 64];
            // Until the probe ends.
            while stream.read_exact(&mut message).is_ok() {
                stream.write_all(&message).expect("the probe waits for it");
            }
        }
    });
    addr
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
    let each = agree("tcp", &format!("tcp --peer {}", serve()), 2_000);
    let (one, _) = budget("TcpStream round trip");
    assert!((each - one).abs() <= AGREEMENT * one, "{each} calls a round trip");
}

#[test]
fn strace_queued_ping_pong() {
    if is_missing() {
        return;
    }
    let each = agree("queued", &format!("queued --peer {}", serve()), 2_000);
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
