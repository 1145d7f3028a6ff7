//! [`Rules`]: the table of what is known, `rules.toml`, and what a user's file adds to it. A table that is read is right in
//! itself: each rule's conditions, documents, budgets and signatures exist.

use super::condition::Condition;
use super::document;
use super::entry::{Entry, Reader};
use super::need::Need;
use super::target::Target;
use crate::analyze::{Ops, signatures};
use clap::ValueEnum;
use std::collections::BTreeMap;

const BUILT_IN: &str = include_str!("rules.toml");

/// What is recommended, when and why.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    /// All of them must hold.
    pub(crate) when: Vec<Condition>,
    /// Whether it says that what is asked for cannot be had.
    pub(crate) is_limit: bool,
    pub(crate) recommend: String,
    pub(crate) reason: String,
    /// The title of the document, and those of targets that have another.
    document: String,
    document_on: BTreeMap<String, String>,
    pub(crate) measured: Option<Measured>,
    /// The command that measures it on the user's machine.
    pub(crate) measure: String,
    /// How it is built, in a line.
    pub(crate) structure: Option<String>,
    pub(crate) signatures: Vec<String>,
    /// Operations whose budgets matter.
    pub(crate) rows: Vec<String>,
    /// The operation that one request of the need's rate is.
    pub(crate) request: Option<String>,
}

/// A figure that stands in the project's documents, and the command that printed it.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) figure: String,
    pub(crate) command: String,
}

/// A rule that holds, and the document that it rests on there.
pub(crate) struct Choice {
    pub(crate) rule: Rule,
    pub(crate) title: String,
    pub(crate) url: String,
}

#[derive(Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// By target and title: the address.
    documents: BTreeMap<(String, String), String>,
}

impl Rules {
    pub(crate) fn built_in() -> Result<Rules, String> {
        let mut rules = Rules::default();
        rules.add(BUILT_IN).map_err(|error| format!("the table of rules: {error}"))?;
        Ok(rules)
    }

    /// Adds the rules of a text; one with the name of another takes its place.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), String> {
        let reader = Reader::parse(text)?;
        let top = reader.top();
        top.only(&["documents", "rule"])?;
        for (family, titles) in top.tables_by_name("documents")? {
            if !Target::value_variants().iter().any(|target| target.documents() == family) {
                return Err(titles.error(format!("no target's documents are those of `{family}`")));
            }
            for (title, url) in titles.strings()? {
                document::check(&title, &url).map_err(|error| titles.error_of(&title, error))?;
                self.documents.insert((family.clone(), title), url);
            }
        }
        for entry in top.tables("rule")? {
            let rule = self.rule(&entry).map_err(|error| entry.error(error))?;
            match self.rules.iter_mut().find(|other| other.name == rule.name) {
                Some(other) => *other = rule,
                None => self.rules.push(rule),
            }
        }
        Ok(())
    }

    fn rule(&self, entry: &Entry) -> Result<Rule, String> {
        entry.only(&[
            "name",
            "targets",
            "when",
            "limit",
            "recommend",
            "reason",
            "document",
            "document_on",
            "measured",
            "measure",
            "structure",
            "signatures",
            "rows",
            "request",
        ])?;
        let targets = entry.list("targets")?;
        let target = |name: &String| {
            Target::named(name).ok_or_else(|| format!("`{name}` is none of the targets"))
        };
        let when = entry.list("when")?;
        let rule = Rule {
            name: entry.text("name")?,
            targets: targets.iter().map(target).collect::<Result<_, _>>()?,
            when: when.iter().map(|text| Condition::parse(text)).collect::<Result<_, _>>()?,
            is_limit: entry.flag("limit")?,
            recommend: entry.text("recommend")?,
            reason: entry.text("reason")?,
            document: entry.text("document")?,
            document_on: match entry.table("document_on")? {
                Some(table) => table.strings()?.into_iter().collect(),
                None => BTreeMap::new(),
            },
            measured: match entry.table("measured")? {
                Some(table) => Some(Measured::read(&table)?),
                None => None,
            },
            measure: entry.text("measure")?,
            structure: entry.optional("structure")?,
            signatures: entry.list("signatures")?,
            rows: entry.list("rows")?,
            request: entry.optional("request")?,
        };
        self.check(&rule).map_err(|error| format!("{}: {error}", rule.name))?;
        Ok(rule)
    }

    fn check(&self, rule: &Rule) -> Result<(), String> {
        if rule.targets.is_empty() {
            return Err("it has no target".to_owned());
        }
        for name in rule.document_on.keys() {
            if !rule.targets.iter().any(|target| target.name() == name) {
                return Err(format!("document_on names `{name}`, which is none of its targets"));
            }
        }
        for target in &rule.targets {
            if self.url(*target, rule.title(*target)).is_none() {
                let title = rule.title(*target);
                return Err(format!("{} has no document `{title}`", target.documents()));
            }
            for name in rule.rows.iter().chain(&rule.request) {
                if target.budget(name).is_none() {
                    return Err(format!("the library has no budget of `{name}`"));
                }
            }
        }
        match rule.signatures.iter().find(|name| !signatures::is_known(name)) {
            Some(name) => Err(format!("`{name}` is none of the signatures")),
            None => Ok(()),
        }
    }

    fn url(&self, target: Target, title: &str) -> Option<&str> {
        let key = (target.documents().to_owned(), title.to_owned());
        self.documents.get(&key).map(String::as_str)
    }

    /// The rules that hold, in the table's order.
    pub(crate) fn choices(&self, target: Target, ops: &[Ops], need: &Need) -> Vec<Choice> {
        let holding = self.rules.iter().filter(|rule| rule.holds(target, ops, need));
        let choice = |rule: &Rule| {
            let title = rule.title(target);
            let url = self.url(target, title).expect("a rule without its document is refused");
            Choice { rule: rule.clone(), title: title.to_owned(), url: url.to_owned() }
        };
        holding.map(choice).collect()
    }
}

