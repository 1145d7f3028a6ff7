//! `kael analyze -- COMMAND` and `--pid`: calls are counted exactly, all threads and children are followed, and a traced program
//! does what it would do without a tracer.
#![cfg(target_os = "linux")]

mod common;

use common::{Folder, PROGRAM, Server, expect_success, stderr, stdout, two_echoes};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;

/// How far two counts of the same calls may be apart.
const AGREEMENT: f64 = 0.02;

fn tracing(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("analyze").args(arguments);
    command
}

/// Runs `kael analyze`; none, with a printed reason, where nobody may trace.
#[track_caller]
fn analyze(arguments: &[&str]) -> Option<Output> {
    let output = tracing(arguments).output().expect("the program starts");
    may_trace(&output).then_some(output)
}

fn may_trace(output: &Output) -> bool {
    let said = stderr(output);
    let refused = said.lines().find(|line| line.contains("may not be traced"));
    if let Some(reason) = refused {
        println!("not run: {reason}");
    }
    refused.is_none()
}

/// The report on a command, as JSON, and what the command printed.
#[track_caller]
fn report(folder: &Folder, arguments: &[&str], command: &[&str]) -> Option<(Value, String)> {
    let path = folder.0.join("report.json");
    let path = path.to_str().expect("the target's folder has a plain name");
    let all = [arguments, &["--format", "json", "--output", path, "--"], command].concat();
    let output = analyze(&all)?;
    expect_success(&output);
    let text = fs::read_to_string(path).expect("the report was written");
    Some((serde_json::from_str(&text).expect("it is JSON"), stdout(&output)))
}

/// The calls of this name, on whatever they were made.
fn calls(report: &Value, name: &str) -> u64 {
    let rows = report["syscall_budget"].as_array().expect("the rows");
    rows.iter().filter(|row| row["operation"] == name).filter_map(|row| row["calls"].as_u64()).sum()
}

#[test]
fn dd_reads_and_writes_as_often_as_it_is_told() {
    let folder = Folder::new("trace-dd");
    let source = folder.0.join("source");
    fs::write(&source, [7; 512 * 400]).expect("the folder can be written");
    let (from, to) =
        (format!("if={}", source.display()), format!("of={}", folder.0.join("copy").display()));
    let counts = [200_u64, 400].map(|blocks| {
        let count = format!("count={blocks}");
        let (report, _) = report(&folder, &[], &["dd", &from, &to, "bs=512", &count])?;
        Some(["read", "write"].map(|name| calls(&report, name)))
    });
    let [Some(once), Some(twice)] = counts else { return };
    println!("200 blocks: {once:?} reads and writes, 400 blocks: {twice:?}");
    assert_eq!([twice[0] - once[0], twice[1] - once[1]], [200, 200]);
}

#[test]
fn children_are_followed() {
    let folder = Folder::new("trace-children");
    let line = "for i in 1 2 3; do dd if=/dev/zero of=/dev/null bs=1 count=$1 & done; wait";
    let counts = ["100", "200"].map(|count| {
        let (report, _) = report(&folder, &[], &["sh", "-c", line, "sh", count])?;
        assert!(report["processes"].as_u64() >= Some(4), "{report}");
        Some(["read", "write"].map(|name| calls(&report, name)))
    });
    let [Some(once), Some(twice)] = counts else { return };
    println!("three children, 100 blocks: {once:?} reads and writes, 200 blocks: {twice:?}");
    assert_eq!([twice[0] - once[0], twice[1] - once[1]], [300, 300]);
}

/// A child's end may be reported before its start is: none may be waited for that is gone.
#[test]
fn children_that_end_at_once_are_followed() {
    let folder = Folder::new("trace-short");
    let line =
        "for i in 1 2 3 4 5 6 7 8 9 10; do (true | cat | cat) & (true | cat | cat) & done; wait";
    let Some((report, _)) = report(&folder, &[], &["sh", "-c", line]) else { return };
    println!("{} processes, {} calls", report["processes"], report["syscalls"]);
    // The shell may run a command in the process of its subshell.
    assert!(report["processes"].as_u64() >= Some(61), "{report}");
}

