//! Habits of tests: what is ignored says why, and sleeps are counted, because a test that sleeps guesses.

use super::exceptions::SLEEPS;
use super::{Report, Repository};

pub(super) fn check(repository: &Repository, report: &mut Report) {
    let (mut ignored, mut all_sleeps) = (0, 0);
    for source in &repository.sources {
        for line in source.lines_with("# [ ignore ]") {
            report.problem(format!("{}:{line}", source.path), "#[ignore] without a reason");
        }
        ignored += source.lines_with("# [ ignore =").len();

        let sleeps = source.lines_with("thread : : sleep");
        all_sleeps += sleeps.len();
        let allowed = SLEEPS
            .iter()
            .find(|(path, ..)| *path == source.path)
            .map_or(0, |(_, number, _)| *number);
        if sleeps.len() > allowed {
            let line = sleeps.first().copied().unwrap_or(0);
            let what =
                format!("{} calls of thread::sleep, and {allowed} are allowed", sleeps.len());
            report.problem(format!("{}:{line}", source.path), what);
        }
    }
    for (path, allowed, _) in SLEEPS {
        let sleeps =
            repository.source(path).map_or(0, |source| source.lines_with("thread : : sleep").len());
        if sleeps < *allowed {
            report.problem(
                path,
                format!("{sleeps} calls of thread::sleep: lower the {allowed} in the list"),
            );
        }
    }
    report.note(format!(
        "{ignored} ignored tests with a reason, {all_sleeps} calls of thread::sleep"
    ));
}
