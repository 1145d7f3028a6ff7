//! Connections: accepts, connects, reads and writes that are dropped, timed out and cancelled at
//! every stage, and no byte lost.

use super::{
    Shared,
    ask::{Ask, once, unless},
    frames::{Arrivals, frame},
    law,
};
use kael_rt::{
    CancelToken, Error,
    net::{TcpListener, TcpStream},
    time::{Duration, sleep},
};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// What the two sides of all connections of one listener have done.
#[derive(Default)]
struct Books {
    connected: Cell<u32>,
    accepted: Cell<u32>,
    clients_done: Cell<bool>,
    /// Connections may be lost, because the kernel aborts some.
    aborts: Cell<bool>,
}

pub(crate) async fn run(ask: Ask) {
    let listener = loop {
        match TcpListener::bind("127.0.0.1:0").await {
            Ok(listener) => break listener,
            Err(error) => starved(&error).await,
        }
    };
    let addr = listener.local_addr().expect("a listener has an address");
    let books = Shared::new(Books::default());
    books.aborts.set(kael_rt::sim_control::faults().aborted > 0);
    let server = kael_rt::spawn(serve(listener, ask.fork(), books.clone()));
    let clients: Vec<_> = (0..1 + ask.below(4))
        .map(|_| kael_rt::spawn(client(addr, ask.fork(), books.clone())))
        .collect();
    for client in clients {
        join(client).await;
    }
    books.clients_done.set(true);
    join(server).await;
    law(books.aborts.get() || books.accepted.get() == books.connected.get(), || {
        format!("L2: {} connected, {} accepted", books.connected.get(), books.accepted.get())
    });
}

async fn join(task: kael_rt::JoinHandle<()>) {
    if let Err(error) = task.await {
        law(false, || format!("a task of a stream ended early: {error}"));
    }
}

/// No descriptor is free: others will close theirs.
async fn starved(error: &io::Error) {
    law(error.raw_os_error() == Some(EMFILE), || format!("an unexpected error: {error}"));
    sleep(Duration::from_millis(1)).await;
}

const EMFILE: i32 = 24;

async fn serve(listener: TcpListener, ask: Ask, books: Rc<Books>) {
    let mut tasks = Vec::new();
    // What was connected before the end was accepted, if it is not lost.
    let mut patience = 0;
    let mut incoming = None;
    while !books.clients_done.get() || patience < 3 {
        let accepted = match ask.below(6) {
            0 => without_peer(once(listener.accept()).await),
            1 => without_peer(unless(listener.accept(), ask.moment()).await),
            2 => {
                let token = CancelToken::new();
                let canceller = token.clone();
                let moment = ask.moment();
                kael_rt::spawn(async move {
                    sleep(moment).await;
                    canceller.cancel();
                });
                without_peer(Some(listener.accept().cancel_on(&token).await))
            }
            // The kernel accepts by itself.
            way @ 3..5 => {
                if ask.one_in(4) {
                    incoming = None;
                }
                let next = incoming.get_or_insert_with(|| listener.incoming()).next();
                match way {
                    3 => once(next).await,
                    _ => unless(next, ask.moment()).await,
                }
            }
            _ => without_peer(Some(listener.accept().timeout(Duration::from_millis(60)).await)),
        };
        match accepted {
            Some(Ok(stream)) => {
                books.accepted.set(books.accepted.get() + 1);
                tasks.push(kael_rt::spawn(talk(stream, ask.fork(), books.clone(), true)));
            }
            Some(Err(error)) if error.raw_os_error() == Some(EMFILE) => {}
            Some(Err(error)) => {
                let expected = error.kind() == io::ErrorKind::TimedOut
                    || error.raw_os_error() == Some(ECANCELED);
                law(expected, || format!("accept: {error}"));
                patience += u32::from(books.clients_done.get());
            }
            None => ask.pause().await,
        }
    }
    drop(incoming);
    drop(listener);
    for task in tasks {
        join(task).await;
    }
}

fn without_peer(
    accepted: Option<io::Result<(TcpStream, SocketAddr)>>,
) -> Option<io::Result<TcpStream>> {
    accepted.map(|accepted| accepted.map(|(stream, _)| stream))
}

const ECANCELED: i32 = 125;

