//! `kael review`: reads a Cargo project and lists what its async code does that costs more than it must, or that stops or
//! loses something. Nothing is run and nothing is built.
//!
//! ```text
//!   project/     what is reviewed: packages, files, Cargo.lock, kael.toml
//!   code/        a file as a tree with names, types and contexts      rules/ runtimes   what is looked for
//!   table        the rules: level, summary, reason                    exceptions        what a comment allows
//!   output/      text, a page, JSON, SARIF, annotations for GitHub
//! ```
//!
//! A rule speaks only of what the file itself shows for certain: an unknown type, name or macro is passed over. So a review
//! misses faults, and what it reports should be one.

mod code;
mod exceptions;
mod finding;
mod output;
mod project;
mod rules;
mod runtimes;
mod table;

use crate::fail::{Fail, doing};
use crate::result;
use code::calls::Calls;
use code::scan::{Of, scan};
use code::source::Source;
use exceptions::Exceptions;
use finding::Finding;
use output::Format;
use project::{Modules, Package, Project};
use std::io::{self, Write};
use std::path::PathBuf;
use table::Level;

/// List what blocks, wastes or loses in a project's async code
///
/// Reads the project and runs nothing. Exit status: 0 if there is no finding, 1 if there is one, 2 if something could not be
/// read. Levels and exceptions: `kael.toml`, or `// kael: allow(RULE): REASON` on the line or the one before.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder of a Cargo project, or one file that ends in .rs
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// What has changed since an earlier result, which was written with --format json
    #[arg(long, value_name = "FILE.json")]
    against: Option<PathBuf>,
    /// Tests, benchmarks, examples and build scripts, too
    #[arg(long)]
    tests: bool,
    /// List the rules instead
    #[arg(long)]
    rules: bool,
}

/// The parser and the pass go as deep as expressions lie in each other; `code/source.rs` bounds that. Of this memory only
/// what is used is taken.
pub(crate) const STACK_BYTES: usize = 256 << 20;

/// What came of it.
struct Reviewed {
    findings: Vec<Finding>,
    files: usize,
    /// Files that could not be read, and why not.
    unread: Vec<(String, String)>,
}

pub(crate) fn run(options: Options) -> Result<(), Fail> {
    if options.rules {
        return Ok(output::write(&output::rules())?);
    }
    let thread = std::thread::Builder::new().name("review".to_owned()).stack_size(STACK_BYTES);
    let review = thread.spawn(move || review_and_write(&options)).map_err(doing("no thread"))?;
    review.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn review_and_write(options: &Options) -> Result<(), Fail> {
    if options.against.is_some() && !options.format.compares() {
        return Err(Fail::Use("--against goes with --format text, json and html".to_owned()));
    }
    let earlier = result::earlier::<output::Found<'_>>(options.against.as_deref())?;
    let project = Project::open(&options.path, options.tests)?;
    let reviewed = review(&project)?;
    let found = output::Found { reviewed: &reviewed, settings: &project.settings };
    output::write(&options.format.of(&found, earlier.as_ref()))?;
    for (file, reason) in &reviewed.unread {
        writeln!(io::stderr(), "kael: {file}: {reason}")?;
    }
    if !reviewed.unread.is_empty() {
        let (count, files) = (reviewed.unread.len(), number(reviewed.files, "file"));
        return Err(Fail::Use(format!("{count} of {files} could not be read")));
    }
    match reviewed.findings.len() {
        0 => Ok(()),
        count => {
            let level = |finding: &Finding| project.settings.level(finding.rule);
            let denied = reviewed.findings.iter().filter(|it| level(it) == Level::Deny).count();
            let (findings, files) = (number(count, "finding"), number(reviewed.files, "file"));
            Err(Fail::Work(format!("{findings} in {files}, {denied} denied")))
        }
    }
}

/// `1 file`, `2 files`
fn number(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn review(project: &Project) -> Result<Reviewed, Fail> {
    let mut reviewed =
        Reviewed { findings: runtimes::review(project), files: 0, unread: Vec::new() };
    let mut exceptions = Vec::new();
    let mut modules = Modules::new(project.with_tests);
    for package in &project.packages {
        for root in &package.roots {
            modules.add_root(root.clone());
            review_crate(project, package, &mut modules, &mut exceptions, &mut reviewed)?;
        }
    }
    exceptions::apply(exceptions, &mut reviewed.findings);
    reviewed.findings.extend(project.settings.unused());
    reviewed.findings.retain(|finding| project.settings.level(finding.rule) != Level::Allow);
    let key = |finding: &Finding| (finding.file.path.clone(), finding.range.start, finding.rule);
    reviewed.findings.sort_by_key(key);
    reviewed.findings.dedup_by_key(|finding| key(finding));
    Ok(reviewed)
}

/// Looks at one file after another: where a finding stands is known only until the next is read.
fn review_crate(
    project: &Project,
    package: &Package,
    modules: &mut Modules,
    exceptions: &mut Vec<Exceptions>,
    reviewed: &mut Reviewed,
) -> Result<(), Fail> {
    let (runtime, renamed, with_tests) = (package.runtime(), package.renamed(), project.with_tests);
    let mut calls = Calls::default();
    while let Some(module) = modules.next() {
        if modules.given() > project::MOST_FILES {
            let most = project::MOST_FILES;
            return Err(Fail::Use(format!("more than {most} files: review one package at a time")));
        }
        if project.settings.excludes(&module.path) {
            continue;
        }
        reviewed.files += 1;
        let name = project::shown(&module.path);
        match Source::read(&module.path, name.clone()) {
            Ok(source) => {
                modules.follow(&module, &source.tree.items);
                exceptions.extend(exceptions::read(&source));
                let of = Of { module: &module.name, runtime, renamed: &renamed, with_tests };
                reviewed.findings.extend(scan(&source, &of, &mut calls));
            }
            Err(reason) => reviewed.unread.push((name, reason)),
        }
    }
    let through_others =
        calls.findings(|it| exceptions::allow(exceptions, &it.file, it.rule, it.line));
    reviewed.findings.extend(through_others);
    Ok(())
}
