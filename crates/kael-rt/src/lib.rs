//! Kael: an async runtime that uses each platform's own best I/O interface.
//!
//! One thread per core, completion first, no allocation on hot paths, and a budget of system calls
//! for every operation ([`budget`]) that is written down, measured and tested. On Linux it is
//! io_uring, from kernel 6.1 on, or epoll (`--cfg kael_backend="epoll"`); on macOS and the BSDs kqueue,
//! which was never run there yet; on Windows completion ports, which were run under wine and never on Windows,
//! and with the cargo feature `rio` registered I/O for TCP streams and UDP sockets, which was run over a model of it only.
//!
//! ```
//! use kael_rt::net::{TcpListener, TcpStream};
//!
//! kael_rt::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let addr = listener.local_addr()?;
//!     let server = kael_rt::spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let (result, buf) = stream.read(Vec::with_capacity(64)).await;
//!         result?;
//!         stream.write_all(buf).await.0
//!     });
//!     let stream = TcpStream::connect(addr).await?;
//!     stream.write_all("hello").await.0?;
//!     let (result, buf) = stream.read_exact(vec![0; 5]).await;
//!     result?;
//!     assert_eq!(buf, b"hello");
//!     server.await.unwrap()?;
//!     Ok::<_, std::io::Error>(())
//! }).unwrap();
//! ```
//!
//! * Buffers are lent to an operation by value and come back with its result: [`buf`].
//! * Operations are lazy and may be dropped at any time without losing bytes or connections:
//!   [`Operation`].
//! * I/O types and futures stay on their thread; [`JoinHandle`] and [`runtime::Handle`] do not.

// A simulated kernel leaves some of what a real one needs unused.
#![cfg_attr(kael_backend = "sim", allow(dead_code, unused_imports))]

extern crate self as kael_rt;

pub mod budget;
pub mod buf;
mod driver;
mod error;
pub mod fs;
pub mod io;
pub mod net;
mod op;
mod rt;
mod sys;
mod task;
pub mod time;

pub mod runtime {
    //! Making, using and watching a runtime.
    pub use crate::rt::{Builder, CoreMetrics, Granted, Handle, Metrics, Remark, Runtime};
}

pub mod ops {
    //! The types of operations, as [`Operation`](crate::Operation) names them.
    //!
    //! They matter where an operation is kept or handed on, as in a struct that has the next one ready:
    //!
    //! ```
    //! use kael_rt::{Operation, net::TcpStream, ops::{ReadExact, WriteAll}};
    //!
    //! struct Exchange {
    //!     question: Operation<WriteAll<Vec<u8>>>,
    //!     answer: Operation<ReadExact<Vec<u8>>>,
    //! }
    //!
    //! impl Exchange {
    //!     /// Nothing is sent before the exchange is run.
    //!     fn new(stream: &TcpStream, question: &str, len: usize) -> Exchange {
    //!         Exchange {
    //!             question: stream.write_all(question.into()),
    //!             answer: stream.read_exact(vec![0; len]),
    //!         }
    //!     }
    //!
    //!     async fn run(self) -> std::io::Result<Vec<u8>> {
    //!         self.question.await.0?;
    //!         let (result, answer) = self.answer.await;
    //!         result.map(|_| answer)
    //!     }
    //! }
    //! # kael_rt::block_on(async {
    //! # use kael_rt::net::{TcpListener, TcpStream};
    //! # let listener = TcpListener::bind("127.0.0.1:0").await?;
    //! # let client = TcpStream::connect(listener.local_addr()?).await?;
    //! # let (server, _) = listener.accept().await?;
    //! let exchange = Exchange::new(&client, "2 + 2", 1);
    //! server.write_all("4").await.0?;
    //! assert_eq!(exchange.run().await?, b"4");
    //! # Ok::<_, std::io::Error>(())
    //! # }).unwrap();
    //! ```
    pub use crate::op::{
        Accept, Allocate, Change, Connect, Link, Linkable, Linked, Links, Open, Peek, Queue,
        ReadAt, ReadExact, ReadExactAt, ReadVectoredAt, Recv, RecvFrom, RecvVectored, Send,
        SendFile, SendTo, SendVectored, SendZc, SendZcVectored, SetLen, ShutDown, Stat, StatPath,
        Sync, WriteAll, WriteAllAt, WriteAllVectored, WriteAt, WriteVectoredAt, link,
    };
}

pub use error::Error;
#[cfg(feature = "macros")]
pub use kael_rt_macros::{main, test};
pub use op::{CancelOn, CancelToken, Cancelled, Operation, WithTimeout};
pub use rt::{YieldNow, block_on, spawn, spawn_blocking, yield_now};
pub use task::{JoinError, JoinHandle};

/// What a simulated kernel does, and what it has seen; for the project's own test programs.
#[cfg(kael_backend = "sim")]
#[doc(hidden)]
pub mod sim_control {
    pub use crate::sys::sim_control::*;
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
