//! Latency distributions: recorded in an HDR histogram, shown as a few percentiles.

use hdrhistogram::Histogram;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// Up to a minute, to three digits. Recording allocates nothing; a longer time counts as a minute.
pub(crate) struct Recorder(Histogram<u64>);

const LONGEST_NS: u64 = 60_000_000_000;

impl Recorder {
    pub(crate) fn new() -> Recorder {
        Recorder(Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order"))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS));
    }

    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }

    pub(crate) fn summary(&self) -> Latency {
        let at = |percent| self.0.value_at_percentile(percent);
        Latency {
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p999: at(99.9),
            max: self.0.max(),
            drawn: DRAWN.map(at),
        }
    }
}

/// The quantiles by which a distribution is drawn, in per cent.
const DRAWN: [f64; 12] = [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 100.0];

/// A distribution's summary, in nanoseconds.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    drawn: [u64; DRAWN.len()],
}

impl Latency {
    /// The columns of a table, in the order of [`COLUMNS`](Self::COLUMNS).
    pub(crate) fn cells(&self) -> [String; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max].map(|ns| Time(ns).to_string())
    }

    pub(crate) const COLUMNS: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

    /// For a drawing: per cent, and the time that so many stay within.
    pub(crate) fn quantiles(&self) -> Vec<(f64, u64)> {
        DRAWN.into_iter().zip(self.drawn).collect()
    }

    pub(crate) fn to_json(self) -> Value {
        serde_json::json!({
            "p50": self.p50, "p90": self.p90, "p99": self.p99, "p99.9": self.p999, "max": self.max,
        })
    }

    /// As [`quantiles`](Self::quantiles), those that JSON has kept of an earlier one.
    pub(crate) fn quantiles_of(json: &Value) -> Vec<(f64, u64)> {
        let percents = [50.0, 90.0, 99.0, 99.9, 100.0];
        let kept = percents.into_iter().zip(Latency::COLUMNS);
        kept.filter_map(|(percent, name)| Some((percent, json.get(name)?.as_u64()?))).collect()
    }
}

/// Nanoseconds, with three digits and a unit.
pub(crate) struct Time(pub(crate) u64);

impl Time {
    /// Whole units: for times that are powers of ten.
    pub(crate) fn rounded(&self) -> String {
        match self.0 {
            0..1_000 => format!("{} ns", self.0),
            1_000..1_000_000 => format!("{} µs", self.0 / 1_000),
            1_000_000..1_000_000_000 => format!("{} ms", self.0 / 1_000_000),
            _ => format!("{} s", self.0 / 1_000_000_000),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0 as f64;
        let (value, unit) = match self.0 {
            0..1_000 => return write!(f, "{} ns", self.0),
            1_000..1_000_000 => (ns / 1e3, "µs"),
            1_000_000..1_000_000_000 => (ns / 1e6, "ms"),
            _ => (ns / 1e9, "s"),
        };
        let digits = if value < 9.995 {
            2
        } else if value < 99.95 {
            1
        } else {
            0
        };
        write!(f, "{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let shown = [7, 999, 1_000, 12_345, 123_456, 9_996_000, 2_500_000_000]
            .map(|ns| Time(ns).to_string());
        assert_eq!(shown, ["7 ns", "999 ns", "1.00 µs", "12.3 µs", "123 µs", "10.0 ms", "2.50 s"]);
    }

    #[test]
    fn powers_of_ten_have_no_digits_behind() {
        let shown = [100, 1_000, 100_000, 10_000_000, 10_000_000_000].map(|ns| Time(ns).rounded());
        assert_eq!(shown, ["100 ns", "1 µs", "100 µs", "10 ms", "10 s"]);
    }

    #[test]
    fn what_is_drawn_reaches_from_the_shortest_to_the_longest() {
        let mut recorder = Recorder::new();
        (1..=1_000).for_each(|us| recorder.record(Duration::from_micros(us)));
        let drawn = recorder.summary().quantiles();
        assert!(drawn.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(drawn[0].1 / 1_000, 1);
        let (percent, longest) = drawn[drawn.len() - 1];
        assert_eq!((percent, longest), (100.0, recorder.summary().max));
    }

    #[test]
    fn json_keeps_what_an_earlier_line_is_drawn_by() {
        let mut recorder = Recorder::new();
        recorder.record(Duration::from_nanos(800));
        let kept = Latency::quantiles_of(&recorder.summary().to_json());
        assert_eq!(kept, [50.0, 90.0, 99.0, 99.9, 100.0].map(|percent| (percent, 800)));
        assert_eq!(Latency::quantiles_of(&Value::Null), []);
    }

    #[test]
    fn a_time_beyond_the_range_counts_as_the_longest() {
        let mut recorder = Recorder::new();
        recorder.record(Duration::MAX);
        assert!(recorder.summary().max >= LONGEST_NS);
    }
}
