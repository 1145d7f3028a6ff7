//! Bad use and bad circumstances: exit status 2 or 1, and one clear sentence.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::{Folder, PROGRAM, kael, stderr};
use std::net::TcpListener;
use std::process::Command;

/// Runs it, and expects an exit status and a text on stderr.
#[track_caller]
fn refuses(arguments: &str, status: i32, text: &str) {
    let output = kael(arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(status), "{arguments}: {said}");
    assert!(said.contains(text), "{arguments}: {said}");
    assert!(output.stdout.is_empty(), "{arguments}: nothing is on standard output");
}

#[test]
fn options_that_make_no_sense() {
    refuses("", 2, "Usage");
    refuses("analise", 2, "unrecognized subcommand");
    refuses("analyze --format xml", 2, "invalid value 'xml'");
    refuses("analyze --seconds 0", 2, "0 is not in 1..=3600");
    refuses("analyze --seconds soon", 2, "invalid value 'soon'");
    refuses("analyze --ops file,tape", 2, "invalid value 'tape'");
    refuses("echo", 2, "--listen");
    refuses("load", 2, "--connect");
    refuses("serve", 2, "<DIR>");
    refuses("serve . --tls cert.pem", 2, "2 values required");
    refuses("serve . --log apache", 2, "invalid value 'apache'");
    refuses("serve . --log-file x", 2, "--log");
    refuses("serve . --metrics metrics", 2, "it is not a path like /metrics");
    refuses("serve . --header-bytes 1", 2, "1 is not in 256..=1048576");
    refuses("proxy 127.0.0.1:0", 2, "<TARGET>");
    refuses(
        "proxy 127.0.0.1:0 127.0.0.1:1 --idle-timeout 0",
        2,
        "it is not in 0.001..=86400 seconds",
    );
    refuses("proxy 127.0.0.1:0 127.0.0.1:1 --max-connections 0", 2, "0 is not in");
    refuses("review --format xml", 2, "invalid value 'xml'");
    refuses("load --connect 127.0.0.1:1 --connections 0", 2, "0 is not in");
    refuses("load --connect 127.0.0.1:1 --size 0", 2, "0 is not in");
    refuses("load --connect 127.0.0.1:1 --depth 0", 2, "0 is not in");
    refuses("load --connect 127.0.0.1:1 --rate 0", 2, "0 is not in");
    refuses("load --connect 127.0.0.1:1 --seconds 0", 2, "0 is not in");
}

#[test]
fn directories_that_cannot_be_used() {
    let folder = Folder::new("bad-directories");
    let file = folder.0.join("file");
    std::fs::write(&file, "").expect("the folder can be written");
    let (missing, file) = (folder.0.join("missing"), file.display().to_string());
    refuses(&format!("analyze --dir {}", missing.display()), 2, "No such file or directory");
    refuses(&format!("analyze --dir {file}"), 2, "Not a directory");
    refuses(&format!("serve {}", missing.display()), 2, "No such file or directory");
    refuses(&format!("serve {file}"), 2, "Not a directory");
    refuses(
        &format!("analyze --output {}/report.md", missing.display()),
        2,
        "No such file or directory",
    );
    refuses(&format!("analyze --output {}", folder.0.display()), 2, "Is a directory");
}

#[test]
fn a_port_that_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = taken.local_addr().expect("it is bound");
    refuses(&format!("echo --listen {addr}"), 1, "Address already in use");
}

#[test]
fn addresses_that_are_none() {
    refuses("echo --listen nowhere", 1, "cannot listen at nowhere");
    refuses("echo --listen 192.0.2.1:9", 1, "Cannot assign requested address");
    refuses("load --connect nowhere", 1, "nowhere");
    refuses("serve . --listen nowhere", 1, "cannot listen at nowhere");
    refuses("proxy nowhere 127.0.0.1:1", 1, "cannot listen at nowhere");
    refuses("proxy 127.0.0.1:0 nowhere", 1, "nowhere");
}

#[test]
fn a_server_that_is_not_there() {
    let addr = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it is bound")
    };
    let output = kael(&format!("load --connect {addr} --connections 3 --seconds 1"));
    assert_eq!(output.status.code(), Some(1));
    assert!(common::stdout(&output).contains("errors: 3"));
    assert!(stderr(&output).contains("Connection refused"));
}

#[test]
fn more_connections_than_descriptors() {
    let line = r#"ulimit -n 64 && exec "$0" load --connect 127.0.0.1:1 --connections 100"#;
    let output = Command::new("sh").args(["-c", line, PROGRAM]).output().expect("sh starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("100 connections need 132 descriptors, and the hard limit is 64")
    );
}

#[test]
fn too_few_descriptors_for_sockets() {
    let line = r#"ulimit -n 128 && exec "$0" analyze --seconds 1 "$@""#;
    let limited = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", line, PROGRAM]).args(arguments).output().expect("sh starts")
    };
    let refused = limited(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("need 512 descriptors, and the hard limit is 128"));
    let output = limited(&["--ops", "timer", "--dir", env!("CARGO_TARGET_TMPDIR")]);
    // Whether the figures are within their budgets is not the question here.
    common::judged(&output);
}
