//! A line protocol with time limits: `SET key value`, `GET key`, `QUIT`, one answer a line.
//!
//! A client that is silent for too long, or that sends a line without end, is told so and closed. `lines ADDR` serves
//! for ever; without an argument it talks to itself and ends.

use kael_rt::buf::IoBuf;
use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::time::Duration;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

const LINE_BYTES: usize = 4096;

/// One core, no locks: the tasks share it through an `Rc`.
type Store = Rc<RefCell<HashMap<String, String>>>;

#[kael_rt::main]
async fn main() -> io::Result<()> {
    match std::env::args().nth(1) {
        Some(addr) => serve(TcpListener::bind(addr).await?, Duration::from_secs(30)).await,
        None => demonstrate().await,
    }
}

async fn serve(listener: TcpListener, patience: Duration) -> io::Result<()> {
    let store = Store::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                continue;
            }
        };
        let store = store.clone();
        kael_rt::spawn(async move {
            if let Err(error) = converse(&stream, &store, patience).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Answers one client's lines until it quits, ends, or tries our patience.
async fn converse(stream: &TcpStream, store: &Store, patience: Duration) -> io::Result<()> {
    let mut lines = Lines::new(stream, patience);
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(()),
            Err(error) => {
                let farewell = match error.kind() {
                    io::ErrorKind::TimedOut => "ERROR you are too slow\n",
                    io::ErrorKind::InvalidData => "ERROR that is not a line\n",
                    _ => return Err(error),
                };
                return stream.write_all(farewell).timeout(patience).await.0.map(drop);
            }
        };
        let Some(answer) = answer(&line, store) else { return Ok(()) };
        // The time limit holds for the peer's reading too.
        stream.write_all(answer).timeout(patience).await.0?;
    }
}

/// The answer to a line; `None` ends the conversation.
fn answer(line: &str, store: &Store) -> Option<String> {
    let mut words = line.splitn(3, ' ');
    Some(match (words.next(), words.next(), words.next()) {
        (Some("SET"), Some(key), Some(value)) => {
            store.borrow_mut().insert(key.to_owned(), value.to_owned());
            "OK\n".to_owned()
        }
        (Some("GET"), Some(key), None) => match store.borrow().get(key) {
            Some(value) => format!("VALUE {value}\n"),
            None => "NONE\n".to_owned(),
        },
        (Some("QUIT"), None, None) => return None,
        _ => "ERROR I know SET key value, GET key, QUIT\n".to_owned(),
    })
}

/// The lines of a stream. What was received beyond a line stays in the buffer for the next.
struct Lines<'a> {
    stream: &'a TcpStream,
    limit: Duration,
    buf: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(stream: &'a TcpStream, limit: Duration) -> Lines<'a> {
        Lines { stream, limit, buf: Vec::with_capacity(LINE_BYTES) }
    }

    /// The next line without its end; `None` when the peer has ended.
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buf.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buf.drain(..=end).collect();
                let line = String::from_utf8(line)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                return Ok(Some(line.trim_end().to_owned()));
            }
            let filled = self.buf.len();
            if filled == LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
            }
            // Appends: the read fills the buffer from `filled` on. When the time is up, the buffer comes back too.
            let room = std::mem::take(&mut self.buf).slice(filled..LINE_BYTES);
            let (result, room) = self.stream.read(room).timeout(self.limit).await;
            self.buf = room.into_inner();
            if result? == 0 {
                return Ok(None);
            }
        }
    }
}

async fn demonstrate() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = kael_rt::spawn(serve(listener, Duration::from_millis(100)));

    let stream = TcpStream::connect(addr).await?;
    let mut answers = Lines::new(&stream, Duration::from_secs(10));
    // Two questions in one write, the second of them in pieces.
    stream.write_all("SET colour deep blue\nGET co").await.0?;
    println!("SET colour deep blue -> {}", answers.next().await?.unwrap_or_default());
    stream.write_all("lour\n").await.0?;
    println!("GET colour -> {}", answers.next().await?.unwrap_or_default());
    // Now silence, until the server's patience is at its end.
    println!("(silence) -> {}", answers.next().await?.unwrap_or_default());
    assert_eq!(answers.next().await?, None);

    server.abort();
    Ok(())
}
