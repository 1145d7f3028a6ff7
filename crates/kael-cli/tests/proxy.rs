//! `kael proxy` between plain sockets of the standard library: every byte both ways, ends passed on, limits, signals.

// Its programs are given limits and ended by signals. On Windows the lane runs `analyze`, `echo` and `load` itself.
#![cfg(unix)]

mod common;

use common::Server;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing takes that long; it only keeps a failing test from waiting for ever.
const LONG: Duration = Duration::from_secs(60);

struct Setup {
    target: TcpListener,
    proxy: Server,
}

impl Setup {
    fn new(options: &str) -> Setup {
        let target = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let addr = target.local_addr().expect("it is bound");
        let proxy = Server::of_command(&format!("proxy 127.0.0.1:0 {addr} {options}"));
        Setup { target, proxy }
    }

    /// A connection through the proxy: the client's end and the target's.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let client = connect(self.proxy.addr);
        (client, self.accept())
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = self.target.accept().expect("the proxy connects");
        stream.set_read_timeout(Some(LONG)).expect("it is a time");
        stream
    }
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the kernel takes the connection");
    stream.set_read_timeout(Some(LONG)).expect("it is a time");
    stream
}

fn rest(mut stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map(|_| bytes)
}

#[track_caller]
fn passes(mut from: &TcpStream, mut to: &TcpStream, text: &[u8]) {
    from.write_all(text).expect("it is open");
    let mut received = vec![0; text.len()];
    to.read_exact(&mut received).expect("it is passed on");
    assert_eq!(received, text);
}

