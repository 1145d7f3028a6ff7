//! `kael completions` and `kael man`: what a shell and man(1) want to know, made from the command line's own definition.

use crate::fail::{Fail, doing};
use clap::Command;
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::PathBuf;

/// Print what a shell needs to complete kael's commands and options
///
/// bash: kael completions bash > ~/.local/share/bash-completion/completions/kael. zsh: into a file _kael in a folder of
/// $fpath. fish: kael completions fish > ~/.config/fish/completions/kael.fish.
#[derive(clap::Args)]
pub(crate) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write one for each command into a folder
///
/// To read it at once: kael man | man -l -
#[derive(clap::Args)]
pub(crate) struct Man {
    /// The folder that gets kael.1, kael-analyze.1 and so on
    dir: Option<PathBuf>,
}

pub(crate) fn completions(options: &Completions, command: &Command) -> Result<(), Fail> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut shown(command), "kael", &mut script);
    print(&script)
}

pub(crate) fn man(options: &Man, command: &Command) -> Result<(), Fail> {
    let command = shown(command);
    match &options.dir {
        Some(dir) => clap_mangen::generate_to(command, dir).map_err(|error| {
            Fail::Use(format!("no page can be written in {}: {error}", dir.display()))
        }),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            print(&page)
        }
    }
}

/// The command line without the commands that are hidden: the generators would show those.
fn shown(command: &Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("kael").about(about).version(env!("CARGO_PKG_VERSION")).subcommands(commands)
}

fn print(text: &[u8]) -> Result<(), Fail> {
    let mut out = io::stdout().lock();
    Ok(out.write_all(text).and_then(|()| out.flush()).map_err(doing("the text"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, ValueEnum};

    fn command() -> Command {
        crate::Arguments::command()
    }

    fn names() -> Vec<String> {
        shown(&command()).get_subcommands().map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn completions_of_every_shell_name_every_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut shown(&command()), "kael", &mut script);
            let script = String::from_utf8(script).expect("it is text");
            for name in names() {
                assert!(script.contains(&name), "{shell}: {name}");
            }
            assert!(script.contains("against"), "{shell}: options are completed, too");
            assert!(!script.contains("probe"), "{shell}: what is hidden stays so");
        }
    }

    #[test]
    fn every_command_has_a_manual_page() {
        let dir = std::env::temp_dir().join(format!("kael-man-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("the folder can be written");
        man(&Man { dir: Some(dir.clone()) }, &command()).expect("the pages are written");
        let overview = std::fs::read_to_string(dir.join("kael.1")).expect("the page of all");
        for name in names() {
            let page = std::fs::read_to_string(dir.join(format!("kael-{name}.1")));
            let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH OPTIONS"), "{name}");
            assert!(overview.contains(&format!("kael\\-{name}(1)")), "{name}");
        }
        assert!(!dir.join("kael-probe.1").exists(), "what is hidden stays so");
        std::fs::remove_dir_all(&dir).expect("it is ours");
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let missing = std::env::temp_dir().join("kael-no-such-folder");
        let fail = man(&Man { dir: Some(missing) }, &command()).expect_err("it is missing");
        assert!(matches!(&fail, Fail::Use(text) if text.contains("kael-no-such-folder")), "{fail}");
    }

    const PAGE: &str = include_str!("../README.md");

    /// The lines of the program's page that call it, without what the shell adds.
    fn examples() -> Vec<String> {
        let text = PAGE.replace("\\\n", " ").replace("  run: ", "");
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("kael "));
        let bare = |line: &str| line.split(['>', '|', '#']).next().unwrap_or("").trim().to_owned();
        lines.map(bare).collect()
    }

    #[test]
    #[cfg_attr(not(all(unix, feature = "serve")), ignore = "`serve` is not in this build")]
    fn the_examples_of_the_page_are_understood_and_name_every_command() {
        let examples = examples();
        for example in &examples {
            let words = example.split_whitespace();
            if let Err(error) = command().try_get_matches_from(words) {
                panic!("{example}: {error}");
            }
        }
        for name in names() {
            let start = format!("kael {name}");
            assert!(examples.iter().any(|example| example.starts_with(&start)), "{name}");
        }
    }
}
