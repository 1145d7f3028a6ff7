//! A [`Report`] as a page: the same headings, with bars for the calls of a request and drawings for their times.

use super::account::{Key, Row};
use super::flame;
use super::report::{COLUMNS, NONE, ROWS, Report, name};
use super::{findings, table};
use crate::latency::Latency;
use crate::page::{
    Bar, Bars, Block, Distribution, Drawing, Finding, Level, Page, Section, Series, Table,
};
use serde_json::Value;

const BARS: &str = "System calls of one request. The bar of all of them reaches its mark where the library's table says the same work \
    ends, with one request in flight.";
const LATENCY: &str = "How long a call takes, with one stop of the tracer in it: to the right of p99 is the slowest one of a hundred.";
/// What is so often in all is drawn; of fewer there is no distribution.
const DRAWN: u64 = 20;

impl Report {
    pub(super) fn as_page(&self, earlier: Option<&Value>) -> Page {
        let mut sections = vec![
            section("Syscall Budget", self.budget()),
            section("Findings", self.findings()),
            section("Latency", self.latencies(earlier)),
        ];
        if let Some(profile) = &self.measured.profile {
            let mut blocks = vec![Block::Text(profile.says.clone())];
            if !profile.stacks.is_empty() {
                blocks.push(Block::Drawings(vec![flame::drawing(&profile.stacks)]));
            }
            sections.push(section("Profile", blocks));
        }
        Page {
            title: "Platform Analysis".to_owned(),
            facts: vec![
                ("Target", format!("{}, {}", self.name, self.size())),
                ("I/O Model", self.measured.model()),
            ],
            sections,
        }
    }

    fn budget(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.preface().into_iter().map(Block::Text).collect();
        if self.measured.requests.is_some() {
            blocks.push(Block::Bars(Bars { caption: BARS.to_owned(), bars: self.bars() }));
        }
        blocks.push(Block::Table(Table {
            caption: "Each system call: how often, and how long".to_owned(),
            columns: COLUMNS.to_vec(),
            rows: self.table().into_iter().map(Vec::from).collect(),
        }));
        blocks
    }

    fn bars(&self) -> Vec<Bar> {
        let measured = &self.measured;
        let all = measured.each(measured.account.calls()).unwrap_or(0.0);
        let possible = table::possible(measured).map(|possible| possible.one);
        let of = possible.map_or(String::new(), |possible| format!(" of {possible:.2}"));
        let mut bars = vec![Bar {
            label: "all".to_owned(),
            note: format!("{all:.2}{of}"),
            value: all,
            budget: possible,
            // The same that makes it a finding.
            is_off: findings::is_above(all, possible),
        }];
        for (key, row) in self.rows().into_iter().take(ROWS) {
            let value = measured.each(row.calls).unwrap_or(0.0);
            let (label, note) = (name(key), format!("{value:.2}"));
            bars.push(Bar { label, note, value, budget: None, is_off: false });
        }
        bars
    }

    fn findings(&self) -> Vec<Block> {
        let found = findings::find(&self.measured);
        if found.is_empty() {
            return vec![Block::Text(NONE.to_owned())];
        }
        let finding = |finding: findings::Finding| {
            let (what, text) = finding.parts();
            let (subject, text) = (what.to_owned(), text.to_owned());
            Finding { level: Level::Advice, subject, text, document: None, code: None }
        };
        vec![Block::Findings(found.into_iter().map(finding).collect())]
    }

    fn latencies(&self, earlier: Option<&Value>) -> Vec<Block> {
        let rows = self.rows().into_iter().take(ROWS).filter(|(_, row)| row.calls >= DRAWN);
        let drawings = rows.map(|(key, row)| distribution(key, row, earlier)).collect();
        vec![Block::Text(LATENCY.to_owned()), Block::Drawings(drawings)]
    }
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn distribution(key: &Key, row: &Row, earlier: Option<&Value>) -> Drawing {
    let quantiles = row.recorder.summary().quantiles();
    let mut series = vec![Series { name: "now".to_owned(), is_earlier: false, quantiles }];
    series.extend(earlier.and_then(|result| before(result, key)));
    Distribution { title: name(key), series }.draw()
}

/// The line of an earlier result.
fn before(result: &Value, key: &Key) -> Option<Series> {
    let rows = result.get("syscall_budget")?.as_array()?;
    let is_same =
        |row: &&Value| row["operation"] == key.name && row["target"].as_str() == key.target.name();
    let quantiles = Latency::quantiles_of(rows.iter().find(is_same)?.get("latency_ns")?);
    let name = "before".to_owned();
    (!quantiles.is_empty()).then_some(Series { name, is_earlier: true, quantiles })
}
