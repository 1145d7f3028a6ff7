//! Sockets as state: pipes of bytes, queues of connections and datagrams, and who waits for them.
//! When something happens is decided elsewhere.
#![forbid(unsafe_code)]

use super::world::{Object, Waiters};
use std::{cell::RefCell, collections::VecDeque, net::SocketAddr, rc::Rc};

/// One direction of a stream, or a pipe.
pub(super) struct Pipe {
    pub(super) bytes: VecDeque<u8>,
    pub(super) capacity: usize,
    /// The writer has ended the direction.
    finished: bool,
    /// The writer has reset the connection.
    reset: bool,
    /// Nobody can read any more.
    abandoned: bool,
    pub(super) readers: Waiters,
    pub(super) writers: Waiters,
}

type Shared<T> = Rc<RefCell<T>>;

impl Pipe {
    fn new(capacity: usize) -> Shared<Pipe> {
        Rc::new(RefCell::new(Pipe {
            bytes: VecDeque::new(),
            capacity,
            finished: false,
            reset: false,
            abandoned: false,
            readers: Waiters::default(),
            writers: Waiters::default(),
        }))
    }

    fn wake(&mut self) {
        self.readers.wake();
        self.writers.wake();
    }
}

pub(super) struct Stream {
    /// `None` before it is connected.
    pipes: Option<Pipes>,
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) nodelay: bool,
    /// The end resets the connection.
    pub(super) resets: bool,
    read_ended: bool,
    write_ended: bool,
    /// The error of a reset has been given to somebody.
    told: bool,
    /// Something was written to a peer that is gone.
    broken: bool,
}

struct Pipes {
    receive: Shared<Pipe>,
    send: Shared<Pipe>,
}

/// What a transfer finds.
pub(super) enum Room {
    /// So many bytes can be moved now.
    Some(usize),
    /// It must wait.
    None,
    End,
    Error(i32),
}

impl Stream {
    pub(super) fn unconnected() -> Stream {
        Stream {
            pipes: None,
            local: None,
            peer: None,
            nodelay: false,
            resets: false,
            read_ended: false,
            write_ended: false,
            told: false,
            broken: false,
        }
    }

