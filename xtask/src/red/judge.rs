//! Reads what a test program printed: did the named test run, and did it fail by an assertion of its own?

use super::TestCommand;
use crate::process::Ended;
use std::fmt;

pub(crate) enum Verdict {
    /// The named test ran and passed: with a mutant applied, the mutant stayed green.
    Passed,
    /// The named test failed by an assertion, whose text this is.
    Red(String),
    /// Anything else, which proves nothing.
    Unusable(String),
}

impl Verdict {
    pub(crate) fn is_red(&self) -> bool {
        matches!(self, Verdict::Red(_))
    }

    pub(crate) fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "NO",
            Verdict::Red(_) => "red",
            Verdict::Unusable(_) => "UNUSABLE",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => f.write_str("passes"),
            Verdict::Red(assertion) => write!(f, "red ({assertion})"),
            Verdict::Unusable(reason) => write!(f, "unusable: {reason}"),
        }
    }
}

/// A test's own watchdog uses these words, and a time limit is not an assertion about the mutant.
const TIME_LIMIT_WORDS: &[&str] = &["time limit", "timed out"];

pub(super) fn judge(test: &TestCommand, ended: &Ended) -> Verdict {
    if ended.status.is_none() {
        return Verdict::Unusable(ended.verdict());
    }
    let ran: Vec<(&str, &str)> = ended
        .output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
        .filter(|(name, _)| names(test, name))
        .collect();
    let failed = ran.iter().find(|(_, result)| result.trim() == "FAILED");
    match (failed, ended.success()) {
        (None, true) if ran.iter().any(|(_, result)| result.trim() == "ok") => Verdict::Passed,
        (None, true) => Verdict::Unusable("the named test did not run".to_owned()),
        (None, false) => {
            Verdict::Unusable(format!("the test program ended without a result: {}", ended.tail(3)))
        }
        (Some(_), true) => {
            Verdict::Unusable("a test failed, yet the program exited with 0".to_owned())
        }
        (Some((name, _)), false) => assertion(name, &ended.output),
    }
}

/// The filter is a part of the name for cargo; here it must be its end, so that `r04_a` does not stand for `r04_ab`.
fn names(test: &TestCommand, name: &str) -> bool {
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    name == test.name
        || name.strip_suffix(test.name.as_str()).is_some_and(|before| before.ends_with("::"))
}

/// The first panic in the section that the test program prints for the failed test.
fn assertion(name: &str, output: &str) -> Verdict {
    let mut lines =
        output.lines().skip_while(|line| *line != format!("---- {name} stdout ----")).skip(1);
    let section: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("---- ")).collect();
    let Some(panic) = section.iter().position(|line| line.contains("panicked at ")) else {
        return Verdict::Unusable("the test failed without an assertion".to_owned());
    };
    let message = section.get(panic + 1).map_or("", |line| line.trim());
    if TIME_LIMIT_WORDS.iter().any(|words| message.contains(words)) {
        return Verdict::Unusable(format!("failed by its time limit: {message}"));
    }
    Verdict::Red(message.chars().take(120).collect())
}

/// The compiler's first error line.
pub(super) fn compiler_error(ended: &Ended) -> String {
    let error = ended.output.lines().find(|line| line.starts_with("error"));
    error.map_or_else(|| ended.verdict(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    fn verdict(code: i32, output: &str) -> Verdict {
        let test = TestCommand::parse("cargo test r04_storm").unwrap();
        let status = Some(ExitStatus::from_raw(code << 8));
        judge(&test, &Ended { status, output: output.to_owned(), wall: Duration::ZERO })
    }

    fn failure(name: &str, message: &str) -> String {
        format!(
            "test {name} ... FAILED\n\nfailures:\n\n---- {name} stdout ----\n\nthread '{name}' panicked at a.rs:1:1:\n\
             {message}\n\ntest result: FAILED. 0 passed; 1 failed\n"
        )
    }

    #[test]
    fn an_assertion_of_the_named_test_is_red() {
        assert!(verdict(101, &failure("drop::r04_storm", "assertion failed: a == b")).is_red());
    }

    #[test]
    fn everything_else_is_not() {
        assert!(matches!(verdict(0, "test drop::r04_storm ... ok\n"), Verdict::Passed));
        let others = [
            (0, "running 0 tests\n".to_owned()),
            (101, failure("drop::xr04_storm", "assertion failed")),
            (101, failure("r04_storm", "the test's time limit of 60 s has passed")),
            (101, "test r04_storm ... FAILED\nError: Os { code: 1 }\n".to_owned()),
            (101, "error[E0308]: mismatched types\n".to_owned()),
        ];
        for (code, output) in others {
            assert!(matches!(verdict(code, &output), Verdict::Unusable(_)), "{output}");
        }
    }

    #[test]
    fn a_killed_test_is_not_red() {
        let test = TestCommand::parse("cargo test r04_storm").unwrap();
        let output = failure("r04_storm", "assertion failed");
        assert!(!judge(&test, &Ended { status: None, output, wall: Duration::ZERO }).is_red());
    }
}
