//! Carrying out a request, as far as it goes now: one arm an operation.

use super::{
    Backend, Op,
    buffers::Group,
    memory::{self, Datagram, Payload},
    sockets::{Datagrams, LONGEST_DATAGRAM, Room, Stream},
    world::{Object, Ports},
};
use crate::{
    op::{RecvFlags, Request, SendFlags},
    sys::event::{COPIED, MORE, NOTIFICATION, buffer_flags},
};
use std::{
    cell::RefCell,
    net::{Shutdown, SocketAddr},
    rc::Rc,
};

/// One completion, before it is due.
pub(super) struct Answer {
    pub(super) result: i32,
    pub(super) flags: u32,
    pub(super) payload: Payload,
}

/// How far a request has come.
pub(super) enum Outcome {
    Answer(Answer),
    /// An answer, and the request goes on.
    Item(Answer),
    /// A result and, later, the notice that the buffer is free.
    Twice(Answer, Answer),
    /// Something was moved, and there is more to be moved.
    Again,
    /// It is in the list of those whom a change wakes.
    Parked,
}

impl Outcome {
    fn of(result: Result<i32, i32>) -> Outcome {
        let result = result.unwrap_or_else(|errno| -errno);
        Outcome::with(result, Payload::None)
    }

    fn done(result: Result<(), i32>) -> Outcome {
        Outcome::of(result.map(|()| 0))
    }

    pub(super) fn error(errno: i32) -> Outcome {
        Outcome::of(Err(errno))
    }

    fn with(result: i32, payload: Payload) -> Outcome {
        Outcome::Answer(Answer { result, flags: 0, payload })
    }

    fn bytes(bytes: Vec<u8>) -> Outcome {
        Outcome::with(bytes.len() as i32, Payload::Bytes(bytes))
    }
}

impl Backend {
    pub(super) fn attempt(&mut self, user: u64, op: &mut Op) -> Outcome {
        memory::check(&mut op.request);
        if op.moved.is_empty()
            && is_transfer(&op.request)
            && self.random.chance(self.faults.interrupted)
        {
            return Outcome::error(if self.random.chance(500) {
                libc::EINTR
            } else {
                libc::EAGAIN
            });
        }
        let now = self.now;
        match &mut op.request {
            Request::Nop | Request::Pass { .. } => Outcome::of(Ok(0)),
            Request::Read { .. } | Request::ReadVectored { .. } | Request::Load { .. } => {
                self.read_file(op)
            }
            Request::Fill { .. }
            | Request::Take { .. }
            | Request::Give { .. }
            | Request::Transmit { .. }
            | Request::Ready { .. }
            | Request::AwaitClient { .. } => unreachable!("there is no pipe here"),
            Request::Write { .. } | Request::WriteVectored { .. } => self.write_file(op),
            Request::Sync { .. } => match op.object.as_deref() {
                Some(Object::File(_)) => Outcome::of(Ok(0)),
                _ => Outcome::error(libc::EINVAL),
            },
            Request::Truncate { len, .. } => match op.object.as_deref() {
                Some(Object::File(file)) => Outcome::done(file.truncate(*len, now)),
                _ => Outcome::error(libc::EINVAL),
            },
            Request::Allocate { offset, len, .. } => match op.object.as_deref() {
                Some(Object::File(file)) => Outcome::done(file.allocate(*offset, *len, now)),
                _ => Outcome::error(libc::EBADF),
            },
            Request::Stat { .. } => match op.object.as_deref() {
                Some(Object::File(file)) => {
                    let (meta, size) = file.stat();
                    Outcome::with(0, Payload::Stat(meta, size))
                }
                _ => Outcome::error(libc::EBADF),
            },
            Request::StatPath { path, .. } => match self.world.borrow().files.stat(path) {
                Ok((meta, size)) => Outcome::with(0, Payload::Stat(meta, size)),
                Err(errno) => Outcome::error(errno),
            },
            Request::Open { path, flags, mode } => {
                let mut world = self.world.borrow_mut();
                let opened = world
                    .may_open(self.faults.max_open)
                    .and_then(|()| world.files.open(path, *flags, *mode, now))
                    .map(|file| world.insert(Object::File(file)));
                Outcome::of(opened)
            }
            Request::Unlink { path, dir } => {
                Outcome::done(self.world.borrow_mut().files.unlink(path, *dir))
            }
            Request::Rename { from, to } => {
                Outcome::done(self.world.borrow_mut().files.rename(from, to))
            }
            Request::MakeDir { path, mode } => {
                Outcome::done(self.world.borrow_mut().files.make_dir(path, *mode, now))
            }
            Request::Close { .. } => {
                op.object = None;
                let (number, direct) = op.fd.expect("a close names a descriptor");
                let closed = self.world.borrow_mut().close(number, direct);
                Outcome::of(closed.map(|_| 0).ok_or(libc::EBADF))
            }
            Request::Recv { flags, .. } | Request::RecvMessage { flags, .. } => {
                let flags = *flags;
                self.receive(user, op, flags)
            }
            Request::RecvVectored { .. } => self.receive(user, op, RecvFlags::default()),
            Request::RecvPooled { group, multishot, .. } => {
                let (group, multishot) = (*group, *multishot);
                self.receive_pooled(user, op, group, multishot)
            }
            Request::Send { flags, .. } | Request::SendMessage { flags, .. } => {
                let SendFlags { wait_all, quiet, .. } = *flags;
                match self.send(user, op, wait_all && !quiet) {
                    Outcome::Parked if quiet => Outcome::error(libc::EAGAIN),
                    outcome => outcome,
                }
            }
            Request::SendZeroCopy { .. } | Request::SendMessageZeroCopy { .. } => {
                match self.send(user, op, false) {
                    Outcome::Answer(answer) => self.zero_copy(&op.request, answer),
                    other => other,
                }
            }
            Request::Accept { direct, .. } => {
                let direct = *direct;
                self.accept(user, op, direct)
            }
            Request::AcceptNext { .. } | Request::RecvMessages { .. } => unreachable!("not here"),
            Request::Connect { .. } => self.connect(user, op),
            Request::Shutdown { how, .. } => Outcome::done(shut_down(op.object.as_deref(), *how)),
            #[cfg(test)]
            Request::Stall { .. } => unreachable!("the pool does this one"),
        }
    }

