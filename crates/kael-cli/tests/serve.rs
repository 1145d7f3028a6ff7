//! `kael serve`: what each request gets.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::http::{Answer, LONG, Site, big};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

#[test]
fn s04_a_table_of_requests() {
    let site = Site::new("serve-table", "");
    symlink("hello.txt", site.path("inside")).expect("it can be made");
    symlink("../secret.txt", site.path("outside")).expect("it can be made");
    symlink("..", site.path("parent")).expect("it can be made");
    symlink("loop", site.path("loop")).expect("it can be made");
    symlink("/etc/passwd", site.path("absolute")).expect("it can be made");
    for (head, status) in [
        ("GET /hello.txt HTTP/1.1\r\nHost: a", 200),
        ("HEAD /hello.txt HTTP/1.1\r\nHost: a", 200),
        ("GET /hello.txt HTTP/1.0", 200),
        ("GET http://example.com/hello.txt HTTP/1.1\r\nHost: a", 200),
        ("GET /empty HTTP/1.1\r\nHost: a", 200),
        ("GET /folder/ HTTP/1.1\r\nHost: a", 200),
        ("GET /inside HTTP/1.1\r\nHost: a", 200),
        ("GET /folder/../hello.txt HTTP/1.1\r\nHost: a", 200),
        ("GET /folder/%2e%2e/hello.txt?a=/../.. HTTP/1.1\r\nHost: a", 200),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-4", 206),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nRange: lines=0-4", 200),
        ("HEAD /hello.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-4", 200),
        ("GET /folder HTTP/1.1\r\nHost: a", 301),
        ("GET /none HTTP/1.1\r\nHost: a", 404),
        ("HEAD /none HTTP/1.1\r\nHost: a", 404),
        ("GET /%252e%252e/secret.txt HTTP/1.1\r\nHost: a", 404),
        ("GET //etc/passwd HTTP/1.1\r\nHost: a", 404),
        ("GET /hello.txt/ HTTP/1.1\r\nHost: a", 404),
        ("GET /hello.txt/x HTTP/1.1\r\nHost: a", 404),
        ("GET /secret.txt HTTP/1.1\r\nHost: a", 404),
        ("GET /bare/ HTTP/1.1\r\nHost: a", 403),
        ("GET /outside HTTP/1.1\r\nHost: a", 403),
        ("GET /absolute HTTP/1.1\r\nHost: a", 403),
        ("GET /parent/secret.txt HTTP/1.1\r\nHost: a", 403),
        ("GET /loop HTTP/1.1\r\nHost: a", 403),
        ("GET /..%c0%afsecret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /.%2e/secret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /%00 HTTP/1.1\r\nHost: a", 400),
        ("GET /../secret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /folder/../../secret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /%2e%2e/secret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /..%2fsecret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /..\\secret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /..%5csecret.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /hello.txt%00.html HTTP/1.1\r\nHost: a", 400),
        ("GET /%zz HTTP/1.1\r\nHost: a", 400),
        ("GET /hello.txt HTTP/1.1", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nHost: b", 400),
        ("GET /hello.txt HTTP/3.0\r\nHost: a", 505),
        ("NONSENSE", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a", 204),
        ("OPTIONS /hello.txt HTTP/1.1\r\nHost: a", 204),
        ("POST /hello.txt HTTP/1.1\r\nHost: a", 405),
        ("DELETE /hello.txt HTTP/1.1\r\nHost: a", 405),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a", 405),
        ("PUT /hello.txt HTTP/1.1\r\nHost: a", 405),
        ("TRACE /hello.txt HTTP/1.1\r\nHost: a", 405),
        ("JUMP /hello.txt HTTP/1.1\r\nHost: a", 501),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=12-", 416),
        ("GET /empty HTTP/1.1\r\nHost: a\r\nRange: bytes=0-", 416),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"", 412),
        (
            "GET /hello.txt HTTP/1.1\r\nHost: a\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            412,
        ),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nExpect: a miracle", 417),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", 501),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip", 400),
        ("GET /hello.txt HTTP/1.0\r\nTransfer-Encoding: chunked", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: a b", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: user@a", 400),
        ("GET http://?/none HTTP/1.1\r\nHost: a", 400),
        ("GET http://example.com@a/hello.txt HTTP/1.1\r\nHost: a", 400),
        ("GET http://example.com?/none HTTP/1.1\r\nHost: a", 403),
        ("GET /hello.txt?a#b HTTP/1.1\r\nHost: a", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nX : y", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: y\r\n z", 400),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: a\rb", 400),
        ("GET  /hello.txt HTTP/1.1\r\nHost: a", 400),
        ("GET /hello.txt", 400),
        ("PRI * HTTP/2.0", 505),
        ("\r\nGET /hello.txt HTTP/1.1\r\nHost: a", 200),
        ("GET /hello.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 70000", 413),
        (
            "GET /hello.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            400,
        ),
    ] {
        let answer = site.ask(head);
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        assert!(!answer.text().contains("nobody sees this"), "{head}");
        assert!(answer.field("date").is_some(), "{head}");
        if status == 405 || status == 204 {
            assert_eq!(answer.field("allow"), Some("GET, HEAD, OPTIONS"), "{head}");
        }
    }
    let end = site.server.interrupt();
    assert!(end.contains("0 files became shorter, 0 open at the end"), "{end}");
}

