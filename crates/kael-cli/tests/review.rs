//! `kael review` on the files in `review/`: each fault is marked by `//~ RULE` on its line. Exactly the marked lines are
//! found, and nothing in the files of the same names that look like them and are right.

// What the tests share is for Unix; the program's own tests run on Windows, too.
#![cfg(unix)]

mod common;

use common::review::{json, project, review};
use common::{kael, stderr, stdout};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/review").join(kind);
    let entries = fs::read_dir(folder).expect("the fixtures are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths
}

/// Line and rule of each finding.
fn found(path: &Path) -> BTreeSet<(u64, String)> {
    let output = review(path, &["--format", "json"]);
    let report = json(&output);
    let findings = report["findings"].as_array().expect("it is a list");
    assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())), "{}", stderr(&output));
    let of = |it: &Value| Some((it["line"].as_u64()?, it["rule"].as_str()?.to_owned()));
    findings.iter().map(|it| of(it).expect("it has a line and a rule")).collect()
}

fn marked(path: &Path) -> BTreeSet<(u64, String)> {
    let text = fs::read_to_string(path).expect("it is text");
    let mut marks = BTreeSet::new();
    for (line, text) in (1..).zip(text.lines()) {
        let rules = text.split_once("//~ ").map_or("", |(_, rules)| rules);
        marks.extend(rules.split_whitespace().map(|rule| (line, rule.to_owned())));
    }
    marks
}

#[test]
fn every_planted_fault_is_found_at_its_line_and_nothing_else() {
    let (mut rules, mut faults, files) = (BTreeSet::new(), 0, fixtures("faulty"));
    for path in &files {
        let marks = marked(path);
        assert!(!marks.is_empty(), "{}: no fault is marked", path.display());
        assert_eq!(found(path), marks, "{}", path.display());
        faults += marks.len();
        rules.extend(marks.into_iter().map(|(_, rule)| rule));
    }
    assert!(files.len() >= 40);
    println!("{} faulty files, {faults} faults of {} rules", files.len(), rules.len());
    // The one that is left needs a project; it has a test below.
    for line in stdout(&kael("review --rules")).lines() {
        let rule = line.split(' ').next().expect("it has a name");
        assert!(rules.contains(rule) || rule == "unwanted-runtime", "{rule} has no fixture");
    }
}

#[test]
fn what_looks_like_a_fault_and_is_none_is_not_reported() {
    let files = fixtures("clean");
    for path in &files {
        assert_eq!(found(path), BTreeSet::new(), "{}", path.display());
    }
    let names = |paths: &[PathBuf]| -> Vec<_> {
        paths.iter().map(|path| path.file_name().expect("it has a name").to_owned()).collect()
    };
    assert_eq!(names(&files), names(&fixtures("faulty")));
    println!("{} clean files", files.len());
}

#[test]
fn a_remedy_is_one_of_the_runtime_that_the_file_uses() {
    let remedies = [
        ("file_kael.rs", "use `kael_rt::fs`, or `kael_rt::spawn_blocking`"),
        ("file_options_smol.rs", "use `smol::fs`, or `smol::unblock`"),
        ("file_read_tokio.rs", "use `tokio::fs`, or `tokio::task::spawn_blocking`"),
        ("sleep_monoio.rs", "use `monoio::time::sleep(..).await`"),
        ("socket_datagrams.rs", "use `compio::net`"),
        ("unregistered_kael.rs", "take them from a `kael_rt::buf::BufferPool`"),
    ];
    for (name, remedy) in remedies {
        let path = fixtures("faulty").into_iter().find(|path| path.ends_with(name));
        let report = json(&review(&path.expect("it is there"), &["--format", "json"]));
        let given = report["findings"][0]["remedy"].as_str().expect("it is a text");
        assert!(given.starts_with(remedy), "{name}: {given}");
    }
}

#[test]
fn the_text_is_as_the_compiler_writes_it() {
    let code = "use std::sync::Mutex;\n\nasync fn f(m: &Mutex<u8>) {\n    let guard = m.lock().unwrap();\n    g().await;\n}\n";
    let folder = project("review-text", &[("a.rs", code)]);
    let output = review(&folder.0.join("a.rs"), &[]);
    let text = stdout(&output).replace(&format!("{}/", folder.0.display()), "");
    let expected = "\
error[lock-across-await]: the guard of this `lock` is held over an `.await`
 --> a.rs:4:19
  |
4 |     let guard = m.lock().unwrap();
  |                   ^^^^
5 |     g().await;
  |         ----- the task may sleep here, with the lock
  |
  = note: the task sleeps with the lock; another task on this thread that wants it blocks the thread that would let the first go on
  = help: let the guard go before: ";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(stderr(&output), "kael: 1 finding in 1 file, 1 denied\n");
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let path = fixtures("faulty").into_iter().find(|path| path.ends_with("lock_in_match.rs"));
    let report = json(&review(&path.expect("it is there"), &["--format", "sarif"]));
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "kael");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("it is a list");
    let results = run["results"].as_array().expect("it is a list");
    assert_eq!(results.len(), 2);
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("it is a number") as usize;
        assert_eq!(result["ruleId"], rules[index]["id"]);
        assert_eq!(result["level"], "error");
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].is_string());
        let region = &place["region"];
        assert!(
            region["startLine"].as_u64() >= Some(1) && region["startColumn"].as_u64() >= Some(1)
        );
        assert!(result["relatedLocations"][0]["physicalLocation"]["region"].is_object());
    }
}

#[test]
fn annotations_for_github_are_one_line_each() {
    let path = fixtures("faulty").into_iter().find(|path| path.ends_with("file_alias.rs"));
    let text = stdout(&review(&path.expect("it is there"), &["--format", "github"]));
    assert_eq!(text.lines().count(), 2, "{text}");
    for (line, number) in text.lines().zip([5, 6]) {
        assert!(line.starts_with("::error file="), "{line}");
        assert!(line.contains(&format!("file_alias.rs,line={number},col=")), "{line}");
        assert!(line.contains("title=kael: blocking-file::"), "{line}");
    }
}