    /// A transfer of at most `n` moves that many, or fewer if the seed says so.
    fn shorten(&mut self, n: usize) -> usize {
        if n > 1 && self.random.chance(self.faults.short) {
            1 + self.random.below(n as u64 - 1) as usize
        } else {
            n
        }
    }

    fn read_file(&mut self, op: &mut Op) -> Outcome {
        let room = memory::room(&mut op.request);
        let (at, address) = match &mut op.request {
            Request::Read { into, at, .. } | Request::Load { into, at, .. } => {
                (*at, into.as_ptr() as usize)
            }
            Request::ReadVectored { into, at, .. } => {
                (*at, into.vectors.first().map_or(0, |vector| vector.iov_base as usize))
            }
            _ => unreachable!("only reads come here"),
        };
        let Some(Object::File(file)) = op.object.as_deref() else { return not_a_file(op) };
        match file.aligned(address, room, at).and_then(|()| file.read(room, at)) {
            Ok(mut bytes) => {
                bytes.truncate(self.shorten(bytes.len()));
                Outcome::bytes(bytes)
            }
            Err(errno) => Outcome::error(errno),
        }
    }

    fn write_file(&mut self, op: &mut Op) -> Outcome {
        let bytes = memory::source(&op.request);
        let (at, address) = match &op.request {
            Request::Write { from, at, .. } => (*at, from.as_ptr() as usize),
            Request::WriteVectored { from, at, .. } => {
                (*at, from.vectors.first().map_or(0, |vector| vector.iov_base as usize))
            }
            _ => unreachable!("only writes come here"),
        };
        let n = self.shorten(bytes.len());
        let Some(Object::File(file)) = op.object.as_deref() else { return not_a_file(op) };
        let written = file
            .aligned(address, bytes.len(), at)
            .and_then(|()| file.write(&bytes[..n], at, self.now));
        Outcome::of(written.map(|n| n as i32))
    }

