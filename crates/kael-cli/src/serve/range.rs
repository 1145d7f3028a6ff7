//! The `Range` header: which parts of a file are asked for. See RFC 9110, section 14.

/// Parts that one request may ask for. Beyond that, as where parts overlap, the whole file is cheaper for all.
const MOST: usize = 16;

/// Bytes of a file, from `start` up to but not including `end`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Part {
    pub(super) fn len(self) -> u64 {
        self.end - self.start
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    /// The header is not understood, or asks for too much: it is as if it were not there.
    Whole,
    /// One or more, in the order in which they were asked for.
    Parts(Vec<Part>),
    /// Nothing of what is asked for is there.
    Unsatisfiable,
}

/// What a header asks of a file of `len` bytes.
pub(super) fn parse(header: &str, len: u64) -> Ranges {
    let Some((unit, list)) = header.split_once('=') else { return Ranges::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ranges::Whole;
    }
    let mut parts = Vec::new();
    let mut specs = 0;
    for spec in list.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        specs += 1;
        match one(spec, len) {
            _ if specs > MOST => return Ranges::Whole,
            None => return Ranges::Whole,
            Some(Some(part)) => parts.push(part),
            Some(None) => {}
        }
    }
    let total: u64 = parts.iter().fold(0, |total, part| total.saturating_add(part.len()));
    match parts.len() {
        _ if specs == 0 || (total > len && parts.len() > 1) => Ranges::Whole,
        0 => Ranges::Unsatisfiable,
        _ => Ranges::Parts(parts),
    }
}

/// `None`: it makes no sense. `Some(None)`: the file has nothing there.
fn one(spec: &str, len: u64) -> Option<Option<Part>> {
    let (first, last) = spec.split_once('-')?;
    let part = match (first.trim(), last.trim()) {
        ("", suffix) => Part { start: len.saturating_sub(number(suffix)?), end: len },
        (first, "") => Part { start: number(first)?, end: len },
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            Part { start: first, end: last.saturating_add(1).min(len) }
        }
    };
    Some((part.start < part.end).then_some(part))
}

/// A number in digits; one that is too large is larger than any file.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(header: &str, len: u64) -> Vec<(u64, u64)> {
        match parse(header, len) {
            Ranges::Parts(parts) => parts.iter().map(|part| (part.start, part.end)).collect(),
            other => panic!("{header}: {other:?}"),
        }
    }

    #[test]
    fn parts_of_a_file() {
        assert_eq!(parts("bytes=0-0", 10), [(0, 1)]);
        assert_eq!(parts("bytes=2-5", 10), [(2, 6)]);
        assert_eq!(parts("bytes=2-", 10), [(2, 10)]);
        assert_eq!(parts("bytes=-3", 10), [(7, 10)]);
        assert_eq!(parts("bytes=-30", 10), [(0, 10)]);
        assert_eq!(parts("bytes=8-99999999999999999999999", 10), [(8, 10)]);
        assert_eq!(parts("Bytes = 0-1 , 4-5,, -1", 10), [(0, 2), (4, 6), (9, 10)]);
        assert_eq!(parts("bytes=0-1,50-60", 10), [(0, 2)], "what is not there is left out");
        assert_eq!(
            parts("bytes=18446744073709551614-,0-0", u64::MAX),
            [(u64::MAX - 1, u64::MAX), (0, 1)]
        );
    }

    #[test]
    fn what_is_not_there() {
        for (header, len) in [
            ("bytes=10-", 10),
            ("bytes=10-20", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=-1", 0),
        ] {
            assert_eq!(parse(header, len), Ranges::Unsatisfiable, "{header}");
        }
    }

    #[test]
    fn what_is_not_understood_or_too_much() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=-",
            "bytes=1",
            "bytes=+1-2",
            "lines=0-1",
            "bytes=0-0,x",
            "bytes=0-,0-",
            "bytes=--1",
            "bytes=0x1-2",
        ] {
            assert_eq!(parse(header, 10), Ranges::Whole, "{header}");
        }
        let many = format!("bytes={}", "0-0,".repeat(17));
        assert_eq!(parse(&many, 1000), Ranges::Whole);
    }
}
