//! [`Report`]: what was found, judged against the budgets, as Markdown or JSON.

use super::machine::{Direct, Machine};
use super::meter::Row;
use super::rate::AtRate;
use super::ways::Cost;
use super::{advice, signatures};
use crate::against::{self, Form};
use crate::latency::Latency;
use crate::limits::Limit;
use crate::page::Page;
use crate::result::Analysis;
use kael_rt::budget::{Area, Budget};
use serde_json::{Value, json};
use std::fmt::Write;

/// What is said of rows that were measured again.
pub(super) const AGAIN: &str =
    "Measured again, because something broke the budget that need not be the operation's own";
/// How far an exact figure may be off: a wait that a signal cut short, a close that rides along.
const EXACT: f64 = 0.02;
/// The same for allocations and ceilings: what happens once in a hundred operations is not a cost of each.
const ABOVE: f64 = 0.01;

pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) areas: Vec<Area>,
    pub(crate) rows: Vec<Row>,
    pub(crate) rates: Vec<AtRate>,
    pub(super) ways: Vec<Cost>,
}

impl Row {
    pub(crate) fn expected(&self) -> f64 {
        if self.in_flight == 1 { self.budget.one } else { self.budget.many }
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.in_flight == 1 && self.budget.exact
    }

    fn each(&self, total: u64) -> f64 {
        total as f64 / self.operations.max(1) as f64
    }

    pub(crate) fn measured(&self) -> f64 {
        self.each(self.syscalls)
    }

    pub(crate) fn allocated(&self) -> f64 {
        self.each(self.allocations)
    }

    /// Whether operations of this kind are no operations for the kernel at all.
    fn submits_nothing(budget: &Budget) -> bool {
        budget.area == Area::Timer && !budget.operation.starts_with("Operation::")
            || budget.area == Area::Task && budget.exact
    }

    pub(super) const COLUMNS: [&str; 5] =
        ["Operation", "Expected Syscalls", "In flight", "Measured", "Heap allocations"];

    /// In the order of [`COLUMNS`](Self::COLUMNS).
    pub(super) fn figures(&self) -> [String; 5] {
        let bound = if self.is_exact() { "" } else { "<= " };
        let digits = if self.in_flight == 1 { 2 } else { 4 };
        [
            self.budget.operation.to_owned(),
            format!("{bound}{:.2}", self.expected()),
            self.in_flight.to_string(),
            format!("{:.digits$}", self.measured()),
            format!("{:.2}", self.allocated()),
        ]
    }

    /// The figures and the latencies behind them.
    pub(super) fn cells(&self) -> Vec<String> {
        self.figures().into_iter().chain(self.latency.cells()).collect()
    }

    /// Whether its system calls break its budget.
    pub(super) fn is_off(&self) -> bool {
        let difference = self.measured() - self.expected();
        (self.is_exact() && difference.abs() > EXACT) || difference > ABOVE.max(EXACT)
    }

    /// The sentence that says how the row breaks its budget.
    pub(crate) fn broken(&self) -> Option<String> {
        let (measured, expected) = (self.measured(), self.expected());
        let what = if self.is_off() {
            let bound = if self.is_exact() { "" } else { "at most " };
            format!("{measured:.4} system calls instead of {bound}{expected}")
        } else if self.allocated() > self.budget.allocations + ABOVE {
            format!(
                "{:.4} heap allocations instead of {}",
                self.allocated(),
                self.budget.allocations
            )
        } else if Row::submits_nothing(self.budget) && self.each(self.submissions) > ABOVE {
            format!("{:.4} submissions instead of none", self.each(self.submissions))
        } else {
            return None;
        };
        Some(format!("{}, {} in flight: {what}", self.budget.operation, self.in_flight))
    }
}

