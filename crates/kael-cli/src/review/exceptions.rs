//! Exceptions by comment: `// kael: allow(copy-loop): the peer's window is tiny` on the line or on the one before.
//! An exception gives its reason, and one that allows nothing is a finding itself.

use super::code::source::Source;
use super::finding::{Finding, Text};
use super::table::rule;
use std::ops::Range;
use std::rc::Rc;

const MARK: &str = "// kael: allow";

struct Exception {
    /// The comment.
    range: Range<usize>,
    /// The line that it is about.
    line: usize,
    rules: Vec<String>,
    has_reason: bool,
    is_used: bool,
}

/// The exceptions of a file.
pub(super) struct Exceptions {
    file: Rc<Text>,
    all: Vec<Exception>,
}

impl Exceptions {
    /// Whether one of them allows that rule on that line.
    fn allows(&mut self, rule: &str, line: usize) -> bool {
        let fits =
            |it: &&mut Exception| it.line == line && it.rules.iter().any(|name| name == rule);
        let found = self.all.iter_mut().find(fits);
        found.is_some_and(|exception| {
            exception.is_used = true;
            true
        })
    }

    fn wrong(&self) -> impl Iterator<Item = Finding> {
        self.all.iter().filter_map(|exception| {
            let (message, remedy) = wrong(exception)?;
            let (file, range) = (self.file.clone(), exception.range.clone());
            Some(Finding { rule: "bad-exception", file, range, message, remedy, related: None })
        })
    }
}

/// Whether an exception of that file allows that rule on that line.
pub(super) fn allow(all: &mut [Exceptions], file: &Rc<Text>, rule: &str, line: usize) -> bool {
    let of_file = all.iter_mut().find(|it| Rc::ptr_eq(&it.file, file));
    of_file.is_some_and(|exceptions| exceptions.allows(rule, line))
}

/// The findings without those that are allowed, and with what is wrong with the exceptions.
pub(super) fn apply(mut exceptions: Vec<Exceptions>, findings: &mut Vec<Finding>) {
    findings.retain(|finding| {
        !allow(&mut exceptions, &finding.file, finding.rule, finding.position().0)
    });
    findings.extend(exceptions.iter().flat_map(Exceptions::wrong));
}

fn wrong(exception: &Exception) -> Option<(String, String)> {
    let form = "write `// kael: allow(RULE): REASON`".to_owned();
    if exception.rules.is_empty() {
        return Some(("this exception names no rule".to_owned(), form));
    }
    if let Some(unknown) = exception.rules.iter().find(|name| rule(name).is_none()) {
        let remedy = "`kael review --rules` lists them".to_owned();
        return Some((format!("`{unknown}` is no rule"), remedy));
    }
    if !exception.has_reason {
        return Some(("this exception gives no reason".to_owned(), form));
    }
    if !exception.is_used {
        let message = "this exception allows nothing: the next line has no such finding".to_owned();
        return Some((message, "take it out".to_owned()));
    }
    None
}

/// None of a file without any.
pub(super) fn read(source: &Source) -> Option<Exceptions> {
    let text = &source.text.text;
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (begin, _) in text.match_indices(MARK) {
        if source.literals.iter().any(|literal| literal.contains(&begin)) {
            continue;
        }
        let end = text[begin..].find('\n').map_or(text.len(), |length| begin + length);
        let line = source.text.position(begin).0;
        let before = lines.get(line - 1).map_or("", |line| line.trim_start());
        let about = if before.starts_with(MARK) { next_code(&lines, line) } else { line };
        let comment = text[begin..end].trim_end();
        let (rules, has_reason) = parts(&comment[MARK.len()..]);
        let range = begin..begin + comment.len();
        found.push(Exception { range, line: about, rules, has_reason, is_used: false });
    }
    (!found.is_empty()).then(|| Exceptions { file: source.text.clone(), all: found })
}

/// The line behind a comment of several lines.
fn next_code(lines: &[&str], comment: usize) -> usize {
    let rest = lines.iter().skip(comment);
    comment + 1 + rest.take_while(|line| line.trim_start().starts_with("//")).count()
}

/// `(RULE, RULE): REASON`
fn parts(rest: &str) -> (Vec<String>, bool) {
    let Some((list, reason)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return (Vec::new(), false);
    };
    let rules = list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let reason = reason.strip_prefix(':').unwrap_or("").trim();
    (rules.collect(), !reason.is_empty())
}
