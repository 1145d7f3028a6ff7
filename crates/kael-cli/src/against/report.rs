//! A [`Difference`] in each form that a result has.

use super::change::{Change, Circumstance, Difference, What};
use crate::page::{Block, Page, Section, Table};
use serde_json::{Value, json};

const COLUMNS: [&str; 5] = ["What", "Figure", "Before", "Now", "Change"];
const HEADING: &str = "Changes";
const COMPARED: &str = "Compared with";

impl Difference {
    /// Above a report in Markdown: with what it is compared, and what else is different.
    pub(crate) fn markdown_head(&self) -> String {
        let head = format!("{COMPARED} {}", self.head().join(" "));
        format!("> {}\n\n", markdown(&head))
    }

    /// Below it: what has changed.
    pub(crate) fn markdown_section(&self) -> String {
        let mut text = format!("\n### {HEADING}\n\n{}\n", self.summary());
        if !self.changes.is_empty() {
            text += &format!("\n| {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
            for change in &self.changes {
                let cells = change.cells().map(|cell| markdown(&cell));
                text += &format!("| {} |\n", cells.join(" | "));
            }
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "file": self.file,
            "circumstances": self.circumstances.iter().map(Circumstance::json).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(Change::json).collect::<Vec<_>>(),
        })
    }

    /// The same in a page, at the same places.
    pub(crate) fn add_to(&self, page: &mut Page) {
        page.facts.push((COMPARED, self.head().join(" ")));
        let mut blocks = vec![Block::Text(self.summary())];
        if !self.changes.is_empty() {
            blocks.push(Block::Table(Table {
                caption: format!("What has changed since {}", self.file),
                columns: COLUMNS.to_vec(),
                rows: self.changes.iter().map(|change| change.cells().to_vec()).collect(),
            }));
        }
        page.sections.push(Section { heading: HEADING.to_owned(), blocks });
    }

    /// Sentences: which file it is, and what is different about the runs themselves.
    fn head(&self) -> Vec<String> {
        let mut lines = match self.circumstances.is_empty() {
            true => vec![format!("{}.", self.file)],
            false => vec![format!("{}, which has other circumstances.", self.file)],
        };
        lines.extend(self.circumstances.iter().map(|circumstance| {
            let Circumstance { name, before, now } = circumstance;
            format!("{name}: {before} before, {now} now.")
        }));
        lines
    }

    fn summary(&self) -> String {
        let count = match self.changes.len() {
            0 => "Nothing has changed.".to_owned(),
            1 => "One change.".to_owned(),
            count => format!("{count} changes."),
        };
        format!("{count} {}", Difference::rule())
    }
}

impl Circumstance {
    fn json(&self) -> Value {
        json!({ "name": self.name, "before": self.before, "now": self.now })
    }
}

impl Change {
    fn cells(&self) -> [String; 5] {
        let row = self.row.clone();
        let nothing = String::new;
        match self.what {
            What::Figure { name, unit, before, now } => {
                let change = unit.change(before, now);
                [row, name.to_owned(), unit.write(before), unit.write(now), change]
            }
            What::New => [row, nothing(), nothing(), nothing(), "new".to_owned()],
            What::Gone => [row, nothing(), nothing(), nothing(), "gone".to_owned()],
        }
    }

    fn json(&self) -> Value {
        match self.what {
            What::Figure { name, before, now, .. } => {
                json!({ "row": self.row, "change": "figure", "figure": name, "before": before, "now": now })
            }
            What::New => json!({ "row": self.row, "change": "new" }),
            What::Gone => json!({ "row": self.row, "change": "gone" }),
        }
    }
}

/// What comes from a file may not become markup, and stays in its cell.
fn markdown(text: &str) -> String {
    let escaped = |c: char| match c {
        '|' => "\\|".to_owned(),
        '<' => "&lt;".to_owned(),
        '\\' => "\\\\".to_owned(),
        '`' | '*' | '[' | '!' => format!("\\{c}"),
        c if c.is_control() => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
