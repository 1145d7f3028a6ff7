//! The budgets of named pipes, which only Windows has. They are counted as those of its other operations.
#![forbid(unsafe_code)]

use crate::budget::{Area, Budget, budgets, rule};

budgets! {
    "IOCP";
    pipe_round_trip: Socket "NamedPipe round trip", at_most 3.05, 5.1, 0.0, "WriteFile, ReadFile, the wait; with 64 in flight both sides are on the core";
    pipe_message_round_trip: Socket "NamedPipe round trip (messages)", at_most 4.05, 5.1, 0.0, "as with bytes, and a second wait: no answer of a pipe of messages is over at once";
    pipe_read: Socket "NamedPipe::read", at_most 2.05, 1.1, 0.0, "ReadFile, and the wait where it is not over at once";
    pipe_read_exact: Socket "NamedPipe::read_exact", at_most 2.05, 1.1, 0.0, "as read, again after a short read";
    pipe_read_message: Socket "NamedPipe::read_message", at_most 2.05, 1.1, 0.0, "ReadFile and the wait";
    pipe_write: Socket "NamedPipe::write", at_most 2.05, 1.1, 0.0, "WriteFile, and the wait where it is not over at once";
    pipe_write_all: Socket "NamedPipe::write_all", at_most 2.05, 1.1, 0.0, "WriteFile, which takes all of it";
    pipe_flush: Socket "NamedPipe::flush", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    pipe_create: Socket "ServerOptions::create", at_most 2.05, 2.05, 1.0, "CreateNamedPipe, and the CloseHandle of the dropped one; the name as UTF-16";
    pipe_open: Socket "ClientOptions::open", at_most 3.05, 3.05, 3.0, "a thread of the pool does it: a wake and a wait; and the CloseHandle of the dropped one; the name is copied, and as UTF-16 by the standard library";
    pipe_connect: Socket "NamedPipeServer::connect", at_most 2.05, 2.05, 0.0, "ConnectNamedPipe, and the wait where nobody is there; two calls once to join the port";
    pipe_disconnect: Socket "NamedPipeServer::disconnect", at_most 1.05, 1.05, 0.0, "DisconnectNamedPipe";
    pipe_close: Socket "NamedPipe::close", at_most 1.05, 1.05, 0.0, "CloseHandle";
}
