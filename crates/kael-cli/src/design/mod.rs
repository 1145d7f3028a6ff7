//! `kael analyze --target`: designs for a need without running anything. `rules.toml` is what is known: each rule has a
//! condition over the need (`condition`), what it recommends and why. `need` reads what is asked for, `rules` the table,
//! `report` writes the Platform Analysis. Nothing here looks at the machine.

mod condition;
mod document;
mod entry;
mod need;
mod page;
mod report;
mod rules;
mod target;

use crate::analyze::Ops;
use crate::fail::Fail;
use crate::input;
use need::Field;
pub(crate) use need::Need;
pub(crate) use report::Design;
use rules::Rules;
use std::path::Path;
pub(crate) use target::Target;

/// A file of rules that is longer is none.
const LONGEST_BYTES: u64 = 1024 * 1024;

/// The design for that need, by the table of rules and what a file adds to it.
pub(crate) fn design(
    target: Target,
    ops: Vec<Ops>,
    need: Need,
    file: Option<&Path>,
) -> Result<Design, Fail> {
    if let Some(word) = need.word(Field::Container)
        && !target.containers().contains(&word)
    {
        return Err(Fail::Use(format!(
            "`{word}` is not what container takes for {}: {}",
            target.name(),
            target.containers().join(", ")
        )));
    }
    let mut rules = Rules::built_in().map_err(Fail::Use)?;
    if let Some(path) = file {
        let name = path.display();
        let text = input::read(path, LONGEST_BYTES)?;
        rules.add(&text).map_err(|error| Fail::Use(format!("{name}: {error}")))?;
    }
    Ok(Design::new(target, ops, need, rules))
}