impl Rule {
    fn holds(&self, target: Target, ops: &[Ops], need: &Need) -> bool {
        self.targets.contains(&target)
            && self.when.iter().all(|condition| condition.holds(ops, need))
    }

    fn title(&self, target: Target) -> &str {
        self.document_on.get(target.name()).unwrap_or(&self.document)
    }
}

impl Measured {
    fn read(entry: &Entry) -> Result<Measured, String> {
        entry.only(&["figure", "command"])?;
        Ok(Measured { figure: entry.text("figure")?, command: entry.text("command")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;
    use std::path::Path;

    fn built_in() -> Rules {
        Rules::built_in().expect("the table is right")
    }

    /// A file with one rule, of which a line is another.
    fn with(line: &str, other: &str) -> Result<(), String> {
        let rule = "[[rule]]\nname = \"mine\"\ntargets = [\"linux\"]\nwhen = [\"ops = file\"]\nrecommend = \"a\"\nreason = \"b\"\n\
                    document = \"splice(2)\"\nmeasure = \"kael analyze\"\n";
        assert!(rule.contains(line), "{line}");
        built_in().add(&rule.replace(line, other))
    }

    #[test]
    fn a_file_is_refused_with_its_line_and_the_rules_name() {
        assert_eq!(with("name", "name"), Ok(()));
        for (line, other, said) in [
            ("name = \"mine\"\n", "", "line 1: it has no `name`"),
            ("name = \"mine\"", "name = \"mine\"\nnmae = \"mine\"", "line 1: `nmae` is no key"),
            ("name = \"mine\"", "name = 1", "line 1: `name` is no text"),
            ("[\"linux\"]", "[\"plan9\"]", "line 1: `plan9` is none of the targets"),
            ("[\"linux\"]", "[]", "line 1: mine: it has no target"),
            ("[\"ops = file\"]", "[\"file\"]", "line 1: `file` is no condition"),
            ("\"a\"", "\" \"", "line 1: `recommend` is empty"),
            ("\"a\"", "\"a\\nb\"", "line 1: `recommend` has more than one line"),
            ("splice(2)", "tee(2)", "line 1: mine: linux has no document `tee(2)`"),
            ("reason", "rows = [\"tee\"]\nreason", "mine: the library has no budget of `tee`"),
            ("reason", "request = \"tee\"\nreason", "mine: the library has no budget of `tee`"),
            ("reason", "signatures = [\"tee\"]\nreason", "mine: `tee` is none of the signatures"),
            ("reason", "limit = 1\nreason", "`limit` is neither true nor false"),
            ("reason", "measured = 1\nreason", "`measured` is no table"),
            (
                "reason",
                "document_on = { macos = \"read(2)\" }\nreason",
                "which is none of its targets",
            ),
            ("[[rule]]", "[rule]", "`rule` is no list of tables"),
            (
                "[[rule]]",
                "[documents.plan9]\n[[rule]]",
                "no target's documents are those of `plan9`",
            ),
            ("reason", "reason = \n", "line 6: "),
            (
                "[[rule]]",
                "[documents.linux]\n\"tee(2)\" = \"https://man7.org/linux/man-pages/man2/send.2.html\"\n[[rule]]",
                "line 2: https://man7.org/linux/man-pages/man2/send.2.html is `send(2)` and not `tee(2)`",
            ),
        ] {
            let error = with(line, other).expect_err(said);
            assert!(error.contains(said), "{other}: {error}");
        }
    }

    #[test]
    fn each_document_is_used() {
        let rules = built_in();
        for (family, title) in rules.documents.keys() {
            let is_used = rules.rules.iter().any(|rule| {
                let targets = rule.targets.iter();
                targets.clone().any(|on| on.documents() == family && rule.title(*on) == title)
            });
            assert!(is_used, "{family}: {title}");
        }
    }

    #[test]
    fn each_command_that_measures_is_one() {
        let need = Need::parse("conns=1M,size=64MiB,depth=65536,rate=10M").expect("it is a need");
        for rule in built_in().rules {
            for need in [&need, &Need::default()] {
                let command = need.fill(&rule.measure);
                let parsed = crate::Arguments::try_parse_from(command.split(' '));
                assert!(parsed.is_ok(), "{}: {command}: {:?}", rule.name, parsed.err());
            }
        }
    }

    /// A figure of nowhere, or one that was measured anew and not here, is found.
    #[test]
    fn each_measured_figure_stands_in_the_documents() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |name| fs::read_to_string(root.join(name)).expect("it is in the repository");
        let documents = ["ARCHITECTURE.md", "PLATFORMS.md", "README.md"].map(read).concat();
        let documents = documents.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut measured = 0;
        for rule in built_in().rules {
            let Some(Measured { figure, command }) = &rule.measured else { continue };
            measured += 1;
            assert!(documents.contains(command), "{}: {command}", rule.name);
            let numbers = figure.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
            for number in numbers.map(|number| number.trim_matches(['.', ','])) {
                assert!(documents.contains(number), "{}: {number}", rule.name);
            }
        }
        assert!(measured > 5, "some rules have figures");
    }
}
