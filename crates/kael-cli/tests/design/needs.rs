//! Needs, and the rules that hold for each.

use crate::rules;
use std::collections::BTreeSet;

/// Target, operations, need, and what is recommended, in its order.
const NEEDS: [(&str, &str, &str, &str); 24] = [
    (
        "linux",
        "socket",
        "conns=64,size=64,depth=1,rate=50k,p99_us=1000",
        "ring-per-core queued-answers nodelay own-buffers",
    ),
    (
        "linux",
        "socket,timer",
        "conns=60k,size=256,depth=1,rate=100k,p99_us=5000,memory_mb=1024",
        "ring-per-core queued-answers nodelay batch-wait buffers-the-kernel-picks bounded-buffers descriptors \
         slots file-table backlog timers-in-the-ring a-limit-for-each-read",
    ),
    (
        "linux",
        "file,socket",
        "conns=2000,size=1KiB,depth=16,rate=600k,p99_us=20000,durable=yes",
        "ring-per-core more-cores gathered-answers nodelay batch-wait buffers-the-kernel-picks \
         multishot-receives descriptors files-in-the-ring reads-in-flight cached-files group-commit",
    ),
    (
        "linux",
        "socket,timer",
        "conns=16,size=64,depth=1,rate=10k,p99_us=50",
        "ring-per-core queued-answers nodelay busy-poll own-buffers timers-in-the-ring timer-slack",
    ),
    (
        "linux",
        "file,buffers",
        "size=16KiB,depth=64,durable=no,memory_mb=4096",
        "ring-per-core files-in-the-ring reads-in-flight registered-file-buffers direct-files no-sync \
         registered-memory",
    ),
    (
        "linux",
        "socket,bytes,task",
        "conns=100,size=1MiB,depth=1,container=kubernetes,memory_mb=256",
        "ring-per-core wakes-across-cores zero-copy-sends own-buffers profile-of-the-pod charged-to-the-group \
         spliced-bytes",
    ),
    (
        "linux",
        "bytes,socket",
        "conns=300,size=64KiB,depth=1",
        "ring-per-core awaited-answers copied-sends own-buffers descriptors spliced-bytes",
    ),
    (
        "linux",
        "file,socket,timer",
        "conns=10000,size=64,depth=1,rate=200k,p99_us=500,durable=yes,memory_mb=512,container=docker",
        "seccomp-forbids-the-ring ring-per-core queued-answers nodelay batch-wait buffers-the-kernel-picks \
         bounded-buffers descriptors file-table backlog charged-to-the-group files-in-the-ring cached-files \
         group-commit allocated-log timers-in-the-ring a-limit-for-each-read timer-slack",
    ),
    (
        "linux-epoll",
        "file,socket,timer",
        "conns=10000,size=64,depth=1,rate=200k,p99_us=500,durable=yes,memory_mb=512,container=docker",
        "poller-per-core plain-answers nodelay buffers-when-ready bounded-buffers descriptors backlog \
         default-profile charged-to-the-group cached-reads cached-files group-commit allocated-log \
         timers-in-the-wait a-limit-for-each-read timer-slack waits-in-nanoseconds",
    ),
    (
        "linux-epoll",
        "bytes",
        "conns=50,size=8KiB",
        "poller-per-core spliced-bytes small-files-in-one-send",
    ),
    (
        "linux-epoll",
        "file",
        "size=64KiB,depth=128,durable=yes,rate=100,p99_us=8000",
        "poller-per-core cached-reads direct-files sync-for-each allocated-log",
    ),
    ("linux-epoll", "task", "", "poller-per-core wakes-across-cores"),
    (
        "linux-epoll",
        "socket",
        "conns=1,size=64,depth=1,rate=500k",
        "no-time-for-a-round poller-per-core plain-answers own-buffers",
    ),
    (
        "windows",
        "socket,timer",
        "conns=2000,size=512,depth=1,rate=20k,p99_us=5000,memory_mb=64,container=docker",
        "port-per-core plain-answers skipped-packets nodelay buffers-with-the-receive bounded-buffers \
         job-of-the-container timers-in-the-wait a-limit-for-each-read clock-tick",
    ),
    (
        "windows",
        "file",
        "size=4KiB,depth=32,durable=yes,rate=5k,p99_us=2000",
        "port-per-core overlapped-files direct-files group-commit",
    ),
    (
        "windows",
        "timer,bytes,task",
        "p99_us=500",
        "no-sleep-below-the-clock port-per-core wakes-across-cores copied-bytes timers-in-the-wait",
    ),
    (
        "windows",
        "socket,file",
        "conns=20,size=100,depth=8,durable=no",
        "port-per-core gathered-answers skipped-packets own-buffers overlapped-files cached-files no-sync",
    ),
    (
        "macos",
        "file,socket,timer",
        "conns=500,size=128,depth=1,rate=200,p99_us=10000,durable=yes",
        "kqueue-per-core plain-answers nodelay own-buffers descriptors backlog-of-macos files-by-the-pool \
         cached-files sync-for-each full-flush timers-in-the-wait",
    ),
    (
        "macos",
        "socket",
        "conns=1000,size=2KiB,depth=4,memory_mb=4",
        "memory-below-the-floor kqueue-per-core gathered-answers buffers-when-ready descriptors \
         backlog-of-macos",
    ),
    (
        "macos",
        "file,bytes,task",
        "size=1MiB,depth=32,durable=no",
        "kqueue-per-core wakes-across-cores files-by-the-pool direct-files no-sync copied-bytes",
    ),
    (
        "macos",
        "file",
        "durable=yes,p99_us=100,rate=50k,size=200",
        "no-flush-within kqueue-per-core files-by-the-pool cached-files group-commit full-flush",
    ),
    (
        "freebsd",
        "file,socket,timer",
        "conns=50k,size=64,depth=1,rate=100k,p99_us=2000,durable=yes,memory_mb=2048,container=jail",
        "kqueue-per-core plain-answers nodelay buffers-when-ready bounded-buffers descriptors slots \
         backlog-of-freebsd limits-of-the-jail files-by-the-pool cached-files group-commit timers-in-the-wait \
         a-limit-for-each-read",
    ),
    (
        "freebsd",
        "socket,task",
        "conns=8,size=16,depth=1,rate=2M",
        "no-time-for-a-round kqueue-per-core wakes-across-cores plain-answers own-buffers",
    ),
    (
        "freebsd",
        "file,bytes",
        "size=32KiB,depth=64,durable=no",
        "kqueue-per-core files-by-the-pool direct-files no-sync copied-bytes",
    ),
];

