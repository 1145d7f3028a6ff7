//! Runtimes that the project says it wants none of (`no-runtimes` in kael.toml), by its manifests and its Cargo.lock.

use super::finding::Finding;
use super::project::{Package, Project};

const RULE: &str = "unwanted-runtime";

pub(super) fn review(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in &project.settings.no_runtimes {
        let direct: Vec<Finding> =
            project.packages.iter().filter_map(|package| direct(project, package, name)).collect();
        if direct.is_empty() {
            findings.extend(through_others(project, name));
        }
        findings.extend(direct);
    }
    findings
}

/// Dependencies of tests are not of the product.
fn counts(project: &Project, is_dev: bool) -> bool {
    project.with_tests || !is_dev
}

fn direct(project: &Project, package: &Package, name: &str) -> Option<Finding> {
    let dependency =
        package.dependencies.iter().find(|it| it.package == name && counts(project, it.is_dev))?;
    Some(Finding {
        rule: RULE,
        file: package.manifest.as_ref()?.text.clone(),
        range: dependency.range.clone(),
        message: format!("`{}` depends on {name}, which kael.toml excludes", package.name),
        remedy: format!("take {name} out, or out of `no-runtimes`"),
        related: None,
    })
}

fn through_others(project: &Project, name: &str) -> Option<Finding> {
    let lock = project.lock.as_ref()?;
    let all = project.packages.iter().flat_map(|package| &package.dependencies);
    let roots: Vec<&str> =
        all.filter(|it| counts(project, it.is_dev)).map(|it| it.package.as_str()).collect();
    let (way, range) = lock.way(&roots, name)?;
    Some(Finding {
        rule: RULE,
        file: lock.text.clone(),
        range,
        message: format!("{name}, which kael.toml excludes, is in the tree: {}", way.join(" → ")),
        remedy: format!("replace {}, or switch off the feature of it that needs {name}", way[0]),
        related: None,
    })
}
