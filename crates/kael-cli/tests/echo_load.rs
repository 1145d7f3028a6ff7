//! `kael echo` and `kael load` together, with enough descriptors and with too few.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::{Server, expect_success, kael, stdout};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Nothing takes that long; it only keeps a failing test from waiting for ever.
const LONG: Duration = Duration::from_secs(60);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr).expect("the kernel takes the connection");
    stream.set_read_timeout(Some(LONG)).expect("it is a time");
    stream
}

fn answer(mut stream: &TcpStream) -> std::io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte).map(|()| byte[0])
}

#[track_caller]
fn round_trip(mut stream: &TcpStream, byte: u8) {
    stream.write_all(&[byte]).expect("the server reads");
    assert_eq!(answer(stream).expect("the server answers"), byte);
}

/// Waits until the server has closed what nobody uses: each round trip lets its loop go round.
#[track_caller]
fn expect_descriptors(server: &Server, expected: usize) {
    let limit = Instant::now() + LONG;
    let one = connect(server);
    loop {
        round_trip(&one, 1);
        let open = server.open_descriptors() - 1;
        if open == expected {
            return;
        }
        assert!(Instant::now() < limit, "{open} descriptors are open, and were {expected}");
    }
}

#[test]
fn many_connections_and_no_descriptor_left() {
    let server = Server::start();
    let first = connect(&server);
    round_trip(&first, 7);
    // While the connection is held, the server has it open.
    let without = server.open_descriptors() - 1;
    drop(first);
    expect_descriptors(&server, without);
    for arguments in [
        "--connections 100 --seconds 1",
        "--connections 20 --size 50000 --depth 8 --seconds 1",
        "--connections 50 --rate 2000 --depth 4 --seconds 1",
        "--connections 1 --size 1 --seconds 1",
    ] {
        let output = kael(&format!("load --connect {} {arguments}", server.addr));
        expect_success(&output);
        let text = stdout(&output);
        assert!(text.contains("errors: 0"), "{text}");
        assert!(text.contains("p99.9"), "{text}");
    }
    expect_descriptors(&server, without);
    let last = server.interrupt();
    assert!(last.contains("0 ended with an error"), "{last}");
}

/// The open loop keeps its rate: 2,000 messages a second for a second, from ten connections.
#[test]
fn the_rate_is_kept() {
    let server = Server::start();
    let output =
        kael(&format!("load --connect {} --connections 10 --rate 2000 --seconds 1", server.addr));
    expect_success(&output);
    let text = stdout(&output);
    let messages =
        text.lines().find_map(|line| line.split_once(" messages in ")?.0.parse::<u32>().ok());
    assert!(messages.is_some_and(|messages| messages <= 2000), "{text}");
    assert!(text.contains("open loop at 2000/s"), "{text}");
}

/// R19: without descriptors the server serves those it has, sleeps, and accepts again afterwards.
#[test]
fn r19_echo_outlives_a_lack_of_descriptors() {
    let mut server = Server::with_descriptors(64);
    // The kernel takes them all; the server can accept some of them.
    let mut served: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect();
    assert!(server.line().contains("cannot accept"));
    let starved = served.split_off(40);
    for stream in &served {
        round_trip(stream, 5);
    }
    // The one after the sixty-fourth gets no answer; the server sleeps meanwhile.
    let mut late = &starved[64 - 40];
    late.write_all(&[9]).expect("the kernel takes it");
    let before = server.ticks();
    late.set_read_timeout(Some(Duration::from_secs(1))).expect("it is a time");
    let silence = answer(late).expect_err("nobody serves it");
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    let ticks = server.ticks() - before;
    assert!(ticks <= 10, "{ticks} hundredths of a second of work while it had nothing to do");
    for stream in &served {
        round_trip(stream, 6);
    }
    // Room for forty again: the late one has its answer.
    drop(served);
    let line = server.line();
    assert!(line.contains("accepting again"), "{line}");
    late.set_read_timeout(Some(LONG)).expect("it is a time");
    assert_eq!(answer(late).expect("it is served now"), 9);
    drop(starved);
    let output = kael(&format!("load --connect {} --connections 20 --seconds 1", server.addr));
    expect_success(&output);
    let end = server.interrupt();
    assert!(end.contains("0 ended with an error"), "{end}");
}

#[test]
fn a_server_that_changes_a_byte_is_found_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    let liar = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut message = [0; 64];
        for round in 0.. {
            if stream.read_exact(&mut message).is_err() {
                return;
            }
            message[33] ^= u8::from(round == 10);
            if stream.write_all(&message).is_err() {
                return;
            }
        }
    });
    let output = kael(&format!("load --connect {addr} --size 64 --seconds 30"));
    assert_eq!(output.status.code(), Some(1));
    let said = common::stderr(&output);
    assert!(said.contains("message 10 came back changed"), "{said}");
    liar.join().expect("the liar only lies");
}

#[test]
fn a_server_that_ends_is_an_error_of_each_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    let server = std::thread::spawn(move || {
        let streams: Vec<_> = (0..3).map(|_| listener.accept().expect("three connect").0).collect();
        for stream in &streams {
            let byte = answer(stream).expect("a message comes");
            (&mut &*stream).write_all(&[byte]).expect("it is awaited");
        }
    });
    let start = Instant::now();
    let output = kael(&format!("load --connect {addr} --connections 3 --size 1 --seconds 50"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("errors: 3"), "{}", stdout(&output));
    assert!(start.elapsed() < Duration::from_secs(40), "it does not wait for the time to be up");
    server.join().expect("the server ends");
}

/// Each core has a listener of its own, and the system spreads the connections.
#[cfg(target_os = "linux")]
#[test]
fn two_cores_serve_one_address() {
    let server = Server::of_command("echo --listen 127.0.0.1:0 --cores 2");
    let output = kael(&format!("load --connect {} --connections 100 --seconds 1", server.addr));
    expect_success(&output);
    assert!(stdout(&output).contains("errors: 0"), "{}", stdout(&output));
    let streams: Vec<_> = (0..100).map(|_| connect(&server)).collect();
    streams.iter().for_each(|stream| round_trip(stream, 3));
    drop(streams);
    let last = server.interrupt();
    assert!(last.contains("served 20") && last.contains("0 ended with an error"), "{last}");
    let line = last.lines().find_map(|line| line.strip_prefix("connections of each core: "));
    let of_cores: Vec<u32> = line.expect(&last).split(", ").map(|n| n.parse().unwrap()).collect();
    // 200 by a hash: a quarter of them is far from what chance does.
    assert!(of_cores.len() == 2 && of_cores.iter().all(|n| *n >= 50), "{of_cores:?}");
}
