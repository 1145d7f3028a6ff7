//! [`Manifest`]: what a Cargo.toml says of its package: its targets, its dependencies, the members of its workspace.

use super::{Package, TomlFile, toml_file::Value};
use crate::fail::Fail;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(crate) struct Manifest {
    pub(crate) folder: PathBuf,
    file: TomlFile,
    pub(crate) is_workspace: bool,
    /// `[workspace.dependencies]`
    pub(crate) inherited: Vec<Dependency>,
}

#[derive(Clone)]
pub(crate) struct Dependency {
    /// Its name in this package's code.
    pub(crate) alias: String,
    /// The package's own name, as Cargo.lock has it.
    pub(crate) package: String,
    /// The package's own name as code would write it.
    pub(crate) in_code: String,
    pub(crate) is_dev: bool,
    path: Option<String>,
    /// Where the key stands in Cargo.toml.
    pub(crate) range: Range<usize>,
}

impl Manifest {
    pub(crate) fn read(folder: &Path) -> Result<Manifest, Fail> {
        let file = TomlFile::read(&folder.join("Cargo.toml"))?;
        let workspace = file.root.get("workspace");
        let is_workspace = workspace.is_some();
        let inherited = workspace.and_then(|it| it.get("dependencies"));
        let inherited = inherited.map(|it| dependencies(it, false)).unwrap_or_default();
        Ok(Manifest { folder: folder.to_owned(), is_workspace, inherited, file })
    }

    /// The folders of the workspace's members.
    pub(crate) fn members(&self) -> Result<Vec<PathBuf>, Fail> {
        let list = |key| self.file.root.at(key).map(Value::list).unwrap_or_default();
        let excluded: Vec<PathBuf> = list("workspace.exclude")
            .iter()
            .filter_map(Value::text)
            .map(|path| super::plain(&self.folder.join(path)))
            .collect();
        let mut members = Vec::new();
        for member in list("workspace.members") {
            let Some(text) = member.text() else { continue };
            let folder = glob::Pattern::escape(&self.folder.to_string_lossy());
            let pattern = Path::new(&folder).join(text);
            let found = glob::glob(&pattern.to_string_lossy()).map_err(|error| {
                self.file.wrong(&member.range, &format!("`{text}` is no pattern of paths: {error}"))
            })?;
            members.extend(found.flatten().filter(|path| path.is_dir()));
        }
        members.retain(|path| !excluded.contains(&super::plain(path)));
        members.sort();
        Ok(members)
    }

    /// The folders of dependencies that are named by path.
    pub(crate) fn path_dependencies(&self) -> impl Iterator<Item = PathBuf> {
        let all = self.dependencies(&[]);
        all.into_iter().filter_map(|dependency| dependency.path.map(|path| self.folder.join(path)))
    }

    /// None of a workspace without a package of its own.
    pub(crate) fn package(self, inherited: &[Dependency], with_tests: bool) -> Option<Package> {
        let name = self.file.root.at("package.name")?.text()?.to_owned();
        let dependencies = self.dependencies(inherited);
        let roots = self.roots(with_tests);
        Some(Package { name, dependencies, roots, manifest: Some(self.file) })
    }

    fn dependencies(&self, inherited: &[Dependency]) -> Vec<Dependency> {
        let root = &self.file.root;
        let targets = root.get("target").map(Value::table).unwrap_or_default();
        let mut all = Vec::new();
        for place in std::iter::once(root).chain(targets.iter().map(|entry| &entry.value)) {
            let kinds = [
                ("dependencies", false),
                ("build-dependencies", false),
                ("dev-dependencies", true),
            ];
            for (key, is_dev) in kinds {
                all.extend(place.get(key).map(|it| dependencies(it, is_dev)).unwrap_or_default());
            }
        }
        for dependency in &mut all {
            if let Some(from) = inherited.iter().find(|it| it.alias == dependency.alias)
                && dependency.package == dependency.alias.replace('_', "-")
            {
                dependency.package.clone_from(&from.package);
                dependency.in_code.clone_from(&from.in_code);
            }
        }
        all
    }

    /// The files at which the compiler begins: those that are named, and those that Cargo finds.
    fn roots(&self, with_tests: bool) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> = Vec::new();
        let mut named = |key: &str| {
            for target in self.targets(key) {
                roots.extend(
                    target.get("path").and_then(Value::text).map(|path| self.folder.join(path)),
                );
            }
        };
        named("lib");
        named("bin");
        if with_tests {
            ["test", "bench", "example"].into_iter().for_each(named);
        }
        for file in ["src/lib.rs", "src/main.rs"] {
            roots.push(self.folder.join(file));
        }
        roots.extend(crates_in(&self.folder.join("src/bin")));
        if with_tests {
            for folder in ["tests", "benches", "examples"] {
                roots.extend(crates_in(&self.folder.join(folder)));
            }
            let build = self.file.root.at("package.build").and_then(Value::text);
            roots.push(self.folder.join(build.unwrap_or("build.rs")));
        }
        roots.retain(|path| path.is_file());
        roots.sort();
        roots.dedup();
        roots
    }

    /// `[lib]` is one, `[[bin]]` are several.
    fn targets(&self, key: &str) -> &[Value] {
        match self.file.root.get(key) {
            Some(value) if value.list().is_empty() => std::slice::from_ref(value),
            Some(value) => value.list(),
            None => &[],
        }
    }
}

/// `x.rs` and `x/main.rs` of a folder.
fn crates_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .map(|entry| entry.path())
        .map(|path| if path.is_dir() { path.join("main.rs") } else { path })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn dependencies(table: &Value, is_dev: bool) -> Vec<Dependency> {
    table
        .table()
        .iter()
        .map(|entry| {
            let text = |key: &str| entry.value.get(key).and_then(Value::text).map(str::to_owned);
            let package = text("package").unwrap_or_else(|| entry.key.clone());
            Dependency {
                alias: entry.key.replace('-', "_"),
                in_code: package.replace('-', "_"),
                package,
                is_dev,
                path: text("path"),
                range: entry.range.clone(),
            }
        })
        .collect()
}
