//! [`Need`]: what a program is to carry, as `--need` says it: `conns=10000,size=4KiB,durable=yes`. One table has the
//! fields, what each takes, and its bounds; conditions of rules are read by the same table.

use std::fmt;

/// A field of a need. The last two are not given: they follow from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    Conns,
    Size,
    Depth,
    Rate,
    P99Us,
    Durable,
    MemoryMb,
    Container,
    MemoryPerConn,
    RoundUs,
}

use Field::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    /// `k` and `M` are a thousand and a million.
    Count,
    /// `KiB`, `MiB` and `GiB`.
    Bytes,
    /// The name says the unit.
    Plain,
    Words(&'static [&'static str]),
}

struct Kind {
    field: Field,
    name: &'static str,
    unit: Unit,
    least: u64,
    most: u64,
    takes: &'static str,
}

const fn kind(
    field: Field,
    name: &'static str,
    unit: Unit,
    least: u64,
    most: u64,
    takes: &'static str,
) -> Kind {
    Kind { field, name, unit, least, most, takes }
}

const KIB: u64 = 1024;
const MIB: u64 = KIB * KIB;
const GIB: u64 = KIB * MIB;

/// The bounds of what `kael load` takes, too, are its bounds: so each need can be tried.
const KINDS: [Kind; 10] = [
    kind(Conns, "conns", Unit::Count, 1, 1_000_000, "connections at a time, 1 to 1M (10000, 10k)"),
    kind(Size, "size", Unit::Bytes, 1, 64 * MIB, "bytes of a message, 1 to 64MiB (64, 4KiB)"),
    kind(
        Depth,
        "depth",
        Unit::Count,
        1,
        65_536,
        "requests under way on a connection or a file, 1 to 65536",
    ),
    kind(Rate, "rate", Unit::Count, 1, 10_000_000, "requests a second in all, 1 to 10M (200k)"),
    kind(P99Us, "p99_us", Unit::Plain, 1, 60_000_000, "microseconds, 1 to 60000000"),
    kind(
        Durable,
        "durable",
        Unit::Words(&["no", "yes"]),
        0,
        1,
        "yes or no: whether what was answered outlives a loss of power",
    ),
    kind(MemoryMb, "memory_mb", Unit::Plain, 1, 16_777_216, "MiB for all of it, 1 to 16777216"),
    kind(
        Container,
        "container",
        Unit::Words(&["none", "docker", "kubernetes", "jail"]),
        0,
        3,
        "none, docker, kubernetes or jail",
    ),
    kind(MemoryPerConn, "memory_per_conn", Unit::Bytes, 0, u64::MAX, "memory_mb by conns"),
    kind(
        RoundUs,
        "round_us",
        Unit::Plain,
        0,
        u64::MAX,
        "conns times depth by rate, in microseconds",
    ),
];

/// How many of the table's fields are given; the others follow.
const GIVEN: usize = 8;

impl Field {
    fn kind(self) -> &'static Kind {
        &KINDS[self as usize]
    }

    /// The field of that name, for a condition.
    pub(crate) fn named(name: &str) -> Option<Field> {
        KINDS.iter().find(|kind| kind.name == name).map(|kind| kind.field)
    }

    pub(crate) fn name(self) -> &'static str {
        self.kind().name
    }

    pub(crate) fn is_word(self) -> bool {
        matches!(self.kind().unit, Unit::Words(_))
    }

    /// A value as this field takes it. A word's value is its place among the field's words.
    pub(crate) fn value(self, text: &str) -> Result<u64, String> {
        let kind = self.kind();
        let value = match kind.unit {
            Unit::Words(words) => {
                words.iter().position(|word| *word == text).map(|place| place as u64)
            }
            Unit::Plain => number(text, &[]),
            Unit::Count => number(text, &[("k", 1_000), ("M", 1_000_000)]),
            Unit::Bytes => number(text, &[("KiB", KIB), ("MiB", MIB), ("GiB", GIB)]),
        };
        value
            .filter(|value| (kind.least..=kind.most).contains(value))
            .ok_or_else(|| format!("`{text}` is not what {} takes: {}", kind.name, kind.takes))
    }
}

