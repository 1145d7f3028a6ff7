//! `kael serve` among clients that send a byte now and then: a measurement, run by name.

// It reads the server's memory from /proc, and uses that all of 127.0.0.0/8 is this machine.
#![cfg(target_os = "linux")]

mod common;

use common::http::{Client, Site};
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// As many processes as 20,000 descriptors for each demand.
const PROCESSES: usize = 4;
const SLOW: usize = 50_000;
/// From so many addresses.
const ADDRESSES: usize = 200;
/// A client whose connection was ended comes back after so long, or up to twice that, and is as slow as before.
const AWAY: Duration = Duration::from_secs(30);
/// Each says a byte in such a time.
const PACE: Duration = Duration::from_secs(10);
const HONEST: usize = 8;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(5);
/// The default of `--max-connections`, and what the documentation of `kael serve` says that one of them takes while its
/// client is slow: twice `--header-bytes`, whose default is 16 KiB, and 28 KiB.
const CONNECTIONS: u64 = 4096;
const BOUND: u64 = CONNECTIONS * (2 * 16 + 28) * 1024;

#[test]
#[ignore = "a measurement: cargo test --release -p kael-cli --test serve_slow -- --ignored --nocapture honest"]
fn honest_clients_among_slow_ones() {
    let site = Site::new("slow", "");
    let addr = site.server.addr;
    let (mut alone, mut among) = (Vec::new(), Vec::new());
    honest_p99(addr);
    let before = site.server.resident_bytes();
    for round in 1..=ROUNDS {
        alone.push(honest_p99(addr));
        // In the second round their heads are as long as they may be.
        let slow = SlowClients::start(addr, if round == 2 { 15 * 1024 } else { 40 });
        among.push(honest_p99(addr));
        let more = site.server.resident_bytes().saturating_sub(before);
        println!(
            "round {round}: p99 {:?} alone, {:?} among {SLOW} slow ones; {} KiB more in memory, {} descriptors open",
            alone[round - 1],
            among[round - 1],
            more / 1024,
            site.server.open_descriptors()
        );
        assert!(more <= BOUND, "{more} bytes, and not {BOUND} at most");
        drop(slow);
    }
    let mut ratios: Vec<f64> = alone
        .iter()
        .zip(&among)
        .map(|(alone, among)| among.as_secs_f64() / alone.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    alone.sort();
    among.sort();
    let middle = ROUNDS / 2;
    println!(
        "medians of p99: {:?} alone, {:?} among them; in a round, {:.2} times as long",
        alone[middle], among[middle], ratios[middle]
    );
    println!("{}", site.server.interrupt());
}

/// The 99th percentile of what [`HONEST`] clients wait for an answer, each tenth with the time to connect.
fn honest_p99(addr: SocketAddr) -> Duration {
    let stop = AtomicBool::new(false);
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..HONEST).map(|_| scope.spawn(|| honest(addr, &stop))).collect();
        thread::sleep(ROUND);
        stop.store(true, Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("each is answered")).collect()
    });
    times.sort();
    times[times.len() * 99 / 100]
}

fn honest(addr: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    while !stop.load(Relaxed) {
        let mut start = Instant::now();
        let mut client = Client::new(common::http::connect(addr));
        for _ in 0..10 {
            client.send("GET /hello.txt HTTP/1.1\r\nHost: a");
            assert_eq!(client.answer(false).status, 200);
            times.push(start.elapsed());
            thread::sleep(Duration::from_millis(2));
            start = Instant::now();
        }
    }
    times
}

/// [`SLOW`] clients in processes of their own.
struct SlowClients(Vec<Child>);

impl SlowClients {
    /// Returns when each has connected once.
    fn start(addr: SocketAddr, bytes: usize) -> SlowClients {
        let process = |n: usize| {
            // Elsewhere they would have processors of their own.
            Command::new("nice")
                .args(["-n", "19"])
                .arg(std::env::current_exe().expect("it is known"))
                .args(["slow_clients", "--exact", "--ignored", "--nocapture"])
                .env("KAEL_SLOW", format!("{addr} {n} {bytes}"))
                .stdout(Stdio::piped())
                .spawn()
                .expect("it starts")
        };
        let mut processes: Vec<Child> = (0..PROCESSES).map(process).collect();
        for process in &mut processes {
            let words = BufReader::new(process.stdout.take().expect("it is piped"));
            let is_there =
                |line: std::io::Result<String>| line.is_ok_and(|it| it.contains("connected"));
            assert!(words.lines().any(is_there), "the clients connect");
        }
        SlowClients(processes)
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        for process in &mut self.0 {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Not a test: what [`SlowClients`] starts.
#[test]
#[ignore = "a part of honest_clients_among_slow_ones"]
fn slow_clients() {
    let Ok(settings) = std::env::var("KAEL_SLOW") else { return };
    let mut settings = settings.split(' ');
    let addr: SocketAddr = settings.next().and_then(|it| it.parse().ok()).expect("an address");
    let mut number = || settings.next().and_then(|it| it.parse::<usize>().ok()).expect("a number");
    let (process, bytes) = (number(), number());
    let mut clients: Vec<Slow> = (0..SLOW / PROCESSES)
        .map(|n| Slow { number: n * PROCESSES + process, stream: None, gone: None })
        .collect();
    clients.iter_mut().for_each(|client| client.connect(addr, bytes));
    println!("connected");
    loop {
        let round = Instant::now();
        for (n, client) in clients.iter_mut().enumerate() {
            client.go_on(addr, bytes);
            // In small groups, so that they do not all come at once.
            if n % 50 == 0 {
                thread::sleep(
                    (PACE * n as u32 / (SLOW / PROCESSES) as u32).saturating_sub(round.elapsed()),
                );
            }
        }
    }
}

struct Slow {
    number: usize,
    stream: Option<TcpStream>,
    gone: Option<Instant>,
}

impl Slow {
    fn connect(&mut self, addr: SocketAddr, bytes: usize) {
        let address = self.number % ADDRESSES;
        let [high, low] = [address / 100, address % 100].map(|n| n as u8 + 1);
        let from = SocketAddr::from(([127, 1, high, low], 0));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is left");
        socket.bind(&from.into()).expect("a port is free");
        socket.connect(&addr.into()).expect("the server listens");
        let mut stream = TcpStream::from(socket);
        let head = format!("GET /hello.txt HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(bytes));
        // It may have been ended for another already.
        let _ = stream.write_all(head.as_bytes());
        stream.set_nonblocking(true).expect("an option");
        (self.stream, self.gone) = (Some(stream), None);
    }

    /// A byte, or a new connection when it is time.
    fn go_on(&mut self, addr: SocketAddr, bytes: usize) {
        let Some(stream) = &mut self.stream else {
            if self.gone.is_some_and(|since| {
                since.elapsed() >= AWAY + AWAY * self.number as u32 / SLOW as u32
            }) {
                self.connect(addr, bytes);
            }
            return;
        };
        let is_open = matches!(stream.read(&mut [0; 512]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        if !is_open || stream.write(b"y").is_err() {
            (self.stream, self.gone) = (None, Some(Instant::now()));
        }
    }
}