    fn receive(&mut self, user: u64, op: &mut Op, flags: RecvFlags) -> Outcome {
        let room = memory::room(&mut op.request);
        match op.object.clone().as_deref() {
            Some(Object::Stream(stream)) => {
                let stream = &mut *stream.borrow_mut();
                if room == 0 {
                    return Outcome::of(Ok(0));
                }
                match stream.readable(op.moved.is_empty() && !flags.peek) {
                    Room::Some(n) => {
                        let n = self.shorten(n.min(room - op.moved.len()));
                        if flags.peek {
                            return Outcome::bytes(stream.peek(n));
                        }
                        op.moved.extend(stream.read(n));
                        if flags.wait_all
                            && op.moved.len() < room
                            && !self.random.chance(self.faults.short)
                        {
                            return Outcome::Again;
                        }
                        Outcome::bytes(std::mem::take(&mut op.moved))
                    }
                    Room::None => self.park_on_stream(user, stream, true),
                    Room::Error(errno) if op.moved.is_empty() => Outcome::error(errno),
                    Room::End | Room::Error(_) => Outcome::bytes(std::mem::take(&mut op.moved)),
                }
            }
            Some(Object::Datagrams(socket)) => {
                let socket = &mut *socket.borrow_mut();
                let Some((mut bytes, from)) = next_datagram(socket, flags.peek) else {
                    socket.receivers.add(&self.woken, user);
                    return Outcome::Parked;
                };
                let (cut, ttl) = (bytes.len() > room, socket.wants_ttl);
                bytes.truncate(room);
                let n = bytes.len() as i32;
                Outcome::with(n, Payload::Datagram(Datagram { bytes, from, cut, ttl }))
            }
            _ => Outcome::error(libc::ENOTSOCK),
        }
    }

    fn receive_pooled(&mut self, user: u64, op: &mut Op, group: u16, multishot: bool) -> Outcome {
        let index = usize::from(group);
        let Some(Some(size)) = self.groups.get(index).map(|group| group.as_ref().map(Group::size))
        else {
            return Outcome::error(libc::ENOBUFS);
        };
        let object = op.object.clone();
        // Whether there is something comes first: an idle receive takes no buffer.
        match object.as_deref() {
            Some(Object::Stream(stream)) => {
                let stream = &mut *stream.borrow_mut();
                match stream.readable(true) {
                    Room::Some(_) => {}
                    Room::None => return self.park_on_stream(user, stream, true),
                    Room::End => return Outcome::of(Ok(0)),
                    Room::Error(errno) => return Outcome::error(errno),
                }
            }
            Some(Object::Datagrams(socket)) => {
                let socket = &mut *socket.borrow_mut();
                if socket.queue.is_empty() {
                    socket.receivers.add(&self.woken, user);
                    return Outcome::Parked;
                }
            }
            _ => return Outcome::error(libc::ENOTSOCK),
        }
        let taken = self.groups[index].as_mut().and_then(|group| group.take(&mut self.random));
        let Some(buffer) = taken else {
            return Outcome::error(libc::ENOBUFS);
        };
        let bytes = match object.as_deref() {
            Some(Object::Stream(stream)) => {
                let n = match stream.borrow_mut().readable(false) {
                    Room::Some(n) => self.shorten(n.min(size)),
                    _ => 0,
                };
                stream.borrow_mut().read(n)
            }
            Some(Object::Datagrams(socket)) => {
                let mut bytes =
                    next_datagram(&mut socket.borrow_mut(), false).map_or_else(Vec::new, |d| d.0);
                bytes.truncate(size);
                bytes
            }
            _ => Vec::new(),
        };
        let at = self.buffer_at(group, buffer);
        let (result, flags) = (bytes.len() as i32, buffer_flags(buffer));
        let answer = Answer { result, flags, payload: Payload::Buffer(at, bytes) };
        if multishot && !self.random.chance(self.faults.ended_shots) {
            Outcome::Item(Answer { flags: flags | MORE, ..answer })
        } else {
            Outcome::Answer(answer)
        }
    }

