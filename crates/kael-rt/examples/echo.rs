//! An echo server: one task and one buffer per connection.
//!
//! `echo ADDR` serves for ever. Without an argument it serves itself: a few clients talk to it, check what comes back,
//! and the program ends.

use kael_rt::net::{TcpListener, TcpStream};
use std::{io, net::SocketAddr};

const BUFFER_BYTES: usize = 16 * 1024;

#[kael_rt::main]
async fn main() -> io::Result<()> {
    match std::env::args().nth(1) {
        Some(addr) => serve(TcpListener::bind(addr).await?).await,
        None => demonstrate().await,
    }
}

/// Accepts until the listener fails for good.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(kael_rt::spawn(echo(stream, peer))),
            // Out of descriptors or memory: the next accept waits until there are some again.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

/// Sends back what comes, until the peer ends its direction. The buffer goes round: to the read, to the write, back.
async fn echo(stream: TcpStream, peer: SocketAddr) {
    // An answer leaves at once, or this connection is a little slower.
    let _ = stream.set_nodelay(true);
    let mut buf = Vec::with_capacity(BUFFER_BYTES);
    let error = loop {
        let (result, received) = stream.read(buf).await;
        match result {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => break error,
        }
        let (result, sent) = stream.write_all(received).await;
        if let Err(error) = result {
            break error;
        }
        buf = sent;
    };
    eprintln!("{peer}: {error}");
}

async fn demonstrate() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = kael_rt::spawn(serve(listener));
    let clients: Vec<_> = (1..=4)
        .map(|number| {
            kael_rt::spawn(async move {
                let stream = TcpStream::connect(addr).await?;
                for round in 0..1000 {
                    let message = format!("client {number}, round {round}").into_bytes();
                    let (result, message) = stream.write_all(message).await;
                    result?;
                    let (result, answer) = stream.read_exact(vec![0; message.len()]).await;
                    result?;
                    assert_eq!(answer, message);
                }
                stream.close().await
            })
        })
        .collect();
    for client in clients {
        client.await.map_err(io::Error::other)??;
    }
    server.abort();
    println!("4 clients, 1000 rounds each: every answer was what had been sent");
    Ok(())
}
