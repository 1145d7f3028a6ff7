//! `kael serve` and its clients: those that say much at once, those that say nothing, those that do not end; and signals.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::http::{Client, LONG, Site, connect};
use rustix::process::Signal;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

const GET: &str = "GET /hello.txt HTTP/1.1\r\nHost: a";

#[test]
fn fifty_requests_at_once() {
    let site = Site::new("clients-pipelined", "");
    let mut client = site.client();
    let mut requests = String::new();
    for n in 0..50 {
        let target = ["/hello.txt", "/none", "/folder/"][n % 3];
        requests.push_str(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    client.raw(requests.as_bytes());
    for n in 0..50 {
        let answer = client.answer(false);
        let expected =
            [(200, "hello, world"), (404, "404 Not Found\n"), (200, "<p>the index</p>")][n % 3];
        assert_eq!((answer.status, answer.text().as_str()), expected, "{n}");
    }
    client.send(&format!("{GET}\r\nConnection: close"));
    assert_eq!(client.answer(false).field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn keep_alive_by_version() {
    let site = Site::new("clients-versions", "");
    let mut client = site.client();
    client.send("GET /hello.txt HTTP/1.0\r\nConnection: keep-alive");
    assert_eq!(client.answer(false).field("connection"), Some("keep-alive"));
    client.send("GET /hello.txt HTTP/1.0");
    assert_eq!(client.answer(false).field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn heads_that_are_too_long() {
    let site = Site::new("clients-long", "");
    let mut client = site.client();
    client.raw(format!("{GET}\r\nX: {}\r\n\r\n", "x".repeat(100 << 10)).as_bytes());
    assert_eq!(client.answer(false).status, 431);
    client.expect_end();
    let mut client = site.client();
    client.raw(format!("GET /{} HTTP/1.1\r\n", "x".repeat(100 << 10)).as_bytes());
    assert_eq!(client.answer(false).status, 414);
    client.expect_end();
    assert_eq!(site.ask(&format!("{GET}\r\n{}", "X: y\r\n".repeat(200))).status, 431);
}

#[test]
fn clients_that_take_their_time() {
    let site = Site::new("clients-slow", "--header-timeout 1 --idle-timeout 0.3");
    // A byte now and then: each comes in time, and all of them do not.
    let mut slow = connect(site.server.addr);
    slow.set_read_timeout(Some(Duration::from_millis(100))).expect("it is a time");
    let start = Instant::now();
    let mut first = [0];
    for byte in GET.bytes().cycle() {
        if slow.write_all(&[byte]).is_err() {
            break;
        }
        match slow.read(&mut first) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            read => {
                assert_eq!(read.expect("it is answered"), 1);
                break;
            }
        }
        assert!(start.elapsed() < LONG, "it is not waited for for ever");
    }
    assert_eq!(first, *b"H");
    let mut client = Client::new(slow);
    client.stream.get_mut().set_read_timeout(Some(LONG)).expect("it is a time");
    let mut rest = String::new();
    client.stream.read_to_string(&mut rest).expect("it ends");
    assert!(rest.starts_with("TTP/1.1 408 Request Timeout\r\n"), "{rest}");

    // Nobody waits for an answer here, so there is none.
    site.client().expect_end();
    let mut idle = site.client();
    let start = Instant::now();
    idle.send(GET);
    assert_eq!(idle.answer(false).status, 200);
    idle.expect_end();
    assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let site = Site::new("clients-deaf", "--write-timeout 0.3 --metrics /metrics");
    let mut client = site.client();
    socket2::SockRef::from(client.stream.get_ref()).set_recv_buffer_size(4096).expect("an option");
    // More than the kernel keeps for one connection.
    for _ in 0..20 {
        client.send("GET /big.bin HTTP/1.1\r\nHost: a");
    }
    // Others are served meanwhile, and one of them sees that it is let go.
    let limit = Instant::now() + LONG;
    let mut other = site.client();
    loop {
        other.send("GET /metrics HTTP/1.1\r\nHost: a");
        if other.answer(false).text().contains("kael_connections_broken_total 1\n") {
            break;
        }
        assert!(Instant::now() < limit, "it is let go");
    }
}

#[test]
fn bodies_are_ignored_or_refused() {
    let site = Site::new("clients-bodies", "--body-bytes 100");
    let mut client = site.client();
    client.raw(format!("{GET}\r\nContent-Length: 5\r\n\r\nGET /").as_bytes());
    assert_eq!(client.answer(false).text(), "hello, world");
    client.raw(
        format!("{GET}\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n{GET}\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(client.answer(false).text(), "hello, world");
    assert_eq!(client.answer(false).text(), "hello, world");
    client.send(&format!("{GET}\r\nContent-Length: 3\r\nExpect: 100-continue"));
    assert_eq!(client.head().status, 100);
    client.raw(b"abc");
    assert_eq!(client.answer(false).status, 200);
    client.raw(format!("{GET}\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n").as_bytes());
    assert_eq!(client.answer(false).status, 413);
    client.expect_end();
    for (body, status) in [
        ("zz\r\n", 400),
        ("1\r\nabc\r\n", 400),
        ("ffffffffffffffffff\r\n", 400),
        ("0\r\nno end", 400),
    ] {
        let mut client = site.client();
        client.raw(format!("{GET}\r\nTransfer-Encoding: chunked\r\n\r\n{body}").as_bytes());
        client.stream.get_ref().shutdown(Shutdown::Write).expect("it is open");
        assert_eq!(client.answer(false).status, status, "{body}");
        client.expect_end();
    }
    // A body that nothing takes ends the connection, and what is in it is no request.
    let mut client = site.client();
    client.raw(
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n{GET}\r\n\r\n")
            .as_bytes(),
    );
    assert_eq!(client.answer(false).status, 405);
    client.expect_end();
}

/// No length, no digit, and a line that ends within an extension: in such bytes a proxy before us may see other requests.
#[test]
fn s04_chunks_that_two_servers_could_read_differently() {
    let site = Site::new("clients-chunks", "");
    for body in [
        "\r\n\r\n",
        ";a\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3;\nab\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
    ] {
        let mut client = site.client();
        client.raw(format!("{GET}\r\nTransfer-Encoding: chunked\r\n\r\n{body}").as_bytes());
        assert_eq!(client.answer(false).status, 400, "{body}");
        client.expect_end();
    }
}

#[test]
fn a_file_that_becomes_shorter_is_never_made_up() {
    let site = Site::new("clients-truncated", "");
    let path = site.path("shrinking.bin");
    let file = fs::File::create(&path).expect("it can be made");
    file.set_len(64 << 20).expect("there is room");
    let mut client = site.client();
    client.send("GET /shrinking.bin HTTP/1.1\r\nHost: a");
    let head = client.head();
    assert_eq!(head.field("content-length"), Some("67108864"));
    // The server is held up by us: there is more than the kernel keeps for one connection.
    file.set_len(1000).expect("it can be made shorter");
    let mut received = 0;
    let mut piece = vec![0; 65_536];
    loop {
        match client.stream.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => received += n,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                break;
            }
        }
    }
    assert!(received < 64 << 20, "{received} bytes");
    let end = site.server.interrupt();
    assert!(end.contains("1 files became shorter"), "{end}");
}

#[test]
fn an_address_has_no_more_than_its_share() {
    let site = Site::new("clients-share", "--max-per-address 2");
    let ask = |client: &mut Client<TcpStream>| {
        client.send(GET);
        client.answer(false).status
    };
    let (mut first, mut second) = (site.client(), site.client());
    assert_eq!((ask(&mut first), ask(&mut second)), (200, 200));
    assert_eq!(site.client().rest().unwrap_or_default(), b"", "the third is closed");
    assert_eq!((ask(&mut first), ask(&mut second)), (200, 200));
}

/// Clients that say a byte now and then, and one that rests between its requests: the one that has waited longest goes.
#[test]
fn s02_a_further_connection_takes_the_place_of_who_has_waited_longest() {
    let mut site = Site::new("clients-displaced", "--max-connections 3 --metrics /metrics");
    let [mut first, mut second, mut resting] = [(); 3].map(|()| {
        let mut client = site.client();
        client.send(GET);
        assert_eq!(client.answer(false).status, 200);
        client
    });
    first.raw(b"GET /hello.txt HTTP/1.1\r\n");
    second.raw(b"GET /hello.txt HTTP/1.1\r\n");
    first.raw(b"Host: a\r\n");
    let mut honest = site.client();
    honest.send(GET);
    assert_eq!(honest.answer(false).text(), "hello, world");
    assert!(site.server.line().contains("3 connections are open: for each further one"));
    assert_eq!(
        first.rest().unwrap_or_default(),
        b"",
        "it came first, and its last byte does not count"
    );
    second.send("Host: a");
    assert_eq!(second.answer(false).text(), "hello, world");
    let mut last = site.client();
    last.send("GET /metrics HTTP/1.1\r\nHost: a");
    let counted = last.answer(false).text();
    assert!(counted.contains("kael_connections_displaced_total 2\n"), "{counted}");
    assert_eq!(resting.rest().unwrap_or_default(), b"", "the others have asked since");
    for client in [&mut honest, &mut second] {
        client.send(GET);
        assert_eq!(client.answer(false).status, 200);
    }
    assert!(site.server.interrupt().contains("2 ended for another, 0 broken"));
}

#[test]
fn r19_serve_outlives_a_lack_of_descriptors() {
    let mut site = Site::new("clients-starved", "");
    let mut client = site.client();
    client.send(GET);
    assert_eq!(client.answer(false).status, 200);
    site.server.limit_descriptors(3);
    // Not what is open still.
    client.send("GET /empty HTTP/1.1\r\nHost: a");
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    // (An accept that a ring has already keeps the limit that held when it was asked for, and takes this one.)
    let _first = site.client();
    assert!(site.server.line().contains("no descriptors are left"));
    let mut late = site.client();
    late.send(GET);
    site.server.limit_descriptors(256);
    assert_eq!(late.answer(false).status, 200, "it waited");
    client.send(GET);
    assert_eq!(client.answer(false).status, 200);
}

#[test]
fn a_signal_lets_requests_end() {
    let mut site = Site::new("clients-drain", "");
    let mut busy = site.client();
    busy.send("GET /big.bin HTTP/1.1\r\nHost: a");
    let head = busy.head();
    let mut begun = site.client();
    begun.raw(b"GET /hello.txt HTTP/1.1\r\n");
    let mut idle = site.client();
    idle.send(GET);
    assert_eq!(idle.answer(false).status, 200);
    site.server.signal(Signal::TERM);
    assert!(site.server.line().contains("ending, with "));
    idle.expect_end();
    let limit = Instant::now() + LONG;
    while TcpStream::connect(site.server.addr).is_ok() {
        assert!(Instant::now() < limit, "nobody listens any more");
    }
    begun.send("Host: a");
    let answer = begun.answer(false);
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
    begun.expect_end();
    let mut body = vec![0; 3_000_000];
    busy.stream.read_exact(&mut body).expect("it is sent to its end");
    assert!(body == common::http::big());
    assert_eq!(head.status, 200);
    drop(busy);
    let end = site.server.ended();
    assert!(end.contains("0 broken"), "{end}");
    assert!(end.contains("0 open at the end"), "{end}");
}

#[test]
fn who_does_not_end_is_not_waited_for() {
    let site = Site::new("clients-cut", "--drain 0.2");
    let mut begun = site.client();
    begun.raw(b"GET /hello.txt HTTP/1.1\r\n");
    let mut served = site.client();
    served.send(GET);
    assert_eq!(served.answer(false).status, 200);
    site.server.signal(Signal::TERM);
    let end = site.server.ended();
    assert!(end.contains("1 open at the end"), "{end}");
    assert_eq!(begun.rest().unwrap_or_default(), b"");
}

#[test]
fn the_log_and_its_rotation() {
    let place = common::Folder::new("clients-log");
    let log = place.0.join("access.log");
    let mut site =
        Site::new("clients-logged", &format!("--log combined --log-file {}", log.display()));
    assert_eq!(site.get("/hello.txt", "User-Agent: a \"test\"\r\nReferer: b\r\n").status, 200);
    assert_eq!(site.ask("NONSENSE").status, 400);
    let moved = place.0.join("access.log.1");
    // What was answered is written soon.
    let limit = Instant::now() + LONG;
    while fs::read_to_string(&log).expect("it is there").lines().count() < 2 {
        assert!(Instant::now() < limit, "two lines are written");
    }
    fs::rename(&log, &moved).expect("it is there");
    site.server.signal(Signal::HUP);
    while !log.exists() {
        assert!(Instant::now() < limit, "a new file is made");
    }
    assert_eq!(site.get("/none", "").status, 404);
    site.server.signal(Signal::TERM);
    assert!(site.server.line().contains("ending"));
    site.server.ended();
    let old = fs::read_to_string(moved).expect("it is there");
    let lines: Vec<&str> = old.lines().collect();
    assert!(lines[0].starts_with("127.0.0.1 - - ["), "{old}");
    assert!(
        lines[0].ends_with("\"GET /hello.txt HTTP/1.1\" 200 12 \"b\" \"a \\\"test\\\"\""),
        "{old}"
    );
    assert!(lines[1].contains("] \"-\" 400 "), "{old}");
    let new = fs::read_to_string(log).expect("it is there");
    assert!(new.contains("\"GET /none HTTP/1.1\" 404 14 \"-\" \"-\"\n"), "{new}");
}

/// Each core has a listener and connections of its own; the counters, the limits and the end are of all.
#[cfg(target_os = "linux")]
#[test]
fn several_cores_are_one_server() {
    let site = Site::new("clients-cores", "--cores 3 --metrics /metrics --max-per-address 64");
    // As many at once as there may be, wherever each came to.
    let mut clients: Vec<_> = (0..64).map(|_| site.client()).collect();
    for client in &mut clients {
        client.send(GET);
        assert_eq!(client.answer(false).text(), "hello, world");
    }
    let mut refused = site.client();
    refused.expect_end();
    let mut one = clients.pop().expect("there are 64");
    one.send("GET /metrics HTTP/1.1\r\nHost: a");
    let text = one.answer(false).text();
    assert!(text.contains("kael_connections_open 64"), "{text}");
    let last = site.server.interrupt();
    assert!(last.contains("served 65 requests on 65 connections"), "{last}");
}
