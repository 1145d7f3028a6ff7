//! What the figures were taken on: kernel, CPUs, compilers, the peers' versions, the load.

use std::process::Command;

use crate::builds::{bench_root, runs};

/// Connections of the largest case, and room for the rest.
const FILES: &str = "20000";

const PEERS: [&str; 7] =
    ["tokio", "monoio", "compio", "glommio", "tokio-uring", "async-executor", "async-io"];

/// Raises the limit of this process, which its children inherit. Where that is forbidden the largest case may fail.
pub(crate) fn raise_file_limit() {
    let files = format!("--nofile={FILES}:");
    if !runs("prlimit", &["--pid", &std::process::id().to_string(), &files]) {
        eprintln!(
            "the limit of open files stays as it is: cases of thousands of connections may fail (ulimit -n)"
        );
    }
}

pub(crate) fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

pub(crate) fn describe() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    format!(
        "Linux {}; {cpus} x {}; {}; {}\n\nPeers: {}.",
        first_line("uname", &["-r"]),
        model.map_or("an unnamed CPU", |(_, model)| model),
        first_line("rustc", &["--version"]),
        first_line("cc", &["--version"]),
        peer_versions(),
    )
}

fn first_line(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// From the lock file, in which each package's version is in the line after its name.
fn peer_versions() -> String {
    let lock = std::fs::read_to_string(bench_root().join("Cargo.lock")).unwrap_or_default();
    let quoted = |line: &str, key: &str| Some(line.strip_prefix(key)?.trim_matches('"').to_owned());
    let mut versions = Vec::new();
    let mut lines = lock.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(name) = quoted(line, "name = ") else { continue };
        let version = lines.peek().and_then(|line| quoted(line, "version = "));
        if let (true, Some(version)) = (PEERS.contains(&name.as_str()), version) {
            versions.push(format!("{name} {version}"));
        }
    }
    versions.join(", ")
}