/// What `threads_are_followed` runs under the tracer: so many reads by each of four threads.
#[test]
fn part_with_four_threads() {
    let Some(reads) =
        std::env::var("KAEL_TRACED_READS").ok().and_then(|reads| reads.parse::<u32>().ok())
    else {
        return;
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut zeros = File::open("/dev/zero").expect("every system has it");
                let mut byte = [0];
                (0..reads).for_each(|_| zeros.read_exact(&mut byte).expect("it never ends"));
            });
        }
    });
}

#[test]
fn threads_are_followed() {
    let folder = Folder::new("trace-threads");
    let this = std::env::current_exe().expect("it runs");
    let this = this.to_str().expect("the target's folder has a plain name");
    let counts = [250_u32, 500].map(|reads| {
        let reads = format!("KAEL_TRACED_READS={reads}");
        let command = ["env", &reads, this, "--exact", "part_with_four_threads"];
        let (report, _) = report(&folder, &[], &command)?;
        assert!(report["threads"].as_u64() >= Some(5), "{report}");
        Some(calls(&report, "read"))
    });
    let [Some(once), Some(twice)] = counts else { return };
    println!("four threads, 250 reads each: {once}, 500 each: {twice}");
    assert_eq!(twice - once, 1000);
}

/// What the runtime counts of itself is what the tracer sees: the difference between N and 2N rounds, as with strace.
#[test]
fn the_runtimes_own_counters_agree() {
    let folder = Folder::new("trace-counters");
    let block = folder.0.join("block");
    fs::write(&block, [7; 4096]).expect("the folder can be written");
    let cases = [
        ("tcp", format!("--peer {}", two_echoes()), 1000),
        ("queued", format!("--peer {}", two_echoes()), 1000),
        ("read1", format!("--file {}", block.display()), 1000),
        ("sleep", String::new(), 500),
    ];
    // An emulated processor takes minutes for what is seconds elsewhere.
    let scale = if std::env::var_os("KAEL_EMULATED").is_some() { 10 } else { 1 };
    for (what, with, rounds) in cases {
        let rounds = rounds / scale;
        let counts = [rounds, 2 * rounds].map(|rounds: u64| {
            let rounds = rounds.to_string();
            let mut command = vec![PROGRAM, "probe", what, "--rounds", &rounds];
            command.extend(with.split_whitespace());
            let (report, printed) = report(&folder, &[], &command)?;
            let printed: Value = serde_json::from_str(&printed).expect("probe prints JSON");
            Some((printed["syscalls"].as_u64()?, report["syscalls"].as_u64()?))
        });
        let [Some(once), Some(twice)] = counts else { return };
        let (counted, seen) = (twice.0 - once.0, twice.1 - once.1);
        println!("{what}: {rounds} rounds: {counted} calls counted by the runtime, {seen} traced");
        assert!(
            counted.abs_diff(seen) as f64 <= AGREEMENT * seen as f64,
            "{what}: {counted} and {seen}"
        );
    }
}

/// A port that was free just now.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
}

#[test]
fn echo_under_load_costs_what_the_table_says() {
    let folder = Folder::new("trace-echo");
    let addr = free_port().to_string();
    let client = format!("'{PROGRAM}' load --connect {addr} --connections 1 --seconds 1");
    let command = [PROGRAM, "echo", "--listen", &addr];
    let Some((report, _)) = report(&folder, &["--drive", &client], &command) else { return };
    let row =
        kael_rt::budget::TABLE.iter().find(|row| row.operation == "TcpStream round trip (queued)");
    let expected = row.expect("a row of the table").one;
    let each = report["syscalls_per_request"].as_f64().expect("the client says how many");
    println!(
        "{} requests, {each:.3} system calls each, {expected} by the table",
        report["requests"]
    );
    assert_eq!(report["requests_by"], "what the client printed");
    assert_eq!(report["ended"], "with exit status 0");
    // What starts and ends is in the count, too, and a loaded machine may serve few requests.
    let once = 100.0 / report["requests"].as_f64().expect("a number");
    assert!((each - expected).abs() <= AGREEMENT * expected + once, "{report:#}");
}

#[test]
fn the_end_of_the_program_is_told() {
    for (line, end) in [("exit 7", "ended with exit status 7"), ("kill -9 $$", "ended by signal 9")]
    {
        let Some(output) = analyze(&["--", "sh", "-c", line]) else { return };
        expect_success(&output);
        assert!(stdout(&output).contains(end), "{}", stdout(&output));
    }
}

