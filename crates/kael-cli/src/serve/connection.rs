//! One connection: its requests in order, each within its limits, until it ends or is ended.

use super::Core;
use super::request::{Body, Expect, Refused, Request, end_of_head, is_head};
use super::respond::{Answer, Reply, respond};
use super::wire::Wire;
use crate::admission::Permit;
use crate::before::before;
use kael_rt::net::TcpStream;
use kael_rt::time::{Duration, Instant, timeout};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// Bytes of the line before a chunk, or of one behind the last.
const CHUNK_LINE_BYTES: usize = 1024;

/// Bytes of a head for which there is room between requests.
const KEPT_BYTES: usize = 1024;
/// How long a connection that makes room for another may take to end.
const MAKE_ROOM: Duration = Duration::from_millis(100);

pub(super) async fn serve(core: Rc<Core>, stream: TcpStream, peer: SocketAddr, _permit: Permit) {
    if requests(&core, stream, peer).await.is_err() {
        // Clients go away in the middle all the time; each has been told what there was to tell.
        core.shared.metrics.broken.count();
    }
}

/// What came instead of the next request's head, or its length.
enum Next {
    Head(usize),
    /// The client has ended or says nothing, or we end: nobody waits for an answer.
    Over,
    Refused(u16),
}

async fn requests(core: &Core, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let shared = &core.shared;
    let tls = shared.certificate.as_ref().map(|certificate| certificate.accept()).transpose()?;
    let mut wire = Wire::new(stream, tls, core.pools.clone(), shared.options.write_timeout);
    let mut head = Vec::new();
    let mut is_first = true;
    loop {
        let Some(next) = core.waiting.wait(next_head(core, &mut wire, is_first)).await else {
            // What was answered goes out if it can. Others wait for this place.
            return timeout(MAKE_ROOM, wire.end_idle()).await.unwrap_or(Ok(()));
        };
        if next.is_err() && !wire.is_established() {
            shared.metrics.handshakes_failed.count();
        }
        is_first = false;
        let parsed = match next? {
            Next::Over => return wire.end_idle().await,
            Next::Refused(status) => Err(Refused(status)),
            Next::Head(len) => {
                head.extend_from_slice(&wire.received()[..len]);
                wire.take(len);
                Request::parse(&head)
            }
        };
        let without_body = is_head(if head.is_empty() { wire.received() } else { &head });
        let (refused, request) = match parsed {
            Err(Refused(status)) => (Some(status), None),
            Ok(request) => (take_body(core, &mut wire, &request).await?, Some(request)),
        };
        let keep_alive = refused.is_none()
            && request.as_ref().is_some_and(|it| it.keep_alive && !leaves_body(it))
            && !core.stop.is_cancelled();
        let mut reply = Reply::new(core, &mut wire, request.as_ref(), without_body, keep_alive);
        let answered = match refused {
            Some(status) => reply.plain(status).await,
            None => respond(&mut reply).await,
        };
        let Answer { status, bytes } = match answered {
            Ok(answer) => answer,
            Err(error) => {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    shared.metrics.truncated.count();
                }
                wire.reset();
                return Err(error);
            }
        };
        shared.metrics.answered(status);
        shared.metrics.sent.add(bytes);
        if let Some(log) = &shared.log
            && !log.request(peer.ip(), request.as_ref(), status, bytes, core.now())
        {
            shared.metrics.unlogged.count();
        }
        if !keep_alive {
            return wire.end().await;
        }
        head.clear();
        // A connection that waits has no memory of its longest head.
        head.shrink_to(KEPT_BYTES);
        // Answers to requests that have come together go together.
        if end_of_head(wire.received(), 0).is_none() {
            wire.send(true).await?;
        }
    }
}

/// The request has a body that is not read, because nothing takes it: what follows is no request.
fn leaves_body(request: &Request<'_>) -> bool {
    !takes_body(request) && request.body != Body::None
}

fn takes_body(request: &Request<'_>) -> bool {
    matches!(request.method, "GET" | "HEAD" | "OPTIONS")
}

/// Waits for a whole head.
async fn next_head(core: &Core, wire: &mut Wire, is_first: bool) -> io::Result<Next> {
    let options = &core.shared.options;
    if wire.received().is_empty() {
        let limit = if is_first { options.header_timeout } else { options.idle_timeout };
        match before(timeout(limit, wire.receive()), core.stop.cancelled()).await {
            Some(Ok(Ok(true))) => {}
            Some(Ok(Err(error))) => return Err(error),
            Some(Ok(Ok(false)) | Err(_)) | None => return Ok(Next::Over),
        }
    }
    let deadline = Instant::now() + options.header_timeout;
    let most = options.header_bytes as usize;
    let mut looked_at = 0;
    loop {
        // Empty lines before a request are let pass; RFC 9112, section 2.2.
        let blank = wire.received().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            wire.take(blank);
            looked_at = 0;
        }
        let end = end_of_head(wire.received(), looked_at);
        looked_at = wire.received().len();
        if end.unwrap_or(looked_at) > most {
            let has_target = wire.received().iter().take(most).any(|byte| *byte == b'\n');
            return Ok(Next::Refused(if has_target { 431 } else { 414 }));
        }
        if let Some(end) = end {
            return Ok(Next::Head(end));
        }
        match more(wire, deadline).await? {
            None => {}
            Some(_) if wire.received().is_empty() => return Ok(Next::Over),
            Some(status) => return Ok(Next::Refused(status)),
        }
    }
}

