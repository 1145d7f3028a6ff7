//! [`ScratchDir`]: the folder of the files under test. It is removed at the end, after a panic, and on a signal.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) struct ScratchDir {
    path: PathBuf,
    names: Cell<u64>,
}

impl ScratchDir {
    /// A new folder in `parent`.
    pub(crate) fn new(parent: &Path) -> io::Result<ScratchDir> {
        let path = parent.join(format!(".kael-analyze-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(ScratchDir { path, names: Cell::new(0) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A path that nothing has yet.
    pub(crate) fn fresh_path(&self) -> PathBuf {
        let number = self.names.replace(self.names.get() + 1);
        self.path(&format!("n{number}"))
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the folder with all that is in it. What cannot be removed is named.
pub(crate) fn remove(path: &Path) {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            eprintln!("kael: {} is left: {error}", path.display());
        }
        _ => {}
    }
}