/// A signal that has no name reaches its handler, and what job control stops goes on when it is told to.
#[test]
fn signals_reach_the_program() {
    let line = "trap 'echo forty' 40; kill -40 $$; p=$$; (kill -STOP $p; kill -CONT $p); echo on";
    let Some(output) = analyze(&["--", "sh", "-c", line]) else { return };
    expect_success(&output);
    assert!(
        stdout(&output).starts_with("forty\non\n## Platform Analysis\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn an_attached_program_is_left_as_it_was() {
    let server = Server::start();
    let pid = server.id().to_string();
    let mut stream = TcpStream::connect(server.addr).expect("the kernel takes the connection");
    // As long as it is answered.
    let client = stream.try_clone().expect("a descriptor is free");
    let client = thread::spawn(move || {
        let (mut out, mut back) = (&client, &client);
        let mut byte = [1];
        while out.write_all(&byte).is_ok() && back.read_exact(&mut byte).is_ok() {}
    });
    let output = analyze(&["--pid", &pid, "--seconds", "1", "--format", "json"]);
    stream.shutdown(std::net::Shutdown::Both).expect("it is connected");
    client.join().expect("it only sends");
    let Some(output) = output else { return };
    expect_success(&output);
    let report: Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
    println!("attached for {} s: {} calls", report["seconds"], report["syscalls"]);
    assert!(report["syscalls"].as_u64() > Some(10), "{report:#}");
    assert_eq!(report["ended"], Value::Null);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    stream = TcpStream::connect(server.addr).expect("the kernel takes the connection");
    stream.write_all(&[9]).expect("the server reads");
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("the server answers");
    assert_eq!(byte, [9]);
    drop(stream);
    assert!(server.interrupt().contains("0 ended with an error"));
}

#[test]
fn an_interrupt_ends_the_program_and_prints_the_report() {
    let mut child = tracing(&["--", "sh", "-c", "echo started >&2; exec sleep 600"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut words = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    words.read_line(&mut line).expect("the program speaks");
    if line.contains("may not be traced") {
        child.wait().expect("it is our child");
        println!("not run: {line}");
        return;
    }
    assert_eq!(line, "started\n");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let output = child.wait_with_output().expect("it is our child");
    expect_success(&output);
    assert!(stdout(&output).contains("ended by signal 15"), "{}", stdout(&output));
}

#[test]
fn a_profile_is_a_picture_or_a_reason() {
    let folder = Folder::new("trace-profile");
    let svg = folder.0.join("flames.svg");
    let path = svg.to_str().expect("the target's folder has a plain name");
    let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let Some((report, _)) = report(&folder, &["--profile", path], &["sh", "-c", busy]) else {
        return;
    };
    let words = report["profile"].as_str().expect("a sentence");
    if words.starts_with("No profile: ") {
        println!("not checked: {words}");
        return;
    }
    println!("{words}");
    let picture = fs::read_to_string(svg).expect("it was written");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    assert!(picture.contains("<title>sh: "), "{picture}");
    assert!(!folder.0.join("flames.perf-data").exists(), "what perf wrote is gone");
}

#[test]
fn what_cannot_be_traced_is_bad_use() {
    for (arguments, reason) in [
        (&["--", "/no/such/program"][..], "/no/such/program: No such file"),
        (&["--pid", "2147483647"], "there is no process 2147483647"),
        (&["--pid", "0"], "0 is not in 1..="),
        (&["--pid", "1", "--", "true"], "cannot be used with"),
    ] {
        let Some(output) = analyze(arguments) else { return };
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn only_one_can_trace() {
    let server = Server::start();
    let pid = server.id().to_string();
    let mut first = tracing(&["--pid", &pid, "--seconds", "600"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let status = format!("/proc/{pid}/status");
    while !fs::read_to_string(&status)
        .expect("it runs")
        .contains(&format!("TracerPid:\t{}\n", first.id()))
    {
        if first.try_wait().expect("it is our child").is_some() {
            println!("not run: a process of our own may not be traced");
            return;
        }
        thread::yield_now();
    }
    let second = analyze(&["--pid", &pid]).expect("the reason is another");
    assert_eq!(second.status.code(), Some(2));
    let said = stderr(&second);
    assert!(said.contains(&format!("is traced by process {} already", first.id())), "{said}");
    // The first lets it go when it is killed, too.
    first.kill().expect("it is our child");
    first.wait().expect("it is our child");
    assert!(server.interrupt().contains("0 ended with an error"));
}
