//! [`Lock`]: the tree of packages in Cargo.lock, and by which way one of them came into it.

use super::TomlFile;
use super::toml_file::Value;
use crate::fail::Fail;
use crate::review::finding::Text;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

pub(crate) struct Lock {
    pub(crate) text: Rc<Text>,
    packages: Vec<Locked>,
    by_name: HashMap<String, Vec<usize>>,
}

struct Locked {
    name: String,
    version: String,
    /// Where its name stands.
    range: Range<usize>,
    /// `name`, `name version` or `name version (source)`.
    dependencies: Vec<String>,
}

impl Lock {
    pub(crate) fn read(path: &Path) -> Result<Lock, Fail> {
        let file = TomlFile::read(path)?;
        let listed = file.root.get("package").map(Value::list).unwrap_or_default();
        let packages: Vec<Locked> = listed.iter().filter_map(locked).collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, package) in packages.iter().enumerate() {
            by_name.entry(package.name.clone()).or_default().push(index);
        }
        Ok(Lock { text: file.text, packages, by_name })
    }

    fn find(&self, dependency: &str) -> Vec<usize> {
        let mut words = dependency.split(' ');
        let named = words.next().and_then(|name| self.by_name.get(name));
        let version = words.next();
        let fits = |index: &&usize| version.is_none_or(|it| self.packages[**index].version == it);
        named.into_iter().flatten().filter(fits).copied().collect()
    }

    /// The shortest way from one of `roots` to the package `wanted`, both included, and where the lock file names it.
    pub(crate) fn way(&self, roots: &[&str], wanted: &str) -> Option<(Vec<&str>, Range<usize>)> {
        let mut from: HashMap<usize, Option<usize>> = HashMap::new();
        let mut open = VecDeque::new();
        for root in roots.iter().flat_map(|root| self.find(root)) {
            if from.insert(root, None).is_none() {
                open.push_back(root);
            }
        }
        while let Some(index) = open.pop_front() {
            let package = &self.packages[index];
            if package.name == wanted {
                return Some((self.back(&from, index), package.range.clone()));
            }
            for next in package.dependencies.iter().flat_map(|name| self.find(name)) {
                if let std::collections::hash_map::Entry::Vacant(place) = from.entry(next) {
                    place.insert(Some(index));
                    open.push_back(next);
                }
            }
        }
        None
    }

    fn back(&self, from: &HashMap<usize, Option<usize>>, end: usize) -> Vec<&str> {
        let mut way = Vec::new();
        let mut next = Some(end);
        while let Some(index) = next {
            way.push(self.packages[index].name.as_str());
            next = from.get(&index).copied().flatten();
        }
        way.reverse();
        way
    }
}

fn locked(value: &Value) -> Option<Locked> {
    let name = value.get("name")?;
    let dependencies = value.get("dependencies").map(Value::list).unwrap_or_default();
    Some(Locked {
        name: name.text()?.to_owned(),
        version: value.get("version")?.text()?.to_owned(),
        range: name.range.clone(),
        dependencies: dependencies.iter().filter_map(Value::text).map(str::to_owned).collect(),
    })
}
