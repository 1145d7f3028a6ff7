//! Sending a part of a file: one operation that has the writing gate of the stream from its first step to its last.
//!
//! ```text
//!             ┌────────────────────────── there is more of the file ◀──────────────────────┐
//!             ▼                                                                            │
//!  pipe:    Fill ── not in memory ──▶ Fill, by a thread that may wait ─┐                   │
//!             │ bytes are in the pipe ◀────────────────────────────────┘                   │
//!             ▼                                                                            │
//!           Give ── the stream is full ──▶ Ready ──▶ Give      ... the pipe is empty ──────┤
//!             ▲                                                                            │
//!  buffer:  Load ──▶ Message (what stands before it, the block, what stands behind) ───────┤
//!                                                                                          │
//!  call:    Transmit ── some were sent, or all that was asked for ─────────────────────────┘
//!             │ EBUSY: not in memory ──▶ Transmit, by a thread that may wait
//!             │ the stream is full: EAGAIN, or EBUSY from the thread ──▶ Ready ──▶ Transmit
//!             │ ENOBUFS: not just now ──▶ Load ──▶ Message ──▶ Transmit
//!
//!  dropped:       it goes on, as any write that has begun
//!  stopped:       between two steps, or out of Ready; the answer says how many bytes the stream has got
//!  an error, or stopped, with bytes in the pipe:   the pipe is closed. They are in the file still, and were not counted.
//! ```
//!
//! A pipe is held from a Fill until it is empty. It is of no use to anybody else before that, and never given back with
//! something in it (`driver/spares.rs`).
#![forbid(unsafe_code)]

use super::{Op, Request, SendFlags, Side, Step, Traits, splice::Denials};
use crate::{
    buf::{IoBuf, IoBufMut},
    driver::{BLOCK, Block, Completion, Fd, Pipe, Scratch},
    error::Fault,
    sys::{SPLICES, TRANSMITS, TRANSMITS_HEAD, errno},
};
use std::{cell::Cell, io};

/// Ranges of no more bytes are read into a buffer and sent from there, with what stands before and behind: two calls instead of
/// six or eight. It is even at about 20 KiB; the test `send_file_even` measures it.
const SMALL: u64 = 16 * 1024;

/// What is sent without a turn of the core, in bytes.
const UNBROKEN: u64 = 1024 * 1024;

/// Sends a part of a file to a stream: [`send_file`](crate::io::send_file).
///
/// ```
/// use kael_rt::{Operation, fs::File, io::send_file, net::TcpStream, ops::SendFile};
///
/// fn answer(stream: &TcpStream, page: &File) -> Operation<SendFile<&'static str>> {
///     send_file(page, .., stream).header("HTTP/1.0 200 OK\r\n\r\n")
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (stream, _) = listener.accept().await?;
/// # let path = std::env::temp_dir().join(format!("kael-doc-answer-{}", std::process::id()));
/// kael_rt::fs::write(&path, "hello").await?;
/// let page = File::open(&path).await?;
/// assert_eq!(answer(&stream, &page).await?, 24);
/// assert_eq!(client.read_exact(vec![0; 24]).await.1, b"HTTP/1.0 200 OK\r\n\r\nhello");
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub struct SendFile<H = &'static str, T = &'static str> {
    fd: Fd,
    file: Fd,
    header: H,
    trailer: T,
    /// How much of the header, the block and the trailer was sent.
    header_sent: usize,
    block_sent: usize,
    trailer_sent: usize,
    block: Option<Block>,
    pipe: Option<Pipe>,
    /// What comes next of the file, and where the range ends.
    at: u64,
    end: u64,
    sent: u64,
    /// Since the last turn.
    unbroken: u64,
    warm_to: Cell<u64>,
    doing: Doing,
    denials: Denials,
    /// It ends where the file does.
    to_the_end: bool,
    /// The file has ended before the range.
    shrunk: bool,
    /// By the system, which has the file and the stream; else by buffers.
    by_system: bool,
    /// That has not failed.
    may_system: bool,
    /// What is next of the file is not in memory.
    cold: bool,
    foreign: bool,
}

/// What was asked last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Message,
    Load,
    Fill,
    Give,
    Transmit,
    Wait,
    Over,
}

impl SendFile {
    /// `end`: where the range ends; `None`: where the file does.
    pub(crate) fn new(fd: Fd, file: Fd, at: u64, end: Option<u64>) -> SendFile {
        let foreign = !file.is_of_the_driver_of(&fd);
        let may_system = (SPLICES || TRANSMITS) && !fd.is_direct() && !file.is_direct();
        // Of a file whose end nobody knows, the first block is read to see whether it is a small one.
        let by_system = may_system && end.is_some_and(|end| end.saturating_sub(at) > SMALL);
        SendFile {
            fd,
            file,
            header: "",
            trailer: "",
            header_sent: 0,
            block_sent: 0,
            trailer_sent: 0,
            block: None,
            pipe: None,
            at,
            end: end.unwrap_or(u64::MAX),
            sent: 0,
            unbroken: 0,
            warm_to: Cell::new(0),
            doing: Doing::Nothing,
            denials: Denials::default(),
            to_the_end: end.is_none(),
            shrunk: false,
            by_system,
            may_system,
            cold: false,
            foreign,
        }
    }
}

