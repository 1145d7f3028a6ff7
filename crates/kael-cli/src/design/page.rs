//! A [`Design`] as a page: the same headings, with bars for the budgets.

use super::report::{BUDGET, COLUMNS, Design, cells};
use super::rules::Choice;
use crate::page::{Bar, Bars, Block, Finding, Level, Page, Section, Table};
use kael_rt::budget::Budget;

impl Design {
    pub(super) fn as_page(&self) -> Page {
        Page {
            title: "Platform Analysis".to_owned(),
            facts: vec![
                ("Target", format!("{}, for {}", self.target.system(), self.asked())),
                ("I/O Model", self.target.model().to_owned()),
            ],
            sections: vec![
                section("Recommended Approach", self.approach()),
                section("Implementation", vec![Block::Code(self.implementation())]),
                section("Syscall Budget", self.budget()),
            ],
        }
    }

    fn approach(&self) -> Vec<Block> {
        let findings = self.choices.iter().map(|choice| self.finding(choice)).collect();
        let left_out = self.choices_left_out().map(Block::Text);
        [Block::Findings(findings)].into_iter().chain(left_out).collect()
    }

    fn finding(&self, choice: &Choice) -> Finding {
        let Choice { rule, title, url } = choice;
        let (level, limit) = match rule.is_limit {
            true => (Level::Bad, "Not possible as asked. "),
            false => (Level::Advice, ""),
        };
        let measured = rule.measured.as_ref().map_or(String::new(), |measured| {
            format!(" Measured: {} (`{}`).", measured.figure, measured.command)
        });
        Finding {
            level,
            subject: format!("{}:", self.cause(rule)),
            text: format!("{limit}{} Because {}.{measured}", rule.recommend, rule.reason),
            document: Some((title.clone(), url.clone())),
            code: Some(self.need.fill(&rule.measure)),
        }
    }

    fn budget(&self) -> Vec<Block> {
        let (rows, left_out) = self.budgets();
        let bars =
            Bars { caption: BUDGET.to_owned(), bars: rows.iter().map(|row| bar(row)).collect() };
        let table = Table {
            caption: "The budget of each operation".to_owned(),
            columns: COLUMNS.to_vec(),
            rows: rows.iter().map(|row| cells(row).to_vec()).collect(),
        };
        let mut blocks = vec![Block::Bars(bars), Block::Table(table)];
        if left_out > 0 {
            blocks.push(Block::Text(format!("{left_out} more have no room here.")));
        }
        blocks.extend(self.load_sentences().into_iter().map(Block::Text));
        blocks
    }
}

fn section(heading: &str, blocks: Vec<Block>) -> Section {
    Section { heading: heading.to_owned(), blocks }
}

fn bar(row: &Budget) -> Bar {
    let [operation, one, many, ..] = cells(row);
    Bar {
        label: operation,
        note: format!("{one}, of 64 in flight {many} each"),
        value: row.one,
        budget: None,
        is_off: false,
    }
}
