//! As the compiler reports: the lines with the place underlined, why it is a fault, and what to write instead.

use super::reason;
use crate::review::Reviewed;
use crate::review::finding::Finding;
use crate::review::project::Settings;
use crate::review::table::Level;
use annotate_snippets::{AnnotationKind, Group, Renderer, Snippet};
use std::io::{self, IsTerminal};
use std::ops::Range;

pub(super) fn write(reviewed: &Reviewed, settings: &Settings) -> String {
    let is_styled = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let renderer = if is_styled { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for finding in &reviewed.findings {
        out += &renderer.render(&[group(finding, settings.level(finding.rule))]);
        out += "\n\n";
    }
    out
}

fn group(finding: &Finding, level: Level) -> Group<'_> {
    let title = match level {
        Level::Deny => annotate_snippets::Level::ERROR,
        _ => annotate_snippets::Level::WARNING,
    };
    // Only the lines that are needed: a file may be long, and may have many findings.
    let lines = lines_around(finding);
    let first_line = finding.file.position(lines.start).0;
    let inside = |range: &Range<usize>| range.start - lines.start..range.end - lines.start;
    let mut snippet = Snippet::source(&finding.file.text[lines.clone()])
        .line_start(first_line)
        .path(finding.file.path.as_str())
        .annotation(AnnotationKind::Primary.span(inside(&finding.range)));
    if let Some((range, label)) = &finding.related {
        snippet = snippet.annotation(AnnotationKind::Context.span(inside(range)).label(*label));
    }
    title
        .primary_title(finding.message.as_str())
        .id(finding.rule)
        .element(snippet)
        .element(annotate_snippets::Level::NOTE.message(reason(finding.rule)))
        .element(annotate_snippets::Level::HELP.message(finding.remedy.as_str()))
}

/// Whole lines with everything that the finding points at.
fn lines_around(finding: &Finding) -> Range<usize> {
    let text = &finding.file.text;
    let related = finding.related.as_ref().map_or(&finding.range, |(range, _)| range);
    let start = finding.range.start.min(related.start);
    let end = finding.range.end.max(related.end);
    let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    begin..text[end..].find('\n').map_or(text.len(), |length| end + length)
}
