//! [`Report`]: what was measured of a program, as Markdown or JSON.

use super::account::{Key, Row};
use super::findings::{self, Finding};
use super::measured::Measured;
use super::table;
use crate::against::{self, Form};
use crate::page::Page;
use crate::result::Analysis;
use serde_json::{Value, json};
use std::fmt::Write;

pub(crate) struct Report {
    pub(super) name: String,
    pub(super) measured: Measured,
}

/// Rows of the table; what is rarer stands together in one more.
pub(super) const ROWS: usize = 20;

pub(super) const COLUMNS: [&str; 9] = [
    "Operation",
    "Expected Syscalls",
    "A request",
    "A second",
    "Calls",
    "Errors",
    "p50",
    "p99",
    "In the library",
];

/// Instead of findings.
pub(super) const NONE: &str = "None: no rule finds calls that the program could do without.";

impl Report {
    pub(super) fn new(name: String, measured: Measured) -> Report {
        Report { name, measured }
    }

    /// Why the figures are not those of a good run.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        self.measured.has_client_failed.then_some("the client that drives the program failed")
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        let measured = &self.measured;
        writeln!(out, "## Platform Analysis\n")?;
        writeln!(out, "**Target:** {}, {}\n", self.name, self.size())?;
        writeln!(out, "**I/O Model:** {}\n", measured.model())?;
        writeln!(out, "### Syscall Budget\n")?;
        for sentence in self.preface() {
            writeln!(out, "{sentence}\n")?;
        }
        writeln!(out, "| {} |", COLUMNS.join(" | "))?;
        writeln!(out, "|{}", "---|".repeat(COLUMNS.len()))?;
        for row in self.table() {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        writeln!(out)?;
        writeln!(out, "### Findings\n")?;
        let found = findings::find(measured);
        if found.is_empty() {
            writeln!(out, "{NONE}")?;
        }
        for (number, Finding { text, .. }) in (1..).zip(found) {
            writeln!(out, "{number}. {text}")?;
        }
        if let Some(profile) = &measured.profile {
            writeln!(out, "\n### Profile\n\n{}", profile.says)?;
        }
        Ok(())
    }

    pub(super) fn size(&self) -> String {
        let Measured { threads, processes, time, end, .. } = &self.measured;
        let (threads, processes) = (counted(*threads, "thread"), counted(*processes, "process"));
        let end = end.as_ref().map_or("left running".to_owned(), |end| format!("ended {end}"));
        format!("{threads} in {processes}, counted for {:.2} s, {end}", time.as_secs_f64())
    }

    /// What must be known to read the table.
    pub(super) fn preface(&self) -> Vec<String> {
        let measured = &self.measured;
        let (calls, switches) = (measured.account.calls(), measured.switches);
        let requests = match measured.requests {
            Some(requests) => format!("{} requests, by {}", requests.count, requests.source),
            None => "how many requests is not known: `--requests` or `--drive` say it".to_owned(),
        };
        let mut preface = vec![format!(
            "{calls} system calls returned ({:.0} a second); {requests}; context switches: {} voluntary, {} forced, without the \
             tracer's own. Expected is what the library's table says of one such operation with one in flight, and of each of 64. \
             The tracer stops each call twice, which takes some microseconds: rates are lower than without it, and times, which \
             include one stop, longer.",
            measured.per_second(calls),
            switches.voluntary,
            switches.forced
        )];
        let submitted = measured.account.submitted;
        if submitted > 0 {
            preface.push(format!(
                "io_uring_enter handed over {submitted} submissions ({}). What completes without one is not seen: receives of a \
                 multishot request, for example.",
                measured.rate(submitted)
            ));
        }
        preface
    }

    /// In the order of [`COLUMNS`]: the most frequent calls, the rarer ones in one row, and all of them.
    pub(super) fn table(&self) -> Vec<[String; COLUMNS.len()]> {
        let rows = self.rows();
        let (frequent, rare) = rows.split_at(rows.len().min(ROWS));
        let mut table: Vec<_> = frequent.iter().map(|(key, row)| self.cells(key, row)).collect();
        if !rare.is_empty() {
            let calls = rare.iter().map(|(_, row)| row.calls).sum();
            let errors = rare.iter().map(|(_, row)| row.errors).sum();
            let name = format!("{} rarer ones", rare.len());
            table.push(self.sum(name, "-".to_owned(), calls, errors));
        }
        let possible = table::possible(&self.measured).map_or("-".to_owned(), |possible| {
            format!("{:.2}; {:.2} of 64", possible.one, possible.many)
        });
        let errors = rows.iter().map(|(_, row)| row.errors).sum();
        let calls = self.measured.account.calls();
        table.push(self.sum("all, for a request".to_owned(), possible, calls, errors));
        table
    }

    fn cells(&self, key: &Key, row: &Row) -> [String; COLUMNS.len()] {
        let (expected, operation) = table::expected(row.kind, key.target);
        let [p50, _, p99, ..] = row.recorder.summary().cells();
        let mut cells = self.sum(name(key), expected, row.calls, row.errors);
        let [.., at_p50, at_p99, in_the_library] = &mut cells;
        (*at_p50, *at_p99, *in_the_library) = (p50, p99, operation);
        cells
    }

