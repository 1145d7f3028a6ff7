//! A file is one idea, so it is short. Longer ones are named with their length, which may only become less.

use super::exceptions::{LINES, LONGER, MEDIAN_LINES};
use super::{Report, Repository};

pub(super) fn check(repository: &Repository, report: &mut Report) {
    let mut lengths = Vec::new();
    for source in &repository.sources {
        let lines = source.lines_of_code();
        lengths.push(lines);
        let longer = LONGER.iter().find(|(path, ..)| *path == source.path);
        let limit = longer.map_or(LINES, |(_, limit, _)| *limit);
        if lines > limit {
            report.problem(&source.path, format!("{lines} lines of code, and {limit} are allowed"));
        }
        if longer.is_some() && lines <= LINES {
            report.problem(&source.path, format!("{lines} lines of code: no longer an exception"));
        }
    }
    for (path, ..) in LONGER {
        if repository.source(path).is_none() {
            report.problem(path, "is an exception for its length and does not exist");
        }
    }
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let longest = lengths.last().copied().unwrap_or(0);
    report
        .note(format!("{} files, median {median} lines of code, longest {longest}", lengths.len()));
    if median >= MEDIAN_LINES {
        report.problem(
            "all files",
            format!("the median is {median} lines of code, and must be under {MEDIAN_LINES}"),
        );
    }
}
