//! Interleaved rounds, medians, and ratios that are paired by round.
//!
//! On a shared machine the speed drifts by a factor of two between hours. Two programs of one round ran within seconds
//! of each other: their ratio holds. So a ratio is the median of the rounds' ratios, not the ratio of two medians.

use std::io::IsTerminal;

use crate::process::Figures;
use crate::programs::{Program, Role};

/// `figures[program][round]`; a run that failed has none.
pub(crate) struct Results {
    pub(crate) programs: Vec<Program>,
    figures: Vec<Vec<Option<Figures>>>,
    pub(crate) failures: usize,
}

impl Results {
    /// Runs every program once a round, A B C A B C, in an order that begins elsewhere in each round.
    pub(crate) fn interleave(
        programs: Vec<Program>,
        rounds: usize,
        mut run: impl FnMut(&Program) -> Result<Figures, String>,
    ) -> Results {
        let count = programs.len();
        let mut results =
            Results { figures: vec![vec![None; rounds]; count], programs, failures: 0 };
        for round in 0..rounds {
            for place in 0..count {
                let index = (place + round * 5) % count;
                let program = &results.programs[index];
                progress(&format!("round {} of {rounds}: {}", round + 1, program.name));
                match run(program) {
                    Ok(figures) => results.figures[index][round] = Some(figures),
                    Err(error) => {
                        progress("");
                        eprintln!("{}: {error}", program.name);
                        results.failures += 1;
                    }
                }
            }
        }
        progress("");
        results
    }

    /// Takes the figures of the same programs and rounds in, beside its own.
    pub(crate) fn merge(&mut self, other: Results) {
        self.failures += other.failures;
        for program in other.programs.iter().zip(other.figures) {
            let (Some(index), rounds) = (self.index(program.0.key), program.1) else { continue };
            for (mine, theirs) in self.figures[index].iter_mut().zip(rounds) {
                match (mine, theirs) {
                    (Some(mine), Some(theirs)) => mine.extend(theirs),
                    (mine, theirs) => *mine = mine.take().or(theirs),
                }
            }
        }
    }

    /// Results with no figures yet, to merge others into.
    pub(crate) fn empty(programs: Vec<Program>, rounds: usize) -> Results {
        Results { figures: vec![vec![None; rounds]; programs.len()], programs, failures: 0 }
    }

    fn value(&self, index: usize, round: usize, figure: &str) -> Option<f64> {
        self.figures[index][round].as_ref()?.get(figure).copied()
    }

    fn rounds(&self) -> usize {
        self.figures.first().map_or(0, Vec::len)
    }

    fn values(&self, index: usize, figure: &str) -> Vec<f64> {
        (0..self.rounds()).filter_map(|round| self.value(index, round, figure)).collect()
    }

    pub(crate) fn index(&self, key: &str) -> Option<usize> {
        self.programs.iter().position(|program| program.key == key)
    }

    pub(crate) fn median(&self, index: usize, figure: &str) -> Option<f64> {
        median(self.values(index, figure))
    }

    /// The median of the rounds' ratios.
    pub(crate) fn ratio(&self, index: usize, base: usize, figure: &str) -> Option<f64> {
        let ratios = (0..self.rounds()).filter_map(|round| {
            let ratio = self.value(index, round, figure)? / self.value(base, round, figure)?;
            ratio.is_finite().then_some(ratio)
        });
        median(ratios.collect())
    }

    /// The peer whose median is the least.
    pub(crate) fn best_peer(&self, figure: &str) -> Option<usize> {
        let peers =
            (0..self.programs.len()).filter(|&index| self.programs[index].role == Role::Peer);
        let medians = peers.filter_map(|index| Some((index, self.median(index, figure)?)));
        medians.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
    }

    /// The names of all figures, each once.
    pub(crate) fn figure_names(&self) -> Vec<String> {
        let mut names = std::collections::BTreeSet::new();
        for figures in self.figures.iter().flatten().flatten() {
            names.extend(figures.keys().cloned());
        }
        names.into_iter().collect()
    }

    /// `median [min..max]`
    pub(crate) fn spread(&self, index: usize, figure: &str) -> String {
        let values = self.values(index, figure);
        let least = values.iter().copied().reduce(f64::min);
        let most = values.iter().copied().reduce(f64::max);
        match (median(values), least, most) {
            (Some(median), Some(least), Some(most)) => {
                format!("{} [{}..{}]", short(median), short(least), short(most))
            }
            _ => "-".to_owned(),
        }
    }

    /// Prints one row a program: the spread of `main`, its ratios to each floor and to the best peer, and the medians
    /// of `others`. Each figure is (name, heading).
    pub(crate) fn print(&self, title: &str, main: (&str, &str), others: &[(&str, &str)]) {
        let (figure, heading) = main;
        let floors: Vec<usize> = (0..self.programs.len())
            .filter(|&index| self.programs[index].role == Role::Floor)
            .collect();
        let best = self.best_peer(figure);

        let mut head = vec!["program".to_owned(), format!("{heading}: median [min..max]")];
        head.extend(floors.iter().map(|&floor| format!("to {}", self.programs[floor].name)));
        head.extend(best.map(|best| format!("to the best peer ({})", self.programs[best].name)));
        head.extend(others.iter().map(|(_, heading)| (*heading).to_owned()));

        println!("\n### {title}\n");
        println!("| {} |", head.join(" | "));
        println!("|{}", "---|".repeat(head.len()));
        for (index, program) in self.programs.iter().enumerate() {
            let mut row = vec![program.name.to_owned(), self.spread(index, figure)];
            for &base in floors.iter().chain(&best) {
                row.push(ratio_cell(self.ratio(index, base, figure)));
            }
            row.extend(
                others
                    .iter()
                    .map(|(figure, _)| self.median(index, figure).map_or("-".to_owned(), short)),
            );
            println!("| {} |", row.join(" | "));
        }
    }
}

/// One line on stderr, written over by the next; nothing where stderr is no terminal.
fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

pub(crate) fn ratio_cell(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 0 => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

/// Four digits are more than the machine's noise allows.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        size if size >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    fn figures(value: f64) -> Result<Figures, String> {
        Ok(Figures::from([("cost".to_owned(), value)]))
    }

    #[test]
    fn a_ratio_is_paired_by_round() {
        let programs = programs::echo();
        let before_the_last_round = 2 * programs.len();
        let mut calls = 0;
        let results = Results::interleave(programs, 3, |program| {
            calls += 1;
            // The whole machine becomes ten times slower in the last round, which no ratio may show.
            let drift = if calls > before_the_last_round { 10.0 } else { 1.0 };
            figures(drift * if program.key == "kael" { 3.0 } else { 2.0 })
        });
        let (kael, floor) = (results.index("kael").unwrap(), results.index("c-oneshot").unwrap());
        assert_eq!(results.ratio(kael, floor, "cost"), Some(1.5));
        assert_eq!(results.failures, 0);
    }

    #[test]
    fn a_failed_round_is_left_out_of_the_median_and_counted() {
        let programs = programs::micro();
        let mut calls = 0;
        let results = Results::interleave(programs, 2, |_| {
            calls += 1;
            if calls == 1 { Err("it did not start".to_owned()) } else { figures(4.0) }
        });
        assert_eq!(results.failures, 1);
        assert_eq!(results.median(0, "cost"), Some(4.0));
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }
}