/// Waits for more bytes, within the time that is left. A status: there are none.
async fn more(wire: &mut Wire, deadline: Instant) -> io::Result<Option<u16>> {
    let left = deadline.saturating_duration_since(Instant::now());
    match timeout(left, wire.receive()).await {
        Ok(received) => Ok(if received? { None } else { Some(400) }),
        Err(_) => Ok(Some(408)),
    }
}

/// Reads the body and ignores it. A status: the request is refused, and the connection ends.
async fn take_body(core: &Core, wire: &mut Wire, request: &Request<'_>) -> io::Result<Option<u16>> {
    if request.expect == Expect::Unknown {
        return Ok(Some(417));
    }
    if !takes_body(request) {
        return Ok(None);
    }
    let options = &core.shared.options;
    match request.body {
        Body::None | Body::Length(0) => return Ok(None),
        Body::Length(n) if n > options.body_bytes => return Ok(Some(413)),
        _ => {}
    }
    if request.expect == Expect::Continue && request.is_1_1 {
        wire.put(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        wire.send(false).await?;
    }
    let deadline = Instant::now() + options.header_timeout;
    match request.body {
        Body::Length(n) => pass(wire, n, deadline).await,
        _ => chunks(wire, options.body_bytes, deadline).await,
    }
}

/// Takes so many bytes.
async fn pass(wire: &mut Wire, mut n: u64, deadline: Instant) -> io::Result<Option<u16>> {
    loop {
        let here = wire.received().len();
        let taken = usize::try_from(n).unwrap_or(usize::MAX).min(here);
        wire.take(taken);
        n -= taken as u64;
        if n == 0 {
            return Ok(None);
        }
        if let Some(status) = more(wire, deadline).await? {
            return Ok(Some(status));
        }
    }
}

/// Takes a chunked body, with what follows its last chunk.
async fn chunks(wire: &mut Wire, most: u64, deadline: Instant) -> io::Result<Option<u16>> {
    let mut total = 0u64;
    loop {
        let size = match chunk_line(wire.received()) {
            Ok(Some((len, size))) => {
                wire.take(len);
                size
            }
            Ok(None) => match more(wire, deadline).await? {
                None => continue,
                refused => return Ok(refused),
            },
            Err(Refused(status)) => return Ok(Some(status)),
        };
        if size == 0 {
            return trailer(wire, deadline).await;
        }
        total = total.saturating_add(size);
        if total > most {
            return Ok(Some(413));
        }
        if let Some(status) = pass(wire, size, deadline).await? {
            return Ok(Some(status));
        }
        while wire.received().len() < 2 {
            if let Some(status) = more(wire, deadline).await? {
                return Ok(Some(status));
            }
        }
        if !wire.received().starts_with(b"\r\n") {
            return Ok(Some(400));
        }
        wire.take(2);
    }
}

/// The length of the line before a chunk, and of the chunk. `None`: there must be more of it first.
///
/// httparse takes a line without digits for a length of 0, and lets a line end within an extension. Who is before us may see
/// other requests in such bytes than we do, so they are refused here.
fn chunk_line(bytes: &[u8]) -> Result<Option<(usize, u64)>, Refused> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < CHUNK_LINE_BYTES { Ok(None) } else { Err(Refused(400)) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Refused(400))?;
    let is_text = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
    if end > CHUNK_LINE_BYTES
        || !line.first().is_some_and(u8::is_ascii_hexdigit)
        || !line.iter().all(is_text)
    {
        return Err(Refused(400));
    }
    match httparse::parse_chunk_size(&bytes[..=end]) {
        Ok(httparse::Status::Complete(read)) => Ok(Some(read)),
        _ => Err(Refused(400)),
    }
}

/// Takes the lines behind the last chunk, up to an empty one.
async fn trailer(wire: &mut Wire, deadline: Instant) -> io::Result<Option<u16>> {
    let mut left = CHUNK_LINE_BYTES;
    loop {
        let line = wire.received().iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        match line {
            Some(len) if len <= left => {
                left -= len;
                let is_empty = matches!(&wire.received()[..len], b"\n" | b"\r\n");
                wire.take(len);
                if is_empty {
                    return Ok(None);
                }
            }
            None if wire.received().len() < left => {
                if let Some(status) = more(wire, deadline).await? {
                    return Ok(Some(status));
                }
            }
            _ => return Ok(Some(400)),
        }
    }
}