impl Report {
    /// All that breaks its budget, a sentence each.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.rows.iter().filter_map(Row::broken).collect()
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        let machine = &self.machine;
        writeln!(out, "## Platform Analysis\n")?;
        writeln!(out, "**Target:** {}\n", self.target())?;
        writeln!(out, "**I/O Model:** {}\n", self.machine.granted.model)?;
        writeln!(out, "### Recommended Approach\n")?;
        for (fact, follows) in advice::recommend(machine, &self.areas) {
            writeln!(out, "- {fact}: {follows}")?;
        }
        writeln!(out, "\n### Implementation\n\n```rust")?;
        let parts: Vec<&str> = self.areas.iter().map(|area| signatures::of(*area)).collect();
        writeln!(out, "{}```\n", parts.join("\n"))?;
        writeln!(out, "### Syscall Budget\n")?;
        self.write_budget(out)?;
        self.write_rates(out)?;
        self.write_ways(out)?;
        if let Some(again) = measured_again(&self.rows) {
            writeln!(out, "{AGAIN}: {again}.\n")?;
        }
        let broken = self.broken();
        if broken.is_empty() {
            return writeln!(out, "{}.", self.verdict());
        }
        writeln!(out, "**{}:**\n", self.verdict())?;
        broken.iter().try_for_each(|sentence| writeln!(out, "- {sentence}"))
    }

    pub(super) fn verdict(&self) -> String {
        match self.broken().len() {
            0 => format!("All {} rows are within their budgets", self.rows.len()),
            broken => format!("{broken} of {} rows break their budgets", self.rows.len()),
        }
    }

    pub(super) fn target(&self) -> String {
        let machine = &self.machine;
        let processor =
            machine.processor.as_deref().map_or(String::new(), |name| format!(", {name}"));
        format!(
            "{} on {}{processor}, {} cores",
            machine.kernel, machine.architecture, machine.cores
        )
    }

    fn write_budget(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "System calls of one operation, on the core that runs it, counted by the runtime. With one in flight the \
             expected figure is exact (`<=`: two threads race, so it is a ceiling); with 64 in flight it is a ceiling. \
             Latencies are of a closed loop: the next operation begins when the last one is done.\n"
        )?;
        write_head(out, Row::COLUMNS.iter().chain(&Latency::COLUMNS))?;
        for row in &self.rows {
            writeln!(out, "| {} |", row.cells().join(" | "))?;
        }
        writeln!(out)
    }

    fn write_rates(&self, out: &mut String) -> std::fmt::Result {
        let sleeps = self.rows.iter().find(|row| row.budget.operation == "time::sleep");
        if let Some(row) = sleeps {
            writeln!(
                out,
                "`time::sleep` made {} submissions in {} sleeps: the deadline is the timeout of the wait.\n",
                row.submissions, row.operations
            )?;
        }
        if self.rates.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "Latency in a closed loop and in an open one. In the open loop requests start at a fixed rate whether or not \
             earlier ones are done, and the time counts from the intended start, so a pause shows in every request that it \
             held up.\n"
        )?;
        write_head(out, ["Operation", "Loop", "Rate"].iter().chain(&Latency::COLUMNS))?;
        for rate in &self.rates {
            let closed = self
                .rows
                .iter()
                .find(|row| row.budget.operation == rate.operation && row.in_flight == 1);
            if let Some(row) = closed {
                let cells = row.latency.cells().join(" | ");
                writeln!(out, "| {} | closed | as it goes | {cells} |", rate.operation)?;
            }
            let cells = rate.latency.cells().join(" | ");
            writeln!(out, "| {} | open | {}/s | {cells} |", rate.operation, rate.per_second)?;
        }
        writeln!(out)
    }

    fn write_ways(&self, out: &mut String) -> std::fmt::Result {
        if self.ways.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "What a MiB costs over the loopback device, by the way it is received or sent and the size of a message. Processor \
             time is this core's alone, and that of the kernel on its account.\n"
        )?;
        write_head(out, Cost::COLUMNS.iter())?;
        for cost in &self.ways {
            writeln!(out, "| {} |", cost.cells().join(" | "))?;
        }
        writeln!(out)
    }
}

impl Analysis for Report {
    const FORM: &'static Form = &against::MEASUREMENT;

    fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_markdown(&mut text).expect("a String takes all text");
        text
    }

    fn page(&self, earlier: Option<&Value>) -> Page {
        self.as_page(earlier)
    }

    fn json(&self) -> Value {
        let machine = &self.machine;
        let direct = match &machine.direct {
            Direct::Works(alignment) => json!({
                "works": true,
                "memory_alignment": alignment.map(|(memory, _)| memory),
                "offset_alignment": alignment.map(|(_, offset)| offset),
            }),
            Direct::Refused(error) => json!({ "works": false, "error": error }),
        };
        let advice = advice::recommend(machine, &self.areas);
        json!({
            "target": self.target(),
            "io_model": self.machine.granted.model,
            "machine": {
                "kernel": machine.kernel,
                "architecture": machine.architecture,
                "processor": machine.processor,
                "cores": machine.cores,
                "interface": machine.granted.interface,
                "flags": machine.granted.flags,
                "queue_entries": machine.granted.queue_entries,
                "rlimit_memlock": machine.locked_memory.map(limits),
                "rlimit_nofile": machine.descriptors.map(limits),
                "somaxconn": machine.somaxconn,
                "timer_slack_ns": machine.timer_slack_ns,
                "directory": machine.directory.to_string_lossy(),
                "filesystem": machine.filesystem,
                "direct_io": direct,
            },
            "recommended_approach": advice
                .into_iter()
                .map(|(fact, follows)| json!({ "fact": fact, "follows": follows }))
                .collect::<Vec<_>>(),
            "implementation": self.areas.iter().map(|area| signatures::of(*area)).collect::<String>(),
            "syscall_budget": self.rows.iter().map(row_json).collect::<Vec<_>>(),
            "ways": self.ways.iter().map(way_json).collect::<Vec<_>>(),
            "open_loop": self.rates.iter().map(rate_json).collect::<Vec<_>>(),
            "broken": self.broken(),
        })
    }
}

