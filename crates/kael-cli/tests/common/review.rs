//! Running `kael review` and reading what it found.

use super::{Folder, PROGRAM, stdout};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn review(path: &Path, options: &[&str]) -> Output {
    Command::new(PROGRAM).arg("review").arg(path).args(options).output().expect("it starts")
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).expect("it is JSON")
}

/// A project with these files.
pub(crate) fn project(name: &str, files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(name);
    for (path, text) in files {
        let path = folder.0.join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }
    folder
}

pub(crate) const MANIFEST: &str =
    "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
pub(crate) const FAULT: &str = "pub async fn f() {\n    std::fs::read(\"x\");\n}\n";

/// File, line and rule of each finding; the files are relative to the project.
#[track_caller]
pub(crate) fn findings(folder: &Folder, options: &[&str]) -> Vec<String> {
    let output = review(&folder.0, &[&["--format", "json"], options].concat());
    let report = json(&output);
    let findings = report["findings"].as_array().expect("it is a list");
    let root = format!("{}/", folder.0.display());
    findings
        .iter()
        .map(|it| {
            let file = it["file"].as_str().expect("it has a file").trim_start_matches(&root);
            format!("{file}:{} {}", it["line"], it["rule"].as_str().expect("it has a rule"))
        })
        .collect()
}
