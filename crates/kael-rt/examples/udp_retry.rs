//! Requests over UDP that are sent again when no answer comes: with a time limit that doubles, and an end to patience.
//!
//! The program is its own server, one that loses two of three requests and answers some twice.

use kael_rt::net::UdpSocket;
use kael_rt::time::Duration;
use std::io;

const FIRST_LIMIT: Duration = Duration::from_millis(20);
const ATTEMPTS: u32 = 6;
const DATAGRAM_BYTES: usize = 512;

#[kael_rt::main]
async fn main() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let addr = socket.local_addr()?;
    let server = kael_rt::spawn(serve_badly(socket));

    let mut client = Client::connect(addr).await?;
    for word in ["ring", "queue", "wake", "carry"] {
        let (answer, attempts) = client.ask(word).await?;
        println!("{word} -> {answer} (attempt {attempts})");
        assert_eq!(answer, word.to_uppercase());
    }

    // Nobody is there any more: the question ends with an error, in bounded time.
    server.abort();
    let error = client.ask("anybody?").await.expect_err("nobody answers");
    println!("anybody? -> {error}");
    Ok(())
}

/// Asks one server, one question at a time. A request is a number of 4 bytes and a text; the answer bears its number.
struct Client {
    socket: UdpSocket,
    number: u32,
}

impl Client {
    async fn connect(addr: std::net::SocketAddr) -> io::Result<Client> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(addr).await?;
        Ok(Client { socket, number: 0 })
    }

    /// The answer, and the attempt that it came to.
    async fn ask(&mut self, text: &str) -> io::Result<(String, u32)> {
        self.number += 1;
        let mut request = [&self.number.to_be_bytes()[..], text.as_bytes()].concat();
        let mut limit = FIRST_LIMIT;
        for attempt in 1..=ATTEMPTS {
            let (result, back) = self.socket.send(request).await;
            request = back;
            match result {
                Ok(_) => {}
                // The word of an earlier datagram that nobody was at the port. It may come up again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
            if let Some(answer) = self.answer(limit).await? {
                return Ok((answer, attempt));
            }
            limit *= 2;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer to {ATTEMPTS} requests")))
    }

    /// The answer to the last question, if it comes in time. Late answers to earlier ones are passed over, and do not
    /// prolong the time.
    async fn answer(&self, limit: Duration) -> io::Result<Option<String>> {
        let listen = async {
            let mut buf = Vec::with_capacity(DATAGRAM_BYTES);
            loop {
                let (result, received) = self.socket.recv(buf).await;
                match result {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                }
                if let Some(text) = received.strip_prefix(&self.number.to_be_bytes()) {
                    return Ok(String::from_utf8_lossy(text).into_owned());
                }
                buf = received;
            }
        };
        // A dropped receive loses no datagram: one that comes late goes to the next receive.
        match kael_rt::time::timeout(limit, listen).await {
            Ok(answer) => answer.map(Some),
            Err(_elapsed) => Ok(None),
        }
    }
}

/// Answers in capitals, but only to each third request, and to each second of those twice.
async fn serve_badly(socket: UdpSocket) -> io::Result<()> {
    let mut buf = Vec::with_capacity(DATAGRAM_BYTES);
    let mut requests = 0;
    loop {
        let (result, request) = socket.recv_from(buf).await;
        let (_, client) = result?;
        requests += 1;
        buf = request;
        if requests % 3 != 0 {
            continue;
        }
        buf.iter_mut().skip(4).for_each(|byte| byte.make_ascii_uppercase());
        for _ in 0..1 + requests / 3 % 2 {
            let (result, back) = socket.send_to(buf, client).await;
            result?;
            buf = back;
        }
    }
}