#[test]
fn whole_files() {
    let site = Site::new("serve-whole", "");
    let answer = site.get("/hello.txt", "");
    assert_eq!(answer.text(), "hello, world");
    assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.field("accept-ranges"), Some("bytes"));
    assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
    let head = site.ask("HEAD /hello.txt HTTP/1.1\r\nHost: a");
    let same = |answer: &Answer| -> Vec<String> {
        answer.fields.iter().filter(|line| !line.starts_with("Date")).cloned().collect()
    };
    assert_eq!(same(&head), same(&answer), "HEAD says what GET says");
    assert!(site.get("/big.bin", "").body == big());
    assert_eq!(site.get("/big.bin", "").field("content-type"), Some("application/octet-stream"));
    assert_eq!(site.get("/folder/", "").text(), "<p>the index</p>");
    let moved = site.get("//folder?a=b", "");
    assert_eq!(moved.field("location"), Some("/folder/?a=b"));
    assert_eq!(site.get("/bare/a%26b%20%3Cc%3E.txt", "").text(), "odd");
}

#[test]
fn parts_of_files() {
    let site = Site::new("serve-parts", "");
    let big = big();
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-1099999", 1_000_000, 1_100_000),
        ("bytes=2999999-", 2_999_999, 3_000_000),
        ("bytes=-70000", 2_930_000, 3_000_000),
        ("bytes=5-99999999999999999999", 5, 3_000_000),
    ] {
        let answer = site.get("/big.bin", &format!("Range: {range}\r\n"));
        assert_eq!(answer.status, 206, "{range}");
        assert!(answer.body == big[start..end], "{range}: {} bytes", answer.body.len());
        let expected = format!("bytes {start}-{}/3000000", end - 1);
        assert_eq!(answer.field("content-range"), Some(expected.as_str()));
    }
    let none = site.get("/big.bin", "Range: bytes=3000000-\r\n");
    assert_eq!(none.field("content-range"), Some("bytes */3000000"));

    let answer = site.get("/big.bin", "Range: bytes=10-19, 100000-199999, -5\r\n");
    assert_eq!(answer.status, 206);
    let kind = answer.field("content-type").expect("it has one");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("it says so");
    let mut expected = Vec::new();
    for (start, end) in [(10, 20), (100_000, 200_000), (2_999_995, 3_000_000)] {
        expected.extend(format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {start}-{}/3000000\r\n\r\n",
            end - 1
        ).into_bytes());
        expected.extend(&big[start..end]);
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    assert!(answer.body == expected, "{}", String::from_utf8_lossy(&answer.body[..200]));
}

/// What may be there once and is there twice is as if it were not there.
#[test]
fn s04_fields_that_are_there_twice() {
    let site = Site::new("serve-twice", "");
    let modified =
        site.get("/hello.txt", "").field("last-modified").expect("it has one").to_owned();
    for fields in [
        "Range: bytes=0-1\r\nRange: bytes=0-1\r\n".to_owned(),
        format!("If-Modified-Since: {modified}\r\nIf-Modified-Since: {modified}\r\n"),
        format!("Range: bytes=0-1\r\nIf-Range: {modified}\r\nIf-Range: {modified}\r\n"),
    ] {
        assert_eq!(site.get("/hello.txt", &fields).status, 200, "{fields}");
    }
}

