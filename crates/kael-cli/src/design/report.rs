//! [`Design`]: the choices that a need leads to, as Markdown or JSON, under the headings of `kael analyze`.

use super::need::{Field, Need};
use super::rules::{Choice, Rule, Rules};
use super::target::Target;
use crate::against::{self, Form};
use crate::analyze::{Ops, signatures, write_head};
use crate::page::Page;
use crate::result::Analysis;
use kael_rt::budget::Budget;
use serde_json::{Value, json};
use std::fmt::Write;

/// What a report may have, so that it stays one that is read: it has 150 lines at most, by these bounds of its parts.
const MOST_CHOICES: usize = 28;
const MOST_LINES_OF_CODE: usize = 40;
const MOST_ROWS: usize = 22;
const MOST_LOADS: usize = 2;
/// From so many under way on, the budget of 64 in flight is the one that counts.
const MANY: u64 = 64;

pub(super) const COLUMNS: [&str; 5] =
    ["Operation", "Expected Syscalls", "With 64 in flight", "Heap allocations", "Why"];
pub(super) const BUDGET: &str = "System calls of one operation, on the core that runs it: with one in flight (`<=`: a ceiling), \
    and a ceiling for each of 64 in flight. Nothing was measured here.";

pub(crate) struct Design {
    pub(super) target: Target,
    ops: Vec<Ops>,
    pub(super) need: Need,
    pub(super) choices: Vec<Choice>,
    /// Choices for which there was no room.
    left_out: usize,
}

impl Design {
    pub(crate) fn new(target: Target, ops: Vec<Ops>, need: Need, rules: Rules) -> Design {
        let mut choices = rules.choices(target, &ops, &need);
        // What cannot be had is said first.
        choices.sort_by_key(|choice| !choice.rule.is_limit);
        let left_out = choices.len().saturating_sub(MOST_CHOICES);
        choices.truncate(MOST_CHOICES);
        Design { target, ops, need, choices, left_out }
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.choices.iter().map(|choice| &choice.rule)
    }

    /// What is asked for and cannot be had, a sentence each.
    pub(crate) fn impossible(&self) -> Vec<String> {
        let limits = self.rules().filter(|rule| rule.is_limit);
        limits.map(|rule| format!("{}: {}", self.cause(rule), rule.recommend)).collect()
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Platform Analysis\n")?;
        writeln!(out, "**Target:** {}, for {}\n", self.target.system(), self.asked())?;
        writeln!(out, "**I/O Model:** {}\n", self.target.model())?;
        writeln!(out, "### Recommended Approach\n")?;
        self.choices.iter().try_for_each(|choice| self.write_choice(out, choice))?;
        if let Some(sentence) = self.choices_left_out() {
            writeln!(out, "- {sentence}")?;
        }
        writeln!(out, "\n### Implementation\n\n```rust\n{}```\n", self.implementation())?;
        writeln!(out, "### Syscall Budget\n")?;
        self.write_budget(out)
    }

    pub(super) fn choices_left_out(&self) -> Option<String> {
        let count = self.left_out;
        (count > 0).then(|| {
            format!("{count} more choices have no room here: name fewer operations with `--ops`.")
        })
    }

    /// The operations and the need, as the command line has them.
    pub(super) fn asked(&self) -> String {
        let ops: Vec<&str> = self.ops.iter().map(|ops| ops.name()).collect();
        let need = self.need.to_string();
        let option = if need.is_empty() { "" } else { " --need " };
        format!("`--ops {}{option}{need}`", ops.join(","))
    }

    /// What made the rule hold: the operations and the fields of the need that it looks at, or else the target.
    fn causes(&self, rule: &Rule) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        for cause in rule.when.iter().flat_map(|condition| condition.cause(&self.need)) {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        if causes.is_empty() {
            causes.push(format!("target={}", self.target.name()));
        }
        causes
    }

    pub(super) fn cause(&self, rule: &Rule) -> String {
        self.causes(rule).join(", ")
    }

    fn write_choice(&self, out: &mut String, choice: &Choice) -> std::fmt::Result {
        let Choice { rule, title, url } = choice;
        let limit = if rule.is_limit { "**Not possible as asked.** " } else { "" };
        writeln!(out, "- **{}:** {limit}{}", self.cause(rule), rule.recommend)?;
        write!(out, "  Because {} ([{title}]({url})).", rule.reason)?;
        if let Some(measured) = &rule.measured {
            write!(out, " Measured: {} (`{}`).", measured.figure, measured.command)?;
        }
        writeln!(out, " Measure it: `{}`", self.need.fill(&rule.measure))
    }

