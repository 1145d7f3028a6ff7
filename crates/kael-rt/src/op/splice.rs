//! The steps of copying one stream into another: bytes are taken out of the one, and owed to the other from then on.
//!
//! ```text
//!    Take: the reading gate of a              Piece                     Give: the writing gate of b
//!
//!   Ready ──▶ a has some ──▶ taken ──▶ loose, with the copy ──▶ at its gate ──▶ given, all of it ──▶ empty
//!     ▲           │ it had none            │ dropped                │ dropped: it stays there        ▲
//!     └───────────┘                        ▼                        ▼ and is given                   │
//!     dropped: nothing            begins a Give of its own ──▶ at its gate ──────────────────────────┘
//!     has happened                         │ no slot is free           │ b has an error
//!                                          ▼                           ▼
//!                                   b is dead and says so       b is dead and says so; the pipe is closed
//! ```
//!
//! So bytes are never in a pipe without somebody who answers for them: the piece they are in is in a copy, or in an
//! operation at the gate of the stream that they are for, or its drop puts it there. No later write can overtake them,
//! since it waits at the same gate. A pipe is held only while there is something in it.
#![forbid(unsafe_code)]

use super::{Op, Request, SendFlags, Side, Step, Traits};
use crate::{
    buf::IoBuf,
    driver::{Block, Completion, Fd, Pipe, Scratch},
    error::Fault,
    sys::errno,
};
use std::{cell::Cell, rc::Rc};

/// How often in a row a stream may say that it is ready and then that it is not, before that is given time.
const PATIENCE: u8 = 2;

/// Counts how often a stream was said to be ready and was not, so that nothing spins.
#[derive(Default)]
pub(super) struct Denials(u8);

impl Denials {
    /// It was ready, and would block nevertheless: when to wait for it again.
    pub(super) fn again(&mut self) -> Step {
        self.0 = self.0.saturating_add(1);
        if self.0 > PATIENCE { Step::Later(1) } else { Step::Again }
    }

    pub(super) fn progress(&mut self) {
        self.0 = 0;
    }
}

/// The stream that bytes are for, and where those that it has taken are counted.
#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) fd: Fd,
    pub(crate) given: Rc<Cell<u64>>,
}

/// Bytes that were taken out of a stream, and are owed to another one.
pub(crate) struct Piece {
    to: Destination,
    cargo: Cargo,
    /// An operation has it: its drop is the end.
    begun: bool,
}

enum Cargo {
    Pipe(Pipe),
    /// A block, and how many of its bytes were sent.
    Block(Block, usize),
    None,
}

impl Piece {
    pub(crate) fn in_block(block: Block, to: Destination) -> Piece {
        Piece { to, cargo: Cargo::Block(block, 0), begun: false }
    }

    pub(crate) fn left(&self) -> usize {
        match &self.cargo {
            Cargo::Pipe(pipe) => pipe.held() as usize,
            Cargo::Block(block, sent) => block.as_init().len() - sent,
            Cargo::None => 0,
        }
    }

    /// The stream has taken `n` bytes of it.
    fn went(&mut self, n: u32) {
        self.to.given.set(self.to.given.get() + u64::from(n));
        match &mut self.cargo {
            Cargo::Pipe(pipe) => pipe.emptied(n),
            Cargo::Block(_, sent) => *sent += n as usize,
            Cargo::None => {}
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.left() == 0 {
            return;
        }
        let driver = self.to.fd.driver();
        if self.begun {
            // (If the stream has an error, it says that.)
            return driver.lose_writes(&self.to.fd);
        }
        let cargo = std::mem::replace(&mut self.cargo, Cargo::None);
        let rest = Piece { to: self.to.clone(), cargo, begun: false };
        driver.leave(Give::new(rest));
    }
}

/// Sends a piece, all of it.
pub(crate) struct Give {
    piece: Piece,
    /// It had no room, and is waited for.
    waits: bool,
    denials: Denials,
}

impl Give {
    pub(crate) fn new(mut piece: Piece) -> Give {
        piece.begun = true;
        Give { piece, waits: false, denials: Denials::default() }
    }
}

impl Op for Give {
    /// The error is a code.
    type Output = Result<(), i32>;
    const TRAITS: Traits = Traits { owed: true, ..Traits::SEND };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let Piece { to: Destination { fd, .. }, cargo, .. } = &self.piece;
        match cargo {
            _ if self.waits => Request::Ready { fd, side: Side::Write },
            Cargo::Pipe(pipe) if pipe.held() > 0 => {
                Request::Give { fd, pipe: pipe.raw(), len: pipe.held(), more: false }
            }
            Cargo::Block(block, sent) if *sent < block.as_init().len() => {
                let flags = SendFlags { wait_all: true, ..SendFlags::default() };
                Request::Send { fd, from: &block.as_init()[*sent..], flags }
            }
            _ => Request::Pass { fd },
        }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let result = completion.result();
        if std::mem::take(&mut self.waits) {
            return if result < 0 { Step::Done } else { Step::Again };
        }
        if result == -errno::EAGAIN {
            self.waits = true;
            return self.denials.again();
        }
        if result <= 0 {
            return Step::Done;
        }
        self.denials.progress();
        self.piece.went(result as u32);
        if self.piece.left() > 0 { Step::Again } else { Step::Done }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        let result = completion.result();
        // A send of everything that was left was not looked at.
        if result > 0
            && !self.waits
            && matches!(self.piece.cargo, Cargo::Block(..))
            && result as usize == self.piece.left()
        {
            self.piece.went(result as u32);
        }
        if self.piece.left() > 0 { Err(result.min(-1)) } else { Ok(()) }
    }
}

/// Takes what a stream has received, for another one.
pub(crate) struct Take {
    from: Fd,
    to: Destination,
    pipe: Option<Pipe>,
    denials: Denials,
    /// Why there is no pipe.
    refused: bool,
}

/// What a [`Take`] has got.
pub(crate) enum Taken {
    Some(Piece),
    /// The peer has ended its direction.
    End,
    /// It has to be read: something was read before and left, or there is no pipe.
    Read,
    Failed(i32),
}

impl Take {
    pub(crate) fn new(from: Fd, to: Destination) -> Take {
        Take { from, to, pipe: None, denials: Denials::default(), refused: false }
    }
}

impl Op for Take {
    type Output = Taken;
    const TRAITS: Traits = Traits { steps: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let fd = &self.from;
        match &self.pipe {
            None => Request::Ready { fd, side: Side::Read },
            Some(pipe) => Request::Take { fd, pipe: pipe.raw() },
        }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let result = completion.result();
        match &mut self.pipe {
            None if result >= 0 => match self.from.driver().take_pipe() {
                Ok(pipe) => {
                    self.pipe = Some(pipe);
                    Step::Again
                }
                Err(_) => {
                    self.refused = true;
                    Step::Done
                }
            },
            Some(_) if result == -errno::EAGAIN => {
                // It is empty still, and goes back.
                self.pipe = None;
                self.denials.again()
            }
            Some(pipe) => {
                pipe.filled(result.max(0) as u32);
                Step::Done
            }
            None => Step::Done,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Taken {
        match (self.pipe, completion.result()) {
            (Some(pipe), n) if n > 0 && pipe.held() > 0 => {
                Taken::Some(Piece { to: self.to, cargo: Cargo::Pipe(pipe), begun: false })
            }
            (Some(_), 0) => Taken::End,
            (Some(_), code) if code == -errno::EINVAL => Taken::Read,
            (None, code) if self.refused || code == Fault::CarryFirst.code() => Taken::Read,
            (_, code) => Taken::Failed(code),
        }
    }
}