#[test]
fn s04_parts_of_compressed_files() {
    let site = Site::new("serve-compressed-parts", "");
    let get = |range: &str| site.get("/page.html", &format!("Accept-Encoding: br\r\n{range}"));
    let one = get("Range: bytes=0-2\r\n");
    assert_eq!((one.status, one.text().as_str()), (206, "bro"));
    assert_eq!(one.field("content-encoding"), Some("br"));
    // Parts with their heads are not compressed, though each part is: nobody could tell that to a client.
    let several = get("Range: bytes=0-2, 4-5\r\n");
    assert_eq!((several.status, several.text().as_str()), (200, "brotli of it"));
    assert_eq!(several.field("content-encoding"), Some("br"));
}

#[test]
fn s04_no_body_for_a_head_that_is_refused() {
    let site = Site::new("serve-refused-head", "");
    for head in ["HEAD /hello.txt HTTP/1.1", "HEAD / HTTP/1.1\r\nHost: a\r\nX : y"] {
        let mut client = site.client();
        client.send(head);
        let answer = client.answer(true);
        assert_eq!((answer.status, answer.field("content-length")), (400, Some("16")), "{head}");
        client.expect_end();
    }
    let mut client = site.client();
    client.raw(format!("HEAD / HTTP/1.1\r\nX: {}", "x".repeat(20_000)).as_bytes());
    assert_eq!(client.answer(true).status, 431);
    client.expect_end();
}