/// Digits, and one of the units behind them or none.
fn number(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = match unit {
        "" => 1,
        unit => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// What is asked for; a field that is not given says nothing, and no rule that asks for it holds.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Need {
    /// In the order in which they were given, as they were written.
    given: Vec<(Field, u64, String)>,
}

impl Need {
    pub(crate) fn parse(text: &str) -> Result<Need, String> {
        let mut need = Need::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let Some(kind) = KINDS[..GIVEN].iter().find(|kind| kind.name == name) else {
                let names: Vec<&str> = KINDS[..GIVEN].iter().map(|kind| kind.name).collect();
                return Err(format!(
                    "`{name}` is no field of a need; they are {}",
                    names.join(", ")
                ));
            };
            if need.get(kind.field).is_some() {
                return Err(format!("{name} is given twice"));
            }
            let number = kind.field.value(value)?;
            need.given.push((kind.field, number, value.to_owned()));
        }
        Ok(need)
    }

    pub(crate) fn get(&self, field: Field) -> Option<u64> {
        match field {
            MemoryPerConn => Some(self.get(MemoryMb)? * MIB / self.get(Conns)?),
            RoundUs => {
                let under_way = self.get(Conns)? * self.get(Depth).unwrap_or(1);
                Some(under_way * 1_000_000 / self.get(Rate)?)
            }
            _ => self.given.iter().find(|(given, ..)| *given == field).map(|(_, value, _)| *value),
        }
    }

    /// What was given of that field, or of those from which it follows: `conns=10k`.
    pub(crate) fn cause(&self, field: Field) -> Vec<String> {
        let fields: &[Field] = match field {
            MemoryPerConn => &[MemoryMb, Conns],
            RoundUs => &[Conns, Depth, Rate],
            _ => &[field],
        };
        let given = |field: &Field| self.given.iter().find(|(given, ..)| given == field);
        fields
            .iter()
            .filter_map(given)
            .map(|(field, _, text)| format!("{}={text}", field.name()))
            .collect()
    }

    /// The word of a field that takes words.
    pub(crate) fn word(&self, field: Field) -> Option<&str> {
        self.given.iter().find(|(given, ..)| *given == field).map(|(.., text)| text.as_str())
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given.iter().map(|(field, _, text)| (field.name(), text.as_str()))
    }

    /// A command with the need's numbers in place of `{conns}` and the like. Where the need says nothing, the option goes,
    /// too: `--rate {rate}`.
    pub(crate) fn fill(&self, command: &str) -> String {
        let mut words: Vec<String> = Vec::new();
        for word in command.split_whitespace() {
            let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
            match name.map(|name| Field::named(name).and_then(|field| self.get(field))) {
                None => words.push(word.to_owned()),
                Some(Some(value)) => words.push(value.to_string()),
                Some(None) => drop(words.pop()),
            }
        }
        words.join(" ")
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.fields().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_fields() {
        for kind in &KINDS {
            assert_eq!(kind.field.kind().name, kind.name);
        }
    }

    #[test]
    fn units_are_read() {
        let need = Need::parse("conns=10k,size=4KiB,rate=2M,p99_us=500,durable=yes,memory_mb=512")
            .expect("it is a need");
        let value = |field| need.get(field).expect("it was given");
        assert_eq!((value(Conns), value(Size), value(Rate)), (10_000, 4096, 2_000_000));
        assert_eq!((value(P99Us), value(Durable)), (500, 1));
        assert_eq!((value(MemoryPerConn), value(RoundUs)), (53_687, 5_000));
        assert_eq!(need.get(Depth), None);
        assert_eq!(need.cause(MemoryPerConn), ["memory_mb=512", "conns=10k"]);
    }

    #[test]
    fn what_is_no_need_is_refused_by_the_fields_name() {
        let refused = |text| Need::parse(text).expect_err("it is no need");
        assert!(refused("").contains("`` is no field of a need; they are conns, size, depth"));
        assert!(refused("round_us=1").contains("`round_us` is no field"));
        assert_eq!(refused("conns=1,conns=1"), "conns is given twice");
        assert!(refused("conns").starts_with("`` is not what conns takes: connections at a time"));
        for text in ["conns=0", "conns=-1", "conns=2M", "conns=k", "conns=1K", "conns=1.5k"] {
            assert!(refused(text).contains("what conns takes"), "{text}");
        }
        for text in ["size=4k", "size=65MiB", "size=99999999999999999999", "size=17179869184GiB"] {
            assert!(refused(text).contains("bytes of a message"), "{text}");
        }
        assert!(refused("p99_us=1k").contains("microseconds"));
        assert!(refused("durable=true").contains("yes or no"));
        assert!(refused("container=lxc").contains("docker"));
    }

    #[test]
    fn the_largest_need_does_not_overflow() {
        let need = Need::parse("conns=1M,depth=65536,rate=1,memory_mb=16777216").expect("a need");
        assert_eq!(need.get(RoundUs), Some(65_536_000_000_000_000));
        assert_eq!(need.get(MemoryPerConn), Some(17_592_186));
    }

    #[test]
    fn a_command_is_filled_in() {
        let need = Need::parse("conns=10k,size=4KiB").expect("it is a need");
        assert_eq!(
            need.fill("kael load --connections {conns} --rate {rate} --size {size}"),
            "kael load --connections 10000 --size 4096"
        );
    }
}
