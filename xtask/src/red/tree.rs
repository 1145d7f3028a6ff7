//! The copy of the working tree in which mutants live.
//!
//! It is kept between runs, and a file is written only when its bytes differ: cargo goes by modification times, and an
//! untouched copy means that nothing is built twice.

use super::Mutant;
use crate::workspace;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// The copy with this number: each has one user at a time.
    pub(crate) fn copy_of_the_working_tree(number: usize) -> Result<Tree, String> {
        let tree = Tree { folder: workspace::root().join(format!("target/red/{number}/tree")) };
        let files = workspace::files()?;
        for file in &files {
            tree.copy(file)?;
        }
        // What has been deleted or renamed since the last run must not be built.
        tree.remove_others(&tree.folder, &files)
            .map_err(|error| format!("{}: {error}", tree.folder.display()))?;
        Ok(tree)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Build folders lie beside the tree, not in it, so that the copy stays a copy.
    pub(crate) fn builds(&self) -> PathBuf {
        self.folder.with_file_name("build")
    }

    pub(crate) fn apply(&self, mutant: &Mutant) -> Result<(), String> {
        apply(&self.folder, mutant, &[])
    }

    /// Takes the mutant's files back from the working tree; a file that the mutant made goes away.
    pub(crate) fn restore(&self, mutant: &Mutant) -> Result<(), String> {
        for file in &mutant.changes {
            if workspace::root().join(file).is_file() {
                self.copy(file)?;
            } else if self.folder.join(file).exists() {
                fs::remove_file(self.folder.join(file))
                    .map_err(|error| format!("{file}: {error}"))?;
            }
        }
        Ok(())
    }

    fn copy(&self, file: &str) -> Result<(), String> {
        let copy = || -> io::Result<()> {
            let bytes = fs::read(workspace::root().join(file))?;
            let target = self.folder.join(file);
            if fs::read(&target).is_ok_and(|present| present == bytes) {
                return Ok(());
            }
            fs::create_dir_all(target.parent().expect("a file in the tree has a parent"))?;
            fs::write(target, bytes)
        };
        copy().map_err(|error| format!("copying {file} to {}: {error}", self.folder.display()))
    }

    fn remove_others(&self, folder: &Path, files: &[String]) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.remove_others(&path, files)?;
                continue;
            }
            let name = path
                .strip_prefix(&self.folder)
                .expect("it lies in the tree")
                .to_string_lossy()
                .into_owned();
            if files.binary_search(&name).is_err() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Whether the mutant applies to the working tree, without applying it.
pub(crate) fn applies(mutant: &Mutant) -> Result<(), String> {
    apply(&workspace::root(), mutant, &["--check"])
}

fn apply(folder: &Path, mutant: &Mutant, options: &[&str]) -> Result<(), String> {
    let output = Command::new("git")
        .arg("apply")
        .args(options)
        .arg(workspace::root().join(&mutant.file))
        .current_dir(folder)
        // The tree lies in an ignored folder of the repository, and there git would leave the patch out without a word.
        .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder))
        .output()
        .map_err(|error| format!("git could not be started: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
