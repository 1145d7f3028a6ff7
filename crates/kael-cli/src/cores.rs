//! A server on several cores: each listens at the same address, and the system spreads the connections among them.

use crate::fail::doing;
use kael_rt::JoinHandle;
use kael_rt::net::{TcpListener, TcpSocket, lookup_host};
use kael_rt::runtime::{Builder, Handle};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;

/// The option of a server.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Cores {
    /// Cores that serve, each a thread with a listener of its own, among which the system spreads the connections. More than one
    /// on Linux and FreeBSD only
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: u16,
}

impl Cores {
    pub(crate) fn count(self) -> usize {
        self.cores.into()
    }

    /// Runs `serve` on each core, with the core's number and its listener at `addr`, says where that is, and returns what each
    /// has returned; or the first error of any.
    pub(crate) fn serve<S, F, T>(self, addr: &str, serve: S) -> io::Result<Vec<T>>
    where
        S: Fn(usize, TcpListener) -> F + Clone + Send + 'static,
        F: Future<Output = io::Result<T>> + 'static,
        T: Send + 'static,
    {
        let cannot = || doing(format!("cannot listen at {addr}"));
        let runtime = Builder::new().cores(self.count()).build()?;
        runtime.block_on(async {
            let first = self.first(addr).await.map_err(cannot())?;
            let at = first.local_addr()?;
            let mut tasks = vec![kael_rt::spawn(serve(0, first))];
            for core in 1..self.count() {
                let serve = serve.clone();
                let begun = Handle::current().spawn_on(core, move || async move {
                    Ok::<_, io::Error>(kael_rt::spawn(serve(core, shared(at)?)))
                });
                tasks.push(begun.await.map_err(io::Error::other)?.map_err(cannot())?);
            }
            eprintln!("listening on {at}");
            all(tasks).await
        })
    }

    async fn first(self, addr: &str) -> io::Result<TcpListener> {
        if self.cores == 1 {
            return TcpListener::bind(addr).await;
        }
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for addr in lookup_host(addr).await? {
            match shared(addr) {
                Ok(listener) => return Ok(listener),
                Err(its) => error = its,
            }
        }
        Err(error)
    }
}

/// One of several listeners at an address.
fn shared(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    socket
        .set_reuseport(true)
        .map_err(doing("this system does not spread connections: --cores 1"))?;
    socket.bind(at)?;
    socket.listen(4096)
}

/// What all of them return, or the first error.
async fn all<T>(tasks: Vec<JoinHandle<io::Result<T>>>) -> io::Result<Vec<T>> {
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (Some(task), None)).collect();
    poll_fn(|cx| {
        for (task, output) in &mut tasks {
            if let Some(running) = task
                && let Poll::Ready(ended) = Pin::new(running).poll(cx)
            {
                *task = None;
                match ended.map_err(io::Error::other)? {
                    Ok(value) => *output = Some(value),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }
        if tasks.iter().any(|(task, _)| task.is_some()) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(tasks.iter_mut().filter_map(|(_, output)| output.take()).collect()))
    })
    .await
}
