//! [`Path`]: what a request's target names below the folder that is served. Everything that could lead elsewhere is refused
//! here, as text; what the file system could lead astray is refused where files are opened.

use super::request::is_authority;

/// A path below the root, decoded and without `.`, `..` and empty parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Without a slash at either end; empty: the root itself.
    pub(super) relative: String,
    /// The target ended with a slash: it names a directory.
    pub(super) is_directory: bool,
}

/// The target is no path that we look up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPath;

impl Path {
    /// Reads a target in origin form (`/a/b?query`) or absolute form (`http://example.com/a/b`).
    pub(super) fn parse(target: &str) -> Result<Path, NoPath> {
        // RFC 9112, section 3.2: no target has a fragment.
        if target.contains('#') {
            return Err(NoPath);
        }
        let origin = if target.starts_with('/') { target } else { without_authority(target)? };
        let path = origin.split('?').next().unwrap_or(origin);
        let decoded = decode(path)?;
        // A backslash separates on other systems, and an encoded slash is a part of a name nowhere.
        if decoded.chars().any(|c| c.is_control() || c == '\\') {
            return Err(NoPath);
        }
        let mut parts = Vec::new();
        for part in decoded.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop().ok_or(NoPath)?),
                name => parts.push(name),
            }
        }
        let last = decoded.rsplit('/').next();
        let is_directory = matches!(last, None | Some("" | "." | ".."));
        Ok(Path { relative: parts.join("/"), is_directory })
    }

    /// The path as a target, of the directory that it names.
    pub(super) fn as_directory_target(&self) -> String {
        let mut target = String::from("/");
        if !self.relative.is_empty() {
            encode(&self.relative, &mut target);
            target.push('/');
        }
        target
    }

    /// The path of something in this directory.
    pub(super) fn join(&self, name: &str) -> String {
        if self.relative.is_empty() { name.to_owned() } else { format!("{}/{name}", self.relative) }
    }
}

fn without_authority(target: &str) -> Result<&str, NoPath> {
    let (scheme, rest) = target.split_once("://").ok_or(NoPath)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(NoPath);
    }
    let (authority, origin) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // RFC 9110, section 4.2: an empty host is none, and a user before it is a trick.
    if authority.is_empty() || authority.starts_with(':') || !is_authority(authority.as_bytes()) {
        return Err(NoPath);
    }
    Ok(origin)
}

/// Takes percent codes for what they stand for. What is not UTF-8 then names nothing that we serve.
fn decode(path: &str) -> Result<String, NoPath> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || {
                    (bytes.next()? as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
                };
                let (high, low) = (digit().ok_or(NoPath)?, digit().ok_or(NoPath)?);
                let byte = high << 4 | low;
                if byte == b'/' {
                    return Err(NoPath);
                }
                byte
            }
            byte => byte,
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).map_err(|_| NoPath)
}

/// Appends `text` with percent codes for all that a path may not contain.
pub(super) fn encode(text: &str, to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                to.push(byte as char);
            }
            _ => {
                let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
                to.extend(['%', digits[0] as char, digits[1] as char]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(target: &str) -> Option<String> {
        Path::parse(target).ok().map(|path| path.relative)
    }

    #[test]
    fn what_stays_below_the_root() {
        for (target, expected) in [
            ("/", ""),
            ("/a/b.txt", "a/b.txt"),
            ("/a/b.txt?c=/../..", "a/b.txt"),
            ("//a///b", "a/b"),
            ("/a/./b/../c", "a/c"),
            ("/a/%2e%2E/b", "b"),
            ("/%41%20b", "A b"),
            ("/%C3%A9", "\u{e9}"),
            ("http://example.com/a", "a"),
            ("HTTPS://example.com", ""),
            ("/...", "..."),
        ] {
            assert_eq!(relative(target).as_deref(), Some(expected), "{target}");
        }
    }

    #[test]
    fn what_would_lead_out_or_astray() {
        for target in [
            "",
            "*",
            "a",
            "/..",
            "/../a",
            "/a/../../b",
            "/%2e%2e/a",
            "/.%2e/a",
            "/a%2f..%2f..",
            "/%00",
            "/a%00.txt",
            "/a\\b",
            "/..%5c..",
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/a#b",
            "/a?b#c",
            "http:///a",
            "http://:80/a",
            "http://example.com@a/a",
            "/%ff",
            "/a%0d%0ab",
            "ftp://a/b",
        ] {
            assert_eq!(Path::parse(target), Err(NoPath), "{target}");
        }
    }

    #[test]
    fn directories_end_with_a_slash() {
        for (target, is_directory) in [
            ("/", true),
            ("/a", false),
            ("/a/", true),
            ("/a/.", true),
            ("/a/b/..", true),
            ("/a?/", false),
        ] {
            assert_eq!(
                Path::parse(target).map(|path| path.is_directory),
                Ok(is_directory),
                "{target}"
            );
        }
        let path = Path::parse("//evil.example%20?/x").expect("it is a path");
        assert_eq!(path.as_directory_target(), "/evil.example%20/");
    }
}
