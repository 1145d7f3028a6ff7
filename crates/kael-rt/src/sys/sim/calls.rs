//! The calls that never block: making sockets, asking for addresses, options.
#![forbid(unsafe_code)]

use super::{
    Backend, control,
    sockets::{Datagrams, Listener, Stream},
    world::{FIRST, Object, Ports},
};
use crate::driver::Fd;
use std::{
    cell::RefCell,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

/// A socket option with its value.
pub(crate) enum SocketOption {
    Nodelay(bool),
    Ttl(u32),
    Broadcast(bool),
    Linger(Option<Duration>),
    Keepalive(bool),
    ReuseAddress(bool),
    ReusePort(bool),
    SendBuffer(u32),
    ReceiveBuffer(u32),
}

/// A simulated number means nothing to the standard library.
pub(crate) fn borrow(_: &Fd) -> Option<std::os::fd::BorrowedFd<'_>> {
    None
}

/// Closes a number at once: a simulated one, or a real one that a program has handed over.
pub(crate) fn close_now(number: i32) {
    if number < FIRST {
        super::close_real(number);
    } else if let Some(world) = control::try_world() {
        let object = world.borrow_mut().close(number, false);
        drop(object);
    }
}

/// A simulated core runs on no processor.
pub(crate) struct Pinned;

impl Drop for Pinned {
    fn drop(&mut self) {}
}

/// One call moves at most this many bytes.
pub(crate) const MOST: usize = 0x7fff_f000;
/// The flag of direct I/O, as Linux has it.
pub(crate) const O_DIRECT: i32 = 0o40000;

/// What direct I/O wants of memory, offsets and lengths.
const BLOCK: u32 = 512;

/// Memory has no pages here.
pub(crate) fn advise_huge_pages(_: std::ptr::NonNull<u8>, _: usize) {}