    fn send(&mut self, user: u64, op: &mut Op, all: bool) -> Outcome {
        let bytes = memory::source(&op.request);
        match op.object.clone().as_deref() {
            Some(Object::Stream(stream)) => {
                let stream = &mut *stream.borrow_mut();
                let sent = op.moved.len();
                match stream.writable(sent == 0) {
                    Room::Some(n) => {
                        let n = self.shorten(n.min(bytes.len() - sent));
                        stream.write(&bytes[sent..sent + n]);
                        op.moved.extend(&bytes[sent..sent + n]);
                        if all
                            && op.moved.len() < bytes.len()
                            && !self.random.chance(self.faults.short)
                        {
                            return Outcome::Again;
                        }
                        Outcome::of(Ok(op.moved.len() as i32))
                    }
                    Room::None => self.park_on_stream(user, stream, false),
                    Room::Error(errno) if sent == 0 => Outcome::error(errno),
                    Room::End | Room::Error(_) => Outcome::of(Ok(sent as i32)),
                }
            }
            Some(Object::Datagrams(socket)) => {
                let (from, peer) = (socket.borrow().local, socket.borrow().peer);
                Outcome::of(self.send_datagram(
                    bytes,
                    from,
                    memory::addressee(&op.request).or(peer),
                ))
            }
            _ => Outcome::error(libc::ENOTSOCK),
        }
    }

    fn send_datagram(
        &mut self,
        bytes: Vec<u8>,
        from: std::net::SocketAddr,
        to: Option<std::net::SocketAddr>,
    ) -> Result<i32, i32> {
        let to = to.ok_or(libc::EDESTADDRREQ)?;
        if bytes.len() > LONGEST_DATAGRAM {
            return Err(libc::EMSGSIZE);
        }
        let n = bytes.len() as i32;
        // A datagram to nobody is lost, as one on its way may be.
        if !self.random.chance(self.faults.lost_datagrams)
            && let Some(target) = self.world.borrow().at(Ports::Datagram, to)
            && let Object::Datagrams(target) = &*target
        {
            target.borrow_mut().arrive(bytes, from);
        }
        Ok(n)
    }

    /// The answer of a zero-copy send: the result, and the notification that may follow.
    pub(super) fn zero_copy(&mut self, request: &Request<'static>, answer: Answer) -> Outcome {
        // Linux may or may not send a notification after an error.
        if answer.result < 0 && self.random.chance(500) {
            return Outcome::Answer(answer);
        }
        let sum = memory::checksum(&memory::source(request));
        let result = if self.random.chance(500) { COPIED } else { 0 };
        let notice = Answer { result, flags: NOTIFICATION, payload: Payload::Unchanged(sum) };
        Outcome::Twice(Answer { flags: MORE, ..answer }, notice)
    }

    fn park_on_stream(&mut self, user: u64, stream: &Stream, reads: bool) -> Outcome {
        if reads {
            if let Some(pipe) = stream.receiving() {
                pipe.borrow_mut().readers.add(&self.woken, user);
            }
        } else if let Some(pipe) = stream.sending() {
            pipe.borrow_mut().writers.add(&self.woken, user);
            // A reset comes from the other direction.
            if let Some(pipe) = stream.receiving() {
                pipe.borrow_mut().readers.add(&self.woken, user);
            }
        }
        Outcome::Parked
    }

