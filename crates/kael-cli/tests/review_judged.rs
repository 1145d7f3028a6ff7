//! `kael review` on three programs of others. What it finds there was read, and each finding judged, in `review/judged.txt`.

// What the tests share is for Unix; the program's own tests run on Windows, too.
#![cfg(unix)]

mod common;

use common::Folder;
use common::review::findings;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

const JUDGED: &str = include_str!("review/judged.txt");

/// By program with its version: the findings, and whether each is true.
fn judged() -> BTreeMap<&'static str, Vec<(&'static str, bool)>> {
    let mut programs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in JUDGED.lines().filter(|line| !line.starts_with('#')) {
        let (program, rest) = line.split_once(' ').expect("a program");
        let (finding, verdict) = rest.rsplit_once(' ').expect("a finding and a verdict");
        programs.entry(program).or_default().push((finding, verdict == "true"));
    }
    programs
}

#[test]
fn of_three_programs_four_of_five_findings_are_true() {
    let programs = judged();
    assert_eq!(programs.len(), 3);
    for (program, judged) in programs {
        let right = judged.iter().filter(|(_, is_true)| *is_true).count();
        println!("{program}: {right} of {} true", judged.len());
        assert!(right * 5 >= judged.len() * 4, "{program}");
    }
}

#[test]
#[ignore = "needs the network, curl and tar"]
fn each_of_the_first_twenty_findings_was_judged() {
    let folder = Folder::new("review-programs");
    for (program, judged) in judged() {
        let name = program.rsplit_once('-').expect("a version").0;
        let url = format!("https://static.crates.io/crates/{name}/{program}.crate");
        let line = format!("curl -sSfL {url} | tar xz");
        let fetched = Command::new("sh").args(["-c", &line]).current_dir(&folder.0).status();
        assert!(fetched.expect("sh starts").success(), "{line}");
        let begin = Instant::now();
        let found = findings(&Folder(folder.0.join(program)), &[]);
        let time = begin.elapsed();
        println!("{program}: {} findings, {time:.1?}", found.len());
        assert!(time < Duration::from_secs(20), "{program}: {time:?}");
        for finding in found.iter().take(20) {
            let verdict = judged.iter().find(|(known, _)| known == finding);
            let (_, is_true) = verdict.unwrap_or_else(|| panic!("{program} {finding}: not judged"));
            println!("{finding}: {is_true}");
        }
    }
}
