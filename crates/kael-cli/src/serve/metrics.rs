//! [`Metrics`]: what the server has done, in numbers that all cores add to, and as the text that Prometheus reads.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The value before.
    pub(super) fn count(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Default)]
pub(super) struct Metrics {
    pub(super) accepted: Counter,
    /// Beyond the limit per address.
    pub(super) refused: Counter,
    /// Times that there was no room for a connection, and one that waited was to be ended for it.
    pub(super) displaced: Counter,
    /// Answers by the first digit of their status.
    statuses: [Counter; 6],
    /// Bytes of bodies.
    pub(super) sent: Counter,
    /// Connections that ended with an error: the client went away, or did not take its answer.
    pub(super) broken: Counter,
    pub(super) handshakes_failed: Counter,
    /// Files that became shorter while they were sent.
    pub(super) truncated: Counter,
    pub(super) unlogged: Counter,
    /// Times that nothing could be accepted.
    pub(super) starved: Counter,
}

impl Metrics {
    pub(super) fn answered(&self, status: u16) {
        self.statuses[usize::from(status / 100).min(5)].count();
    }

    pub(super) fn answers(&self) -> u64 {
        self.statuses.iter().map(Counter::get).sum()
    }

    /// The text format of Prometheus, version 0.0.4.
    pub(super) fn text(&self, open: usize) -> String {
        let mut text = String::new();
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "# HELP kael_{name} {help}\n# TYPE kael_{name} {kind}\nkael_{name} {value}\n"
            );
        };
        one("connections_open", "gauge", "Connections that are open.", open as u64);
        for (name, help, counter) in [
            ("connections_total", "Connections that were accepted.", &self.accepted),
            (
                "connections_refused_total",
                "Connections beyond the limit per address.",
                &self.refused,
            ),
            (
                "connections_displaced_total",
                "Connections that waited and were ended for another.",
                &self.displaced,
            ),
            ("connections_broken_total", "Connections that ended with an error.", &self.broken),
            (
                "tls_handshakes_failed_total",
                "Connections that came to no TLS.",
                &self.handshakes_failed,
            ),
            ("accept_starved_total", "Times that nothing could be accepted.", &self.starved),
            ("sent_bytes_total", "Bytes of bodies that were sent.", &self.sent),
            (
                "files_truncated_total",
                "Files that became shorter while they were sent.",
                &self.truncated,
            ),
            (
                "log_lines_lost_total",
                "Lines of the log that there was no room for.",
                &self.unlogged,
            ),
        ] {
            one(name, "counter", help, counter.get());
        }
        text.push_str("# HELP kael_requests_total Answers, by the first digit of their status.\n");
        text.push_str("# TYPE kael_requests_total counter\n");
        for (digit, counter) in self.statuses.iter().enumerate().skip(2) {
            let _ = writeln!(text, "kael_requests_total{{status=\"{digit}xx\"}} {}", counter.get());
        }
        text
    }
}