async fn client(addr: SocketAddr, ask: Ask, books: Rc<Books>) {
    ask.pause().await;
    if ask.one_in(6) {
        // The connection may have been made all the same: then it is accepted, and reset.
        books.aborts.set(true);
        let connected = match ask.one_in(2) {
            true => once(TcpStream::connect(addr)).await,
            false => unless(TcpStream::connect(addr), ask.moment()).await,
        };
        drop(connected);
    }
    loop {
        match TcpStream::connect(addr).await {
            Ok(stream) => {
                books.connected.set(books.connected.get() + 1);
                return talk(stream, ask, books, false).await;
            }
            Err(error) => starved(&error).await,
        }
    }
}

/// One end of a connection: a writer and a reader.
async fn talk(stream: TcpStream, ask: Ask, books: Rc<Books>, server: bool) {
    let stream = Rc::new(stream);
    let (own, other) = if server { (1, 2) } else { (2, 1) };
    if ask.one_in(8) {
        // Left early: the other end sees the end or a reset.
        books.aborts.set(true);
        let _ = once(stream.read(Vec::with_capacity(16))).await;
        let _ = once(stream.write_all(frame(own, 1, 9))).await;
        return;
    }
    let reader = kael_rt::spawn(read_all(stream.clone(), ask.fork(), books.clone(), other));
    let written = write_all(&stream, &ask, own).await;
    if written.is_ok() {
        let ended = stream.shutdown(Shutdown::Write).await;
        law(ended.is_ok() || books.aborts.get(), || format!("shutdown: {ended:?}"));
    }
    law(written.is_ok() || books.aborts.get(), || format!("write: {written:?}"));
    join(reader).await;
    if let Some(stream) = Rc::into_inner(stream)
        && ask.one_in(2)
    {
        let closed = stream.close().await;
        law(closed.is_ok() || books.aborts.get(), || format!("close: {closed:?}"));
    }
}

async fn write_all(stream: &TcpStream, ask: &Ask, salt: u8) -> io::Result<()> {
    for number in 1..1 + ask.below(12) as u32 {
        let longest = 10 * kael_rt::sim_control::faults().stream_buffer;
        let body = ask.one_of(&[0, 1, 20, 400, 3_000]).min(longest);
        let frame = frame(salt, number, body);
        match ask.below(8) {
            0 => stream.write_all(frame).await.0.map(drop)?,
            // Dropped: it is there whole, or not at all.
            1 => {
                let _ = once(stream.write_all(frame)).await;
            }
            2 => {
                let _ = unless(stream.write_all(frame), ask.moment()).await;
            }
            3 => in_parts(stream, ask, frame).await?,
            4 => {
                let (head, body) = frame.split_at(3);
                let bufs = [head.to_vec(), body.to_vec()];
                let n = stream.write_vectored(bufs).await.0?;
                stream.write_all(frame[n..].to_vec()).await.0?;
            }
            5 => zero_copy(stream, ask, frame).await?,
            // Dropped: as far as it had begun, it is there whole.
            6 => {
                let _ = once(stream.send_zc(frame)).await;
            }
            _ => {
                let n = stream.write(frame.clone()).await.0?;
                stream.write_all(frame[n..].to_vec()).await.0?;
            }
        }
        if ask.one_in(3) {
            ask.pause().await;
        }
    }
    Ok(())
}

/// A buffer that is back may be overwritten at once.
async fn zero_copy(stream: &TcpStream, ask: &Ask, frame: Vec<u8>) -> io::Result<()> {
    let (n, mut buf) = if ask.one_in(2) {
        let (head, body) = frame.split_at(3);
        let (n, bufs) = stream.send_zc_vectored([head.to_vec(), body.to_vec()]).await;
        (n?, bufs.concat())
    } else {
        let (n, buf) = stream.send_zc(frame).timeout(ask.moment()).await;
        match n {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => (0, buf),
            n => (n?, buf),
        }
    };
    let rest = buf[n..].to_vec();
    buf.fill(!0);
    stream.write_all(rest).await.0.map(drop)
}