/// Two needs that differ in one field.
struct Pair {
    target: &'static str,
    ops: &'static str,
    shared: &'static str,
    fields: [&'static str; 2],
    /// What is recommended for the first only, and for the second only.
    alone: [&'static str; 2],
}

const fn pair(
    [target, ops, shared]: [&'static str; 3],
    fields: [&'static str; 2],
    alone: [&'static str; 2],
) -> Pair {
    Pair { target, ops, shared, fields, alone }
}

const PAIRS: [Pair; 16] = [
    pair(
        ["linux", "socket", "depth=1,size=64"],
        ["conns=255", "conns=600"],
        ["own-buffers", "buffers-the-kernel-picks descriptors"],
    ),
    pair(["linux", "socket", "depth=1"], ["conns=8191", "conns=8192"], ["", "file-table"]),
    pair(["macos", "socket", "depth=1"], ["conns=127", "conns=128"], ["", "backlog-of-macos"]),
    pair(
        ["linux", "socket", "depth=1"],
        ["size=8191", "size=8KiB"],
        ["queued-answers", "awaited-answers"],
    ),
    pair(
        ["linux", "socket", "depth=1"],
        ["size=511KiB", "size=512KiB"],
        ["awaited-answers copied-sends", "zero-copy-sends"],
    ),
    pair(
        ["windows", "file", "depth=32"],
        ["size=4095", "size=4KiB"],
        ["cached-files", "direct-files"],
    ),
    pair(
        ["freebsd", "socket", "size=64"],
        ["depth=1", "depth=2"],
        ["plain-answers", "gathered-answers"],
    ),
    pair(
        ["linux", "socket", "size=64"],
        ["depth=1", "depth=2"],
        ["queued-answers", "gathered-answers multishot-receives"],
    ),
    pair(
        ["freebsd", "file", "durable=yes"],
        ["rate=999", "rate=1k"],
        ["sync-for-each", "group-commit"],
    ),
    pair(
        ["macos", "socket", "conns=9,depth=1"],
        ["rate=1800k", "rate=1801k"],
        ["", "no-time-for-a-round"],
    ),
    pair(["linux", "socket", "rate=200k"], ["p99_us=499", "p99_us=500"], ["", "batch-wait"]),
    pair(["linux", "socket", "rate=200k"], ["p99_us=50", "p99_us=51"], ["busy-poll", ""]),
    pair(
        ["windows", "timer", "rate=9"],
        ["p99_us=999", "p99_us=1000"],
        ["no-sleep-below-the-clock", "clock-tick"],
    ),
    pair(
        ["macos", "file", "rate=10"],
        ["durable=no", "durable=yes"],
        ["no-sync", "sync-for-each full-flush"],
    ),
    pair(
        ["linux-epoll", "socket", "conns=10k"],
        ["memory_mb=78", "memory_mb=79"],
        ["memory-below-the-floor", "bounded-buffers"],
    ),
    pair(
        ["linux", "socket", "depth=1"],
        ["container=docker", "container=kubernetes"],
        ["seccomp-forbids-the-ring", "profile-of-the-pod"],
    ),
];

#[test]
fn each_need_has_its_recommendations() {
    for (target, ops, need, expected) in NEEDS {
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(rules(target, ops, need), expected, "{target}: {ops}: {need}");
    }
}

#[test]
fn a_field_drives_its_choice_and_no_other() {
    for Pair { target, ops, shared, fields, alone: expected } in PAIRS {
        let found = fields.map(|field| rules(target, ops, &format!("{shared},{field}")));
        for (side, other) in [(0, 1), (1, 0)] {
            let alone: Vec<&str> = found[side]
                .iter()
                .map(String::as_str)
                .filter(|rule| !found[other].iter().any(|name| name == rule))
                .collect();
            assert_eq!(alone.join(" "), expected[side], "{target}: {shared}: {}", fields[side]);
        }
    }
}

#[test]
fn the_operations_drive_their_choices() {
    for (ops, expected) in [
        ("socket", "kqueue-per-core"),
        ("file", "kqueue-per-core files-by-the-pool"),
        ("bytes", "kqueue-per-core copied-bytes"),
        ("timer", "kqueue-per-core timers-in-the-wait"),
        ("task", "kqueue-per-core wakes-across-cores"),
    ] {
        assert_eq!(rules("freebsd", ops, "").join(" "), expected, "{ops}");
    }
}

#[test]
fn each_rule_is_reached_by_some_need() {
    let table = include_str!("../../src/design/rules.toml");
    let names: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("name = \""))
        .map(|name| name.trim_end_matches('"'))
        .collect();
    let reached: BTreeSet<&str> = NEEDS.iter().flat_map(|need| need.3.split(' ')).collect();
    assert_eq!(names, reached);
    let targets: BTreeSet<&str> = NEEDS.iter().map(|need| need.0).collect();
    assert_eq!(targets.len(), 5, "{targets:?}");
}