/// A connection did not end as if all were said: it was reset.
#[track_caller]
fn expect_reset(stream: &TcpStream) {
    let error = rest(stream).expect_err("it is reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

fn byte(at: usize, seed: usize) -> u8 {
    (at.wrapping_mul(31) ^ (at >> 8) ^ (at >> 16) ^ seed) as u8
}

/// (A sixteenth where the processor is emulated.)
fn much() -> usize {
    let whole = 64 << 20;
    if std::env::var_os("KAEL_EMULATED").is_some() { whole / 16 } else { whole }
}

fn send_much(mut stream: TcpStream, seed: usize) {
    let mut piece = vec![0; 100_000];
    let mut sent = 0;
    while sent < much() {
        let n = piece.len().min(much() - sent);
        for (i, slot) in piece[..n].iter_mut().enumerate() {
            *slot = byte(sent + i, seed);
        }
        stream.write_all(&piece[..n]).expect("the other end reads");
        sent += n;
    }
    stream.shutdown(Shutdown::Write).expect("it is open");
}

fn receive_much(mut stream: TcpStream, seed: usize) {
    let mut piece = vec![0; 70_001];
    let mut received = 0;
    loop {
        let n = stream.read(&mut piece).expect("the other end writes");
        if n == 0 {
            break;
        }
        for (i, got) in piece[..n].iter().enumerate() {
            assert_eq!(*got, byte(received + i, seed), "byte {}", received + i);
        }
        received += n;
    }
    assert_eq!(received, much());
}

#[test]
fn sixty_four_mebibytes_both_ways_at_once() {
    let setup = Setup::new("");
    let (client, target) = setup.pair();
    let twin = |stream: &TcpStream| stream.try_clone().expect("a descriptor is free");
    let (client_2, target_2) = (twin(&client), twin(&target));
    let threads = [
        thread::spawn(move || send_much(client, 1)),
        thread::spawn(move || receive_much(target, 1)),
        thread::spawn(move || send_much(target_2, 2)),
        thread::spawn(move || receive_much(client_2, 2)),
    ];
    for thread in threads {
        thread.join().expect("all arrives as it was sent");
    }
    let (end, much) = (setup.proxy.interrupt(), much());
    assert!(
        end.contains(&format!("relayed 1 of 1 connections, {much} bytes there and {much} back")),
        "{end}"
    );
    assert!(end.contains("0 broken, 0 cut off"), "{end}");
}

#[test]
fn the_client_ends_and_the_target_goes_on() {
    let setup = Setup::new("");
    let (mut client, target) = setup.pair();
    client.write_all(b"question").expect("it is open");
    client.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(rest(&target).expect("the end is passed on"), b"question");
    passes(&target, &client, b"an answer");
    passes(&target, &client, b"and another");
    drop(target);
    assert_eq!(rest(&client).expect("the end is passed on"), b"");
}

#[test]
fn the_target_ends_and_the_client_goes_on() {
    let setup = Setup::new("");
    let (client, mut target) = setup.pair();
    target.write_all(b"greeting").expect("it is open");
    target.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(rest(&client).expect("the end is passed on"), b"greeting");
    passes(&client, &target, b"a late word");
    drop(client);
    assert_eq!(rest(&target).expect("the end is passed on"), b"");
}

#[test]
fn a_broken_end_is_no_good_end_for_the_other() {
    let setup = Setup::new("");
    let (client, target) = setup.pair();
    passes(&client, &target, b"half of it");
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("an option");
    drop(client);
    expect_reset(&target);
    let end = setup.proxy.interrupt();
    assert!(end.contains("1 broken"), "{end}");
}

#[test]
fn the_header_says_who_the_client_is() {
    let setup = Setup::new("--proxy-protocol");
    let (client, mut target) = setup.pair();
    let mut header = [0; 28];
    target
        .read_exact(&mut header)
        .expect("the header comes first, before the client says anything");
    let port = client.local_addr().expect("it is bound").port().to_be_bytes();
    let here = setup.proxy.addr.port().to_be_bytes();
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
    expected.extend(port);
    expected.extend(here);
    assert_eq!(header[..], expected);
    passes(&client, &target, b"and then this");
}

#[test]
fn a_target_that_refuses() {
    // Nobody listens there, and nobody can. (A listener that is closed may live on in a program that another test starts.)
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port is free");
    let addr = bound.local_addr().ok().and_then(|addr| addr.as_socket()).expect("it is bound");
    let proxy = Server::of_command(&format!("proxy 127.0.0.1:0 {addr}"));
    expect_reset(&connect(proxy.addr));
    let end = proxy.interrupt();
    assert!(end.contains("cannot connect to 127.0.0.1:"), "{end}");
    assert!(end.contains("relayed 0 of 1 connections"), "{end}");
    assert!(end.contains("1 without target"), "{end}");
}

#[test]
fn nothing_said_for_too_long() {
    let setup = Setup::new("--idle-timeout 1");
    let (client, target) = setup.pair();
    let start = Instant::now();
    passes(&client, &target, b"hello");
    expect_reset(&client);
    assert!(start.elapsed() >= Duration::from_millis(950), "{:?}", start.elapsed());
    expect_reset(&target);
    let end = setup.proxy.interrupt();
    assert!(end.contains("1 idle"), "{end}");
}

#[test]
fn an_address_has_no_more_than_its_share() {
    let setup = Setup::new("--max-per-address 2");
    let first = setup.pair();
    let second = setup.pair();
    assert_eq!(rest(&connect(setup.proxy.addr)).unwrap_or_default(), b"", "the third is closed");
    passes(&first.0, &first.1, b"1");
    passes(&second.0, &second.1, b"2");
    drop((first, second));
    let end = setup.proxy.interrupt();
    assert!(end.contains("1 refused"), "{end}");
}

#[test]
fn beyond_the_limit_connections_wait() {
    let setup = Setup::new("--max-connections 2");
    let first = setup.pair();
    let second = setup.pair();
    let third = connect(setup.proxy.addr);
    (&third).write_all(b"patience").expect("the kernel takes it");
    passes(&second.0, &second.1, b"2");
    setup.target.set_nonblocking(true).expect("it is an option");
    assert_eq!(setup.target.accept().expect_err("nobody comes").kind(), ErrorKind::WouldBlock);
    setup.target.set_nonblocking(false).expect("it is an option");
    drop(first);
    let target = setup.accept();
    let mut first_words = [0; 8];
    (&target).read_exact(&mut first_words).expect("it is passed on");
    assert_eq!(&first_words, b"patience");
}

#[test]
fn r19_without_descriptors_nobody_is_lost() {
    let mut setup = Setup::new("");
    let (client, target) = setup.pair();
    passes(&client, &target, b"before");
    // No number that is free is below the limit.
    setup.proxy.limit_descriptors(3);
    let late: Vec<TcpStream> = (0..20).map(|_| connect(setup.proxy.addr)).collect();
    assert!(setup.proxy.line().contains("no descriptors are left"));
    passes(&client, &target, b"meanwhile");
    setup.proxy.limit_descriptors(256);
    let served: Vec<TcpStream> = late.iter().map(|_| setup.accept()).collect();
    for client in &late {
        (&*client).write_all(b"!").expect("it is open");
    }
    for target in &served {
        let mut one = [0];
        (&*target).read_exact(&mut one).expect("each has its client");
    }
    drop((late, served, client, target));
    let end = setup.proxy.interrupt();
    assert!(end.contains("relayed 21 of 21 connections"), "{end}");
}

#[test]
fn a_signal_lets_connections_end() {
    let setup = Setup::new("");
    let (client, target) = setup.pair();
    passes(&client, &target, b"begun");
    setup.proxy.signal(Signal::TERM);
    let mut proxy = setup.proxy;
    assert!(proxy.line().contains("ending, with 1 connections open"));
    // The kernel closes what it listens at a moment later.
    let limit = Instant::now() + LONG;
    while TcpStream::connect(proxy.addr).is_ok() {
        assert!(Instant::now() < limit, "nobody listens any more");
    }
    passes(&target, &client, b"and finished");
    drop((client, target));
    let end = proxy.ended();
    assert!(end.contains("0 broken, 0 cut off"), "{end}");
}

#[test]
fn what_does_not_end_is_cut_off() {
    let setup = Setup::new("--drain 0.2");
    let (client, target) = setup.pair();
    passes(&client, &target, b"begun");
    setup.proxy.signal(Signal::TERM);
    expect_reset(&client);
    expect_reset(&target);
    let end = setup.proxy.ended();
    assert!(end.contains("1 cut off"), "{end}");
}
