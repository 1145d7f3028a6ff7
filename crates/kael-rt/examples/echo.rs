//! An echo server: one task per connection, and one pool of buffers for all of them.
//!
//! A connection that waits has no buffer. What it receives goes back from where it lies, by a queued write: the next
//! wait for a request carries the answer.
//!
//! `echo ADDR` serves for ever. Without an argument it serves itself: a few clients talk to it, check what comes back,
//! and the program ends.

use kael_rt::buf::BufferPool;
use kael_rt::net::{TcpListener, TcpStream};
use std::{io, net::SocketAddr};

const BUFFERS: usize = 1024;
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
    let pool = BufferPool::new(BUFFERS, BUFFER_BYTES)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(kael_rt::spawn(echo(stream, peer, pool.clone()))),
            // Out of descriptors or memory: the next accept waits until there are some again.
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}

/// Sends back what comes, until the peer ends its direction.
async fn echo(stream: TcpStream, peer: SocketAddr, pool: BufferPool) {
    if let Err(error) = send_back(&stream, &pool).await {
        eprintln!("{peer}: {error}");
    }
}

async fn send_back(stream: &TcpStream, pool: &BufferPool) -> io::Result<()> {
    // An answer leaves at once, or this connection is a little slower.
    stream.set_nodelay(true)?;
    let mut pieces = stream.recv_stream(pool);
    while let Some(piece) = pieces.next().await? {
        stream.write_queued(piece).await?;
    }
    stream.flush().await
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