/// A write that runs out of time says how far it came, and the rest follows.
async fn in_parts(stream: &TcpStream, ask: &Ask, frame: Vec<u8>) -> io::Result<()> {
    let mut rest = frame;
    loop {
        let (result, buf) = stream.write_all(rest).timeout(ask.moment()).await;
        match result {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let n = Error::of(&error).and_then(Error::transferred).unwrap_or(0);
                rest = buf[n..].to_vec();
                if rest.is_empty() {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn read_all(stream: Rc<TcpStream>, ask: Ask, books: Rc<Books>, salt: u8) {
    let mut arrivals = Arrivals::new(salt);
    let exact = ask.one_in(3);
    loop {
        let room = ask.one_of(&[1, 5, 100, 4_000]);
        let result = if exact {
            read_exact(&stream, &ask, &mut arrivals).await
        } else {
            read_some(&stream, &ask, &mut arrivals, room).await
        };
        match result {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                law(books.aborts.get(), || format!("read: {error}"));
                return;
            }
        }
        if ask.one_in(4) {
            ask.pause().await;
        }
    }
    if !books.aborts.get() {
        arrivals.end();
    }
}

/// One step of reading; false: the stream is at its end.
async fn read_some(
    stream: &TcpStream,
    ask: &Ask,
    arrivals: &mut Arrivals,
    room: usize,
) -> io::Result<bool> {
    let buf = || Vec::with_capacity(room);
    let (result, buf) = match ask.below(8) {
        0 => match once(stream.read(buf())).await {
            Some(done) => done,
            None => return Ok(true),
        },
        1 => match unless(stream.read(buf()), ask.moment()).await {
            Some(done) => done,
            None => return Ok(true),
        },
        2 => {
            let (result, buf) = stream.read(buf()).timeout(ask.moment()).await;
            match result {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(true),
                result => (result, buf),
            }
        }
        3 => {
            let (result, [one, two]) = stream.read_vectored([Vec::with_capacity(3), buf()]).await;
            (result, [one, two].concat())
        }
        4 => return peeked(stream, arrivals, buf()).await,
        5 => return two_at_once(stream, ask, arrivals, room).await,
        _ => stream.read(buf()).await,
    };
    let n = result?;
    law(n == buf.len(), || format!("L3: read {n} bytes into {}", buf.len()));
    arrivals.take(&buf);
    Ok(n > 0)
}

/// What is peeked at is what is read next.
async fn peeked(stream: &TcpStream, arrivals: &mut Arrivals, buf: Vec<u8>) -> io::Result<bool> {
    let (result, seen) = stream.peek(buf).await;
    if result? == 0 {
        return Ok(true);
    }
    let (result, buf) = stream.read(Vec::with_capacity(seen.len())).await;
    result?;
    law(seen.starts_with(&buf), || format!("L3: peeked {seen:?} and read {buf:?}"));
    arrivals.take(&buf);
    Ok(true)
}

/// Two reads are served in the order of their first poll; the first may be dropped.
async fn two_at_once(
    stream: &TcpStream,
    ask: &Ask,
    arrivals: &mut Arrivals,
    room: usize,
) -> io::Result<bool> {
    let mut first = Some(stream.read(Vec::with_capacity(room)));
    let mut second = stream.read(Vec::with_capacity(room));
    let mut drops = ask.one_in(2);
    let mut done = None;
    let (result, buf) = poll_fn(|cx| {
        if let Some(read) = &mut first
            && let Poll::Ready(output) = Pin::new(read).poll(cx)
        {
            (done, first) = (Some(output), None);
        }
        let ready = Pin::new(&mut second).poll(cx);
        if std::mem::take(&mut drops) {
            first = None;
        }
        match ready {
            Poll::Ready(output) => {
                law(first.is_none(), || "L3: a later read overtook an earlier one".to_owned());
                Poll::Ready(output)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    if let Some((result, buf)) = done {
        result?;
        arrivals.take(&buf);
    }
    let n = result?;
    arrivals.take(&buf);
    Ok(n > 0)
}

/// One step of reading exactly what the frame wants.
async fn read_exact(stream: &TcpStream, ask: &Ask, arrivals: &mut Arrivals) -> io::Result<bool> {
    let buf = vec![0; arrivals.wants()];
    let (result, buf) = match ask.below(4) {
        0 => match once(stream.read_exact(buf)).await {
            Some(done) => done,
            None => return Ok(true),
        },
        1 => match unless(stream.read_exact(buf), ask.moment()).await {
            Some(done) => done,
            None => return Ok(true),
        },
        2 => stream.read_exact(buf).timeout(ask.moment()).await,
        _ => stream.read_exact(buf).await,
    };
    match result {
        Ok(_) => arrivals.take(&buf),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            let n = Error::of(&error).and_then(Error::transferred).unwrap_or(0);
            arrivals.take(&buf[..n]);
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    Ok(true)
}
