//! [`Project`]: what PATH is: the packages of a Cargo project with their roots and dependencies, or one file. Only files are
//! read; nothing is run, and nothing is looked for outside of the project but the root of its workspace.

mod lock;
mod manifest;
mod modules;
mod settings;
mod toml_file;

pub(crate) use lock::Lock;
pub(crate) use manifest::Dependency;
pub(crate) use modules::{MOST_FILES, Modules};
pub(crate) use settings::Settings;
pub(crate) use toml_file::TomlFile;

use crate::fail::Fail;
use crate::review::code::runtime::Runtime;
use manifest::Manifest;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

pub(crate) struct Project {
    pub(crate) packages: Vec<Package>,
    pub(crate) settings: Settings,
    pub(crate) lock: Option<Lock>,
    /// Whether tests, benchmarks, examples and build scripts belong to it.
    pub(crate) with_tests: bool,
}

pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: Option<TomlFile>,
    pub(crate) dependencies: Vec<Dependency>,
    /// The files at which the compiler begins.
    pub(crate) roots: Vec<PathBuf>,
}

impl Package {
    /// The runtime that it depends on, if it depends on one.
    pub(crate) fn runtime(&self) -> Option<Runtime> {
        Runtime::of(self.dependencies.iter().map(|dependency| dependency.in_code.as_str()))
    }

    /// Dependencies with another name in code: that name, and the crate's own.
    pub(crate) fn renamed(&self) -> Vec<(String, String)> {
        let crate_name = |dependency: &Dependency| dependency.package.replace('-', "_");
        self.dependencies
            .iter()
            .filter(|dependency| dependency.alias != crate_name(dependency))
            .map(|dependency| (dependency.alias.clone(), crate_name(dependency)))
            .collect()
    }
}

impl Project {
    pub(crate) fn open(path: &Path, with_tests: bool) -> Result<Project, Fail> {
        let found = std::fs::metadata(path)
            .map_err(|error| Fail::Use(format!("{}: {error}", path.display())))?;
        let has_name = |name: &str| path.file_name().is_some_and(|file| file == name);
        if found.is_dir() {
            Project::open_folder(path, with_tests)
        } else if has_name("Cargo.toml") {
            Project::open_folder(path.parent().unwrap_or(Path::new("")), with_tests)
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            Ok(Project::of_file(path, with_tests))
        } else {
            Err(not_a_project(path))
        }
    }

    fn of_file(path: &Path, with_tests: bool) -> Project {
        let package = Package {
            name: String::new(),
            manifest: None,
            dependencies: Vec::new(),
            roots: vec![path.to_owned()],
        };
        Project { packages: vec![package], settings: Settings::default(), lock: None, with_tests }
    }

    fn open_folder(folder: &Path, with_tests: bool) -> Result<Project, Fail> {
        if !folder.join("Cargo.toml").is_file() {
            return Err(not_a_project(folder));
        }
        let root = Manifest::read(folder)?;
        let above = workspace_above(folder, &root);
        let find = |name: &str| {
            let nearest = [Some(folder), above.as_deref()].into_iter().flatten();
            nearest.map(|folder| folder.join(name)).find(|path| path.is_file())
        };
        let settings = match find("kael.toml") {
            Some(path) => Settings::read(&path)?,
            None => Settings::default(),
        };
        let lock = find("Cargo.lock").map(|path| Lock::read(&path)).transpose()?;
        let inherited = match &above {
            Some(above) => Manifest::read(above)?.inherited,
            None => Vec::new(),
        };
        let packages = packages(root, inherited, with_tests)?;
        Ok(Project { packages, settings, lock, with_tests })
    }
}

fn not_a_project(path: &Path) -> Fail {
    Fail::Use(format!(
        "{} is not a Cargo project: give a folder with a Cargo.toml, or one file that ends in .rs",
        path.display()
    ))
}

/// The nearest folder above that is a workspace with this package as a member, unless this one is a workspace itself.
fn workspace_above(folder: &Path, manifest: &Manifest) -> Option<PathBuf> {
    if manifest.is_workspace {
        return None;
    }
    let whole = std::fs::canonicalize(folder).ok()?;
    let has_member = |above: &Path| {
        let Ok(workspace) = Manifest::read(above) else { return false };
        let members = workspace.members().unwrap_or_default();
        let mut all = members.into_iter().chain(workspace.path_dependencies());
        workspace.is_workspace
            && all.any(|member| std::fs::canonicalize(member).is_ok_and(|member| member == whole))
    };
    let mut above = whole.ancestors().skip(1).filter(|above| above.join("Cargo.toml").is_file());
    above.find(|above| has_member(above)).map(Path::to_owned)
}

/// The package itself, the members of its workspace, and those that lie in the folder and are depended on by path.
fn packages(
    root: Manifest,
    inherited: Vec<Dependency>,
    with_tests: bool,
) -> Result<Vec<Package>, Fail> {
    let inherited = if root.is_workspace { root.inherited.clone() } else { inherited };
    let top = root.folder.clone();
    let mut open = root.members()?;
    let mut seen: BTreeSet<PathBuf> = BTreeSet::from([plain(&root.folder)]);
    let mut packages = Vec::new();
    let mut next = Some(root);
    loop {
        if let Some(manifest) = next.take() {
            open.extend(
                manifest.path_dependencies().filter(|path| plain(path).starts_with(plain(&top))),
            );
            packages.extend(manifest.package(&inherited, with_tests));
        }
        let Some(folder) = open.pop() else { break };
        if seen.insert(plain(&folder)) && folder.join("Cargo.toml").is_file() {
            next = Some(Manifest::read(&folder)?);
        }
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// Without `.`, and with `..` taken back: what users and tools see.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The path as findings show it, with `/` on every system.
pub(crate) fn shown(path: &Path) -> String {
    plain(path).to_string_lossy().replace('\\', "/")
}
