//! [`Wire`]: a connection as the requests on it see it: bytes that have come, and a buffer of what goes out, in the clear or
//! through TLS.

use super::range::Part;
use super::tls::Tls;
use kael_rt::Error;
use kael_rt::buf::{BufferPool, IoBuf, PoolBuf};
use kael_rt::fs::File;
use kael_rt::io::send_file;
use kael_rt::net::TcpStream;
use kael_rt::time::{Duration, timeout};
use std::io;
use std::net::Shutdown;

/// What goes out at once: an answer's head and as much of its body as fits.
pub(super) const OUT_BYTES: usize = 32 * 1024;
/// What comes in at once.
pub(super) const IN_BYTES: usize = 8 * 1024;
/// With less room than this the next piece of a file begins a new buffer.
const LEAST_PIECE: usize = 1024;
/// At an end, how long and for how many bytes the client is listened to, so that no reset overtakes the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

pub(super) struct Wire {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
    pools: Pools,
    /// What came and was not taken yet begins at `taken`.
    received: Vec<u8>,
    taken: usize,
    /// What is to go out next.
    out: Option<PoolBuf>,
    write_timeout: Duration,
}

/// Buffers that the connections of a core share. Each holds at most one of `inward` and two of `outward` at a time, of which
/// there are as many, so nobody waits for another's.
#[derive(Clone)]
pub(super) struct Pools {
    pub(super) inward: BufferPool,
    pub(super) outward: BufferPool,
}

impl Wire {
    pub(super) fn new(
        stream: TcpStream,
        tls: Option<Tls>,
        pools: Pools,
        write_timeout: Duration,
    ) -> Wire {
        let tls = tls.map(Box::new);
        Wire { stream, tls, pools, received: Vec::new(), taken: 0, out: None, write_timeout }
    }

    /// What came and was not taken yet.
    pub(super) fn received(&self) -> &[u8] {
        &self.received[self.taken..]
    }

    pub(super) fn take(&mut self, n: usize) {
        self.taken += n;
        debug_assert!(self.taken <= self.received.len());
        if self.taken == self.received.len() {
            self.received.clear();
            self.taken = 0;
            // A connection that waits has no memory of its longest request.
            self.received.shrink_to(1024);
        }
    }

    /// Waits for more of it; false: the client has ended.
    pub(super) async fn receive(&mut self) -> io::Result<bool> {
        if self.taken > 0 {
            self.received.drain(..self.taken);
            self.taken = 0;
        }
        let before = self.received.len();
        if let Some(tls) = &mut self.tls {
            tls.rest();
        }
        loop {
            let piece = self.stream.recv_pooled(&self.pools.inward).await?;
            let Some(piece) = piece else { return Ok(false) };
            let Some(tls) = &mut self.tls else {
                self.received.extend_from_slice(&piece);
                return Ok(true);
            };
            let decrypted = tls.decrypt(&piece, &mut self.received);
            drop(piece);
            // Also when it failed: the other end is told why.
            let answer = tls.take_outgoing();
            if !answer.is_empty() {
                write(&self.stream, answer, false, self.write_timeout).await?;
            }
            decrypted?;
            if self.received.len() > before {
                return Ok(true);
            }
            if self.tls.as_ref().is_some_and(|tls| tls.is_ended()) {
                return Ok(false);
            }
        }
    }

