//! A [`Report`] as a page: the same headings, with bars for the budgets and drawings for the latencies.

use super::meter::Row;
use super::report::{AGAIN, Report, measured_again};
use super::ways::Cost;
use super::{advice, signatures};
use crate::latency::Latency;
use crate::page::{
    Bar, Bars, Block, Distribution, Drawing, Finding, Level, Page, Section, Series, Table,
};
use serde_json::Value;

const BUDGET: &str = "System calls of one operation, on the core that runs it, counted by the runtime. A bar that reaches \
    its mark has used its budget up. With one in flight the budget is exact, or a ceiling (`<=`) where two threads race; with 64 in \
    flight it is a ceiling.";
const LATENCY: &str = "How long an operation takes: to the right of p99 is the slowest one of a hundred. The next operation \
    begins when the last one is done (a closed loop); in the open loop operations begin at a fixed rate, and the time counts from \
    the intended start, so a pause shows in each that it held up.";
const WAYS: &str = "What a MiB costs over the loopback device, by the way it is received or sent. Processor time is this \
    core's alone, and that of the kernel on its account.";

impl Report {
    pub(super) fn as_page(&self, earlier: Option<&Value>) -> Page {
        let code: Vec<&str> = self.areas.iter().map(|area| signatures::of(*area)).collect();
        let mut sections = vec![
            section("Recommended Approach", vec![Block::Findings(self.recommendations())]),
            section("Implementation", vec![Block::Code(code.join("\n"))]),
            section("Syscall Budget", self.budget()),
            section("Latency", self.latencies(earlier)),
        ];
        if !self.ways.is_empty() {
            sections.push(section("Ways", vec![Block::Table(self.ways_table())]));
        }
        Page {
            title: "Platform Analysis".to_owned(),
            facts: vec![
                ("Target", self.target()),
                ("I/O Model", self.machine.granted.model.to_string()),
                ("Result", self.verdict()),
            ],
            sections,
        }
    }

    fn recommendations(&self) -> Vec<Finding> {
        let advice = advice::recommend(&self.machine, &self.areas).into_iter();
        advice.map(|(fact, follows)| finding(Level::Advice, format!("{fact}:"), follows)).collect()
    }

    fn budget(&self) -> Vec<Block> {
        let broken = self.rows.iter().filter_map(Row::broken);
        let broken: Vec<_> =
            broken.map(|text| finding(Level::Bad, "Breaks its budget:".to_owned(), text)).collect();
        let bars = Bars { caption: BUDGET.to_owned(), bars: self.rows.iter().map(bar).collect() };
        let mut blocks = vec![Block::Bars(bars), Block::Table(self.budget_table())];
        if let Some(again) = measured_again(&self.rows) {
            let again = finding(Level::Advice, format!("{AGAIN}:"), again);
            blocks.insert(0, Block::Findings(vec![again]));
        }
        if !broken.is_empty() {
            blocks.insert(0, Block::Findings(broken));
        }
        blocks
    }

    fn budget_table(&self) -> Table {
        Table {
            caption: "Each operation: what it costs, and how long it takes".to_owned(),
            columns: Row::COLUMNS.into_iter().chain(Latency::COLUMNS).collect(),
            rows: self.rows.iter().map(Row::cells).collect(),
        }
    }

    fn latencies(&self, earlier: Option<&Value>) -> Vec<Block> {
        let mut operations: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !operations.contains(&row.budget.operation) {
                operations.push(row.budget.operation);
            }
        }
        let drawings = operations.into_iter().map(|name| self.distribution(name, earlier));
        vec![Block::Text(LATENCY.to_owned()), Block::Drawings(drawings.collect())]
    }

    fn distribution(&self, operation: &str, earlier: Option<&Value>) -> Drawing {
        let series = |name, latency: &Latency| Series {
            name,
            is_earlier: false,
            quantiles: latency.quantiles(),
        };
        let rows = self.rows.iter().filter(|row| row.budget.operation == operation);
        let mut lines: Vec<Series> =
            rows.map(|row| series(format!("{} in flight", row.in_flight), &row.latency)).collect();
        let open = self.rates.iter().filter(|rate| rate.operation == operation);
        lines
            .extend(open.map(|rate| series(format!("open, {}/s", rate.per_second), &rate.latency)));
        lines.extend(earlier.and_then(|result| before(result, operation)));
        Distribution { title: operation.to_owned(), series: lines }.draw()
    }

    fn ways_table(&self) -> Table {
        let cells = |cost: &Cost| cost.cells().to_vec();
        Table {
            caption: WAYS.to_owned(),
            columns: Cost::COLUMNS.to_vec(),
            rows: self.ways.iter().map(cells).collect(),
        }
    }
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn finding(level: Level, subject: String, text: String) -> Finding {
    Finding { level, subject, text, document: None, code: None }
}

fn bar(row: &Row) -> Bar {
    let [operation, expected, in_flight, measured, _] = row.figures();
    Bar {
        label: format!("{operation}, {in_flight} in flight"),
        note: format!("{measured} of {expected}"),
        value: row.measured(),
        budget: Some(row.expected()),
        is_off: row.is_off(),
    }
}

/// The line of an earlier result: one in flight.
fn before(result: &Value, operation: &str) -> Option<Series> {
    let rows = result.get("syscall_budget")?.as_array()?;
    let row = rows.iter().find(|row| row["operation"] == operation && row["in_flight"] == 1)?;
    let quantiles = Latency::quantiles_of(row.get("latency_ns")?);
    let name = "1 in flight, before".to_owned();
    (!quantiles.is_empty()).then_some(Series { name, is_earlier: true, quantiles })
}
