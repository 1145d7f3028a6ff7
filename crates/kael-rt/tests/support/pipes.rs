//! What the tests of named pipes share: names of their own, both ends, and a client that is not the library's.
#![allow(dead_code, reason = "each test program uses a part of it")]

use kael_rt::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, PipeMode, ServerOptions,
};
use std::fs::{File, OpenOptions};

/// A name that no other test and no other run of it has.
pub(crate) fn name(test: &str) -> String {
    format!(r"\\.\pipe\kael-test-{}-{test}", std::process::id())
}

/// Both ends of a pipe.
pub(crate) async fn pair(test: &str, mode: PipeMode) -> (NamedPipeServer, NamedPipeClient) {
    let name = name(test);
    let server = ServerOptions::new().pipe_mode(mode).create(&name).unwrap();
    let client = ClientOptions::new().pipe_mode(mode).open(&name).await.unwrap();
    server.connect().await.unwrap();
    (server, client)
}

/// The client's end for a thread of its own, with the standard library's calls.
pub(crate) fn plain_client(name: &str) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open(name)
}