/// RFC 9112, section 2.2: an empty line before a request is passed over.
#[test]
fn s04_an_empty_line_before_a_head_changes_nothing() {
    let site = Site::new("serve-empty-line", "");
    let mut client = site.client();
    client.raw(b"\r\nHEAD /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer(true).status, 200);
    client.send("GET /none HTTP/1.1\r\nHost: a");
    assert_eq!(client.answer(false).status, 404, "a body came that nobody asked for");
}

#[test]
fn s04_what_the_client_has_already() {
    let site = Site::new("serve-conditions", "");
    let first = site.get("/hello.txt", "");
    let etag = first.field("etag").expect("it has one").to_owned();
    let modified = first.field("last-modified").expect("it has one").to_owned();
    for (fields, status) in [
        (format!("If-None-Match: {etag}\r\n"), 304),
        (format!("If-None-Match: \"x\", W/{etag}\r\n"), 304),
        ("If-None-Match: \"x\"\r\n".to_owned(), 200),
        (format!("If-Modified-Since: {modified}\r\n"), 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(), 200),
        (format!("If-Match: {etag}\r\n"), 200),
        (format!("If-Unmodified-Since: {modified}\r\n"), 200),
        (format!("Range: bytes=0-1\r\nIf-Range: {etag}\r\n"), 206),
        (format!("Range: bytes=0-1\r\nIf-Range: {modified}\r\n"), 206),
        ("Range: bytes=0-1\r\nIf-Range: \"x\"\r\n".to_owned(), 200),
    ] {
        let answer = site.get("/hello.txt", &fields);
        assert_eq!(answer.status, status, "{fields}");
        assert_eq!(answer.field("etag"), Some(etag.as_str()), "{fields}");
        assert_eq!(answer.body.is_empty(), status == 304, "{fields}");
        if status == 304 {
            assert_eq!(answer.field("vary"), Some("Accept-Encoding"), "{fields}");
            // What describes a body that is not there; RFC 9110, section 15.4.5.
            for name in ["content-type", "content-length", "content-encoding", "last-modified"] {
                assert_eq!(answer.field(name), None, "{fields}");
            }
        }
    }
    fs::write(site.path("hello.txt"), "hello, moon!").expect("it can be written");
    let changed = site.get("/hello.txt", &format!("If-None-Match: {etag}\r\n"));
    assert_eq!((changed.status, changed.text().as_str()), (200, "hello, moon!"));
    // Times that no header can name.
    for (name, seconds) in [("old", -1_000_000_000_000), ("late", 900_000_000_000)] {
        fs::write(site.path(name), name).expect("it can be written");
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 5 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        let file = fs::File::open(site.path(name)).expect("it is there");
        rustix::fs::futimens(&file, &times).expect("the file system takes it");
        assert_eq!(site.get(&format!("/{name}"), "").text(), name);
    }
}

#[test]
fn compressed_files_beside_a_file() {
    let site = Site::new("serve-compressed", "");
    let plain = site.get("/page.html", "");
    let mut tags = vec![plain.field("etag").expect("it has one").to_owned()];
    assert_eq!((plain.text().as_str(), plain.field("content-encoding")), ("<p>as it is</p>", None));
    for (accepted, coding, text) in [
        ("gzip, deflate, br", Some("br"), "brotli of it"),
        ("gzip;q=1, br;q=0.5", Some("gzip"), "gzip of it"),
        ("br;q=0, *", Some("gzip"), "gzip of it"),
        ("gzip;q=0, identity", None, "<p>as it is</p>"),
    ] {
        let answer = site.get("/page.html", &format!("Accept-Encoding: {accepted}\r\n"));
        assert_eq!(
            (answer.field("content-encoding"), answer.text().as_str()),
            (coding, text),
            "{accepted}"
        );
        assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        tags.push(answer.field("etag").expect("it has one").to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each has a tag of its own: {tags:?}");
    let hello = site.get("/hello.txt", "Accept-Encoding: gzip\r\n");
    assert_eq!((hello.field("content-encoding"), hello.text().as_str()), (None, "hello, world"));
}

/// A file stays open for a moment after it was asked for; what is told of it is true all the same.
#[test]
fn s01_what_changes_is_seen_at_once() {
    let site = Site::new("serve-changes", "");
    let hello = || {
        let answer = site.get("/hello.txt", "");
        (answer.status, answer.text(), answer.field("etag").map(str::to_owned))
    };
    let (_, text, first_tag) = hello();
    assert_eq!(text, "hello, world");
    fs::write(site.path("hello.txt"), "longer than it was").expect("it can be written");
    let (_, text, tag) = hello();
    assert_eq!(text, "longer than it was", "changed in place");
    assert_ne!(tag, first_tag);
    fs::write(site.path("other"), "another one").expect("it can be written");
    fs::rename(site.path("other"), site.path("hello.txt")).expect("it can be moved");
    assert_eq!(hello().1, "another one", "replaced");
    fs::rename(site.path("hello.txt"), site.path("moved")).expect("it can be moved");
    let start = Instant::now();
    while hello().0 == 200 {
        assert!(start.elapsed() < LONG, "no longer than a second");
    }
    fs::rename(site.path("moved"), site.path("hello.txt")).expect("it can be moved");
    assert_eq!(hello().0, 200);
    fs::remove_file(site.path("hello.txt")).expect("it can be removed");
    assert_eq!(hello().0, 404, "removed");
}

#[test]
fn lists_and_links_by_option() {
    let site = Site::new("serve-list", "--list --links follow --metrics /metrics");
    let list = site.get("/bare/", "").text();
    assert!(list.contains("<a href=\"./a%26b%20%3Cc%3E.txt\">a&amp;b &lt;c&gt;.txt</a>"), "{list}");
    assert!(site.get("/", "").text().contains("<a href=\"./folder/\">folder/</a>"));
    symlink("../secret.txt", site.path("outside")).expect("it can be made");
    assert_eq!(site.get("/outside", "").text(), "nobody sees this", "it was asked for");
    let metrics = site.get("/metrics", "").text();
    assert!(metrics.contains("kael_requests_total{status=\"2xx\"} 3\n"), "{metrics}");
    assert!(metrics.contains("\nkael_connections_total 4\n"), "{metrics}");

    let strict = Site::new("serve-links", "--links never");
    symlink("hello.txt", strict.path("inside")).expect("it can be made");
    assert_eq!(strict.get("/inside", "").status, 403);
}

#[test]
fn a_pipe_in_the_folder_holds_nobody_up() {
    let site = Site::new("serve-pipe", "");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, site.path("pipe"), rustix::fs::FileType::Fifo, mode, 0)
        .expect("it can be made");
    assert_eq!(site.get("/pipe", "").status, 403);
}
