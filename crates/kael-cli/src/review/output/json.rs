//! As JSON: one object with the findings, the number of files, and the files that could not be read.

use super::{reason, word};
use crate::review::Reviewed;
use crate::review::finding::Finding;
use crate::review::project::Settings;
use serde_json::{Value, json};

pub(super) fn value(reviewed: &Reviewed, settings: &Settings) -> Value {
    let findings: Vec<Value> = reviewed.findings.iter().map(|it| finding(it, settings)).collect();
    let unread: Vec<Value> = reviewed
        .unread
        .iter()
        .map(|(file, reason)| json!({ "file": file, "reason": reason }))
        .collect();
    json!({ "files": reviewed.files, "findings": findings, "unread": unread })
}

fn finding(finding: &Finding, settings: &Settings) -> Value {
    let ((line, column), (end_line, end_column)) = (finding.position(), finding.end());
    let related = finding.related.as_ref().map(|(range, label)| {
        let (line, column) = finding.file.position(range.start);
        json!({ "line": line, "column": column, "message": label })
    });
    json!({
        "rule": finding.rule,
        "level": word(settings.level(finding.rule)),
        "file": finding.file.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "message": finding.message,
        "reason": reason(finding.rule),
        "remedy": finding.remedy,
        "related": related,
    })
}