    pub(super) fn accept(&mut self, user: u64, op: &mut Op, direct: bool) -> Outcome {
        let Some(Object::Listener(listener)) = op.object.as_deref() else {
            return Outcome::error(libc::EINVAL);
        };
        // As Linux: that no descriptor is free is said at once, even when nobody connects.
        let mut world = self.world.borrow_mut();
        let free =
            if direct { world.has_direct_room() } else { world.may_open(self.faults.max_open) };
        if let Err(errno) = free {
            return Outcome::error(errno);
        }
        let listener = &mut *listener.borrow_mut();
        if listener.ended {
            return Outcome::error(libc::EINVAL);
        }
        let Some(object) = listener.queue.pop_front() else {
            listener.acceptors.add(&self.woken, user);
            return Outcome::Parked;
        };
        listener.connectors.wake();
        let Object::Stream(stream) = &*object else { unreachable!("only streams are queued") };
        let peer = stream.borrow().peer.expect("it is connected");
        if self.random.chance(self.faults.aborted) {
            stream.borrow_mut().resets = true;
            return Outcome::error(libc::ECONNABORTED);
        }
        let number =
            if direct { world.insert_direct(object) } else { Ok(world.insert_shared(object)) };
        match number {
            Ok(number) => Outcome::with(number, Payload::Peer(peer)),
            Err(errno) => Outcome::error(errno),
        }
    }

    fn connect(&mut self, user: u64, op: &mut Op) -> Outcome {
        let Request::Connect { peer, .. } = &op.request else { unreachable!("only connects") };
        let Some(to) = peer.get() else { return Outcome::error(libc::EAFNOSUPPORT) };
        let stream: &RefCell<Stream> = match op.object.as_deref() {
            Some(Object::Stream(stream)) => stream,
            Some(Object::Datagrams(socket)) => {
                socket.borrow_mut().peer = Some(to);
                return Outcome::of(Ok(0));
            }
            _ => return Outcome::error(libc::ENOTSOCK),
        };
        if stream.borrow().is_connected() {
            return Outcome::error(libc::EISCONN);
        }
        let target = self.world.borrow().at(Ports::Stream, to);
        let Some(Object::Listener(listener)) = target.as_deref() else {
            return Outcome::error(libc::ECONNREFUSED);
        };
        let listener = &mut *listener.borrow_mut();
        if listener.ended {
            return Outcome::error(libc::ECONNREFUSED);
        }
        if listener.queue.len() >= listener.backlog {
            listener.connectors.add(&self.woken, user);
            return Outcome::Parked;
        }
        let bound = stream.borrow().local.map(|local| local.port());
        let free = || self.world.borrow_mut().free_port(Ports::Stream, to.is_ipv6());
        let own = SocketAddr::new(to.ip(), bound.unwrap_or_else(free));
        let other = stream.borrow_mut().connect(own, to, self.faults.stream_buffer);
        listener.queue.push_back(Rc::new(Object::Stream(RefCell::new(other))));
        listener.acceptors.wake();
        Outcome::of(Ok(0))
    }
}

pub(super) fn shut_down(object: Option<&Object>, how: Shutdown) -> Result<(), i32> {
    let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
    match object {
        Some(Object::Stream(stream)) => stream.borrow_mut().shut_down(read, write),
        Some(Object::Listener(listener)) => {
            let mut listener = listener.borrow_mut();
            listener.ended |= read;
            listener.acceptors.wake();
            listener.connectors.wake();
            Ok(())
        }
        Some(Object::Datagrams(_)) => Err(libc::ENOTCONN),
        Some(Object::File(_)) => Err(libc::ENOTSOCK),
        None => Err(libc::EBADF),
    }
}

fn next_datagram(socket: &mut Datagrams, peek: bool) -> Option<(Vec<u8>, std::net::SocketAddr)> {
    if peek {
        return socket.queue.front().cloned();
    }
    let next = socket.queue.pop_front();
    if !socket.queue.is_empty() {
        socket.receivers.wake();
    }
    next
}

fn not_a_file(op: &Op) -> Outcome {
    Outcome::error(if op.object.is_some() { libc::ESPIPE } else { libc::EBADF })
}

/// Requests that a kernel may answer with EINTR or EAGAIN although nothing is wrong.
fn is_transfer(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::Read { .. }
            | Request::ReadVectored { .. }
            | Request::Write { .. }
            | Request::WriteVectored { .. }
            | Request::Recv { .. }
            | Request::RecvVectored { .. }
            | Request::RecvMessage { .. }
            | Request::Send { .. }
            | Request::SendMessage { .. }
            | Request::SendZeroCopy { .. }
            | Request::SendMessageZeroCopy { .. }
            | Request::Accept { .. }
    )
}