    fn sum(
        &self,
        name: String,
        expected: String,
        calls: u64,
        errors: u64,
    ) -> [String; COLUMNS.len()] {
        let measured = &self.measured;
        let (each, per_second) = (each(measured.each(calls)), measured.per_second(calls));
        let (calls, errors, none) = (calls.to_string(), errors.to_string(), || "-".to_owned());
        let per_second = format!("{per_second:.0}");
        [name, expected, each, per_second, calls, errors, none(), none(), String::new()]
    }

    /// The most frequent first.
    pub(super) fn rows(&self) -> Vec<(&Key, &Row)> {
        let mut rows: Vec<_> = self.measured.account.rows.iter().collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.calls));
        rows
    }

    fn row_json(&self, key: &Key, row: &Row) -> Value {
        let (expected, operation) = table::expected(row.kind, key.target);
        json!({
            "operation": key.name,
            "target": key.target.name(),
            "expected_syscalls": expected,
            "in_the_library": operation,
            "per_request": self.measured.each(row.calls),
            "per_second": self.measured.per_second(row.calls),
            "calls": row.calls,
            "errors": row.errors,
            "not_ready": row.not_ready,
            "bytes": row.bytes,
            "time_in_calls_ns": u64::try_from(row.time.as_nanos()).unwrap_or(u64::MAX),
            "latency_ns": row.recorder.summary().to_json(),
        })
    }
}

impl Analysis for Report {
    const FORM: &'static Form = &against::PROGRAM;

    fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_markdown(&mut text).expect("a String takes all text");
        text
    }

    fn json(&self) -> Value {
        let measured = &self.measured;
        let possible = table::possible(measured);
        json!({
            "target": self.name,
            "io_model": measured.model(),
            "seconds": measured.time.as_secs_f64(),
            "threads": measured.threads,
            "processes": measured.processes,
            "ended": measured.end,
            "profile": measured.profile.as_ref().map(|profile| &profile.says),
            "requests": measured.requests.map(|requests| requests.count),
            "requests_by": measured.requests.map(|requests| requests.source),
            "syscalls": measured.account.calls(),
            "syscalls_per_request": measured.each(measured.account.calls()),
            "expected_syscalls_per_request": possible.map(|possible| possible.one),
            "expected_syscalls_per_request_of_64": possible.map(|possible| possible.many),
            "connections_accepted": measured.account.accepted,
            "submissions": measured.account.submitted,
            "context_switches": { "voluntary": measured.switches.voluntary, "forced": measured.switches.forced },
            "syscall_budget": self.rows().into_iter().map(|(key, row)| self.row_json(key, row)).collect::<Vec<_>>(),
            "findings": findings::find(measured)
                .into_iter()
                .map(|finding| json!({ "syscalls_saved": finding.saved, "text": finding.text }))
                .collect::<Vec<_>>(),
        })
    }

    fn page(&self, earlier: Option<&Value>) -> Page {
        self.as_page(earlier)
    }
}

pub(super) fn name(key: &Key) -> String {
    match key.target.name() {
        Some(target) => format!("{} ({target})", key.name),
        None => key.name.to_owned(),
    }
}

fn counted(count: u64, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "process") => format!("{count} processes"),
        _ => format!("{count} {noun}s"),
    }
}

fn each(count: Option<f64>) -> String {
    count.map_or("-".to_owned(), |count| format!("{count:.2}"))
}

#[cfg(test)]
mod tests {
    use super::super::descriptors::Target;
    use super::super::measured::tests::measured;
    use super::*;

    fn report() -> Report {
        let calls = [
            ("epoll_wait", Target::None, 1, 100),
            ("read", Target::Socket, 64, 100),
            ("read", Target::Socket, -11, 100),
            ("write", Target::Socket, 64, 100),
        ];
        Report::new("`program`".to_owned(), measured(&calls, None))
    }

    #[test]
    fn the_markdown_has_its_headings_and_a_row_for_each_call() {
        let text = report().markdown();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(headings, ["## Platform Analysis", "### Syscall Budget", "### Findings"]);
        assert!(text.contains("\n**Target:** `program`, 2 threads in 1 process, counted for 1.00 s, ended with exit status 0\n"));
        assert!(text.contains("\n**I/O Model:** readiness (epoll_wait)\n"));
        assert!(text.contains("\n| Operation | Expected Syscalls | A request |"));
        assert!(
            text.contains("| 2.00 | 200 | 200 | 100 | 3.00 µs | 3.00 µs | `TcpStream::read` |"),
            "{text}"
        );
        assert!(text.contains("\n1. **4.00 system calls a request**"), "{text}");
        assert!(text.contains("\n2. **Reads that find nothing** (1.00 a request"), "{text}");
    }

    #[test]
    fn rare_calls_stand_in_one_row() {
        let names: Vec<&'static str> =
            (0..ROWS as u64 + 3).map(super::super::calls::name).collect();
        let calls: Vec<_> = names.iter().map(|name| (*name, Target::None, 1, 2)).collect();
        let text = Report::new("`program`".to_owned(), measured(&calls, None)).markdown();
        assert!(text.contains("\n| 3 rarer ones | - | - | 6 | 6 | 0 | - | - |  |\n"), "{text}");
        assert!(text.contains("not known"), "{text}");
    }

    #[test]
    fn the_json_has_the_same() {
        let json = report().json();
        assert_eq!(json["requests"], 100);
        assert_eq!(json["syscalls_per_request"], 4.0);
        assert_eq!(json["syscall_budget"][0]["operation"], "read");
        assert_eq!(json["syscall_budget"][0]["not_ready"], 100);
        assert_eq!(json["findings"].as_array().map(Vec::len), Some(2));
    }
}
