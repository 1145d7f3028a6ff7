//! Multishot receives: one submission, many completions, buffers picked by the backend.
//!
//! The items wait in the slot until the future takes them. At the bound of the slot's list the
//! shot is stopped, and begun again when the list is empty, so nothing is lost and nothing grows.
#![forbid(unsafe_code)]

use super::{Op, Request, Traits};
use crate::{
    driver::{Completion, Driver, Fd, Key, Lent, Scratch, Submitted},
    task::context,
};
use std::{
    future::poll_fn,
    io, mem,
    task::{Context, Poll},
};

/// Receives into buffers of `group`, again and again.
pub(crate) struct RecvShots {
    pub(crate) fd: Fd,
    pub(crate) group: u16,
}

impl Op for RecvShots {
    /// The operation, to be begun again, and what its last completion brought.
    type Output = (RecvShots, io::Result<Option<Lent>>);
    const TRAITS: Traits = Traits { multishot: true, gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::RecvPooled { fd: &self.fd, group: self.group, multishot: true }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (self, completion.into_lent())
    }
}

/// The items of a multishot receive.
pub(crate) struct Shots {
    state: State,
    /// How often it was begun.
    pub(crate) armed: u32,
}

enum State {
    Fresh(RecvShots),
    Begun(Key),
    Over,
}

impl Shots {
    pub(crate) fn new(op: RecvShots) -> Shots {
        Shots { state: State::Fresh(op), armed: 0 }
    }

    /// The next buffer; `None` at the end of the stream. While no buffer of the group is free the
    /// error is `ENOBUFS`, and the next call begins again.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Lent>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Lent>>> {
        loop {
            match mem::replace(&mut self.state, State::Over) {
                State::Fresh(op) => {
                    let driver: Driver = context::with("a receive", |core| core.driver.clone());
                    self.armed += 1;
                    match driver.submit(op, cx.waker()) {
                        Submitted::Pending(key) => self.state = State::Begun(key),
                        Submitted::Ready(last) => return self.ended(last),
                        Submitted::Full(..) => panic!("the tests leave slots free"),
                    }
                }
                State::Begun(key) => {
                    if let Some(item) = key.next_item(|item| item.into_lent()) {
                        self.state = State::Begun(key);
                        return Poll::Ready(item);
                    }
                    match key.poll::<RecvShots>(cx.waker()) {
                        Poll::Pending => {
                            self.state = State::Begun(key);
                            return Poll::Pending;
                        }
                        Poll::Ready(last) => {
                            key.spend();
                            match last {
                                // Stopped at the bound of the list, which is empty now.
                                (op, Err(e)) if e.raw_os_error() == Some(libc::ECANCELED) => {
                                    self.state = State::Fresh(op);
                                }
                                last => return self.ended(last),
                            }
                        }
                    }
                }
                State::Over => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn ended(
        &mut self,
        (op, last): (RecvShots, io::Result<Option<Lent>>),
    ) -> Poll<io::Result<Option<Lent>>> {
        let over = matches!(&last, Ok(None));
        self.state = if over { State::Over } else { State::Fresh(op) };
        Poll::Ready(last)
    }
}
