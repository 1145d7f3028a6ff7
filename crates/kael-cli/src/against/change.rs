//! [`Difference`]: what has changed between two results.

use super::Unit;
use crate::latency::Time;

pub(crate) struct Difference {
    pub(super) file: String,
    /// Where they differ, the figures may differ for that reason alone.
    pub(super) circumstances: Vec<Circumstance>,
    pub(super) changes: Vec<Change>,
}

pub(super) struct Circumstance {
    pub(super) name: &'static str,
    pub(super) before: String,
    pub(super) now: String,
}

pub(super) struct Change {
    pub(super) row: String,
    pub(super) what: What,
}

pub(super) enum What {
    Figure { name: &'static str, unit: Unit, before: f64, now: f64 },
    New,
    Gone,
}

/// From which difference on a count for each operation has changed: a budget bears less than that.
const COUNT: f64 = 0.02;
/// From which ratio on, up or down, a measured amount has changed: less is the noise of a quiet machine.
const RATIO: f64 = 1.2;

impl Unit {
    pub(super) fn differs(self, before: f64, now: f64) -> bool {
        match self {
            Unit::Each => (now - before).abs() > COUNT,
            Unit::Amount | Unit::Nanoseconds => now.max(before) > now.min(before) * RATIO,
        }
    }

    pub(super) fn write(self, value: f64) -> String {
        match self {
            Unit::Each if value.abs() < 1.0 => format!("{value:.4}"),
            Unit::Each => format!("{value:.2}"),
            Unit::Amount => format!("{value:.1}"),
            Unit::Nanoseconds => Time(value as u64).to_string(),
        }
    }

    pub(super) fn change(self, before: f64, now: f64) -> String {
        match self {
            Unit::Each => format!("{:+.4}", now - before),
            _ if before > 0.0 => format!("×{:.2}", now / before),
            _ => "from nothing".to_owned(),
        }
    }
}

impl Difference {
    /// What is shown and what is not.
    pub(super) fn rule() -> String {
        format!(
            "Figures for each operation are shown where they differ by more than {COUNT}, times and other measured amounts \
             where one is more than {RATIO} times the other."
        )
    }
}
