//! As SARIF 2.1.0, which code scanning and editors read.

use super::reason;
use crate::review::Reviewed;
use crate::review::finding::Finding;
use crate::review::project::Settings;
use crate::review::table::{Level, RULES};
use serde_json::{Value, json};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn write(reviewed: &Reviewed, settings: &Settings) -> String {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|rule| {
            json!({
                "id": rule.name,
                "shortDescription": { "text": rule.summary },
                "fullDescription": { "text": rule.reason },
                "defaultConfiguration": { "level": level(rule.level) },
            })
        })
        .collect();
    let results: Vec<Value> = reviewed.findings.iter().map(|it| result(it, settings)).collect();
    let unread: Vec<Value> = reviewed
        .unread
        .iter()
        .map(|(file, reason)| json!({ "level": "error", "message": { "text": format!("{file}: {reason}") } }))
        .collect();
    let driver = json!({
        "name": "kael",
        "version": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules,
    });
    let run = json!({
        "tool": { "driver": driver },
        "columnKind": "unicodeCodePoints",
        "invocations": [{
            "executionSuccessful": reviewed.unread.is_empty(),
            "toolExecutionNotifications": unread,
        }],
        "results": results,
    });
    format!("{:#}\n", json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] }))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Allow => "none",
    }
}

fn result(finding: &Finding, settings: &Settings) -> Value {
    let text =
        format!("{}: {}. Remedy: {}.", finding.message, reason(finding.rule), finding.remedy);
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": RULES.iter().position(|rule| rule.name == finding.rule),
        "level": level(settings.level(finding.rule)),
        "message": { "text": text },
        "locations": [{ "physicalLocation": place(finding, finding.position(), finding.end()) }],
    });
    if let Some((range, label)) = &finding.related {
        let at = |byte| finding.file.position(byte);
        result["relatedLocations"] = json!([{
            "physicalLocation": place(finding, at(range.start), at(range.end)),
            "message": { "text": label },
        }]);
    }
    result
}

fn place(finding: &Finding, start: (usize, usize), end: (usize, usize)) -> Value {
    json!({
        "artifactLocation": { "uri": uri(&finding.file.path) },
        "region": { "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 },
    })
}

/// A path as a URI reference: what has a meaning there, or is not ASCII, is written by its bytes.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => out.push(byte as char),
            byte if byte.is_ascii_alphanumeric() => out.push(byte as char),
            byte => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_valid_in_a_uri() {
        assert_eq!(super::uri("src/a b/ü%.rs"), "src/a%20b/%C3%BC%25.rs");
    }
}
