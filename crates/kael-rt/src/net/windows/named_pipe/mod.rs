//! Named pipes of Windows.
//!
//! A pipe has a name, `\\.\pipe\` and what a program chose, and any number of *instances*: each is a [`NamedPipeServer`], and
//! has one client at a time. So who serves many makes the next instance before the one that got a client is handed on; else
//! there is a moment in which nobody answers to the name:
//!
//! ```
//! # kael_rt::block_on(async {
//! use kael_rt::net::windows::named_pipe::{ClientOptions, ServerOptions};
//!
//! const NAME: &str = r"\\.\pipe\kael-doc-echo";
//! let mut next = ServerOptions::new().first_pipe_instance(true).create(NAME)?;
//! let _server = kael_rt::spawn(async move {
//!     loop {
//!         next.connect().await?;
//!         let server = std::mem::replace(&mut next, ServerOptions::new().create(NAME)?);
//!         kael_rt::spawn(async move {
//!             let mut buf = Vec::with_capacity(4096);
//!             loop {
//!                 let (n, bytes) = server.read(buf).await;
//!                 if n? == 0 {
//!                     return Ok::<_, std::io::Error>(());
//!                 }
//!                 let (result, bytes) = server.write_all(bytes).await;
//!                 result?;
//!                 buf = bytes;
//!             }
//!         });
//!     }
//!     #[allow(unreachable_code)]
//!     Ok::<_, std::io::Error>(())
//! });
//!
//! let client = ClientOptions::new().open(NAME).await?;
//! client.write_all("hello").await.0?;
//! let (result, buf) = client.read_exact(vec![0; 5]).await;
//! result?;
//! assert_eq!(buf, b"hello");
//! # Ok::<_, std::io::Error>(())
//! # }).unwrap();
//! ```
//!
//! # Who waits for whom
//!
//! ```text
//!              a client opens it              connect() says so
//!   created ──────────────────────▶ taken ─────────────────────────▶ served ── read, write, ...
//!      │                              ▲                                │
//!      │ connect()                    │ a client opens it, and         │ disconnect()
//!      ▼                              │ nobody looks at the answer     ▼
//!   waiting ──────────────────────────┘                           disconnected
//!      │ ▲                                                             │
//!      │ └───────────────────────── connect() ◀────────────────────────┘
//!      ▼ the future is dropped before a client came
//!   as created, or as disconnected: Windows may go on to listen, and a client that comes then has it *taken*
//! ```
//!
//! A client is handed over exactly once: who came while a `connect` was dropped is the next one's, at once; also if it has written
//! something and gone, for what it wrote can still be read. A pipe that was *disconnected* answers to nobody before the next
//! `connect`: clients are told that it is busy.
//!
//! # Bytes and messages
//!
//! A pipe of [`PipeMode::Message`] keeps what each write wrote apart: a read gives one message, or as much of it as there is room for, and
//! the next one the rest. [`NamedPipe::read_message`] also says whether it was all.
//!
//! # What is not here
//!
//! Windows has no gathered or scattered transfers of pipes, no end of one direction alone, and no look at bytes that leaves them there
//! without a call that may wait. So there is no `write_vectored`, `read_vectored`, `shutdown` and `peek`; both ends end with
//! [`NamedPipeServer::close`] and [`NamedPipeClient::close`].
//!
//! This module was run under Wine 8, and never on Windows.
#![forbid(unsafe_code)]

mod client;
mod name;
mod operations;
mod pipe;
mod server;
mod streams;

pub use client::{ClientOptions, NamedPipeClient};
pub use operations::{MessagePart, ReadMessage};
pub use pipe::{NamedPipe, PipeEnd, PipeInfo};
pub use server::{NamedPipeServer, ServerOptions};

/// What a pipe keeps of writes: their bytes, or which of them were written together.
///
/// ```
/// use kael_rt::net::windows::named_pipe::{NamedPipeServer, PipeMode, ServerOptions};
///
/// fn mailbox() -> std::io::Result<NamedPipeServer> {
///     ServerOptions::new().pipe_mode(PipeMode::Message).create(r"\\.\pipe\kael-doc-mailbox")
/// }
/// # kael_rt::block_on(async { assert_eq!(mailbox()?.info()?.mode, PipeMode::Message); Ok::<_, std::io::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum PipeMode {
    /// A stream of bytes, as TCP has it.
    #[default]
    Byte,
    /// Each write is a message. A read gives one, or a part of one.
    Message,
}
