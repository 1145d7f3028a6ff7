//! What a head is taken for, and a great deal of noise that must not do harm.

use super::*;

fn refused(head: &str) -> u16 {
    match Request::parse(head.as_bytes()) {
        Err(Refused(status)) => status,
        Ok(request) => panic!("{head}: {request:?}"),
    }
}

#[test]
fn keep_alive_by_version_and_word() {
    for (head, keep_alive) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\nHost: a\n\n", true),
    ] {
        let request = Request::parse(head.as_bytes()).expect("it is a request");
        assert_eq!(request.keep_alive, keep_alive, "{head}");
    }
}

#[test]
fn lengths_that_two_servers_could_read_differently() {
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let body = |fields: &str| {
        let head = with(fields);
        Request::parse(head.as_bytes()).expect("it is a request").body
    };
    assert_eq!(body("Content-Length: 5\r\n"), Body::Length(5));
    assert_eq!(body("Content-Length: 5\r\nContent-Length: 5\r\n"), Body::Length(5));
    assert_eq!(body("Transfer-Encoding: chunked\r\n"), Body::Chunked);
    for (fields, status) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5, 5\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: 99999999999999999999999\r\n", 413),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: chunked, gzip\r\n", 400),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        ("Transfer-Encoding:\r\n", 400),
        ("Transfer-Encoding: chunked,\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("X: a\r\n b\r\n", 400),
    ] {
        assert_eq!(refused(&with(fields)), status, "{fields}");
    }
}

#[test]
fn heads_that_are_none() {
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    for host in ["a b", "a/b", "u@a", "a\u{e9}", "a#b", "a?b"] {
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), 400, "{host}");
    }
    for host in ["", "a", "a:80", "[::1]:80", "192.0.2.1", "xn--a", "%61"] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert!(Request::parse(head.as_bytes()).is_ok(), "{host}");
    }
    assert_eq!(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
    assert_eq!(refused("GET /\r\n\r\n"), 400);
    assert_eq!(refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(refused("\0\0\r\n\r\n"), 400);
    assert_eq!(
        refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101))),
        431
    );
}

#[test]
fn the_end_is_found_wherever_it_was_cut() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
    for cut in 0..bytes.len() {
        let first = end_of_head(&bytes[..cut], 0);
        assert_eq!(first, (cut >= 27).then_some(27), "{cut}");
        if first.is_none() {
            assert_eq!(end_of_head(bytes, cut), Some(27), "{cut}");
        }
    }
    assert_eq!(end_of_head(b"a\n\nb", 0), Some(3));
    assert_eq!(end_of_head(b"a\n\r\n", 0), Some(4));
    assert_eq!(end_of_head(b"", 5), None);
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }
}

#[test]
fn noise_does_no_harm() {
    let pieces: &[&[u8]] = &[
        b"GET ",
        b"HEAD ",
        b"/",
        b"..",
        b"%2e",
        b"%",
        b"%00",
        b" HTTP/1.1",
        b"\r\n",
        b"\n",
        b"Host: a",
        b"Range: bytes=",
        b"0-1,",
        b"-5",
        b"If-None-Match: ",
        b"\"x\"",
        b"If-Modified-Since: ",
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Accept-Encoding: gzip;q=",
        b"0.5",
        b"Content-Length: ",
        b"99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"\xff\xfe",
        b"\0",
        b":",
        b" ",
        b"http://example.com/",
    ];
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut understood = 0;
    for _ in 0..100_000 {
        let mut bytes = Vec::new();
        let mut some = |bytes: &mut Vec<u8>, most: usize| {
            for _ in 0..noise.next() % most {
                match noise.next() % 16 {
                    0 => bytes.push(noise.next() as u8),
                    _ => bytes.extend(pieces[noise.next() % pieces.len()]),
                }
            }
        };
        bytes.extend(b"GET /");
        some(&mut bytes, 3);
        bytes.extend(b" HTTP/1.1\r\nHost: a\r\n");
        for _ in 0..3 {
            some(&mut bytes, 4);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        if let Some(end) = end_of_head(&bytes, 0) {
            assert!(end <= bytes.len());
        }
        let Ok(request) = Request::parse(&bytes) else { continue };
        understood += 1;
        let file = crate::serve::conditions::Validators { etag: "\"a\"".to_owned(), modified: 1 };
        let _ = crate::serve::path::Path::parse(request.target);
        let _ = crate::serve::conditions::evaluate(&request, &file);
        let _ = crate::serve::conditions::allows_range(&request, &file);
        let _ = crate::serve::range::parse(request.range.as_deref().unwrap_or(""), 10);
        let _ = crate::serve::coding::acceptable(request.accept_encoding.as_deref().unwrap_or(""))
            .count();
    }
    assert!(understood > 1000, "{understood} of it were requests");
}
