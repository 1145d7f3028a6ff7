//! Many connections at once, every byte verified: what each sends comes back to it, and the runtime ends.
//!
//! `KAEL_FULL=1` makes it twenty runs, and one with more connections.

mod rig;

use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::Builder;
use rig::{is_full, size, within_limit};

const MESSAGE: usize = 1024;

#[test]
fn what_each_of_200_connections_sends_comes_back() {
    let runs = if is_full() { 20 } else { 1 };
    within_limit(move || (0..runs).for_each(|_| run(200, size(50, 50))));
}

#[test]
fn what_each_of_500_connections_sends_comes_back() {
    if !is_full() {
        return println!("not run: 500 connections, which KAEL_FULL=1 makes");
    }
    within_limit(|| run(500, 100));
}

fn run(connections: usize, rounds: usize) {
    let runtime = Builder::new().build().unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = kael_rt::spawn(async move {
            let mut served = Vec::new();
            for _ in 0..connections {
                let (stream, _) = listener.accept().await.unwrap();
                served.push(kael_rt::spawn(echo(stream)));
            }
            for served in served {
                served.await.unwrap();
            }
        });
        let clients: Vec<_> = (0..connections)
            .map(|number| {
                kael_rt::spawn(async move {
                    let stream = TcpStream::connect(addr).await.unwrap();
                    for round in 0..rounds {
                        let message = message(number, round);
                        let (result, message) = stream.write_all(message).await;
                        result.unwrap();
                        let (result, back) = stream.read_exact(vec![0; MESSAGE]).await;
                        result.unwrap();
                        assert!(back == message, "connection {number}, round {round}");
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        server.await.unwrap();
    });
}

async fn echo(stream: TcpStream) {
    let mut buf = Vec::with_capacity(4 * MESSAGE);
    loop {
        let (result, filled) = stream.read(buf).await;
        if result.unwrap() == 0 {
            return;
        }
        let (result, sent) = stream.write_all(filled).await;
        result.unwrap();
        buf = sent;
        buf.clear();
    }
}

/// No two connections and no two rounds nearby have the same.
fn message(number: usize, round: usize) -> Vec<u8> {
    (0..MESSAGE).map(|i| (i * 7 + number * 31 + round * 131) as u8 ^ (number >> 3) as u8).collect()
}
