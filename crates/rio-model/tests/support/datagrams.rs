//! An echo server of datagrams that sees registered I/O only through the driver, and a client that verifies each byte.

use super::{Port, close, datagram_socket};
use crate::rio::{ADDRESS, Purpose, Queue, Rio, Sizes, Slot, Slots};
use std::net::{SocketAddr, UdpSocket};
use windows_sys::Win32::Networking::WinSock::RIO_EXTENSION_FUNCTION_TABLE;

/// Bytes of a slot, before an address.
const ROOM: u32 = 2048;

const IS_SEND: u64 = 1 << 32;

/// As many pairs of slots as there are receives; each sends what it has received.
pub(crate) struct Server {
    pub(crate) rio: Rio,
    pub(crate) port: Port,
    pub(crate) addr: SocketAddr,
    queue: Queue,
    receives: (Slots, Vec<Slot>),
    sends: (Slots, Vec<Slot>),
    events: Vec<(u64, i32, u32)>,
}

impl Server {
    pub(crate) fn new(table: &RIO_EXTENSION_FUNCTION_TABLE, pairs: u32) -> Server {
        let port = Port::new();
        let mut rio =
            port.rio(table, Sizes { completions: 2 * pairs, queues: 1, regions: pairs + 1 });
        let mut slots = |purpose| {
            let mut slots = Slots::new(&mut rio, purpose, pairs, ROOM + ADDRESS).unwrap();
            let each = (0..pairs).map(|_| slots.take().unwrap()).collect();
            (slots, each)
        };
        let (receives, sends) = (slots(Purpose::Receives), slots(Purpose::Sends));
        let (socket, addr) = datagram_socket();
        port.associate(socket);
        let queue = rio.open_queue(socket, pairs, pairs).unwrap();
        let events = Vec::with_capacity(2 * pairs as usize);
        let mut server = Server { rio, port, addr, queue, receives, sends, events };
        (0..pairs).for_each(|pair| server.receive(pair as usize));
        server
    }

    fn receive(&mut self, pair: usize) {
        let slice = self.receives.0.slice(&self.receives.1[pair], ROOM);
        self.rio.receive_from(self.queue, slice, slice.offset + ROOM, pair as u64).unwrap();
    }

    /// Sends so many datagrams back, and frees it all.
    pub(crate) fn run(mut self, datagrams: usize) {
        let mut sent = 0;
        while sent < datagrams {
            self.rio.commit(|_, code| panic!("refused with {code}"));
            let Server { rio, events, .. } = &mut self;
            let push = |context, status, bytes| events.push((context, status, bytes));
            if rio.drain(push).unwrap() == 0 {
                rio.before_sleep().unwrap();
                self.port.wait();
                self.rio.notified();
            }
            for index in 0..self.events.len() {
                let (context, status, bytes) = self.events[index];
                assert_eq!(status, 0);
                let pair = context as u32 as usize;
                if context & IS_SEND == 0 {
                    self.send_back(pair, bytes);
                } else {
                    sent += 1;
                    self.receive(pair);
                }
            }
            self.events.clear();
        }
        // There is no cancel: the socket is closed, and each receive has its completion.
        self.rio.close_queue(self.queue, close).unwrap();
        while self.rio.in_flight() > 0 {
            if self.rio.drain(|_, status, _| assert_ne!(status, 0)).unwrap() == 0 {
                self.rio.before_sleep().unwrap();
                self.port.wait();
                self.rio.notified();
            }
        }
        println!("{datagrams} datagrams: {:?}, {} waits", self.rio.calls(), self.port.waits);
        self.receives.0.end(&mut self.rio).unwrap();
        self.sends.0.end(&mut self.rio).unwrap();
        assert_eq!(self.rio.strays(), 0);
    }

    fn send_back(&mut self, pair: usize, bytes: u32) {
        // SAFETY: the receive is over.
        let received = unsafe { self.receives.0.bytes(&self.receives.1[pair]) };
        // SAFETY: the pair's send is over, or there was none.
        let sent = unsafe { self.sends.0.bytes(&self.sends.1[pair]) };
        sent.copy_from_slice(received);
        let slice = self.sends.0.slice(&self.sends.1[pair], bytes);
        self.rio.send_to(self.queue, slice, Some(ROOM), IS_SEND | pair as u64).unwrap();
    }
}

/// Sends so many datagrams in each round, then wants each back. Lengths go from nothing to a slot's.
pub(crate) fn verify(to: SocketAddr, rounds: usize, depth: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let datagram = |number: usize| vec![number as u8; number * 97 % (ROOM as usize + 1)];
    let mut buffer = [0; ROOM as usize];
    for round in 0..rounds {
        let numbers = round * depth..(round + 1) * depth;
        for number in numbers.clone() {
            socket.send_to(&datagram(number), to).unwrap();
        }
        for number in numbers {
            let (len, from) = socket.recv_from(&mut buffer).expect("time limit: no echo");
            assert_eq!((&buffer[..len], from), (&datagram(number)[..], to), "datagram {number}");
        }
    }
}
