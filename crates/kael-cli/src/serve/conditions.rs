//! Conditional requests: whether the client has what it asks for already, or asks for something that has changed.
//! See RFC 9110, section 13.

use super::date;
use super::request::Request;
use std::borrow::Cow;

/// What tells one state of a file from another.
pub(super) struct Validators {
    /// With its quotes; strong, of the time and length of the file.
    pub(super) etag: String,
    /// Whole seconds since 1970.
    pub(super) modified: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client means.
    Failed,
}

/// In the order of RFC 9110, section 13.2.2; the method is GET or HEAD.
pub(super) fn evaluate(request: &Request<'_>, file: &Validators) -> Verdict {
    let date = |header: &Option<Cow<'_, str>>| header.as_deref().and_then(date::parse);
    match (&request.if_match, date(&request.if_unmodified_since)) {
        (Some(tags), _) if !lists(tags, &file.etag, strong) => return Verdict::Failed,
        (None, Some(since)) if file.modified > since => return Verdict::Failed,
        _ => {}
    }
    match (&request.if_none_match, date(&request.if_modified_since)) {
        (Some(tags), _) if lists(tags, &file.etag, weak) => Verdict::NotModified,
        (None, Some(since)) if file.modified <= since => Verdict::NotModified,
        _ => Verdict::Send,
    }
}

/// Whether a range may be sent: the client's part is of the same state of the file.
pub(super) fn allows_range(request: &Request<'_>, file: &Validators) -> bool {
    match request.if_range.as_deref() {
        None => true,
        Some(tag) if tag.starts_with('"') => strong(tag, &file.etag),
        // A weak tag is no date, and allows nothing.
        Some(other) => date::parse(other) == Some(file.modified),
    }
}

fn strong(tag: &str, etag: &str) -> bool {
    tag == etag
}

/// Ours are never weak.
fn weak(tag: &str, etag: &str) -> bool {
    tag.strip_prefix("W/").unwrap_or(tag) == etag
}

/// A list of tags has `etag`, or is `*`.
fn lists(list: &str, etag: &str, same: fn(&str, &str) -> bool) -> bool {
    // Our own tags have no comma in them, so one that is cut in two by this is not ours.
    list.split(',').map(str::trim).any(|tag| tag == "*" || same(tag, etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn file() -> Validators {
        Validators { etag: "\"a-1\"".to_owned(), modified: 784_111_777 }
    }

    fn verdict(headers: &str) -> Verdict {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        evaluate(&Request::parse(head.as_bytes()).expect("it is a request"), &file())
    }

    #[test]
    fn by_tag() {
        assert_eq!(verdict("If-None-Match: \"a-1\"\r\n"), Verdict::NotModified);
        assert_eq!(verdict("If-None-Match: W/\"a-1\"\r\n"), Verdict::NotModified);
        assert_eq!(verdict("If-None-Match: \"x\", \"a-1\"\r\n"), Verdict::NotModified);
        assert_eq!(
            verdict("If-None-Match: \"x\"\r\nIf-None-Match: \"a-1\"\r\n"),
            Verdict::NotModified
        );
        assert_eq!(verdict("If-None-Match: *\r\n"), Verdict::NotModified);
        assert_eq!(verdict("If-None-Match: \"x\"\r\n"), Verdict::Send);
        assert_eq!(verdict("If-Match: \"a-1\"\r\n"), Verdict::Send);
        assert_eq!(verdict("If-Match: *\r\n"), Verdict::Send);
        assert_eq!(verdict("If-Match: W/\"a-1\"\r\n"), Verdict::Failed);
        assert_eq!(verdict("If-Match: \"x\"\r\n"), Verdict::Failed);
    }

    #[test]
    fn by_date() {
        assert_eq!(verdict(&format!("If-Modified-Since: {AT}\r\n")), Verdict::NotModified);
        assert_eq!(verdict(&format!("If-Modified-Since: {BEFORE}\r\n")), Verdict::Send);
        assert_eq!(verdict("If-Modified-Since: soon\r\n"), Verdict::Send);
        assert_eq!(verdict(&format!("If-Unmodified-Since: {AT}\r\n")), Verdict::Send);
        assert_eq!(verdict(&format!("If-Unmodified-Since: {BEFORE}\r\n")), Verdict::Failed);
    }

    #[test]
    fn tags_go_before_dates() {
        assert_eq!(
            verdict(&format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {AT}\r\n")),
            Verdict::Send
        );
        assert_eq!(
            verdict(&format!("If-Match: \"a-1\"\r\nIf-Unmodified-Since: {BEFORE}\r\n")),
            Verdict::Send
        );
    }

    #[test]
    fn ranges_of_the_same_state() {
        for (value, allowed) in [
            ("\"a-1\"", true),
            (AT, true),
            ("\"x\"", false),
            ("W/\"a-1\"", false),
            (BEFORE, false),
            ("x", false),
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nIf-Range: {value}\r\n\r\n");
            let request = Request::parse(head.as_bytes()).expect("it is a request");
            assert_eq!(allows_range(&request, &file()), allowed, "{value}");
        }
    }
}
