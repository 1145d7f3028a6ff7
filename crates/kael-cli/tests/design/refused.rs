//! What is no need, and options that do not go together: exit status 2, and a sentence that names the field.

use crate::{run, stderr, stdout};
use std::process::Command;

#[track_caller]
fn refuses(target: &str, need: &str, arguments: &[&str], text: &str) {
    let output = run(target, "", need, arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{need}: {said}");
    assert!(said.contains(text), "{need}: {said}");
    assert_eq!(stdout(&output), "", "{need}");
}

#[test]
fn needs_that_are_none() {
    refuses("linux", "speed=1", &[], "`speed` is no field of a need; they are conns, size, depth");
    refuses("linux", "conns=10,conns=10", &[], "conns is given twice");
    refuses("linux", "conns=many", &[], "`many` is not what conns takes: connections at a time");
    refuses("linux", "conns=99999999999999999999", &[], "what conns takes");
    refuses("linux", "size=4k", &[], "`4k` is not what size takes: bytes of a message");
    refuses("linux", "rate=0", &[], "requests a second in all, 1 to 10M");
    refuses("linux", "durable", &[], "`` is not what durable takes: yes or no");
    refuses("linux", "conns=1,", &[], "`` is no field of a need");
    refuses("linux", "container=jail", &[], "container takes for linux: none, docker, kubernetes");
    refuses(
        "macos",
        "container=docker",
        &[],
        "`docker` is not what container takes for macos: none",
    );
    refuses("plan9", "", &[], "[possible values: linux, linux-epoll, windows, macos, freebsd]");
}

#[test]
fn options_of_measurements() {
    let both = "cannot be used with";
    refuses("linux", "", &["--seconds", "5"], both);
    refuses("linux", "", &["--dir", "."], both);
    for option in ["--need", "--rules"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kael"));
        let output = command.args(["analyze", option, "conns=1"]).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("--target <TARGET>"), "{}", stderr(&output));
    }
}

#[test]
fn files_of_rules_that_are_none() {
    let missing = concat!(env!("CARGO_TARGET_TMPDIR"), "/no-such-rules.toml");
    refuses("linux", "", &["--rules", missing], "no-such-rules.toml: ");
    // A file that is text, and no table.
    refuses(
        "linux",
        "",
        &["--rules", concat!(env!("CARGO_MANIFEST_DIR"), "/src/main.rs")],
        ": line 1: ",
    );
    // One that is a table, of other things.
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    refuses("linux", "", &["--rules", other], "is no key; they are documents, rule");
}
