//! [`Waiting`]: the connections of a core that wait for their clients, in the order in which they began to. Where no further
//! connection may be open, the one that has waited longest makes room, so that clients who say nothing, or a byte now and then,
//! keep nobody out.
//!
//! ```text
//!   wait ── the future is not ready ──▶ in the list ── the future is ready ──▶ its output
//!                                           │
//!                                           └── `displace`, and nobody waits longer ──▶ None
//! ```

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub(super) struct Waiting {
    list: RefCell<List>,
}

/// A list through the places of a vector, so that waiting costs no memory of its own.
#[derive(Default)]
struct List {
    places: Vec<Place>,
    free: Vec<usize>,
    first: Option<usize>,
    last: Option<usize>,
    /// Somebody is to make room, and nobody waited.
    is_wanted: bool,
}

#[derive(Default)]
struct Place {
    before: Option<usize>,
    behind: Option<usize>,
    /// `None`: this one makes room.
    waker: Option<Waker>,
}

/// A place in the list, until the wait ends.
struct Entered<'a> {
    waiting: &'a Waiting,
    at: Option<usize>,
}

impl Waiting {
    /// The future's output; `None`: the connection makes room for another.
    pub(super) async fn wait<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut entered = Entered { waiting: self, at: None };
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                // It stays after all, and another one has to go.
                if entered.is_to_go() {
                    self.displace();
                }
                Poll::Ready(Some(output))
            }
            Poll::Pending => entered.poll(cx).map(|()| None),
        })
        .await
    }

    /// Who has waited longest makes room; if nobody waits, the next who does.
    pub(super) fn displace(&self) {
        let mut list = self.list.borrow_mut();
        let waker = match list.first {
            None => {
                list.is_wanted = true;
                None
            }
            Some(at) => {
                list.unlink(at);
                list.places[at].waker.take()
            }
        };
        drop(list);
        // Outside of the borrow: a waker is another's code.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// There is room.
    pub(super) fn enough(&self) {
        self.list.borrow_mut().is_wanted = false;
    }
}

impl Entered<'_> {
    fn is_to_go(&self) -> bool {
        self.at.is_some_and(|at| self.waiting.list.borrow().places[at].waker.is_none())
    }

    /// Ready: it makes room.
    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut list = self.waiting.list.borrow_mut();
        let Some(at) = self.at else {
            if std::mem::take(&mut list.is_wanted) {
                return Poll::Ready(());
            }
            self.at = Some(list.enter(cx.waker().clone()));
            return Poll::Pending;
        };
        match &mut list.places[at].waker {
            None => Poll::Ready(()),
            Some(waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let Some(at) = self.at else { return };
        let mut list = self.waiting.list.borrow_mut();
        let waker = list.places[at].waker.take();
        if waker.is_some() {
            list.unlink(at);
        }
        list.free.push(at);
        drop(list);
        drop(waker);
    }
}

impl List {
    fn enter(&mut self, waker: Waker) -> usize {
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        let before = self.last.replace(at);
        self.places[at] = Place { before, behind: None, waker: Some(waker) };
        match before {
            Some(before) => self.places[before].behind = Some(at),
            None => self.first = Some(at),
        }
        at
    }

    fn unlink(&mut self, at: usize) {
        let Place { before, behind, .. } = self.places[at];
        match before {
            Some(before) => self.places[before].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.places[behind].before = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::pin::Pin;

    type Wait<'a> = Pin<Box<dyn Future<Output = Option<()>> + 'a>>;

    fn poll(wait: &mut Wait<'_>) -> Poll<Option<()>> {
        wait.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn begin(waiting: &Waiting) -> Wait<'_> {
        let mut wait: Wait<'_> = Box::pin(waiting.wait(pending()));
        assert!(poll(&mut wait).is_pending());
        wait
    }

    #[test]
    fn s02_who_has_waited_longest_makes_room() {
        let waiting = Waiting::default();
        let (mut first, second) = (begin(&waiting), begin(&waiting));
        let (mut third, mut fourth) = (begin(&waiting), begin(&waiting));
        // Bytes that come now and then move nobody back.
        assert!(poll(&mut first).is_pending());
        drop(second);
        waiting.displace();
        assert_eq!(poll(&mut first), Poll::Ready(None));
        drop(first);
        let mut fifth = begin(&waiting);
        waiting.displace();
        assert_eq!(poll(&mut third), Poll::Ready(None));
        waiting.displace();
        waiting.displace();
        assert_eq!((poll(&mut fourth), poll(&mut fifth)), (Poll::Ready(None), Poll::Ready(None)));
        assert_eq!(waiting.list.borrow().first, None);
        assert!(waiting.list.borrow().places.len() <= 4, "places are used again");
    }

    /// Its request came in the very moment, so it stays, and the next one goes.
    #[test]
    fn s02_who_is_answered_after_all_leaves_it_to_the_next() {
        let waiting = Waiting::default();
        let said = std::cell::Cell::new(false);
        let request = poll_fn(|_| if said.get() { Poll::Ready(()) } else { Poll::Pending });
        let mut first: Wait<'_> = Box::pin(waiting.wait(request));
        assert!(poll(&mut first).is_pending());
        let mut second = begin(&waiting);
        waiting.displace();
        said.set(true);
        assert_eq!(poll(&mut first), Poll::Ready(Some(())));
        assert_eq!(poll(&mut second), Poll::Ready(None), "nobody makes room");
    }

    #[test]
    fn s02_if_nobody_waits_the_next_makes_room() {
        let waiting = Waiting::default();
        waiting.displace();
        let mut answered: Wait<'_> = Box::pin(waiting.wait(ready(())));
        assert_eq!(poll(&mut answered), Poll::Ready(Some(())), "this one does not wait");
        let mut next: Wait<'_> = Box::pin(waiting.wait(pending()));
        assert_eq!(poll(&mut next), Poll::Ready(None));
        drop(begin(&waiting));
        waiting.displace();
        waiting.enough();
        drop(begin(&waiting));
    }
}