/// Which rows stand there as they were at a second or third time.
pub(super) fn measured_again(rows: &[Row]) -> Option<String> {
    let again = rows.iter().filter(|row| row.measurements > 1).map(|row| {
        let Row { budget, in_flight, measurements, .. } = row;
        format!("{}, {in_flight} in flight ({measurements} times)", budget.operation)
    });
    let again: Vec<String> = again.collect();
    (!again.is_empty()).then(|| again.join("; "))
}

pub(crate) fn write_head<'a>(
    out: &mut String,
    columns: impl Iterator<Item = &'a &'a str>,
) -> std::fmt::Result {
    let columns: Vec<&str> = columns.copied().collect();
    writeln!(out, "| {} |", columns.join(" | "))?;
    writeln!(out, "|{}", "---|".repeat(columns.len()))
}

fn row_json(row: &Row) -> Value {
    json!({
        "operation": row.budget.operation,
        "in_flight": row.in_flight,
        "expected_syscalls": row.expected(),
        "exact": row.is_exact(),
        "measured_syscalls": row.measured(),
        "expected_heap_allocations": row.budget.allocations,
        "heap_allocations": row.allocated(),
        "submissions": row.each(row.submissions),
        "operations": row.operations,
        "measurements": row.measurements,
        "latency_ns": row.latency.to_json(),
        "within_budget": row.broken().is_none(),
        "why": row.budget.why,
    })
}

fn way_json(cost: &Cost) -> Value {
    json!({
        "way": cost.way,
        "message_bytes": cost.message_bytes,
        "system_calls_per_mib": cost.calls_per_mib,
        "cpu_us_per_mib": cost.cpu_us_per_mib,
        "copies": cost.copies,
    })
}

fn rate_json(rate: &AtRate) -> Value {
    json!({
        "operation": rate.operation,
        "per_second": rate.per_second,
        "operations": rate.operations,
        "latency_ns": rate.latency.to_json(),
    })
}

fn limits((soft, hard): (Limit, Limit)) -> Value {
    json!({ "soft": soft.0, "hard": hard.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kael_rt::budget;

    fn row(operation: &str, in_flight: usize, syscalls: u64) -> Row {
        let budget = budget::TABLE.iter().find(|row| row.operation == operation);
        Row {
            budget: budget.expect("a row of the table"),
            in_flight,
            operations: 6400,
            syscalls,
            submissions: 0,
            allocations: 0,
            latency: Latency::default(),
            measurements: 1,
        }
    }

    #[test]
    fn what_is_within_its_budget_is_not_named() {
        assert_eq!(row("File::read_at", 1, 6400).broken(), None);
        assert_eq!(row("File::read_at", 64, 100).broken(), None);
        assert_eq!(row("time::sleep", 1, 6400).broken(), None);
    }

    #[test]
    fn an_exact_figure_may_not_be_less_either() {
        let broken = row("time::sleep", 1, 6000).broken().expect("too few calls");
        assert_eq!(broken, "time::sleep, 1 in flight: 0.9375 system calls instead of 1");
        // Two threads race in this one, so it has only a ceiling.
        assert_eq!(row("spawn_blocking + join", 1, 6400).broken(), None);
    }

    #[test]
    fn a_ceiling_is_one() {
        let broken = row("time::sleep", 64, 640).broken().expect("too many calls");
        assert_eq!(
            broken,
            "time::sleep, 64 in flight: 0.1000 system calls instead of at most 0.05"
        );
    }

    #[test]
    fn a_row_that_was_measured_again_is_named() {
        let (once, twice) = (row("time::sleep", 1, 6400), row("File::read_at", 64, 100));
        let twice = Row { measurements: 2, ..twice };
        assert_eq!(measured_again(std::slice::from_ref(&once)), None);
        let named = measured_again(&[once, twice]);
        assert_eq!(named.as_deref(), Some("File::read_at, 64 in flight (2 times)"));
    }

    #[test]
    fn an_allocation_and_a_submission_are_named() {
        let allocating = Row { allocations: 6400, ..row("File::read_at", 1, 6400) };
        assert!(allocating.broken().expect("an allocation each").contains("heap allocations"));
        let submitting = Row { submissions: 6400, ..row("time::sleep", 1, 6400) };
        assert!(submitting.broken().expect("a submission each").contains("submissions"));
    }
}
