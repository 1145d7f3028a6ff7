//! The findings as text or a page for people, JSON for programs, SARIF for code scanning, and commands of a GitHub workflow.

mod github;
mod html;
mod json;
mod sarif;
mod text;

use super::Reviewed;
use super::project::Settings;
use super::table::{Level, RULES};
use crate::against::{self, Earlier, Form};
use crate::page::Page;
use crate::result::{self, Analysis};
use serde_json::Value;
use std::io::{self, Write};

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// As the compiler reports
    Text,
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// Annotations in a GitHub workflow
    Github,
    /// A page that stands alone
    Html,
}

/// What was found, with the levels of its rules.
pub(super) struct Found<'a> {
    pub(super) reviewed: &'a Reviewed,
    pub(super) settings: &'a Settings,
}

impl Analysis for Found<'_> {
    const FORM: &'static Form = &against::REVIEW;

    fn markdown(&self) -> String {
        text::write(self.reviewed, self.settings)
    }

    fn json(&self) -> Value {
        json::value(self.reviewed, self.settings)
    }

    fn page(&self, _earlier: Option<&Value>) -> Page {
        html::page(self.reviewed, self.settings)
    }
}

impl Format {
    /// Whether it has a place for what has changed since an earlier result.
    pub(super) fn compares(self) -> bool {
        !matches!(self, Format::Sarif | Format::Github)
    }

    pub(super) fn of(self, found: &Found<'_>, earlier: Option<&Earlier>) -> String {
        let written = |format| result::written(found, format, earlier);
        match self {
            Format::Text => written(result::Format::Md),
            Format::Json => written(result::Format::Json),
            Format::Html => written(result::Format::Html),
            Format::Sarif => sarif::write(found.reviewed, found.settings),
            Format::Github => github::write(found.reviewed, found.settings),
        }
    }
}

/// To standard output.
pub(super) fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// The rules as a table.
pub(super) fn rules() -> String {
    let mut out = String::new();
    for rule in RULES {
        out += &format!("{:<22} {:<5} {}\n", rule.name, word(rule.level), rule.summary);
    }
    out
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Deny => "deny",
        Level::Warn => "warn",
        Level::Allow => "allow",
    }
}

/// Why a finding of that rule is a fault.
fn reason(name: &str) -> &'static str {
    super::table::rule(name).map_or("", |rule| rule.reason)
}
