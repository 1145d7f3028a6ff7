//! [`Condition`]: one comparison of a rule, `size < 8KiB` or `ops = socket`.

use super::need::{Field, Need};
use crate::analyze::Ops;
use clap::ValueEnum;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// The operations that are asked for include these.
    Ops(Ops),
    Field(Field, Relation, u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation {
    Less,
    AtMost,
    Equal,
    Other,
    AtLeast,
    More,
}

impl Relation {
    fn parse(text: &str) -> Option<Relation> {
        Some(match text {
            "<" => Relation::Less,
            "<=" => Relation::AtMost,
            "=" => Relation::Equal,
            "!=" => Relation::Other,
            ">=" => Relation::AtLeast,
            ">" => Relation::More,
            _ => return None,
        })
    }

    fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Relation::Less => left < right,
            Relation::AtMost => left <= right,
            Relation::Equal => left == right,
            Relation::Other => left != right,
            Relation::AtLeast => left >= right,
            Relation::More => left > right,
        }
    }
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Result<Condition, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let &[name, relation, value] = words.as_slice() else {
            return Err(format!(
                "`{text}` is no condition: a field, a relation and a value are one"
            ));
        };
        let relation = Relation::parse(relation)
            .ok_or_else(|| format!("`{relation}` is no relation: < <= = != >= > are"))?;
        let is_equality = matches!(relation, Relation::Equal | Relation::Other);
        if name == "ops" {
            let ops = Ops::from_str(value, false)
                .map_err(|_| format!("`{value}` is none of the operations of --ops"))?;
            return match relation {
                Relation::Equal => Ok(Condition::Ops(ops)),
                _ => Err(format!("`{text}`: operations are asked for with = only")),
            };
        }
        let field = Field::named(name).ok_or_else(|| format!("`{name}` is no field of a need"))?;
        if field.is_word() && !is_equality {
            return Err(format!("`{text}`: {name} has words, which have no order"));
        }
        Ok(Condition::Field(field, relation, field.value(value)?))
    }

    pub(crate) fn holds(&self, ops: &[Ops], need: &Need) -> bool {
        match self {
            Condition::Ops(wanted) => ops.contains(wanted),
            Condition::Field(field, relation, value) => {
                need.get(*field).is_some_and(|given| relation.holds(given, *value))
            }
        }
    }

    /// What of the need it looked at.
    pub(crate) fn cause(&self, need: &Need) -> Vec<String> {
        match self {
            Condition::Ops(ops) => {
                let name = ops.to_possible_value();
                name.map(|name| format!("ops={}", name.get_name())).into_iter().collect()
            }
            Condition::Field(field, ..) => need.cause(*field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, need: &str) -> bool {
        let condition = Condition::parse(condition).expect("it is a condition");
        condition.holds(&[Ops::File], &Need::parse(need).expect("it is a need"))
    }

    #[test]
    fn each_relation_has_its_borders() {
        for (relation, expected) in [
            ("<", [true, false, false]),
            ("<=", [true, true, false]),
            ("=", [false, true, false]),
            ("!=", [true, false, true]),
            (">=", [false, true, true]),
            (">", [false, false, true]),
        ] {
            let found = ["depth=7", "depth=8", "depth=9"]
                .map(|need| holds(&format!("depth {relation} 8"), need));
            assert_eq!(found, expected, "{relation}");
        }
    }

    #[test]
    fn what_is_not_given_meets_no_condition() {
        assert!(!holds("rate < 10M", "depth=1") && !holds("durable != yes", "depth=1"));
        assert!(holds("ops = file", "depth=1") && !holds("ops = socket", "depth=1"));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let refused = |text| Condition::parse(text).expect_err("it is no condition");
        assert!(refused("depth=1").contains("no condition"));
        assert!(refused("depth == 1").contains("no relation"));
        assert!(refused("weight = 1").contains("no field"));
        assert!(refused("durable < yes").contains("no order"));
        assert!(refused("ops != file").contains("= only"));
        assert!(refused("ops = tape").contains("--ops"));
        assert!(refused("size > 1k").contains("bytes of a message"));
    }
}
