//! [`Request`]: a request's head, read by httparse, and what of it matters here. It borrows from the bytes received.

use std::borrow::Cow;

/// Header fields that a request may have.
const MOST_FIELDS: usize = 100;

#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    /// HTTP/1.1, not 1.0.
    pub(super) is_1_1: bool,
    pub(super) keep_alive: bool,
    pub(super) body: Body,
    pub(super) expect: Expect,
    pub(super) range: Option<Cow<'a, str>>,
    pub(super) if_range: Option<Cow<'a, str>>,
    pub(super) if_match: Option<Cow<'a, str>>,
    pub(super) if_none_match: Option<Cow<'a, str>>,
    pub(super) if_modified_since: Option<Cow<'a, str>>,
    pub(super) if_unmodified_since: Option<Cow<'a, str>>,
    pub(super) accept_encoding: Option<Cow<'a, str>>,
    pub(super) referer: Option<&'a [u8]>,
    pub(super) user_agent: Option<&'a [u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Nothing,
    Continue,
    /// Something that nobody knows: 417.
    Unknown,
}

/// The status with which a head is refused. Where the next request would begin is not known then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) u16);

impl<'a> Request<'a> {
    /// Reads a whole head, up to and including its empty line.
    pub(super) fn parse(head: &'a [u8]) -> Result<Request<'a>, Refused> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(Refused(400)),
            Err(httparse::Error::TooManyHeaders) => return Err(Refused(431)),
            Err(httparse::Error::Version) => return Err(Refused(505)),
            Err(_) => return Err(Refused(400)),
        }
        let (Some(method), Some(target), Some(version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(Refused(400));
        };
        let mut request = Request {
            method,
            target,
            is_1_1: version == 1,
            keep_alive: version == 1,
            body: Body::None,
            expect: Expect::Nothing,
            range: None,
            if_range: None,
            if_match: None,
            if_none_match: None,
            if_modified_since: None,
            if_unmodified_since: None,
            accept_encoding: None,
            referer: None,
            user_agent: None,
        };
        let mut hosts = 0;
        let mut codings = None;
        for field in parsed.headers.iter() {
            if field.name.eq_ignore_ascii_case("host") {
                // RFC 9112, section 3.2: what is no host is refused.
                if !is_authority(field.value) {
                    return Err(Refused(400));
                }
                hosts += 1;
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                let text = std::str::from_utf8(field.value).map_err(|_| Refused(400))?;
                append(&mut codings, Some(text));
            } else {
                request.take(field.name, field.value)?;
            }
        }
        // RFC 9112, section 3.2: exactly one, since 1.1.
        if hosts > 1 || (hosts == 0 && request.is_1_1) {
            return Err(Refused(400));
        }
        if let Some(codings) = codings {
            request.transferred(&codings)?;
        }
        Ok(request)
    }

    fn take(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refused> {
        // A value that is no text is like none at all, except where the length of the request depends on it.
        let text = std::str::from_utf8(value).ok();
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // The longest names first would be no faster: all of them differ in length or in their first letter.
        if is("content-length") {
            self.length(text.ok_or(Refused(400))?)?;
        } else if is("connection") {
            for word in text.unwrap_or("").split(',').map(str::trim) {
                if word.eq_ignore_ascii_case("close") {
                    self.keep_alive = false;
                } else if word.eq_ignore_ascii_case("keep-alive") && !self.is_1_1 {
                    self.keep_alive = true;
                }
            }
        } else if is("expect") {
            let known = text.is_some_and(|text| text.eq_ignore_ascii_case("100-continue"));
            self.expect = if known { Expect::Continue } else { Expect::Unknown };
        } else if is("range") {
            // Twice what may be there once is joined, too: the result is no range, no tag and no date, and as if it were not there.
            append(&mut self.range, text);
        } else if is("if-range") {
            append(&mut self.if_range, text);
        } else if is("if-match") {
            append(&mut self.if_match, text);
        } else if is("if-none-match") {
            append(&mut self.if_none_match, text);
        } else if is("if-modified-since") {
            append(&mut self.if_modified_since, text);
        } else if is("if-unmodified-since") {
            append(&mut self.if_unmodified_since, text);
        } else if is("accept-encoding") {
            append(&mut self.accept_encoding, text);
        } else if is("referer") {
            self.referer = self.referer.or(Some(value));
        } else if is("user-agent") {
            self.user_agent = self.user_agent.or(Some(value));
        }
        Ok(())
    }

    /// The way in which the body comes. Only one that ends says by itself where the next request begins: `chunked` must be last,
    /// and is what we know. See RFC 9112, sections 6.1 and 6.3.
    fn transferred(&mut self, codings: &str) -> Result<(), Refused> {
        let mut codings = codings.rsplit(',').map(str::trim);
        let is_chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
        if self.body != Body::None || !self.is_1_1 || !codings.next().is_some_and(is_chunked) {
            return Err(Refused(400));
        }
        match codings.next() {
            None => self.body = Body::Chunked,
            Some(coding) if is_chunked(coding) => return Err(Refused(400)),
            Some(_) => return Err(Refused(501)),
        }
        Ok(())
    }

    /// One length, in digits; two that differ would let two servers see two requests.
    fn length(&mut self, text: &str) -> Result<(), Refused> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refused(400));
        }
        let length = Body::Length(text.parse().map_err(|_| Refused(413))?);
        if self.body != Body::None && self.body != length {
            return Err(Refused(400));
        }
        self.body = length;
        Ok(())
    }
}

/// A list may be on several lines.
fn append<'a>(list: &mut Option<Cow<'a, str>>, text: Option<&'a str>) {
    if let Some(text) = text {
        *list = Some(match list.take() {
            None => Cow::Borrowed(text),
            Some(before) => Cow::Owned(format!("{before},{text}")),
        });
    }
}

/// A host, perhaps with a port, as RFC 3986 has it but without a user; it may be empty.
pub(super) fn is_authority(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%[]".contains(byte))
}

/// The head of a request that could not be read asks for an answer without a body.
pub(super) fn is_head(head: &[u8]) -> bool {
    head.starts_with(b"HEAD ")
}

/// Where the head ends: behind its empty line. `from` bytes were looked at before.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let mut rest = bytes.get(from..)?;
    let mut at = from;
    while let Some(position) = rest.iter().position(|byte| *byte == b'\n') {
        at += position + 1;
        rest = &bytes[at..];
        match rest {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
