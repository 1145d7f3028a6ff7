//! What a request is answered with: a file or parts of it, a list, or the reason why not.

use super::coding;
use super::conditions::{self, Verdict};
use super::facts::{Facts, VARY};
use super::head::{Head, reason};
use super::open_files::{Entry, OpenFile};
use super::path::Path;
use super::range::{self, Part, Ranges};
use super::request::Request;
use super::root::status;
use super::wire::Wire;
use super::{Core, body, listing};
use kael_rt::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

const ALLOWED: &str = "GET, HEAD, OPTIONS";
/// Methods that are known and that nothing here allows; of another nobody knows what it would mean.
const KNOWN: [&str; 6] = ["POST", "PUT", "DELETE", "CONNECT", "TRACE", "PATCH"];
const INDEX: &str = "index.html";

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Bytes of the body.
    pub(super) bytes: u64,
}

/// An answer in the making.
pub(super) struct Reply<'a> {
    core: &'a Core,
    wire: &'a mut Wire,
    /// `None`: it could not be read.
    request: Option<&'a Request<'a>>,
    /// The method is HEAD.
    without_body: bool,
    keep_alive: bool,
}

/// A file that is the answer.
struct Chosen {
    file: Rc<File>,
    len: u64,
    facts: Rc<Facts>,
}

pub(super) async fn respond(reply: &mut Reply<'_>) -> io::Result<Answer> {
    let Some(request) = reply.request else { return reply.plain(400).await };
    match request.method {
        "GET" | "HEAD" => {}
        "OPTIONS" => {
            let head = reply.head(204).field("Allow", ALLOWED);
            return reply.send(204, head, b"").await;
        }
        method if KNOWN.contains(&method) => return reply.plain(405).await,
        _ => return reply.plain(501).await,
    }
    let Ok(path) = Path::parse(request.target) else { return reply.plain(400).await };
    let shared = &reply.core.shared;
    if !path.is_directory && shared.options.metrics.as_ref() == Some(&path.relative) {
        let text = shared.metrics.text(shared.admission.open());
        return reply.page("text/plain; version=0.0.4", text.as_bytes()).await;
    }
    let found = match reply.core.find(&path.relative).await {
        Ok(found) => found,
        Err(error) => return reply.plain(status(&error)).await,
    };
    match (found, path.is_directory) {
        (Entry::File(open), false) => reply.file(request, open, &path.relative).await,
        (Entry::File(_), true) => reply.plain(404).await,
        (Entry::Directory(folder), true) => reply.directory(request, folder, &path).await,
        (Entry::Directory(_), false) => {
            let query = request.target.split_once('?').map_or("", |(_, query)| query);
            let mark = if query.is_empty() { "" } else { "?" };
            let location = format!("{}{mark}{query}", path.as_directory_target());
            let head = reply.head(301).field("Location", location);
            reply.text(301, head).await
        }
        (Entry::Other, _) => reply.plain(403).await,
    }
}