impl<H: IoBuf, T: IoBuf> SendFile<H, T> {
    pub(crate) fn with_header<H2>(self, header: H2) -> SendFile<H2, T> {
        self.with(|_, trailer| (header, trailer))
    }

    pub(crate) fn with_trailer<T2>(self, trailer: T2) -> SendFile<H, T2> {
        self.with(|header, _| (header, trailer))
    }

    fn with<H2, T2>(self, parts: impl FnOnce(H, T) -> (H2, T2)) -> SendFile<H2, T2> {
        let (header, trailer) = parts(self.header, self.trailer);
        SendFile {
            header,
            trailer,
            fd: self.fd,
            file: self.file,
            header_sent: 0,
            block_sent: 0,
            trailer_sent: 0,
            block: None,
            pipe: None,
            at: self.at,
            end: self.end,
            sent: 0,
            unbroken: 0,
            warm_to: Cell::new(0),
            doing: Doing::Nothing,
            denials: Denials::default(),
            to_the_end: self.to_the_end,
            shrunk: false,
            by_system: self.by_system,
            may_system: self.may_system,
            cold: false,
            foreign: self.foreign,
        }
    }

    fn block_left(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.as_init().len() - self.block_sent)
    }

    fn header_left(&self) -> &[u8] {
        self.header.as_init().get(self.header_sent..).unwrap_or_default()
    }

    fn trailer_left(&self) -> &[u8] {
        self.trailer.as_init().get(self.trailer_sent..).unwrap_or_default()
    }

    /// What stands before the file goes with it, in one call.
    fn head_goes_along(&self) -> bool {
        TRANSMITS_HEAD && self.header_left().len() <= BLOCK
    }

    /// Something will follow what is sent now, in any case and at once.
    fn is_followed(&self) -> bool {
        (self.at < self.end && !self.to_the_end) || !self.trailer_left().is_empty()
    }

    /// What is to be asked now.
    fn next(&self) -> Doing {
        let in_pipe = self.pipe.as_ref().map_or(0, Pipe::held);
        let file_left = self.at < self.end;
        match () {
            () if self.foreign || self.doing == Doing::Over => Doing::Over,
            () if self.doing == Doing::Wait || self.unbroken >= UNBROKEN => Doing::Wait,
            () if in_pipe > 0 => Doing::Give,
            () if self.block_left() > 0 => Doing::Message,
            // By buffers, what stands before goes with them.
            () if file_left && !self.by_system => Doing::Load,
            () if file_left && self.head_goes_along() => Doing::Transmit,
            () if !self.header_left().is_empty() => Doing::Message,
            () if file_left && TRANSMITS => Doing::Transmit,
            () if file_left => Doing::Fill,
            () if !self.trailer_left().is_empty() => Doing::Message,
            () => Doing::Over,
        }
    }

    /// What the stream has got of a message: the header, the block, the trailer.
    fn message_went(&mut self, n: usize) {
        let mut left = n;
        let lens = [self.header_left().len(), self.block_left(), self.trailer_left().len()];
        let sents = [&mut self.header_sent, &mut self.block_sent, &mut self.trailer_sent];
        for (sent, len) in sents.into_iter().zip(lens) {
            let part = left.min(len);
            *sent += part;
            left -= part;
        }
        if self.block_left() == 0 {
            self.block = None;
            self.block_sent = 0;
        }
    }

    /// The file has given `n` bytes.
    fn came(&mut self, n: u64) {
        self.at += n;
        self.cold = false;
        if n == 0 {
            self.shrunk = !self.to_the_end;
            self.end = self.at;
        }
    }

    fn went(&mut self, n: u64) {
        self.sent += n;
        self.denials.progress();
    }
}

