//! A file of rules as TOML: tables of texts, lists and flags, and errors that name the line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text, for its lines, and what it says.
pub(crate) struct Reader<'t> {
    text: &'t str,
    table: Spanned<DeTable<'t>>,
}

/// One table of it.
pub(crate) struct Entry<'t> {
    text: &'t str,
    start: usize,
    table: &'t DeTable<'t>,
}

impl<'t> Reader<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Reader<'t>, String> {
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            format!("line {}: {}", line(text, start), error.message())
        })?;
        Ok(Reader { text, table })
    }

    pub(crate) fn top(&self) -> Entry<'_> {
        Entry { text: self.text, start: 0, table: self.table.get_ref() }
    }
}

impl<'t> Entry<'t> {
    /// What is wrong, with the line at which this table begins.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> String {
        format!("line {}: {what}", line(self.text, self.start))
    }

    /// The same, with the line of one of its keys.
    pub(crate) fn error_of(&self, key: &str, what: impl std::fmt::Display) -> String {
        let start = self.table.get(key).map_or(self.start, |value| value.span().start);
        format!("line {}: {what}", line(self.text, start))
    }

    /// Refuses keys that nobody reads: a misspelt one would change nothing and say nothing.
    pub(crate) fn only(&self, keys: &[&str]) -> Result<(), String> {
        match self.table.keys().find(|key| !keys.contains(&key.get_ref().as_ref())) {
            Some(key) => {
                Err(format!("`{}` is no key; they are {}", key.get_ref(), keys.join(", ")))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<String, String> {
        self.optional(key)?.ok_or_else(|| format!("it has no `{key}`"))
    }

    pub(crate) fn optional(&self, key: &str) -> Result<Option<String>, String> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        string(key, value).map(Some)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool, String> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(false),
            Some(DeValue::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(format!("`{key}` is neither true nor false")),
        }
    }

    /// Texts; none where there is no such key.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<String>, String> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(Vec::new()),
            Some(DeValue::Array(values)) => values.iter().map(|value| string(key, value)).collect(),
            Some(_) => Err(format!("`{key}` is no list of texts")),
        }
    }

    pub(crate) fn table(&self, key: &str) -> Result<Option<Entry<'t>>, String> {
        self.table.get(key).map(|value| self.entry(key, value)).transpose()
    }

    /// The tables of a list of tables.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<Entry<'t>>, String> {
        match self.table.get(key).map(Spanned::get_ref) {
            None => Ok(Vec::new()),
            Some(DeValue::Array(values)) => {
                values.iter().map(|value| self.entry(key, value)).collect()
            }
            Some(_) => Err(format!("`{key}` is no list of tables")),
        }
    }

    /// The tables of a table of tables, with their names.
    pub(crate) fn tables_by_name(&self, key: &str) -> Result<Vec<(String, Entry<'t>)>, String> {
        let Some(outer) = self.table(key)? else { return Ok(Vec::new()) };
        outer
            .table
            .iter()
            .map(|(name, value)| Ok((name.get_ref().to_string(), self.entry(key, value)?)))
            .collect()
    }

    /// All keys and texts of a table of texts.
    pub(crate) fn strings(&self) -> Result<Vec<(String, String)>, String> {
        self.table
            .iter()
            .map(|(key, value)| Ok((key.get_ref().to_string(), string(key.get_ref(), value)?)))
            .collect()
    }

    fn entry(&self, key: &str, value: &'t Spanned<DeValue<'t>>) -> Result<Entry<'t>, String> {
        match value.get_ref() {
            DeValue::Table(table) => {
                Ok(Entry { text: self.text, start: value.span().start, table })
            }
            _ => Err(format!("`{key}` is no table")),
        }
    }
}

fn string(key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    match value.get_ref() {
        DeValue::String(text) if text.trim().is_empty() => Err(format!("`{key}` is empty")),
        DeValue::String(text) if text.contains(['\n', '\r']) => {
            Err(format!("`{key}` has more than one line"))
        }
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(format!("`{key}` is no text")),
    }
}

fn line(text: &str, start: usize) -> usize {
    text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1
}