impl<'a> Reply<'a> {
    pub(super) fn new(
        core: &'a Core,
        wire: &'a mut Wire,
        request: Option<&'a Request<'a>>,
        without_body: bool,
        keep_alive: bool,
    ) -> Reply<'a> {
        Reply { core, wire, request, without_body, keep_alive }
    }

    fn head(&self, status: u16) -> Head {
        let is_1_1 = self.request.is_none_or(|request| request.is_1_1);
        self.core.with_date(|date| Head::new(status, date, self.keep_alive, is_1_1))
    }

    /// An answer that is its status.
    pub(super) async fn plain(&mut self, status: u16) -> io::Result<Answer> {
        let head = self.head(status);
        let head = match status {
            405 => head.field("Allow", ALLOWED),
            503 => head.field("Retry-After", 1),
            _ => head,
        };
        self.text(status, head).await
    }

    async fn text(&mut self, status: u16, head: Head) -> io::Result<Answer> {
        let text = format!("{status} {}\n", reason(status));
        let head = head
            .field("Content-Type", "text/plain; charset=utf-8")
            .field("Content-Length", text.len());
        self.send(status, head, text.as_bytes()).await
    }

    /// Something that was made for this answer.
    async fn page(&mut self, content_type: &str, page: &[u8]) -> io::Result<Answer> {
        let head = self.head(200).field("Content-Type", content_type);
        let head = head.field("Content-Length", page.len()).field("Cache-Control", "no-cache");
        self.send(200, head, page).await
    }

    async fn send(&mut self, status: u16, head: Head, body: &[u8]) -> io::Result<Answer> {
        self.wire.put(head.end().as_bytes()).await?;
        let body = if self.without_body { b"" } else { body };
        self.wire.put(body).await?;
        Ok(Answer { status, bytes: body.len() as u64 })
    }

    async fn directory(
        &mut self,
        request: &Request<'_>,
        folder: OwnedFd,
        path: &Path,
    ) -> io::Result<Answer> {
        let index = path.join(INDEX);
        match self.core.find(&index).await {
            Ok(Entry::File(open)) => return self.file(request, open, &index).await,
            Ok(_) => {}
            Err(error) if status(&error) == 404 => {}
            Err(error) => return self.plain(status(&error)).await,
        }
        if !self.core.shared.options.list {
            return self.plain(403).await;
        }
        let shown = path_shown(path);
        let listed = kael_rt::spawn_blocking(move || listing::page(&folder, &shown)).await;
        match listed.map_err(io::Error::other).and_then(|page| page) {
            Ok(page) => self.page("text/html; charset=utf-8", page.as_bytes()).await,
            Err(error) => self.plain(status(&error)).await,
        }
    }

    /// A file, or the compressed one beside it.
    async fn file(
        &mut self,
        request: &Request<'_>,
        mut open: OpenFile,
        path: &str,
    ) -> io::Result<Answer> {
        let mut coding = None;
        for acceptable in coding::acceptable(request.accept_encoding.as_deref().unwrap_or("")) {
            let beside = format!("{path}{}", acceptable.suffix());
            // If it is not there, or cannot be had: the file itself is there.
            if let Ok(Entry::File(compressed)) = self.core.find(&beside).await {
                (open, coding) = (compressed, Some(acceptable));
                break;
            }
        }
        let facts = Facts::of(&open, path, coding, self.core.now());
        let chosen = Chosen { file: open.file, len: open.len, facts };
        let validators = &chosen.facts.validators;
        match conditions::evaluate(request, validators) {
            Verdict::Failed => return self.plain(412).await,
            Verdict::NotModified => {
                // What says which of the client's copies it is, and no more; RFC 9110, section 15.4.5.
                let head = self.head(304).field("ETag", &validators.etag);
                let head = head.field("Vary", VARY);
                return self.send(304, head, b"").await;
            }
            Verdict::Send => {}
        }
        let ranges = match &request.range {
            // A range of HEAD has no meaning; RFC 9110, section 14.2.
            Some(range) if !self.without_body && conditions::allows_range(request, validators) => {
                range::parse(range, chosen.len)
            }
            _ => Ranges::Whole,
        };
        match ranges {
            Ranges::Whole => self.whole(&chosen).await,
            Ranges::Unsatisfiable => {
                let head = self.head(416).field("Content-Range", format!("bytes */{}", chosen.len));
                self.text(416, head).await
            }
            Ranges::Parts(parts) => match parts[..] {
                [part] => self.part(&chosen, part).await,
                // `Content-Encoding` would say that the parts with their heads are compressed, as a whole.
                _ if coding.is_some() => self.whole(&chosen).await,
                _ => self.parts(&chosen, &parts).await,
            },
        }
    }

    async fn whole(&mut self, chosen: &Chosen) -> io::Result<Answer> {
        let head = self
            .head(200)
            .lines(&chosen.facts.lines)
            .field("Content-Type", &chosen.facts.content_type)
            .field("Content-Length", chosen.len);
        self.wire.put(head.end().as_bytes()).await?;
        let bytes = match self.without_body {
            true => 0,
            false => {
                body::send(&chosen.file, Part { start: 0, end: chosen.len }, self.wire).await?
            }
        };
        Ok(Answer { status: 200, bytes })
    }

    async fn part(&mut self, chosen: &Chosen, part: Part) -> io::Result<Answer> {
        let head = self
            .head(206)
            .lines(&chosen.facts.lines)
            .field("Content-Type", &chosen.facts.content_type)
            .field("Content-Range", content_range(part, chosen.len))
            .field("Content-Length", part.len());
        self.wire.put(head.end().as_bytes()).await?;
        let bytes = body::send(&chosen.file, part, self.wire).await?;
        Ok(Answer { status: 206, bytes })
    }

    /// Several parts, each with a head of its own. See RFC 9110, section 14.6.
    async fn parts(&mut self, chosen: &Chosen, parts: &[Part]) -> io::Result<Answer> {
        // Nobody who wrote the file can have known it.
        let boundary = format!("{:016x}", RandomState::new().hash_one(chosen.len));
        let heads: Vec<String> = parts
            .iter()
            .map(|part| {
                format!(
                    "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
                    chosen.facts.content_type,
                    content_range(*part, chosen.len)
                )
            })
            .collect();
        let end = format!("\r\n--{boundary}--\r\n");
        let bytes = heads.iter().map(|head| head.len() as u64).sum::<u64>()
            + parts.iter().map(|part| part.len()).sum::<u64>()
            + end.len() as u64;
        let head = self
            .head(206)
            .lines(&chosen.facts.lines)
            .field("Content-Type", format!("multipart/byteranges; boundary={boundary}"))
            .field("Content-Length", bytes);
        self.wire.put(head.end().as_bytes()).await?;
        for (head, part) in heads.iter().zip(parts) {
            self.wire.put(head.as_bytes()).await?;
            body::send(&chosen.file, *part, self.wire).await?;
        }
        self.wire.put(end.as_bytes()).await?;
        Ok(Answer { status: 206, bytes })
    }
}

fn content_range(part: Part, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end - 1)
}

/// A directory's path as people read it.
fn path_shown(path: &Path) -> String {
    if path.relative.is_empty() { "/".to_owned() } else { format!("/{}/", path.relative) }
}
