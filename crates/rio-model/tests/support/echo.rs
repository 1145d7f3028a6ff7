//! An echo server that knows the driver and nothing else of registered I/O.
//!
//! A connection has some pairs of slots. Each is received into, its bytes are copied into the other and sent, and when
//! that is over it is received into again.

use super::{Port, close};
use crate::rio::{Purpose, Queue, Rio, Sizes, Slot, Slots};
use windows_sys::Win32::Networking::WinSock::{RIO_EXTENSION_FUNCTION_TABLE, SOCKET};

pub(crate) struct Server {
    pub(crate) rio: Rio,
    pub(crate) port: Port,
    /// Messages that were sent back.
    pub(crate) messages: u64,
    /// Every other sleep is over at once, as if a timer were due: with no packet, mostly.
    pub(crate) is_impatient: bool,
    receives: Slots,
    sends: Slots,
    size: u32,
    connections: Vec<Connection>,
    events: Vec<(u64, i32, u32)>,
}

struct Connection {
    queue: Queue,
    pairs: Vec<Pair>,
    /// The peer has ended its side.
    ended: bool,
    closed: bool,
}

struct Pair {
    receive: Slot,
    send: Slot,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Receiving,
    Sending,
}

const IS_SEND: u64 = 1 << 63;

impl Server {
    /// For so many connections with so many pairs each, and room for nothing more.
    pub(crate) fn new(
        table: &RIO_EXTENSION_FUNCTION_TABLE,
        connections: u32,
        pairs: u32,
        size: u32,
    ) -> Server {
        let port = Port::new();
        let slots = connections * pairs;
        let sizes = Sizes { completions: 2 * slots, queues: connections, regions: slots + 1 };
        let mut rio = port.rio(table, sizes);
        let receives = Slots::new(&mut rio, Purpose::Receives, slots, size).unwrap();
        let sends = Slots::new(&mut rio, Purpose::Sends, slots, size).unwrap();
        Server {
            rio,
            port,
            messages: 0,
            is_impatient: false,
            receives,
            sends,
            size,
            connections: Vec::new(),
            events: Vec::with_capacity(2 * slots as usize),
        }
    }

    /// Whether the connection was taken; if not, its socket is closed.
    pub(crate) fn add(&mut self, socket: SOCKET, pairs: u32) -> bool {
        let Ok(queue) = self.rio.open_queue(socket, pairs, pairs) else {
            close(socket);
            return false;
        };
        self.port.associate(socket);
        let pair = |_| Pair {
            receive: self.receives.take().unwrap(),
            send: self.sends.take().unwrap(),
            state: State::Idle,
        };
        let pairs: Vec<Pair> = (0..pairs).map(pair).collect();
        self.connections.push(Connection { queue, pairs, ended: false, closed: false });
        let index = self.connections.len() - 1;
        for pair in 0..self.connections[index].pairs.len() {
            self.receive(index, pair);
        }
        true
    }

    /// Serves until all connections are closed and nothing is in flight.
    pub(crate) fn run(&mut self) {
        self.run_until(u64::MAX);
    }

    /// Serves until so many messages were sent back, or until the end.
    pub(crate) fn run_until(&mut self, messages: u64) {
        self.commit();
        while self.messages < messages
            && (self.rio.in_flight() > 0 || self.connections.iter().any(|it| !it.closed))
        {
            let Server { rio, events, .. } = self;
            events.clear();
            let count = rio.drain(|context, status, bytes| events.push((context, status, bytes)));
            let count = count.unwrap();
            for index in 0..self.events.len() {
                let (context, status, bytes) = self.events[index];
                self.ended(context, status, bytes);
            }
            self.commit();
            // Looking once more costs nothing.
            if count == 0 && self.rio.in_flight() > 0 {
                self.rio.before_sleep().unwrap();
                if self.is_impatient && self.port.waits.is_multiple_of(2) {
                    if self.port.try_wait(0) {
                        self.rio.notified();
                    }
                    continue;
                }
                self.port.wait();
                self.rio.notified();
            }
        }
    }

    /// Everything has come back: frees it all.
    pub(crate) fn end(self) {
        let Server { mut rio, receives, sends, .. } = self;
        assert_eq!((rio.in_flight(), rio.strays()), (0, 0));
        receives.end(&mut rio).unwrap();
        sends.end(&mut rio).unwrap();
    }

    fn ended(&mut self, context: u64, status: i32, bytes: u32) {
        let (index, pair) = ((context as u32 >> 16) as usize, (context & 0xffff) as usize);
        let connection = &mut self.connections[index];
        let is_send = context & IS_SEND != 0;
        let expected = if is_send { State::Sending } else { State::Receiving };
        assert!(connection.pairs[pair].state == expected, "a completion comes once");
        connection.pairs[pair].state = State::Idle;
        if status != 0 {
            return self.close(index);
        }
        if is_send {
            self.messages += 1;
            return self.receive(index, pair);
        }
        if bytes == 0 {
            connection.ended = true;
            return self.close_when_idle(index);
        }
        if connection.closed {
            return;
        }
        let it = &connection.pairs[pair];
        // SAFETY: the receive is over.
        let received = unsafe { self.receives.bytes(&it.receive) };
        // SAFETY: the pair's send is over, or there was none.
        let sent = unsafe { self.sends.bytes(&it.send) };
        sent[..bytes as usize].copy_from_slice(&received[..bytes as usize]);
        let slice = self.sends.slice(&it.send, bytes);
        match self.rio.send(connection.queue, slice, IS_SEND | context) {
            Ok(()) => self.connections[index].pairs[pair].state = State::Sending,
            Err(error) => {
                assert!(error.is_full(), "{error:?}");
                self.close(index);
            }
        }
    }

    fn receive(&mut self, index: usize, pair: usize) {
        let connection = &mut self.connections[index];
        if connection.closed || connection.ended {
            return self.close_when_idle(index);
        }
        let it = &mut connection.pairs[pair];
        let slice = self.receives.slice(&it.receive, self.size);
        let context = (index as u64) << 16 | pair as u64;
        match self.rio.receive(connection.queue, slice, context) {
            Ok(()) => it.state = State::Receiving,
            Err(error) => {
                assert!(error.is_full(), "{error:?}");
                self.close(index);
            }
        }
    }

    pub(crate) fn commit(&mut self) {
        let mut lost = None;
        self.rio.commit(|queue, _| lost = Some(queue));
        if let Some(queue) = lost {
            let index = self.connections.iter().position(|it| it.queue == queue).unwrap();
            self.close(index);
        }
    }

    fn close_when_idle(&mut self, index: usize) {
        if !self.connections[index].pairs.iter().any(|pair| pair.state == State::Sending) {
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.closed {
            connection.closed = true;
            self.rio.close_queue(connection.queue, close).unwrap();
        }
    }
}