    /// The two ends of a pipe, of which each goes one way: to be read from, to be written to.
    pub(super) fn pipe(capacity: usize) -> [Stream; 2] {
        let (pipe, nowhere) = (Pipe::new(capacity), || Pipe::new(0));
        let read = Pipes { receive: pipe.clone(), send: nowhere() };
        let write = Pipes { receive: nowhere(), send: pipe };
        // What is written when nobody reads any more is refused at once.
        [(read, false), (write, true)].map(|(pipes, broken)| Stream {
            pipes: Some(pipes),
            broken,
            ..Stream::unconnected()
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.pipes.is_some()
    }

    /// Connects `self`, and returns the other end.
    pub(super) fn connect(
        &mut self,
        own: SocketAddr,
        other: SocketAddr,
        capacity: usize,
    ) -> Stream {
        let (there, back) = (Pipe::new(capacity), Pipe::new(capacity));
        self.pipes = Some(Pipes { receive: back.clone(), send: there.clone() });
        (self.local, self.peer) = (Some(own), Some(other));
        Stream {
            pipes: Some(Pipes { receive: there, send: back }),
            local: Some(other),
            peer: Some(own),
            ..Stream::unconnected()
        }
    }

    pub(super) fn receiving(&self) -> Option<&Shared<Pipe>> {
        self.pipes.as_ref().map(|pipes| &pipes.receive)
    }

    pub(super) fn sending(&self) -> Option<&Shared<Pipe>> {
        self.pipes.as_ref().map(|pipes| &pipes.send)
    }

    /// What a receive finds. An error is found once, and only by who wants it.
    pub(super) fn readable(&mut self, take_error: bool) -> Room {
        let Some(pipes) = &self.pipes else { return Room::Error(libc::ENOTCONN) };
        let pipe = pipes.receive.borrow();
        match pipe.bytes.len() {
            0 if pipe.reset && !self.told => {
                self.told = take_error;
                Room::Error(libc::ECONNRESET)
            }
            0 if pipe.reset || pipe.finished || self.read_ended => Room::End,
            0 => Room::None,
            n => Room::Some(n),
        }
    }

    pub(super) fn read(&mut self, n: usize) -> Vec<u8> {
        let Some(pipes) = &self.pipes else { return Vec::new() };
        let mut pipe = pipes.receive.borrow_mut();
        pipe.writers.wake();
        let bytes = pipe.bytes.drain(..n).collect();
        if !pipe.bytes.is_empty() {
            pipe.readers.wake();
        }
        bytes
    }

    pub(super) fn peek(&self, n: usize) -> Vec<u8> {
        let Some(pipes) = &self.pipes else { return Vec::new() };
        pipes.receive.borrow().bytes.iter().take(n).copied().collect()
    }

    /// What a send finds.
    pub(super) fn writable(&mut self, take_error: bool) -> Room {
        let Some(pipes) = &self.pipes else { return Room::Error(libc::EPIPE) };
        if self.write_ended {
            return Room::Error(libc::EPIPE);
        }
        if pipes.receive.borrow().reset {
            if self.told {
                return Room::Error(libc::EPIPE);
            }
            self.told = take_error;
            return Room::Error(libc::ECONNRESET);
        }
        let pipe = pipes.send.borrow();
        match pipe.capacity.saturating_sub(pipe.bytes.len()) {
            _ if pipe.abandoned && self.broken => Room::Error(libc::EPIPE),
            _ if pipe.abandoned => Room::Some(usize::MAX),
            0 => Room::None,
            n => Room::Some(n),
        }
    }

    /// Puts bytes into the stream; nobody will get them if the peer is gone.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let Some(pipes) = &self.pipes else { return };
        let mut pipe = pipes.send.borrow_mut();
        if pipe.abandoned {
            self.broken = true;
            return;
        }
        pipe.bytes.extend(bytes);
        pipe.readers.wake();
    }

    pub(super) fn shut_down(&mut self, read: bool, write: bool) -> Result<(), i32> {
        let Some(pipes) = &self.pipes else { return Err(libc::ENOTCONN) };
        if read {
            self.read_ended = true;
            pipes.receive.borrow_mut().wake();
        }
        if write {
            self.write_ended = true;
            let mut pipe = pipes.send.borrow_mut();
            pipe.finished = true;
            pipe.wake();
        }
        Ok(())
    }
}

impl Drop for Stream {
    /// The last descriptor and the last operation are gone: the peer sees the end, or a reset if
    /// bytes were not read.
    fn drop(&mut self) {
        let Some(pipes) = &self.pipes else { return };
        let mut receive = pipes.receive.borrow_mut();
        let mut send = pipes.send.borrow_mut();
        if self.resets || !receive.bytes.is_empty() {
            send.reset = true;
        }
        send.finished = true;
        receive.abandoned = true;
        receive.bytes.clear();
        send.wake();
        receive.wake();
    }
}

pub(super) struct Listener {
    pub(super) local: SocketAddr,
    pub(super) backlog: usize,
    pub(super) queue: VecDeque<Rc<Object>>,
    /// Accepts that wait for a connection.
    pub(super) acceptors: Waiters,
    /// Connects that wait for room in the queue.
    pub(super) connectors: Waiters,
    /// It was shut down: it accepts no more.
    pub(super) ended: bool,
}

impl Listener {
    pub(super) fn new(local: SocketAddr, backlog: usize) -> Listener {
        Listener {
            local,
            backlog,
            queue: VecDeque::new(),
            acceptors: Waiters::default(),
            connectors: Waiters::default(),
            ended: false,
        }
    }
}

impl Drop for Listener {
    /// Connections that nobody has accepted are reset.
    fn drop(&mut self) {
        for object in &self.queue {
            if let Object::Stream(stream) = &**object {
                stream.borrow_mut().resets = true;
            }
        }
        self.connectors.wake();
    }
}

pub(super) struct Datagrams {
    pub(super) local: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) queue: VecDeque<(Vec<u8>, SocketAddr)>,
    pub(super) receivers: Waiters,
    /// Each datagram brings its time to live as control data.
    pub(super) wants_ttl: bool,
}

/// Datagrams that a socket holds; what comes when it is full is lost.
pub(super) const MAX_DATAGRAMS: usize = 256;
/// The longest datagram.
pub(super) const LONGEST_DATAGRAM: usize = 65_507;

impl Datagrams {
    pub(super) fn new(local: SocketAddr) -> Datagrams {
        Datagrams {
            local,
            peer: None,
            queue: VecDeque::new(),
            receivers: Waiters::default(),
            wants_ttl: false,
        }
    }

    /// A datagram of `from` arrives.
    pub(super) fn arrive(&mut self, bytes: Vec<u8>, from: SocketAddr) {
        if self.peer.is_none_or(|peer| peer == from) && self.queue.len() < MAX_DATAGRAMS {
            self.queue.push_back((bytes, from));
            self.receivers.wake();
        }
    }
}
