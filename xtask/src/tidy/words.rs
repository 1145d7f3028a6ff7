//! Words that must not stand in the repository: unfinished code, places of one machine, hosts that are not the public's.

use super::exceptions::HOSTS;
use super::{Report, Repository};

/// Macros that mark unfinished or forgotten code, as tokens.
const MACROS: &[&str] = &["todo !", "unimplemented !", "dbg !"];

/// Each is put together here, or this file would find itself.
const WORDS: &[&str] = &[
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("TO", "DO"),
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("sess", "ion"),
];

/// Texts that are not ours to word: they may contain anything but foreign hosts.
const FOREIGN: &[&str] =
    &["Cargo.lock", "bench/Cargo.lock", "fuzz/Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"];

pub(super) fn check(repository: &Repository, report: &mut Report) {
    for source in &repository.sources {
        for pattern in MACROS {
            for line in source.lines_with(pattern) {
                report.problem(
                    format!("{}:{line}", source.path),
                    format!("`{}`", pattern.replace(' ', "")),
                );
            }
        }
    }
    for (path, text) in &repository.texts {
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{path}:{}", index + 1);
            if !FOREIGN.contains(&path.as_str()) {
                for word in WORDS.iter().filter(|word| stands_in(line, word)) {
                    report.problem(place(), format!("the word `{word}` must not stand here"));
                }
            }
            for host in hosts(line).filter(|host| !HOSTS.contains(host) && !is_example(host)) {
                report.problem(
                    place(),
                    format!("the host `{host}` is not in tidy's list of public hosts"),
                );
            }
        }
    }
}

/// Markers in capitals are looked for as they are, everything else in any case. Word borders count for letters.
fn stands_in(line: &str, word: &str) -> bool {
    let is_marker = word.chars().all(|c| c.is_ascii_uppercase());
    let line = if is_marker { line.to_owned() } else { line.to_ascii_lowercase() };
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        // `mkstemp("..XXXXXX")` and longer words are no markers.
        !is_marker || [before, after].iter().all(|c| !c.is_some_and(|c| c.is_ascii_alphanumeric()))
    })
}

fn hosts(line: &str) -> impl Iterator<Item = &str> {
    ["http://", "https://"].into_iter().flat_map(move |scheme| {
        line.match_indices(scheme).map(move |(start, _)| {
            let rest = &line[start + scheme.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
            rest[..end.unwrap_or(rest.len())].trim_end_matches('.')
        })
    })
}

/// Names that documents use for no host at all, and addresses that a format string completes.
fn is_example(host: &str) -> bool {
    host.is_empty()
        || host == "example.com"
        || host.ends_with(".example.com")
        || host.ends_with(".example")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_whole_words() {
        assert!(stands_in(concat!("// XX", "X: later"), WORDS[1]));
        assert!(!stands_in(concat!("temp.XX", "XXXX"), WORDS[1]));
        assert!(stands_in(concat!("this Sess", "ion"), concat!("sess", "ion")));
    }

    #[test]
    fn hosts_end_where_the_path_begins() {
        let found: Vec<&str> = hosts("see https://man7.org/x and http://a.example.com.").collect();
        assert_eq!(found, ["a.example.com", "man7.org"]);
    }
}