impl<H: IoBuf, T: IoBuf> Op for SendFile<H, T> {
    type Output = io::Result<u64>;
    const TRAITS: Traits = Traits::SEND;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        if self.next() == Doing::Fill && self.pipe.is_none() {
            match self.fd.driver().take_pipe() {
                Ok(pipe) => self.pipe = Some(pipe),
                // No descriptor is left for one.
                Err(_) => (self.by_system, self.may_system) = (false, false),
            }
        }
        self.doing = self.next();
        let (left, is_followed) = (self.end.saturating_sub(self.at), self.is_followed());
        let fd = &self.fd;
        match self.doing {
            Doing::Load => {
                let block = self.block.get_or_insert_with(|| fd.driver().take_block());
                let room = block.as_uninit();
                let len = left.min(BLOCK.min(room.len()) as u64) as usize;
                Request::Load { fd, file: &self.file, into: &mut room[..len], at: self.at }
            }
            Doing::Fill => {
                let pipe = self.pipe.as_ref().expect("it was just taken").raw();
                let len = left.min(pipe.room().into()) as u32;
                let (may_wait, warm_to) = (self.cold, &self.warm_to);
                Request::Fill { fd, file: &self.file, pipe, at: self.at, len, may_wait, warm_to }
            }
            Doing::Give => {
                let pipe = self.pipe.as_ref().expect("it holds something");
                Request::Give { fd, pipe: pipe.raw(), len: pipe.held(), more: is_followed }
            }
            Doing::Transmit => {
                let (head, len, may_wait) = (self.header_left(), left, self.cold);
                Request::Transmit { fd, file: &self.file, head, at: self.at, len, may_wait }
            }
            Doing::Message => {
                let block = self.block.as_ref().map_or(&[][..], |block| block.as_init());
                // What stands behind the file waits for its end.
                let behind = if left == 0 { self.trailer_left() } else { &[] };
                let more = is_followed && left > 0;
                let flags = SendFlags { wait_all: true, more, ..SendFlags::default() };
                let parts = [self.header_left(), &block[self.block_sent..], behind];
                Request::SendMessage { fd, message: scratch.message_of(parts), flags }
            }
            Doing::Wait => Request::Ready { fd, side: Side::Write },
            Doing::Nothing | Doing::Over => Request::Pass { fd },
        }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let result = completion.result();
        match (self.doing, result) {
            (Doing::Wait, 0..) => {
                (self.unbroken, self.doing) = (0, Doing::Nothing);
                self.cold = false;
                // What was in memory then need not be now.
                self.warm_to.set(0);
            }
            (Doing::Fill, code) if code == -errno::EAGAIN && !self.cold => self.cold = true,
            (Doing::Transmit, code) if code == -errno::EBUSY && !self.cold => self.cold = true,
            // The system does not just now. A block goes by a buffer, and then it is asked again.
            (Doing::Transmit, code) if code == -errno::ENOBUFS => self.by_system = false,
            // It cannot be moved so, or nobody can say whether it is in memory.
            (Doing::Fill | Doing::Transmit, code)
                if [errno::EINVAL, errno::ENOSYS, errno::EOPNOTSUPP].contains(&-code) =>
            {
                (self.by_system, self.may_system, self.pipe) = (false, false, None);
            }
            (Doing::Fill, 0..) => {
                self.came(result as u64);
                self.pipe.as_mut().expect("it was filled").filled(result as u32);
            }
            (Doing::Transmit, 0..) => {
                let n = result as u64;
                let head = n.min(self.header_left().len() as u64);
                self.header_sent += head as usize;
                // Of the file may have gone nothing yet; that it has ended is said by no byte at all.
                if n > head || n == 0 {
                    self.came(n - head);
                }
                self.fd.driver().moved_uncopied(n - head);
                self.went(n);
                self.unbroken += n;
            }
            (Doing::Load, 0..) => {
                let block = self.block.as_mut().expect("it was lent");
                if completion.fill(0, block).is_err() {
                    return Step::Done;
                }
                self.came(result as u64);
                self.by_system = self.may_system && result as usize == BLOCK;
            }
            (Doing::Give | Doing::Transmit, code)
                if [errno::EAGAIN, errno::EBUSY].contains(&-code) =>
            {
                self.doing = Doing::Wait;
                return self.denials.again();
            }
            (Doing::Give, 1..) => {
                self.went(result as u64);
                self.unbroken += result as u64;
                let pipe = self.pipe.as_mut().expect("it holds something");
                pipe.emptied(result as u32);
                if pipe.held() == 0 {
                    self.pipe = None;
                }
            }
            (Doing::Message, 1..) => {
                self.went(result as u64);
                self.message_went(result as usize);
            }
            (_, _) => return Step::Done,
        }
        if self.shrunk || self.next() == Doing::Over {
            self.doing = Doing::Over;
            return Step::Done;
        }
        Step::Again
    }

    fn complete(self, completion: Completion<'_>) -> io::Result<u64> {
        let result = completion.result();
        match result {
            _ if self.foreign => Err(Fault::error(Fault::OtherRuntime.code())),
            0.. if self.shrunk => Err(Fault::moved(Fault::Shrunk.code(), [self.sent, 0])),
            0.. if self.next() == Doing::Over => Ok(self.sent),
            0.. => Err(Fault::moved(-errno::EIO, [self.sent, 0])),
            code => Err(Fault::moved(code, [self.sent, 0])),
        }
    }
}
