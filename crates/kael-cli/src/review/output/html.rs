//! As a page: the findings of each file, with the lines that are at fault.

use super::reason;
use crate::page::{Bar, Bars, Block, Finding as Entry, Level as Weight, Page, Section, Table};
use crate::review::finding::Finding;
use crate::review::project::Settings;
use crate::review::table::{Level, RULES};
use crate::review::{Reviewed, number};

/// More lines of a finding are not shown.
const MOST_LINES: usize = 8;

pub(super) fn page(reviewed: &Reviewed, settings: &Settings) -> Page {
    let findings = &reviewed.findings;
    let mut sections = Vec::new();
    if !findings.is_empty() {
        sections.push(section("Rules", vec![Block::Bars(counts(findings))]));
    }
    for of_one_file in findings.chunk_by(|a, b| a.file.path == b.file.path) {
        let entries = of_one_file.iter().map(|finding| entry(finding, settings)).collect();
        sections.push(section(&of_one_file[0].file.path, vec![Block::Findings(entries)]));
    }
    if !reviewed.unread.is_empty() {
        sections.push(section("Not read", vec![Block::Table(unread(reviewed))]));
    }
    Page {
        title: "Review".to_owned(),
        facts: vec![
            ("Files", reviewed.files.to_string()),
            ("Result", number(findings.len(), "finding")),
        ],
        sections,
    }
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn counts(findings: &[Finding]) -> Bars {
    let of = |name| findings.iter().filter(|finding| finding.rule == name).count();
    let found = RULES.iter().map(|rule| (rule, of(rule.name))).filter(|(_, count)| *count > 0);
    let bar = |(rule, count): (&crate::review::table::Rule, usize)| Bar {
        label: format!("{}: {}", rule.name, rule.summary),
        note: count.to_string(),
        value: count as f64,
        budget: None,
        is_off: false,
    };
    Bars {
        caption: "How often each rule found something".to_owned(),
        bars: found.map(bar).collect(),
    }
}

fn entry(finding: &Finding, settings: &Settings) -> Entry {
    let level = match settings.level(finding.rule) {
        Level::Deny => Weight::Bad,
        Level::Warn | Level::Allow => Weight::Advice,
    };
    let (line, column) = finding.position();
    let related = finding.related.as_ref().map_or(String::new(), |(range, label)| {
        format!(" Line {}: {label}.", finding.file.position(range.start).0)
    });
    Entry {
        level,
        subject: format!("{line}:{column} {}", finding.rule),
        text: format!(
            "{}.{related} {}. {}",
            sentence(&finding.message),
            sentence(reason(finding.rule)),
            sentence(&finding.remedy)
        ),
        document: None,
        code: Some(lines(finding)),
    }
}

/// With a capital, as it stands between others here.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The lines that are at fault, with their numbers.
fn lines(finding: &Finding) -> String {
    let (first, _) = finding.position();
    let (last, _) = finding.end();
    let text = finding.file.text.lines().enumerate().skip(first - 1);
    let lines = text.take((last - first + 1).min(MOST_LINES));
    lines.map(|(index, line)| format!("{:>5}  {line}\n", index + 1)).collect()
}

fn unread(reviewed: &Reviewed) -> Table {
    Table {
        caption: "Files that could not be read".to_owned(),
        columns: vec!["File", "Reason"],
        rows: reviewed.unread.iter().map(|(file, why)| vec![file.clone(), why.clone()]).collect(),
    }
}
