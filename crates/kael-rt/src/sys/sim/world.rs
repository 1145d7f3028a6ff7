//! What the kernels of one thread share: open descriptors, files, ports.
#![forbid(unsafe_code)]

use super::{
    control,
    files::{FileSystem, OpenFile},
    sockets::{Datagrams, Listener, Stream},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    rc::{Rc, Weak},
};

/// Numbers of simulated descriptors begin here, so that none is ever taken for a real one.
pub(super) const FIRST: i32 = 1 << 20;

/// What a descriptor stands for. It ends with the last descriptor and the last operation on it.
pub(super) enum Object {
    File(OpenFile),
    Listener(RefCell<Listener>),
    Stream(RefCell<Stream>),
    Datagrams(RefCell<Datagrams>),
}

/// Which kind of port: of streams, or of datagrams.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ports {
    Stream,
    Datagram,
}

/// Operations that wait until an object changes; each as its kernel's list and its own id.
#[derive(Default)]
pub(super) struct Waiters(Vec<(Woken, u64)>);

/// The operations of one kernel that may go on.
pub(super) type Woken = Rc<RefCell<Vec<u64>>>;

impl Waiters {
    pub(super) fn add(&mut self, woken: &Woken, user: u64) {
        // It may be here already; who wakes it looks whether it still waits.
        self.0.push((woken.clone(), user));
    }

    pub(super) fn wake(&mut self) {
        for (woken, user) in self.0.drain(..) {
            woken.borrow_mut().push(user);
        }
    }
}

pub(super) struct World {
    table: Vec<Option<Rc<Object>>>,
    direct: Vec<Option<Rc<Object>>>,
    ports: BTreeMap<(Ports, bool, u16), Weak<Object>>,
    next_port: u16,
    pub(super) files: FileSystem,
}

impl Default for World {
    fn default() -> World {
        World {
            table: Vec::new(),
            direct: Vec::new(),
            ports: BTreeMap::new(),
            next_port: 40_000,
            files: FileSystem::new(),
        }
    }
}

impl World {
    pub(super) fn open(&self) -> usize {
        self.table.iter().chain(&self.direct).flatten().count()
    }

    /// There is room for one more descriptor.
    pub(super) fn may_open(&self, max_open: usize) -> Result<(), i32> {
        if self.table.iter().flatten().count() < max_open { Ok(()) } else { Err(libc::EMFILE) }
    }

    /// The lowest free number, as POSIX wants it: so numbers are used again soon.
    pub(super) fn insert(&mut self, object: Object) -> i32 {
        self.insert_shared(Rc::new(object))
    }

    pub(super) fn insert_shared(&mut self, object: Rc<Object>) -> i32 {
        let index = self.table.iter().position(Option::is_none).unwrap_or(self.table.len());
        if index == self.table.len() {
            self.table.push(None);
        }
        self.table[index] = Some(object);
        FIRST + index as i32
    }

    /// Makes a table of direct descriptors.
    #[cfg(test)]
    pub(super) fn enable_direct(&mut self, count: u32) {
        self.direct.resize_with(count as usize, || None);
    }

    /// The lowest free place in the table of direct descriptors.
    pub(super) fn insert_direct(&mut self, object: Rc<Object>) -> Result<i32, i32> {
        let index = self.direct.iter().position(Option::is_none).ok_or(libc::ENFILE)?;
        self.direct[index] = Some(object);
        Ok(index as i32)
    }

    pub(super) fn has_direct_room(&self) -> Result<(), i32> {
        if self.direct.iter().any(Option::is_none) { Ok(()) } else { Err(libc::ENFILE) }
    }

    /// What a number stands for now. A number that nobody has opened, or that is closed, is a
    /// violation of L2: safe programs cannot ask for one.
    pub(super) fn get(&self, number: i32, direct: bool) -> Option<Rc<Object>> {
        let object = self.peek(number, direct);
        if object.is_none() && (direct || number >= FIRST) {
            control::violation(format!("L2: a request names the closed descriptor {number}"));
        }
        object
    }

    fn peek(&self, number: i32, direct: bool) -> Option<Rc<Object>> {
        let (table, index) =
            if direct { (&self.direct, number) } else { (&self.table, number - FIRST) };
        table.get(usize::try_from(index).ok()?)?.clone()
    }

    /// Takes a number out of its table. What it stood for is given back, so that it ends when
    /// nothing is borrowed.
    pub(super) fn close(&mut self, number: i32, direct: bool) -> Option<Rc<Object>> {
        let (table, index) =
            if direct { (&mut self.direct, number) } else { (&mut self.table, number - FIRST) };
        let object = usize::try_from(index)
            .ok()
            .and_then(|index| table.get_mut(index))
            .and_then(Option::take);
        if object.is_none() {
            control::violation(format!("L2: the descriptor {number} is closed twice"));
        }
        object
    }

    /// Gives `object` a port: the one that is asked for, or a free one.
    pub(super) fn bind(
        &mut self,
        kind: Ports,
        addr: SocketAddr,
        object: impl FnOnce(SocketAddr) -> Object,
    ) -> Result<(i32, SocketAddr), i32> {
        let addr = self.choose_port(kind, addr)?;
        let object = Rc::new(object(addr));
        self.ports.insert((kind, addr.is_ipv6(), addr.port()), Rc::downgrade(&object));
        Ok((self.insert_shared(object), addr))
    }

    /// Gives a port to an object that is there.
    pub(super) fn give_port(
        &mut self,
        kind: Ports,
        addr: SocketAddr,
        object: &Rc<Object>,
    ) -> Result<SocketAddr, i32> {
        let addr = self.choose_port(kind, addr)?;
        self.ports.insert((kind, addr.is_ipv6(), addr.port()), Rc::downgrade(object));
        Ok(addr)
    }

    /// Another object in the place of one that has that address, or none yet.
    pub(super) fn listen(
        &mut self,
        number: i32,
        mut addr: SocketAddr,
        object: impl FnOnce(SocketAddr) -> Object,
    ) {
        if addr.port() == 0 {
            addr.set_port(self.free_port(Ports::Stream, addr.is_ipv6()));
        }
        let object = Rc::new(object(addr));
        let key = (Ports::Stream, addr.is_ipv6(), addr.port());
        self.ports.insert(key, Rc::downgrade(&object));
        let place = usize::try_from(number - FIRST).ok().and_then(|i| self.table.get_mut(i));
        if let Some(place) = place {
            *place = Some(object);
        }
    }

    /// The address with a port: the one that is asked for, if nobody has it, or a free one.
    fn choose_port(&mut self, kind: Ports, mut addr: SocketAddr) -> Result<SocketAddr, i32> {
        if addr.port() == 0 {
            addr.set_port(self.free_port(kind, addr.is_ipv6()));
        } else if self.at(kind, addr).is_some() {
            return Err(libc::EADDRINUSE);
        }
        Ok(addr)
    }

    /// A port that nobody has.
    pub(super) fn free_port(&mut self, kind: Ports, is_ipv6: bool) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = if port == 65_535 { 40_000 } else { port + 1 };
            let key = (kind, is_ipv6, port);
            if self.ports.get(&key).is_none_or(|holder| holder.strong_count() == 0) {
                self.ports.remove(&key);
                return port;
            }
        }
    }

    /// Who has that port.
    pub(super) fn at(&self, kind: Ports, addr: SocketAddr) -> Option<Rc<Object>> {
        self.ports.get(&(kind, addr.is_ipv6(), addr.port()))?.upgrade()
    }
}
