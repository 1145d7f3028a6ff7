//! [`Settings`]: what a project says in `kael.toml`.
//!
//! ```toml
//! [review]
//! no-runtimes = ["tokio", "async-std", "mio"]   # none of them may be in the tree
//! exclude = ["src/generated"]                   # folders and files that are left out
//!
//! [review.rules]
//! copy-loop = "allow"                           # or "warn", "deny"
//! ```

use super::{TomlFile, toml_file::Value};
use crate::fail::Fail;
use crate::review::finding::{Finding, Text};
use crate::review::table::{Level, RULES, rule};
use std::cell::Cell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[derive(Default)]
pub(crate) struct Settings {
    levels: Vec<(&'static str, Level)>,
    excluded: Vec<Excluded>,
    pub(crate) no_runtimes: Vec<String>,
    text: Option<Rc<Text>>,
}

struct Excluded {
    path: PathBuf,
    range: Range<usize>,
    is_used: Cell<bool>,
}

impl Settings {
    pub(crate) fn read(path: &Path) -> Result<Settings, Fail> {
        let file = TomlFile::read(path)?;
        let mut settings = Settings { text: Some(file.text.clone()), ..Settings::default() };
        let folder = path.parent().unwrap_or(Path::new(""));
        // Other tables belong to other commands.
        for entry in file.root.get("review").map(Value::table).unwrap_or_default() {
            match entry.key.as_str() {
                "rules" => settings.levels = levels(&file, &entry.value)?,
                "no-runtimes" => settings.no_runtimes = texts(&file, &entry.value)?,
                "exclude" => {
                    texts(&file, &entry.value)?;
                    settings.excluded =
                        entry.value.list().iter().map(|value| excluded(folder, value)).collect();
                }
                key => {
                    let what = format!(
                        "`{key}` is not known: there are `rules`, `no-runtimes` and `exclude`"
                    );
                    return Err(file.wrong(&entry.range, &what));
                }
            }
        }
        Ok(settings)
    }

    pub(crate) fn level(&self, name: &str) -> Level {
        let set = self.levels.iter().find(|(rule, _)| *rule == name).map(|(_, level)| *level);
        set.or_else(|| rule(name).map(|rule| rule.level)).unwrap_or(Level::Deny)
    }

    pub(crate) fn excludes(&self, path: &Path) -> bool {
        let whole = whole(path);
        let mut excludes = false;
        for excluded in self.excluded.iter().filter(|excluded| whole.starts_with(&excluded.path)) {
            excluded.is_used.set(true);
            excludes = true;
        }
        excludes
    }

    /// What is left out and was never there.
    pub(crate) fn unused(&self) -> impl Iterator<Item = Finding> {
        let unused = self.excluded.iter().filter(|excluded| !excluded.is_used.get());
        unused.filter_map(|excluded| {
            Some(Finding {
                rule: "bad-exception",
                file: self.text.clone()?,
                range: excluded.range.clone(),
                message: "no file of the project lies there".to_owned(),
                remedy: "take it out of `exclude`".to_owned(),
                related: None,
            })
        })
    }
}

fn excluded(folder: &Path, value: &Value) -> Excluded {
    let path = whole(&folder.join(value.text().unwrap_or("")));
    Excluded { path, range: value.range.clone(), is_used: Cell::new(false) }
}

/// From the root of the file system, so that paths can be compared.
fn whole(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| super::plain(path))
}

fn texts(file: &TomlFile, value: &Value) -> Result<Vec<String>, Fail> {
    let texts: Option<Vec<String>> =
        value.list().iter().map(|value| value.text().map(str::to_owned)).collect();
    match texts.filter(|texts| !texts.is_empty()) {
        Some(texts) => Ok(texts),
        None => Err(file.wrong(&value.range, "this must be a list of texts, `[\"..\"]`")),
    }
}

fn levels(file: &TomlFile, value: &Value) -> Result<Vec<(&'static str, Level)>, Fail> {
    let mut levels = Vec::new();
    for entry in value.table() {
        let Some(rule) = rule(&entry.key) else {
            let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
            let what = format!("`{}` is no rule; the rules are {}", entry.key, names.join(", "));
            return Err(file.wrong(&entry.range, &what));
        };
        let level = entry.value.text().and_then(Level::parse).ok_or_else(|| {
            file.wrong(&entry.value.range, "a level is \"deny\", \"warn\" or \"allow\"")
        })?;
        levels.push((rule.name, level));
    }
    Ok(levels)
}