    pub(super) fn implementation(&self) -> String {
        let structures = self.rules().filter_map(|rule| rule.structure.as_ref());
        let mut lines: Vec<String> = structures.map(|text| format!("// {text}")).collect();
        let names: Vec<&str> =
            self.rules().flat_map(|rule| &rule.signatures).map(String::as_str).collect();
        lines.extend(signatures::named(&names).lines().map(str::to_owned));
        let left_out = lines.len().saturating_sub(MOST_LINES_OF_CODE);
        if left_out > 0 {
            lines.truncate(MOST_LINES_OF_CODE - 1);
            lines.push(format!("// {} more lines have no room here", left_out + 1));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The budgets that the choices name, in the table's order, and how many there was no room for.
    pub(super) fn budgets(&self) -> (Vec<&'static Budget>, usize) {
        let named: Vec<&String> =
            self.rules().flat_map(|rule| rule.rows.iter().chain(&rule.request)).collect();
        let is_named = |row: &&Budget| named.iter().any(|name| *name == row.operation);
        let mut rows: Vec<_> = self.target.budgets().iter().filter(is_named).collect();
        let left_out = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        (rows, left_out)
    }

    fn write_budget(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{BUDGET}\n")?;
        write_head(out, COLUMNS.iter())?;
        let (rows, left_out) = self.budgets();
        for row in rows {
            writeln!(out, "| {} |", cells(row).join(" | "))?;
        }
        if left_out > 0 {
            writeln!(out, "\n{left_out} more have no room here.")?;
        }
        self.load_sentences().iter().try_for_each(|sentence| writeln!(out, "\n{sentence}"))
    }

    pub(super) fn load_sentences(&self) -> Vec<String> {
        let rate = self.need.word(Field::Rate).unwrap_or_default();
        let sentence = |load: &Load| {
            let Load { operation, calls_per_second, in_flight } = load;
            format!(
                "rate={rate} of `{operation}` is at most {calls_per_second:.0} system calls a second, with {in_flight} in flight."
            )
        };
        self.loads().iter().map(sentence).collect()
    }

    /// What the need's rate costs of each operation that a request is.
    fn loads(&self) -> Vec<Load> {
        let Some(rate) = self.need.get(Field::Rate) else { return Vec::new() };
        let under_way =
            self.need.get(Field::Conns).unwrap_or(1) * self.need.get(Field::Depth).unwrap_or(1);
        let requests = self.rules().filter_map(|rule| rule.request.as_deref());
        let rows = requests.filter_map(|name| self.target.budget(name));
        rows.take(MOST_LOADS)
            .map(|row| Load {
                operation: row.operation,
                in_flight: if under_way >= MANY { MANY } else { 1 },
                // Of a round trip, the figure with many in flight counts both sides, and a request is no dearer among others.
                calls_per_second: rate as f64
                    * if under_way >= MANY { row.many.min(row.one) } else { row.one },
            })
            .collect()
    }

    fn choice_json(&self, choice: &Choice) -> Value {
        let Choice { rule, title, url } = choice;
        json!({
            "rule": rule.name,
            "because_of": self.causes(rule),
            "is_limit": rule.is_limit,
            "recommend": rule.recommend,
            "reason": rule.reason,
            "document": { "title": title, "url": url },
            "measured": rule.measured.as_ref().map(|measured| {
                json!({ "figure": measured.figure, "command": measured.command })
            }),
            "measure": self.need.fill(&rule.measure),
        })
    }
}

impl Analysis for Design {
    const FORM: &'static Form = &against::DESIGN;

    fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_markdown(&mut text).expect("a String takes all text");
        text
    }

    fn page(&self, _earlier: Option<&Value>) -> Page {
        self.as_page()
    }

    fn json(&self) -> Value {
        let need: serde_json::Map<String, Value> =
            self.need.fields().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        json!({
            "target": self.target.name(),
            "system": self.target.system(),
            "io_model": self.target.model(),
            "ops": self.ops.iter().map(|ops| ops.name()).collect::<Vec<_>>(),
            "need": need,
            "recommended_approach":
                self.choices.iter().map(|choice| self.choice_json(choice)).collect::<Vec<_>>(),
            "implementation": self.implementation(),
            "syscall_budget": self.budgets().0.into_iter().map(row_json).collect::<Vec<_>>(),
            "load": self.loads().iter().map(Load::json).collect::<Vec<_>>(),
            "left_out": { "choices": self.left_out, "budgets": self.budgets().1 },
            "impossible": self.impossible(),
        })
    }
}

/// In the order of [`COLUMNS`].
pub(super) fn cells(row: &Budget) -> [String; 5] {
    let Budget { operation, one, many, allocations, why, .. } = row;
    let bound = if row.exact { "" } else { "<= " };
    [
        (*operation).to_owned(),
        format!("{bound}{one:.2}"),
        format!("<= {many:.2}"),
        format!("{allocations:.2}"),
        (*why).to_owned(),
    ]
}

/// What a rate costs of one operation.
struct Load {
    operation: &'static str,
    in_flight: u64,
    calls_per_second: f64,
}

impl Load {
    fn json(&self) -> Value {
        json!({
            "operation": self.operation,
            "in_flight": self.in_flight,
            "system_calls_per_second": self.calls_per_second,
        })
    }
}

fn row_json(row: &Budget) -> Value {
    json!({
        "operation": row.operation,
        "expected_syscalls": row.one,
        "exact": row.exact,
        "expected_syscalls_of_64": row.many,
        "expected_heap_allocations": row.allocations,
        "why": row.why,
    })
}