    /// Whether the connection has come to TLS, if it is to.
    pub(super) fn is_established(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.is_established())
    }

    /// Puts bytes behind what goes out next.
    pub(super) async fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = self.room(1).await?.put(bytes);
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Reads from a file, at most `most` bytes from `at` on, behind what goes out next. 0: the file ends there.
    pub(super) async fn fill_from(&mut self, file: &File, at: u64, most: u64) -> io::Result<u64> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.room(most.min(LEAST_PIECE)).await?;
        let Some(out) = self.out.take() else { unreachable!("there is room in it") };
        let len = out.len();
        let end = out.capacity().min(len.saturating_add(most));
        let (result, piece) = file.read_at(out.slice(len..end), at).await;
        self.out = Some(piece.into_inner());
        result.map(|n| n as u64)
    }

    /// Whether what is put here is what goes out: there is no TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// Sends a part of a file as it is, behind what was put there; nothing of it is copied where the system can do that.
    pub(super) async fn send_file(&mut self, file: &File, part: Part) -> io::Result<()> {
        debug_assert!(self.is_plain());
        self.room(0).await?;
        let Some(head) = self.out.take() else { unreachable!("there is room in it") };
        let (head_bytes, limit) = (head.len() as u64, self.write_timeout);
        let first = send_file(file, part.start..part.end, &self.stream).header(head);
        let mut at = part.start + enough(first.timeout(limit).await)? - head_bytes;
        while at < part.end {
            let rest = send_file(file, at..part.end, &self.stream);
            at += enough(rest.timeout(limit).await)?;
        }
        Ok(())
    }

    /// A buffer with room for so much; what it was full of has gone out.
    async fn room(&mut self, least: usize) -> io::Result<&mut PoolBuf> {
        if self.out.as_ref().is_some_and(|out| out.capacity() - out.len() < least) {
            self.send(false).await?;
        }
        if self.out.is_none() {
            self.out = Some(self.pools.outward.get().await);
        }
        let Some(out) = &mut self.out else { unreachable!("it was put there") };
        Ok(out)
    }

    /// What was put there goes out. If it may go soon, its sending rides along with the wait for the next request.
    pub(super) async fn send(&mut self, soon: bool) -> io::Result<()> {
        let Some(out) = self.out.take() else { return Ok(()) };
        match &mut self.tls {
            None => write(&self.stream, out, soon, self.write_timeout).await.map(drop),
            Some(tls) => {
                tls.encrypt(&out, &mut self.received)?;
                drop(out);
                let sealed = tls.take_outgoing();
                if let Some(sent) = write(&self.stream, sealed, soon, self.write_timeout).await? {
                    tls.reuse(sent);
                }
                Ok(())
            }
        }
    }

    /// Ends the connection so that all of the last answer arrives: what the client still sends is taken for a while.
    pub(super) async fn end(mut self) -> io::Result<()> {
        self.send(false).await?;
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.received);
            write(&self.stream, tls.take_outgoing(), false, self.write_timeout).await?;
        }
        timeout(self.write_timeout, self.stream.flush()).await??;
        self.stream.shutdown(Shutdown::Write).await?;
        let mut left = LINGER_BYTES;
        let listen = async {
            while let Some(piece) = self.stream.recv_pooled(&self.pools.inward).await? {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
            io::Result::Ok(())
        };
        timeout(LINGER, listen).await.unwrap_or(Ok(()))
    }

    /// Ends the connection when nothing is under way on it.
    pub(super) async fn end_idle(mut self) -> io::Result<()> {
        self.send(false).await?;
        if let Some(tls) = &mut self.tls {
            tls.close(&mut self.received);
            write(&self.stream, tls.take_outgoing(), false, self.write_timeout).await?;
        }
        timeout(self.write_timeout, self.stream.close()).await?
    }

    /// Ends the connection so that the client cannot take what it has for the whole.
    pub(super) fn reset(self) {
        // A connection that is gone already needs none.
        let _ = self.stream.set_linger(Some(Duration::ZERO));
    }
}

/// Sends all of it, and gives it back if it was waited for.
async fn write<B: IoBuf>(
    stream: &TcpStream,
    bytes: B,
    soon: bool,
    limit: Duration,
) -> io::Result<Option<B>> {
    if bytes.as_init().is_empty() {
        return Ok(Some(bytes));
    }
    if !soon {
        let (result, bytes) = stream.write_all(bytes).timeout(limit).await;
        return result.map(|_| Some(bytes));
    }
    // One at a time, so that a client that reads nothing holds no more than that.
    timeout(limit, stream.flush()).await??;
    timeout(limit, stream.write_queued(bytes)).await??;
    Ok(None)
}

/// How much of a file has gone out; if its time was over before it had, it must be as much as a buffer, which no head is
/// longer than.
fn enough(sent: io::Result<u64>) -> io::Result<u64> {
    sent.or_else(|error| match Error::of(&error) {
        Some(ours) if ours.is_timed_out() => match ours.transferred() {
            Some(sent) if sent >= OUT_BYTES => Ok(sent as u64),
            _ => Err(error),
        },
        _ => Err(error),
    })
}
