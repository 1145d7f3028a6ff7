//! A client for tests of `kael serve`, over a socket of the standard library: it sends bytes as they are and reads answers by
//! their lengths.
#![allow(dead_code, reason = "each test file uses a part")]

use super::{Folder, Server};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing takes that long; it only keeps a failing test from waiting for ever.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A folder with a few files, and the server of it.
pub(crate) struct Site {
    pub folder: Folder,
    pub server: Server,
}

impl Site {
    /// `name` is the test's own.
    pub(crate) fn new(name: &str, options: &str) -> Site {
        let folder = Folder::new(name);
        let file = |path: &str, bytes: &[u8]| {
            let path = folder.0.join("site").join(path);
            fs::create_dir_all(path.parent().expect("it is in the site")).expect("it can be made");
            fs::write(path, bytes).expect("it can be written");
        };
        file("hello.txt", b"hello, world");
        file("empty", b"");
        file("page.html", b"<p>as it is</p>");
        file("page.html.gz", b"gzip of it");
        file("page.html.br", b"brotli of it");
        file("big.bin", &big());
        file("folder/index.html", b"<p>the index</p>");
        file("bare/a&b <c>.txt", b"odd");
        file("../secret.txt", b"nobody sees this");
        let server = Server::of_command(&format!(
            "serve {} --listen 127.0.0.1:0 {options}",
            folder.0.join("site").display()
        ));
        Site { folder, server }
    }

    pub(crate) fn client(&self) -> Client<TcpStream> {
        Client::new(connect(self.server.addr))
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.0.join("site").join(name)
    }

    /// One request on a connection of its own; `head` without its empty line.
    pub(crate) fn ask(&self, head: &str) -> Answer {
        let mut client = self.client();
        client.send(head);
        client.answer(head.starts_with("HEAD"))
    }

    pub(crate) fn get(&self, target: &str, fields: &str) -> Answer {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}"))
    }
}

/// Three million bytes in which no two parts are alike.
pub(crate) fn big() -> Vec<u8> {
    (0..3_000_000u32).map(|n| (n ^ (n >> 8).wrapping_mul(31) ^ (n >> 16)) as u8).collect()
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the kernel takes the connection");
    stream.set_read_timeout(Some(LONG)).expect("it is a time");
    stream
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// Lines of the head after the first.
    pub fields: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) struct Client<S> {
    pub stream: BufReader<S>,
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Client<S> {
        Client { stream: BufReader::new(stream) }
    }

    /// Sends a head, which it ends.
    pub(crate) fn send(&mut self, head: &str) {
        let end = if head.ends_with("\r\n") { "\r\n" } else { "\r\n\r\n" };
        self.raw(format!("{head}{end}").as_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server reads");
    }

    #[track_caller]
    pub(crate) fn head(&mut self) -> Answer {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the server answers");
            assert!(line.ends_with("\r\n"), "the head is cut: {lines:?} {line:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let first = lines.remove(0);
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok());
        let status = status.unwrap_or_else(|| panic!("{first}"));
        Answer { status, fields: lines, body: Vec::new() }
    }

    #[track_caller]
    pub(crate) fn answer(&mut self, to_head: bool) -> Answer {
        let mut answer = self.head();
        let len = answer.field("content-length").map_or(0, |len| len.parse().expect("a number"));
        let has_body = !to_head && ![204, 304].contains(&answer.status);
        answer.body = vec![0; if has_body { len } else { 0 }];
        self.stream.read_exact(&mut answer.body).expect("the body is whole");
        answer
    }

    /// What comes until the end.
    pub(crate) fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).map(|_| bytes)
    }

    /// Nothing more comes, and the connection ends.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.rest().expect("it ends well"), b"");
    }
}
