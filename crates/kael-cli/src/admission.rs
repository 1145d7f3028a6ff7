//! [`Admission`]: how many connections may be open, in all and from one address, and waiting until there is room, or none
//! is left. It may be shared by cores: it is touched when a connection comes and goes, and never in between.

use crate::before::before;
use kael_rt::CancelToken;
use kael_rt::net::{TcpListener, TcpStream};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

pub(crate) struct Admission {
    most: usize,
    most_per_address: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: usize,
    addresses: HashMap<IpAddr, usize>,
    /// Woken at every end of a connection that somebody may wait for: as many as there are accept loops, and one.
    waiting: Vec<Waker>,
}

/// One connection's place. Dropping it makes room.
pub(crate) struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(crate) fn new(most: usize, most_per_address: usize) -> Arc<Admission> {
        Arc::new(Admission { most, most_per_address, state: Mutex::default() })
    }

    pub(crate) fn open(&self) -> usize {
        self.state().open
    }

    /// Waits until one more may be accepted. Who is not accepted waits in the kernel's queue, and is not lost.
    pub(crate) async fn room(&self) {
        self.until(|open| open < self.most).await;
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        self.until(|open| open == 0).await;
    }

    /// There is no room for one from there that would be let in.
    fn is_full_for(&self, address: IpAddr) -> bool {
        let state = self.state();
        let from_there = state.addresses.get(&network(address)).copied().unwrap_or(0);
        state.open >= self.most && from_there < self.most_per_address
    }

    /// A place for a connection from there; `None`: this address has as many as it may have.
    pub(crate) fn admit(self: &Arc<Admission>, address: IpAddr) -> Option<Permit> {
        let address = network(address);
        let mut state = self.state();
        let count = state.addresses.entry(address).or_default();
        // A count of zero is never kept, so one that is refused leaves nothing behind.
        if *count >= self.most_per_address {
            return None;
        }
        *count += 1;
        state.open += 1;
        drop(state);
        Some(Permit { admission: self.clone(), address })
    }

    /// Accepts until it is stopped, as many at a time as there may be. The listener goes with it. `connected` gets each
    /// connection with its place, or with none if its address has enough; `starved` hears why nothing can be accepted, once
    /// each time. `full` is called when there is no room for one that has come, and may ask another to go; without it those
    /// that come wait in the kernel's queue.
    pub(crate) async fn accept(
        self: &Arc<Admission>,
        listener: TcpListener,
        stop: &CancelToken,
        mut connected: impl FnMut(TcpStream, SocketAddr, Option<Permit>),
        mut starved: impl FnMut(&io::Error),
        mut full: Option<impl FnMut()>,
    ) {
        let mut is_starved = false;
        loop {
            if full.is_none() && before(self.room(), stop.cancelled()).await.is_none() {
                return;
            }
            match listener.accept().cancel_on(stop).await {
                Ok((stream, peer)) => {
                    is_starved = false;
                    // One that is to be refused needs no room.
                    if let Some(full) = &mut full
                        && self.is_full_for(peer.ip())
                    {
                        full();
                        if before(self.room(), stop.cancelled()).await.is_none() {
                            return;
                        }
                    }
                    connected(stream, peer, self.admit(peer.ip()));
                }
                Err(_) if stop.is_cancelled() => return,
                // The next accept sleeps until there are descriptors again; who waits in the queue is not lost.
                Err(error) => {
                    if !std::mem::replace(&mut is_starved, true) {
                        starved(&error);
                    }
                }
            }
        }
    }

    async fn until(&self, enough: impl Fn(usize) -> bool) {
        poll_fn(|cx| {
            let mut state = self.state();
            if enough(state.open) {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.open -= 1;
        if let Some(count) = state.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                state.addresses.remove(&self.address);
            }
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// What counts as one address: an IPv4 address, or the /64 of IPv6 that one customer has to himself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("it is an address")
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let admission = Admission::new(10, 2);
        let first = admission.admit(ip("192.0.2.1"));
        let second = admission.admit(ip("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(admission.admit(ip("192.0.2.1")).is_none());
        assert!(admission.admit(ip("192.0.2.2")).is_some(), "another address has its own");
        drop(first);
        assert!(admission.admit(ip("192.0.2.1")).is_some());
        drop(second);
        assert_eq!(admission.open(), 0);
        assert!(admission.state().addresses.is_empty(), "nobody is remembered");
    }

    #[test]
    fn a_customer_of_ipv6_is_one_address() {
        assert_eq!(network(ip("2001:db8:1:2:3::4")), network(ip("2001:db8:1:2:ffff::")));
        assert_ne!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:3::1")));
    }

    #[test]
    fn who_waits_for_room_is_woken() {
        kael_rt::block_on(async {
            let admission = Admission::new(1, 1);
            let permit = admission.admit(ip("192.0.2.1"));
            let waiting = admission.clone();
            let waiter = kael_rt::spawn(async move { waiting.room().await });
            kael_rt::yield_now().await;
            assert!(!waiter.is_finished());
            drop(permit);
            waiter.await.expect("it is not aborted");
            admission.empty().await;
        });
    }
}