/// Binds nothing, but says no to processors that cannot be.
pub(crate) fn pin_to_cpu(cpu: usize) -> io::Result<Pinned> {
    if cpu < 1024 { Ok(Pinned) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn error<T>(result: Result<T, i32>) -> io::Result<T> {
    result.map_err(io::Error::from_raw_os_error)
}

impl Backend {
    /// A socket that listens.
    pub(crate) fn listen(&mut self, addr: SocketAddr, backlog: i32) -> io::Result<i32> {
        self.calls += 4;
        let backlog = usize::try_from(backlog).unwrap_or(1).clamp(1, 4096);
        self.bound(Ports::Stream, addr, |addr| {
            Object::Listener(RefCell::new(Listener::new(addr, backlog)))
        })
    }

    /// A stream socket to connect with.
    pub(crate) fn stream_socket(&mut self, to: SocketAddr) -> io::Result<i32> {
        self.tcp_socket(to.is_ipv6())
    }

    /// A stream socket that is nothing yet.
    pub(crate) fn tcp_socket(&mut self, _: bool) -> io::Result<i32> {
        self.calls += 1;
        let mut world = self.world.borrow_mut();
        error(world.may_open(self.faults.max_open))?;
        Ok(world.insert(Object::Stream(RefCell::new(Stream::unconnected()))))
    }

    /// Any socket may connect.
    pub(crate) fn prepare_to_connect(&mut self, _: &Fd, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    /// Gives a stream socket an address.
    pub(crate) fn bind(&mut self, fd: &Fd, addr: SocketAddr) -> io::Result<()> {
        let object = self.object(fd)?;
        let Object::Stream(stream) = &*object else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        if stream.borrow().local.is_some() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let bound = error(self.world.borrow_mut().give_port(Ports::Stream, addr, &object))?;
        stream.borrow_mut().local = Some(bound);
        Ok(())
    }

    /// A stream socket listens from here on, at its address or any.
    pub(crate) fn listen_as(&mut self, fd: &Fd, backlog: i32) -> io::Result<()> {
        let local = match &*self.object(fd)? {
            Object::Stream(stream) if !stream.borrow().is_connected() => stream.borrow().local,
            _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        let backlog = usize::try_from(backlog).unwrap_or(1).clamp(1, 4096);
        let local = local.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let listener = |addr| Object::Listener(RefCell::new(Listener::new(addr, backlog)));
        self.world.borrow_mut().listen(fd.number(), local, listener);
        Ok(())
    }

    /// A pipe: to be read from, to be written to.
    pub(crate) fn pipe(&mut self) -> io::Result<[i32; 2]> {
        self.calls += 1;
        let mut world = self.world.borrow_mut();
        // Both ends, or none.
        error(world.may_open(self.faults.max_open.saturating_sub(1)))?;
        let ends = Stream::pipe(self.faults.stream_buffer);
        Ok(ends.map(|end| world.insert(Object::Stream(RefCell::new(end)))))
    }

    /// A bound datagram socket.
    pub(crate) fn datagram_socket(&mut self, addr: SocketAddr) -> io::Result<i32> {
        self.calls += 2;
        self.bound(Ports::Datagram, addr, |addr| {
            Object::Datagrams(RefCell::new(Datagrams::new(addr)))
        })
    }

    fn bound(
        &mut self,
        kind: Ports,
        addr: SocketAddr,
        object: impl FnOnce(SocketAddr) -> Object,
    ) -> io::Result<i32> {
        let mut world = self.world.borrow_mut();
        error(world.may_open(self.faults.max_open))?;
        error(world.bind(kind, addr, object)).map(|(number, _)| number)
    }

    fn object(&mut self, fd: &Fd) -> io::Result<Rc<Object>> {
        self.calls += 1;
        let object = self.world.borrow().get(fd.number(), fd.is_direct());
        object.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    pub(crate) fn set_option(&mut self, fd: &Fd, option: SocketOption) -> io::Result<()> {
        match (&*self.object(fd)?, option) {
            (Object::Stream(stream), SocketOption::Nodelay(on)) => stream.borrow_mut().nodelay = on,
            (Object::Stream(stream), SocketOption::Linger(time)) => {
                stream.borrow_mut().resets = time == Some(Duration::ZERO);
            }
            (Object::File(_), _) => return Err(io::Error::from_raw_os_error(libc::ENOTSOCK)),
            (_, SocketOption::Ttl(0 | 256..)) => {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            // One core is simulated, so nobody needs it.
            (_, SocketOption::ReusePort(true)) => return Err(io::ErrorKind::Unsupported.into()),
            // No peer is silent, no address is busy for a while, and buffers are as large as the simulation has them.
            (
                _,
                SocketOption::Keepalive(_)
                | SocketOption::ReuseAddress(_)
                | SocketOption::ReusePort(false)
                | SocketOption::SendBuffer(_)
                | SocketOption::ReceiveBuffer(_),
            ) => {}
            // Nothing here has hops, or broadcasts.
            (_, SocketOption::Ttl(_) | SocketOption::Broadcast(_)) => {}
            (_, SocketOption::Nodelay(_) | SocketOption::Linger(_)) => {
                return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
            }
        }
        Ok(())
    }

    /// Lets each datagram bring its time to live as control data.
    #[cfg(test)]
    pub(crate) fn want_ttl(&mut self, fd: &Fd) -> io::Result<[i32; 2]> {
        if let Object::Datagrams(socket) = &*self.object(fd)? {
            socket.borrow_mut().wants_ttl = true;
        }
        Ok([libc::IPPROTO_IP, libc::IP_TTL])
    }

    /// What direct I/O on a file wants: the steps of memory and of offsets.
    pub(crate) fn direct_alignment(&mut self, _: i32) -> Option<(u32, u32)> {
        self.calls += 1;
        Some((BLOCK, BLOCK))
    }

    /// No stream comes from elsewhere.
    pub(crate) fn take_over(&mut self, _: &std::net::TcpStream) -> io::Result<()> {
        Ok(())
    }

    /// Nor does a pipe.
    pub(crate) fn take_over_pipe(&mut self, _: &std::os::fd::OwnedFd) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn nodelay(&mut self, fd: &Fd) -> io::Result<bool> {
        match &*self.object(fd)? {
            Object::Stream(stream) => Ok(stream.borrow().nodelay),
            _ => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        }
    }

    pub(crate) fn local_addr(&mut self, fd: &Fd) -> io::Result<SocketAddr> {
        match &*self.object(fd)? {
            Object::Listener(listener) => Ok(listener.borrow().local),
            Object::Datagrams(socket) => Ok(socket.borrow().local),
            Object::Stream(stream) => {
                let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                Ok(stream.borrow().local.unwrap_or(nowhere))
            }
            Object::File(_) => Err(io::Error::from_raw_os_error(libc::ENOTSOCK)),
        }
    }

    pub(crate) fn peer_addr(&mut self, fd: &Fd) -> io::Result<SocketAddr> {
        let peer = match &*self.object(fd)? {
            Object::Stream(stream) => stream.borrow().peer,
            Object::Datagrams(socket) => socket.borrow().peer,
            Object::Listener(_) => None,
            Object::File(_) => return Err(io::Error::from_raw_os_error(libc::ENOTSOCK)),
        };
        peer.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))
    }

    /// Sets the one peer of a datagram socket.
    pub(crate) fn set_peer(&mut self, fd: &Fd, addr: SocketAddr) -> io::Result<()> {
        match &*self.object(fd)? {
            Object::Datagrams(socket) => {
                let mut socket = socket.borrow_mut();
                if socket.local.ip().is_unspecified() {
                    let port = socket.local.port();
                    socket.local = match addr.is_ipv6() {
                        true => (Ipv6Addr::LOCALHOST, port).into(),
                        false => (Ipv4Addr::LOCALHOST, port).into(),
                    };
                }
                socket.peer = Some(addr);
                Ok(())
            }
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }
}
