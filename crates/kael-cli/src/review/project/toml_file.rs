//! [`TomlFile`]: a TOML text as a tree in which each value knows where it stands.

use crate::fail::Fail;
use crate::review::code::source::read_text;
use crate::review::finding::Text;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) struct TomlFile {
    pub(crate) text: Rc<Text>,
    pub(crate) root: Value,
}

#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) range: Range<usize>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Text(String),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// Flags, numbers and dates, which no file that is read here needs.
    Other,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) range: Range<usize>,
    pub(crate) value: Value,
}

impl TomlFile {
    pub(crate) fn read(path: &Path) -> Result<TomlFile, Fail> {
        let name = super::shown(path);
        let text = read_text(path).map_err(|error| Fail::Use(format!("{name}: {error}")))?;
        let root = match DeTable::parse(&text) {
            Ok(table) => {
                let range = table.span();
                Value { range, kind: Kind::Table(entries(table.get_ref())) }
            }
            Err(error) => {
                let text = Text { path: name, text: text.clone() };
                let (line, column) = text.position(error.span().map_or(0, |span| span.start));
                let place = format!("{}:{line}:{column}", text.path);
                return Err(Fail::Use(format!("{place}: {}", error.message())));
            }
        };
        Ok(TomlFile { text: Rc::new(Text { path: name, text }), root })
    }

    /// What is wrong at that place, as an error.
    pub(crate) fn wrong(&self, range: &Range<usize>, what: &str) -> Fail {
        let (line, column) = self.text.position(range.start);
        Fail::Use(format!("{}:{line}:{column}: {what}", self.text.path))
    }
}

// The parser bounds how deep tables lie in each other.
fn entries(table: &DeTable) -> Vec<Entry> {
    table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().clone().into_owned(),
            range: key.span(),
            value: read(value),
        })
        .collect()
}

fn read(value: &Spanned<DeValue>) -> Value {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Text(text.clone().into_owned()),
        DeValue::Array(list) => Kind::List(list.iter().map(read).collect()),
        DeValue::Table(table) => Kind::Table(entries(table)),
        _ => Kind::Other,
    };
    Value { range: value.span(), kind }
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> &[Value] {
        match &self.kind {
            Kind::List(list) => list,
            _ => &[],
        }
    }

    /// The entries of a table; of anything else none.
    pub(crate) fn table(&self) -> &[Entry] {
        match &self.kind {
            Kind::Table(table) => table,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.table().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// `a.b.c`
    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, key| value.get(key))
    }
}
