//! [`Facts`]: what answers say of a file in one state of it. They are kept with the open file, so that the next answer need not
//! put them together again.

use super::coding::Coding;
use super::conditions::Validators;
use super::date;
use super::open_files::OpenFile;
use std::fmt::Write;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whether there is a compressed file beside one may change at any time.
pub(super) const VARY: &str = "Accept-Encoding";
const UNKNOWN_TYPE: &str = "application/octet-stream";

pub(super) struct Facts {
    len: u64,
    modified: SystemTime,
    coding: Option<Coding>,
    pub(super) validators: Validators,
    pub(super) content_type: String,
    /// The lines of a head that are the same whether all, a part or nothing of it is sent.
    pub(super) lines: String,
}

impl Facts {
    /// Those of a file at `path`, or of a compressed one beside it; `now`: seconds since 1970.
    pub(super) fn of(open: &OpenFile, path: &str, coding: Option<Coding>, now: u64) -> Rc<Facts> {
        if let Some(known) = &*open.facts.borrow()
            && (known.len, known.modified, known.coding) == (open.len, open.modified, coding)
        {
            return known.clone();
        }
        let facts = Rc::new(Facts::new(open, path, coding, now));
        // A file of tomorrow is another one as time goes on.
        if facts.validators.modified == date::seconds(open.modified) {
            *open.facts.borrow_mut() = Some(facts.clone());
        }
        facts
    }

    fn new(open: &OpenFile, path: &str, coding: Option<Coding>, now: u64) -> Facts {
        let validators = validators(open, coding, now);
        let (etag, date) = (&validators.etag, date::format(validators.modified));
        let mut lines = format!(
            "ETag: {etag}\r\nLast-Modified: {date}\r\nAccept-Ranges: bytes\r\nVary: {VARY}\r\n"
        );
        if let Some(coding) = coding {
            // Writing to a String cannot fail.
            let _ = write!(lines, "Content-Encoding: {}\r\n", coding.name());
        }
        let (len, modified) = (open.len, open.modified);
        Facts { len, modified, coding, validators, content_type: content_type(path), lines }
    }
}

fn validators(open: &OpenFile, coding: Option<Coding>, now: u64) -> Validators {
    let (sign, since) = match open.modified.duration_since(UNIX_EPOCH) {
        Ok(since) => ("", since),
        Err(before) => ("-", before.duration()),
    };
    let suffix = coding.map_or("", Coding::suffix);
    Validators {
        etag: format!("\"{sign}{:x}-{:x}{suffix}\"", since.as_nanos(), open.len),
        // A file of tomorrow was not modified after this answer; RFC 9110, section 8.8.2.1.
        modified: date::seconds(open.modified).min(now),
    }
}

fn content_type(path: &str) -> String {
    let guessed = mime_guess::from_path(path).first_raw().unwrap_or(UNKNOWN_TYPE);
    if guessed.starts_with("text/") {
        format!("{guessed}; charset=utf-8")
    } else {
        guessed.to_owned()
    }
}
