//! [`Log`]: a line for each request, in the formats that the tools for web servers read. A thread writes them, so that no
//! core waits for a disk; when it does not keep up, lines are lost and counted.

use super::date;
use super::request::Request;
use crate::fail::doing;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

/// Lines that wait to be written: at 250 bytes each a few mebibytes.
const ROOM: usize = 16_384;
/// Bytes of one value of the client's in a line.
const MOST_BYTES: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Address, time, request, status, bytes
    Common,
    /// Besides, where the client comes from and what it is
    Combined,
}

enum Message {
    Line(String),
    Reopen,
    End,
}

pub(super) struct Log {
    format: Format,
    lines: SyncSender<Message>,
}

impl Log {
    /// Starts the thread that writes, until [`end`](Self::end).
    pub(super) fn start(
        format: Format,
        path: Option<PathBuf>,
    ) -> io::Result<(Log, JoinHandle<()>)> {
        let (lines, messages) = mpsc::sync_channel(ROOM);
        let file = path.as_deref().map(open).transpose()?;
        let thread =
            thread::Builder::new().name("log".to_owned()).spawn(move || match (path, file) {
                (Some(path), Some(file)) => write(&messages, file, || open(&path)),
                _ => write(&messages, io::stderr(), || Ok(io::stderr())),
            })?;
        Ok((Log { format, lines }, thread))
    }

    /// Gives a request to the thread; false: there is no room, and the line is lost.
    pub(super) fn request(
        &self,
        peer: IpAddr,
        request: Option<&Request<'_>>,
        status: u16,
        bytes: u64,
        now: u64,
    ) -> bool {
        let line = line(self.format, peer, request, status, bytes, now);
        self.lines.try_send(Message::Line(line)).is_ok()
    }

    /// The file may have been moved away: its lines go to a new one from now on.
    pub(super) fn reopen(&self) {
        // It waits if the thread has much to do. A thread that has ended has nothing to open.
        let _ = self.lines.send(Message::Reopen);
    }

    /// Lets the thread end when all is written.
    pub(super) fn end(&self) {
        let _ = self.lines.send(Message::End);
    }
}

fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(doing(format!("the log {}", path.display())))
}

fn write<W: Write>(messages: &Receiver<Message>, to: W, open: impl Fn() -> io::Result<W>) {
    let mut to = BufWriter::new(to);
    let (mut failed, mut ended) = (false, false);
    while !ended && let Ok(first) = messages.recv() {
        let mut next = Some(first);
        let mut result = Ok(());
        while let Some(message) = next {
            match message {
                Message::Line(line) => result = result.and(to.write_all(line.as_bytes())),
                Message::Reopen => match to.flush().and_then(|()| open()) {
                    Ok(file) => to = BufWriter::new(file),
                    Err(error) => eprintln!("kael: {error}"),
                },
                Message::End => ended = true,
            }
            next = messages.try_recv().ok();
        }
        // Nobody waits for a line that is only in our memory.
        if let Err(error) = result.and(to.flush())
            && !std::mem::replace(&mut failed, true)
        {
            eprintln!("kael: the log cannot be written: {error} (further ones are not told)");
        }
    }
}

fn line(
    format: Format,
    peer: IpAddr,
    request: Option<&Request<'_>>,
    status: u16,
    bytes: u64,
    now: u64,
) -> String {
    let mut line = format!("{} - - [{}] \"", peer.to_canonical(), date::for_log(now));
    match request {
        Some(request) => {
            quote(request.method.as_bytes(), &mut line);
            line.push(' ');
            quote(request.target.as_bytes(), &mut line);
            line.push_str(if request.is_1_1 { " HTTP/1.1" } else { " HTTP/1.0" });
        }
        None => line.push('-'),
    }
    line.push_str(&format!("\" {status} {bytes}"));
    if format == Format::Combined {
        for value in [request.and_then(|it| it.referer), request.and_then(|it| it.user_agent)] {
            line.push_str(" \"");
            quote(value.unwrap_or(b"-"), &mut line);
            line.push('"');
        }
    }
    line.push('\n');
    line
}

/// Appends what the client said, so that it cannot end the quotes, the line, or say something to a terminal.
fn quote(value: &[u8], line: &mut String) {
    for &byte in value.iter().take(MOST_BYTES) {
        match byte {
            b'"' | b'\\' => line.extend(['\\', byte as char]),
            b' '..=b'~' => line.push(byte as char),
            _ => line.push_str(&format!("\\x{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_formats() {
        let head =
            b"GET /a\"b HTTP/1.1\r\nHost: a\r\nReferer: \"x\\\r\nUser-Agent: \x1b[31m\xe9\r\n\r\n";
        let peer = "::ffff:192.0.2.1".parse().expect("an address");
        // The escape is no byte of a header; without it the head is one.
        assert!(Request::parse(head).is_err());
        let head = b"GET /a HTTP/1.1\r\nHost: a\r\nReferer: \"x\\\r\nUser-Agent: \xe9\t!\r\n\r\n";
        let request = Request::parse(head).expect("it is a request");
        let start = "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] ";
        assert_eq!(
            line(Format::Common, peer, Some(&request), 200, 5, 784_111_777),
            format!("{start}\"GET /a HTTP/1.1\" 200 5\n")
        );
        assert_eq!(
            line(Format::Combined, peer, Some(&request), 200, 5, 784_111_777),
            format!("{start}\"GET /a HTTP/1.1\" 200 5 \"\\\"x\\\\\" \"\\xe9\\x09!\"\n")
        );
        assert_eq!(
            line(Format::Combined, peer, None, 400, 0, 784_111_777),
            format!("{start}\"-\" 400 0 \"-\" \"-\"\n")
        );
    }
}
