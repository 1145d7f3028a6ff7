//! `--against FILE.json`: what has changed since an earlier result of the same command. Results are compared as the JSON
//! that `--format json` writes, by a [`Form`]: which lists have rows, what names a row, what is a figure of it. So a command
//! is compared by saying its form, and nothing here knows a command.

mod change;
mod forms;
mod report;
#[cfg(test)]
mod tests;

use crate::fail::Fail;
use crate::input;
pub(crate) use change::Difference;
use change::{Change, Circumstance, What};
pub(crate) use forms::{DESIGN, MEASUREMENT, PROGRAM, REVIEW};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A result that is longer is none.
const LONGEST_BYTES: u64 = 16 << 20;

/// What a command's results have, by JSON pointers.
pub(crate) struct Form {
    command: &'static str,
    /// What the figures depend on, and where it is.
    circumstances: &'static [(&'static str, &'static str)],
    lists: &'static [List],
}

struct List {
    name: &'static str,
    /// What names a row: a pointer, and what follows the value in the name.
    keys: &'static [(&'static str, &'static str)],
    /// What says more of a row that is new or gone, where its name says little.
    told: Option<&'static str>,
    figures: &'static [Figure],
}

struct Figure {
    name: &'static str,
    pointer: &'static str,
    unit: Unit,
}

/// How a figure is written, and from which difference on it has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    /// So many for each operation.
    Each,
    /// A measured amount, which is never twice the same.
    Amount,
    Nanoseconds,
}

/// A result that an earlier run has left.
pub(crate) struct Earlier {
    file: String,
    form: &'static Form,
    result: Value,
}

impl Earlier {
    pub(crate) fn read(path: &Path, form: &'static Form) -> Result<Earlier, Fail> {
        let file = path.display().to_string();
        let text = input::read(path, LONGEST_BYTES)?;
        let is_none = |why| {
            Fail::Use(format!("{file} is no result of `{} --format json`: {why}", form.command))
        };
        let result: Value =
            serde_json::from_str(&text).map_err(|error| is_none(error.to_string()))?;
        form.check(&result).map_err(is_none)?;
        Ok(Earlier { file, form, result })
    }

    pub(crate) fn result(&self) -> &Value {
        &self.result
    }

    pub(crate) fn compare(&self, now: &Value) -> Difference {
        let changes = self.form.lists.iter().flat_map(|list| list.compare(&self.result, now));
        let circumstances = self.form.circumstances.iter().filter_map(|(name, pointer)| {
            let (before, now) = (words(self.result.pointer(pointer)), words(now.pointer(pointer)));
            (before != now).then_some(Circumstance { name, before, now })
        });
        Difference {
            file: self.file.clone(),
            circumstances: circumstances.collect(),
            changes: changes.collect(),
        }
    }
}

impl Form {
    fn check(&self, result: &Value) -> Result<(), String> {
        self.lists.iter().try_for_each(|list| {
            let name = list.name;
            let rows = result.get(name).and_then(Value::as_array);
            let rows = rows.ok_or_else(|| format!("it has no list `{name}`"))?;
            let is_nameless = |row: &&Value| list.name_of(row).is_none();
            match rows.iter().find(is_nameless) {
                Some(_) => Err(format!("a row of `{name}` has not the names that rows have there")),
                None => Ok(()),
            }
        })
    }
}

impl List {
    /// Two rows with the same name are the same row; of those in one result the first counts.
    fn name_of(&self, row: &Value) -> Option<String> {
        let part = |(pointer, unit): &(&str, &str)| match row.pointer(pointer)? {
            Value::String(text) => Some(format!("{text}{unit}")),
            Value::Number(number) => Some(format!("{number}{unit}")),
            // A name that a row may have and has not.
            Value::Null => Some(String::new()),
            _ => None,
        };
        let parts: Option<Vec<String>> = self.keys.iter().map(part).collect();
        let parts: Vec<String> = parts?.into_iter().filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn rows<'r>(&self, result: &'r Value) -> Vec<(String, &'r Value)> {
        let rows = result.get(self.name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        rows.iter().filter_map(|row| Some((self.name_of(row)?, row))).collect()
    }

    /// In the order of the later result, and then what is gone.
    fn compare(&self, before: &Value, now: &Value) -> Vec<Change> {
        let mut gone = self.rows(before);
        let mut known = BTreeMap::new();
        gone.iter().rev().for_each(|(name, row)| {
            known.insert(name.clone(), *row);
        });
        let now = self.rows(now);
        gone.retain(|(name, _)| now.iter().all(|(other, _)| other != name));
        let mut changes = Vec::new();
        for (row, value) in now {
            match known.get(&row) {
                Some(before) => changes.extend(self.figures_that_changed(&row, before, value)),
                None => changes.push(Change { row: self.described(row, value), what: What::New }),
            }
        }
        let is_gone = |(row, value)| Change { row: self.described(row, value), what: What::Gone };
        changes.extend(gone.into_iter().map(is_gone));
        changes
    }

    fn described(&self, name: String, row: &Value) -> String {
        match self.told.and_then(|pointer| row.pointer(pointer)).and_then(Value::as_str) {
            Some(text) => format!("{name}: {text}"),
            None => name,
        }
    }

    fn figures_that_changed(&self, row: &str, before: &Value, now: &Value) -> Vec<Change> {
        let figures = self.figures.iter().filter_map(|figure| {
            let of = |row: &Value| row.pointer(figure.pointer).and_then(Value::as_f64);
            let (before, now) = (of(before)?, of(now)?);
            let what = What::Figure { name: figure.name, unit: figure.unit, before, now };
            figure.unit.differs(before, now).then_some(Change { row: row.to_owned(), what })
        });
        figures.collect()
    }
}

/// A circumstance in words; what was not written down is unknown.
fn words(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "unknown".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            values.iter().map(|value| words(Some(value))).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Object(fields)) => {
            let field = |(name, value): (&String, &Value)| format!("{name}={}", words(Some(value)));
            fields.iter().map(field).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}
