//! Two streams into each other.
#![forbid(unsafe_code)]

use crate::{
    budget::budget,
    driver::Fd,
    error::{Error, Fault},
    net::TcpStream,
    op::{Destination, Give, Operation, Piece, Recv, ShutDown, Take, Taken},
    sys::SPLICES,
};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    net::Shutdown,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

/// How far a [copy](copy_bidirectional_with) has come, for those who watch it: its clones show the same numbers.
///
/// A byte counts when the stream that it is for has taken it, also while a large piece is still on its way, and also
/// when the copy was dropped meanwhile. Given to several copies, it has their sums.
///
/// ```
/// let progress = kael_rt::io::Progress::default();
/// assert_eq!((progress.there(), progress.back()), (0, 0));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Progress {
    there: Rc<Cell<u64>>,
    back: Rc<Cell<u64>>,
}

impl Progress {
    /// Bytes that went from the first stream to the second.
    pub fn there(&self) -> u64 {
        self.there.get()
    }

    /// Bytes that went from the second stream to the first.
    pub fn back(&self) -> u64 {
        self.back.get()
    }
}

/// Sends to each of two streams what the other receives, until both have ended, and says how many bytes went from `a` to
/// `b` and from `b` to `a`.
///
/// When a peer ends its direction, that is passed on (`shutdown`), and the other direction goes on. An error of
/// either stream ends both directions; [`Error::copied`](crate::Error::copied) then has the two counts, if there are any,
/// and [`Error::os_error`](crate::Error::os_error) the system's number.
///
/// On Linux the bytes go through a pipe and are not copied (splice(2)); a pipe is held only while something is in it, so
/// connections that wait hold none. Elsewhere, and while no descriptor is left for a pipe, they go through a block of 64 KiB.
/// Neither stream should be read by anybody else meanwhile, in this process or another.
///
/// Dropping it loses nothing: what was taken out of a stream is sent to the other before any later write, and what
/// was not is there for the next read. If a write of these bytes would have to wait for a slot of the runtime
/// ([`max_in_flight`](crate::runtime::Builder::max_in_flight)), the stream that they were for is shut down, and says so.
///
#[doc = budget!(copy_bidirectional)]
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::{io::copy_bidirectional, net::{TcpListener, TcpStream}};
/// let backend = TcpListener::bind("127.0.0.1:0").await?;
/// let (to, proxy) = (backend.local_addr()?, TcpListener::bind("127.0.0.1:0").await?);
/// let at = proxy.local_addr()?;
/// let proxied = kael_rt::spawn(async move {
///     let (client, _) = proxy.accept().await?;
///     copy_bidirectional(&client, &TcpStream::connect(to).await?).await
/// });
/// let client = TcpStream::connect(at).await?;
/// let (server, _) = backend.accept().await?;
/// client.write_all("question").await.0?;
/// client.shutdown(std::net::Shutdown::Write).await?;
/// assert_eq!(server.read_exact(vec![0; 8]).await.1, b"question");
/// server.write_all("answer").await.0?;
/// server.close().await?;
/// assert_eq!(client.read_exact(vec![0; 6]).await.1, b"answer");
/// assert_eq!(proxied.await.unwrap()?, (8, 6));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub async fn copy_bidirectional(a: &TcpStream, b: &TcpStream) -> io::Result<(u64, u64)> {
    let progress = Progress::default();
    copy_bidirectional_with(a, b, &progress).await?;
    Ok((progress.there(), progress.back()))
}

/// As [`copy_bidirectional`], with the numbers in sight while it goes on: to end it when nothing moves, to log what a
/// copy that was dropped had moved.
///
/// It fails as that does, costs the same besides the two allocations of a [`Progress`], and dropping it loses as little.
///
/// ```
/// # kael_rt::block_on(async {
/// # use kael_rt::net::{TcpListener, TcpStream};
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let client = TcpStream::connect(listener.local_addr()?).await?;
/// # let (a, _) = listener.accept().await?;
/// # let server = TcpStream::connect(listener.local_addr()?).await?;
/// # let (b, _) = listener.accept().await?;
/// use kael_rt::{io::{Progress, copy_bidirectional_with}, time::{Duration, timeout}};
/// let progress = Progress::default();
/// client.write_all("hello").await.0?;
/// let copy = copy_bidirectional_with(&a, &b, &progress);
/// assert!(timeout(Duration::from_millis(50), copy).await.is_err(), "neither has ended");
/// assert_eq!(server.read_exact(vec![0; 5]).await.1, b"hello");
/// assert_eq!((progress.there(), progress.back()), (5, 0));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
pub async fn copy_bidirectional_with(
    a: &TcpStream,
    b: &TcpStream,
    progress: &Progress,
) -> io::Result<()> {
    let before = [progress.there(), progress.back()];
    let (mut there, mut back) = (
        pin!(one_way(a.fd(), b.fd(), &progress.there)),
        pin!(one_way(b.fd(), a.fd(), &progress.back)),
    );
    let (mut is_there, mut is_back) = (false, false);
    let result = poll_fn(|cx| {
        let ways = advance(there.as_mut(), &mut is_there, cx)
            .and_then(|()| advance(back.as_mut(), &mut is_back, cx));
        match ways {
            Err(code) => Poll::Ready(Err(code)),
            Ok(()) if is_there && is_back => Poll::Ready(Ok(())),
            Ok(()) => Poll::Pending,
        }
    })
    .await;
    result.map_err(|code| {
        Fault::moved(code, [progress.there() - before[0], progress.back() - before[1]])
    })
}

/// Polls a direction that is not over.
fn advance(
    way: Pin<&mut impl Future<Output = Result<(), i32>>>,
    is_over: &mut bool,
    cx: &mut Context<'_>,
) -> Result<(), i32> {
    if !*is_over && let Poll::Ready(result) = way.poll(cx) {
        *is_over = true;
        return result;
    }
    Ok(())
}

/// One direction, to its end. The error is a code.
async fn one_way(from: &Fd, to: &Fd, given: &Rc<Cell<u64>>) -> Result<(), i32> {
    while let Some(piece) = take(from, to, given).await? {
        Operation::new(Give::new(piece)).await?;
    }
    match Operation::new(ShutDown { fd: to.clone(), how: Shutdown::Write }).await {
        // Its peer has ended it already.
        Err(error)
            if error.kind() == io::ErrorKind::NotConnected && Error::of(&error).is_none() =>
        {
            Ok(())
        }
        ended => ended.map_err(|error| Error::code_of(&error)),
    }
}

/// What comes next of a stream, for another. `None`: it has ended.
async fn take(from: &Fd, to: &Fd, given: &Rc<Cell<u64>>) -> Result<Option<Piece>, i32> {
    let to = Destination { fd: to.clone(), given: given.clone() };
    if SPLICES && !from.is_direct() && !to.fd.is_direct() {
        match Operation::new(Take::new(from.clone(), to.clone())).await {
            Taken::Some(piece) => return Ok(Some(piece)),
            Taken::End => return Ok(None),
            Taken::Failed(code) => return Err(code),
            Taken::Read => {}
        }
    }
    let buf = from.driver().take_block();
    let (result, block) = Operation::new(Recv { fd: from.clone(), buf }).await;
    match result {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(Piece::in_block(block, to))),
        Err(error) => Err(Error::code_of(&error)),
    }
}
