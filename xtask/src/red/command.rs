//! The test command in a mutant's head: `[NAME=VALUE]... cargo test [options] TEST [-- options]`.

use super::tree::Tree;
use crate::workspace;
use std::process::Command;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TestCommand {
    variables: Vec<(String, String)>,
    /// cargo's words from `test` on, without the filter and what follows `--`.
    options: Vec<String>,
    /// The filter: the name of exactly one test, or its whole path.
    pub(crate) name: String,
    /// What follows `--`.
    for_the_test: Vec<String>,
}

/// cargo's options that take the next word as their value.
const WITH_VALUE: &[&str] = &[
    "-p",
    "--package",
    "--test",
    "--example",
    "--features",
    "--target",
    "--profile",
    "-j",
    "--jobs",
    "-F",
];

impl TestCommand {
    pub(crate) fn parse(line: &str) -> Result<TestCommand, String> {
        let words = split(line)?;
        let first = words.iter().position(|word| !is_variable(word)).unwrap_or(words.len());
        let variables = words[..first]
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let rest = match &words[first..] {
            [cargo, test, rest @ ..] if cargo == "cargo" && test == "test" => rest,
            _ => return Err(format!("`{line}` is not a `cargo test` command")),
        };

        let mut options = Vec::new();
        let mut name = None;
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                break;
            } else if WITH_VALUE.contains(&word.as_str()) {
                options.push(word.clone());
                options.push(rest.next().ok_or_else(|| format!("{word} needs a value"))?.clone());
            } else if word.starts_with('-') {
                options.push(word.clone());
            } else if name.replace(word.clone()).is_some() {
                return Err(format!("`{line}` names more than one test"));
            }
        }
        let name = name.ok_or_else(|| format!("`{line}` names no test"))?;
        Ok(TestCommand { variables, options, name, for_the_test: rest.cloned().collect() })
    }

    /// The test function's own name, without the modules before it.
    pub(crate) fn function(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }

    /// By this, commands that build the same stand together.
    pub(super) fn order(&self) -> impl Ord + use<> {
        (self.variables.clone(), self.options.clone(), self.name.clone())
    }

    pub(super) fn build(&self, tree: &Tree) -> Command {
        let mut command = self.cargo(tree);
        command.arg("--no-run");
        command
    }

    pub(super) fn run(&self, tree: &Tree) -> Command {
        let mut command = self.cargo(tree);
        command.arg(&self.name).arg("--").args(&self.for_the_test);
        command
    }

    fn cargo(&self, tree: &Tree) -> Command {
        let mut command = workspace::cargo(&["test"]);
        workspace::quick_release(&mut command);
        command.args(&self.options).current_dir(tree.folder());
        // Builds with other flags have a folder each, or they would rebuild each other's dependencies.
        let flags = self
            .variables
            .iter()
            .find(|(name, _)| name == "RUSTFLAGS")
            .map_or("", |(_, flags)| flags);
        command.arg("--target-dir").arg(tree.builds().join(folder_name(flags)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // The judge reads the assertion, which a backtrace would only push away.
        command.env("RUST_BACKTRACE", "0");
        // From one mutant to the next little changes.
        command.env("CARGO_INCREMENTAL", "1");
        // Debug information is half of the build's time, and a mutant's backtrace is read by nobody.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }
}

fn folder_name(flags: &str) -> String {
    let words: Vec<&str> =
        flags.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "plain".to_owned() } else { words.join("-") }
}

fn is_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// Splits as a shell would, as far as single and double quotes go.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("`{line}` has an open quote"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_options_name_and_the_rest_are_told_apart() {
        let line = r#"RUSTFLAGS='--cfg kael_backend="sim"' LOOM_X=3 cargo test -p kael-rt --test drop r04_storm -- --exact"#;
        let test = TestCommand::parse(line).unwrap();
        assert_eq!(
            test.variables[0],
            ("RUSTFLAGS".to_owned(), r#"--cfg kael_backend="sim""#.to_owned())
        );
        assert_eq!(test.variables[1].1, "3");
        assert_eq!(test.options, ["-p", "kael-rt", "--test", "drop"]);
        assert_eq!(test.name, "r04_storm");
        assert_eq!(test.for_the_test, ["--exact"]);
        assert_eq!(folder_name(&test.variables[0].1), "cfg-kael-backend-sim");
    }

    #[test]
    fn a_command_that_is_no_single_test_is_refused() {
        assert!(TestCommand::parse("cargo test -p kael-rt").is_err());
        assert!(TestCommand::parse("cargo test one two").is_err());
        assert!(TestCommand::parse("cargo xtask tidy").is_err());
        assert!(TestCommand::parse("A='open cargo test x").is_err());
    }

    #[test]
    fn the_function_is_the_last_part_of_the_path() {
        assert_eq!(
            TestCommand::parse("cargo test task::state::r22_race").unwrap().function(),
            "r22_race"
        );
    }
}
