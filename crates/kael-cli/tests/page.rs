//! `--format html` and `--against`: what they print and with which exit status. That text does not become markup is tested
//! beside the page itself.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::{Folder, PROGRAM, kael, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const NEED: &str = "conns=10k,size=64,depth=1,rate=200k,p99_us=500";

fn design(arguments: &str) -> Output {
    kael(&format!("analyze --target linux --ops file,socket {arguments}"))
}

/// A result of timers and tasks, which takes a second.
fn measured(folder: &Folder, name: &str, arguments: &str) -> Output {
    let output = Command::new(PROGRAM)
        .args(["analyze", "--ops", "timer,task", "--seconds", "1", "--output"])
        .arg(folder.0.join(name))
        .arg("--dir")
        .arg(&folder.0)
        .args(arguments.split_whitespace())
        .output()
        .expect("the program starts");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
    output
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("it was written")
}

#[test]
fn a_design_is_a_page_with_the_headings_of_its_report() {
    let output = design(&format!("--need {NEED} --format html"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = stdout(&output);
    assert!(page.starts_with("<!DOCTYPE html>"));
    for heading in ["Recommended Approach", "Implementation", "Syscall Budget"] {
        assert_eq!(page.matches(&format!("<h2>{heading}</h2>")).count(), 1, "{heading}");
    }
    assert!(page.contains("<h1>Platform Analysis</h1>"));
    assert!(page.contains("rate=200k of <code>TcpStream round trip"), "the cost of the rate");
    assert!(page.contains("href=\"https://man7.org/linux/man-pages/man2/"), "documents are links");
    assert!(!page.contains("<script") && !page.contains("src="));
}

#[test]
fn what_cannot_be_met_is_marked_and_the_status_stays() {
    let output = design("--need container=docker --format html");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("<li class=\"bad\"><p><strong>container=docker:</strong>"));
}

#[test]
fn a_measurement_is_a_page_with_bars_and_distributions() {
    let folder = Folder::new("page");
    measured(&folder, "page.html", "--format html");
    let page = text(&folder.0.join("page.html"));
    let rows = kael_rt::budget::TABLE.iter().filter(|row| {
        [kael_rt::budget::Area::Timer, kael_rt::budget::Area::Task].contains(&row.area)
    });
    let count = rows.count();
    assert_eq!(page.matches("<svg class=\"bar\"").count(), 2 * count, "each at both depths");
    assert_eq!(page.matches("viewBox=\"0 0 320 180\"").count(), count, "one distribution each");
    assert_eq!(page.matches("<polyline").count(), 2 * count);
    assert!(page.contains("<desc>1 in flight: p50 "));
}

#[test]
fn a_run_is_compared_with_an_earlier_one() {
    let folder = Folder::new("against");
    measured(&folder, "before.json", "--format json");
    let path = folder.0.join("before.json");
    // As if it had been another machine, slower, with one operation less and one that is no longer known.
    let mut before: Value = serde_json::from_str(&text(&path)).expect("it is JSON");
    before["machine"]["interface"] = "kqueue".into();
    for row in before["syscall_budget"].as_array_mut().expect("the rows") {
        match row["operation"].as_str() {
            Some("time::sleep") => row["latency_ns"]["p50"] = 9_000_000_000_u64.into(),
            Some("yield_now") => row["operation"] = "yield_then".into(),
            _ => {}
        }
    }
    fs::write(&path, before.to_string()).expect("the folder can be written");

    let against = format!("--against {}", path.display());
    measured(&folder, "now.md", &against);
    let report = text(&folder.0.join("now.md"));
    let first = report.lines().next().unwrap_or("");
    assert!(first.starts_with("> Compared with ") && first.contains("Interface: kqueue before, "));
    assert!(report.contains("\n### Changes\n"));
    assert!(report.contains("| time::sleep, 64 in flight | p50 | 9.00 s | "), "{report}");
    assert!(report.contains("| yield_now, 1 in flight |  |  |  | new |"));
    assert!(report.contains("| yield_then, 1 in flight |  |  |  | gone |"));

    measured(&folder, "now.json", &format!("{against} --format json"));
    let now: Value = serde_json::from_str(&text(&folder.0.join("now.json"))).expect("it is JSON");
    assert_eq!(now["against"]["circumstances"][0]["name"], "Interface");
    let changes = now["against"]["changes"].as_array().expect("the changes");
    assert!(
        changes
            .iter()
            .any(|change| change["row"] == "yield_now, 1 in flight" && change["change"] == "new")
    );

    measured(&folder, "now.html", &format!("{against} --format html"));
    let page = text(&folder.0.join("now.html"));
    assert!(page.contains("<dt>Compared with</dt>") && page.contains("<h2>Changes</h2>"));
    assert!(page.contains("1 in flight, before"), "the earlier line is drawn");
}

#[test]
fn the_same_design_has_not_changed_and_another_need_shows() {
    let folder = Folder::new("against-design");
    let path = folder.0.join("design.json");
    let written = format!("--need {NEED} --format json --output {}", path.display());
    assert!(design(&written).status.success());
    let against = format!("--against {}", path.display());
    let same = design(&format!("--need {NEED} {against}"));
    assert!(stdout(&same).contains("Nothing has changed."), "{}", stdout(&same));
    let other = design(&format!("--need {NEED},durable=yes {against}"));
    let report = stdout(&other);
    assert!(report.lines().next().is_some_and(|line| line.contains(" Need: ")), "{report}");
    assert!(report.contains(" | new |"), "durable records need choices of their own: {report}");
}

#[test]
fn what_is_no_earlier_result_is_refused_before_anything_is_measured() {
    let folder = Folder::new("against-refused");
    let path = folder.0.join("design.json");
    assert!(design(&format!("--format json --output {}", path.display())).status.success());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (file, why) in [
        (path.to_str().expect("it is text"), "is no result of `kael analyze --format json`"),
        (manifest, "Cargo.toml is no result of `kael analyze --format json`"),
        ("no-such-file.json", "no-such-file.json: No such file"),
    ] {
        let output = kael(&format!("analyze --seconds 3600 --against {file}"));
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    let completions = kael("completions bash");
    assert!(completions.status.success() && stdout(&completions).contains("--against"));
    let man = kael("man");
    assert!(man.status.success() && stdout(&man).contains(".SH SUBCOMMANDS"));
    assert_eq!(kael("completions tcsh").status.code(), Some(2));
    let nowhere = kael("man no-such-folder");
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("no-such-folder"), "{}", stderr(&nowhere));
}

/// A project with one finding, until its fault is taken out.
fn reviewed(folder: &Folder, source: &str, arguments: &str) -> Output {
    let file = folder.0.join("a<b>.rs");
    fs::write(&file, source).expect("it is ours");
    let mut review = Command::new(PROGRAM);
    review.arg("review").arg(&file).args(arguments.split_whitespace());
    review.output().expect("the program starts")
}

const FAULTY: &str = "async fn read() { let _ = std::fs::read(\"<i>\"); }\n";

#[test]
fn a_review_is_a_page_that_shows_the_lines() {
    let folder = Folder::new("page-review");
    let output = reviewed(&folder, FAULTY, "--format html");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let page = stdout(&output);
    assert!(page.contains("<h1>Review</h1>"), "{page}");
    assert!(page.contains("a&lt;b&gt;.rs</h2>"), "{page}");
    assert!(page.contains("<strong>1:27 blocking-file</strong>"), "{page}");
    assert!(page.contains("std::fs::read(&quot;&lt;i&gt;&quot;)"), "{page}");
    assert_eq!(page.matches("<svg class=\"bar\"").count(), 1, "one rule");
}

#[test]
fn a_review_says_what_is_new_and_what_is_gone() {
    let folder = Folder::new("against-review");
    let before = folder.0.join("before.json");
    let output = reviewed(&folder, FAULTY, "--format json");
    fs::write(&before, stdout(&output)).expect("it is ours");
    let against = format!("--against {}", before.display());

    let moved = reviewed(&folder, &format!("\n\n{FAULTY}"), &against);
    assert_eq!(moved.status.code(), Some(1));
    assert!(!stdout(&moved).contains("| gone |"), "{}", stdout(&moved));
    let clean = reviewed(&folder, "async fn read() {}\n", &against);
    assert_eq!(clean.status.code(), Some(0), "{}", stderr(&clean));
    assert!(stdout(&clean).contains("blocking-file"), "it is gone: {}", stdout(&clean));
    let refused = reviewed(&folder, FAULTY, &format!("{against} --format sarif"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--against goes with"), "{}", stderr(&refused));
}

#[cfg(target_os = "linux")]
#[test]
fn a_traced_program_is_a_page_and_is_compared() {
    let folder = Folder::new("page-trace");
    let traced = |name: &str, blocks: u32, arguments: &str| {
        let file = folder.0.join(name);
        let output = Command::new(PROGRAM)
            .args(["analyze", "--requests", "100", "--output"])
            .arg(&file)
            .args(arguments.split_whitespace())
            .args(["--", "dd", "if=/dev/zero", "of=/dev/null", "bs=512"])
            .arg(format!("count={blocks}"))
            .output()
            .expect("the program starts");
        let why = stderr(&output);
        match output.status.code() {
            Some(0) => Some(text(&file)),
            Some(2) if why.contains("not permitted") => None,
            status => panic!("{status:?}: {why}"),
        }
    };
    let Some(before) = traced("before.json", 200, "--format json") else {
        println!("not run: this system lets nobody trace");
        return;
    };
    let before: Value = serde_json::from_str(&before).expect("it is JSON");
    assert_eq!(before["requests"], 100);
    let against = format!("--against {} --format html", folder.0.join("before.json").display());
    let page = traced("page.html", 400, &against).expect("it was permitted before");
    for heading in ["Syscall Budget", "Findings", "Latency", "Changes"] {
        assert_eq!(page.matches(&format!("<h2>{heading}</h2>")).count(), 1, "{heading}");
    }
    assert!(page.contains("<desc>now: p50 "), "{page}");
    assert!(page.contains("before: p50 "), "the earlier line is drawn in: {page}");
}
