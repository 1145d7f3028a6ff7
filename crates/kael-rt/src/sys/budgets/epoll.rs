//! The budgets of epoll: the system says what is ready, and the calls are ours.
//!
//! A core with something to wait for asks the system once in 127 polls of tasks, so an operation that needs no wait of its
//! own costs up to 0.05 calls more than its own.
#![forbid(unsafe_code)]

use crate::budget::{Area, Budget, budgets, rule};

budgets! {
    "epoll";
    file_read: File "File::read_at", at_most 1.05, 1.05, 0.0, "preadv2(2), which takes what is in memory; else a thread of the pool: a wake and a wait";
    file_read_exact: File "File::read_exact_at", at_most 1.05, 1.05, 0.0, "as read_at, again after a short read";
    file_read_vectored: File "File::read_vectored_at", at_most 1.05, 1.05, 0.0, "as read_at";
    file_write: File "File::write_at", at_most 2.05, 2.05, 0.0, "a thread of the pool does it: a wake and a wait, which those that end together share";
    file_write_all: File "File::write_all_at", at_most 2.05, 2.05, 0.0, "as write_at, again after a short write";
    file_write_vectored: File "File::write_vectored_at", at_most 2.05, 2.05, 0.0, "as write_at";
    file_link: File "ops::link (a write and a read)", at_most 4.1, 4.1, 0.0, "a thread of the pool does each: a wake and a wait, which those that end together share";
    file_sync_all: File "File::sync_all", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_sync: File "File::sync_data", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_metadata: File "File::metadata", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_set_len: File "File::set_len", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_allocate: File "File::allocate", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_open_close: File "File::open + close", at_most 4.1, 4.1, 1.0, "a thread of the pool does either; the path is copied";
    file_create_close: File "File::create + close", at_most 4.1, 4.1, 1.0, "a thread of the pool does either; the path is copied";
    path_metadata: File "fs::metadata", at_most 2.05, 2.05, 1.0, "a thread of the pool does it; the path is copied";
    path_symlink_metadata: File "fs::symlink_metadata", at_most 2.05, 2.05, 1.0, "a thread of the pool does it; the path is copied";
    path_directory: File "fs::create_dir + remove_dir", at_most 4.1, 4.1, 2.0, "a thread of the pool does either; the paths are copied";
    path_rename: File "fs::rename", at_most 2.05, 2.05, 2.0, "a thread of the pool does it; the paths are copied";
    path_write: File "fs::write + remove_file", at_most 8.2, 8.2, 2.0, "open, write, unlink by the pool, and the close; the paths are copied";
    path_read: File "fs::read", at_most 9.2, 9.2, 2.0, "open and stat by the pool, how it was opened, three reads of what is in memory, the close; path and content";
    path_read_to_string: File "fs::read_to_string", at_most 9.2, 9.2, 2.0, "as fs::read";
    tcp_round_trip: Socket "TcpStream round trip", exact 3.0, 5.1, 0.0, "the write, the wait, the read; with 64 in flight both sides are on the core";
    tcp_read: Socket "TcpStream::read", at_most 1.05, 1.05, 0.0, "recv(2); if nothing is there, the wait and recv(2) again";
    tcp_read_exact: Socket "TcpStream::read_exact", at_most 1.05, 1.05, 0.0, "as read, again after a short read";
    tcp_read_vectored: Socket "TcpStream::read_vectored", at_most 1.05, 1.05, 0.0, "recvmsg(2)";
    tcp_peek: Socket "TcpStream::peek", at_most 1.05, 1.05, 0.0, "recv(2)";
    tcp_write: Socket "TcpStream::write", at_most 1.05, 1.05, 0.0, "send(2)";
    tcp_write_all: Socket "TcpStream::write_all", at_most 1.05, 1.05, 0.0, "as write, again after a short write";
    tcp_write_vectored: Socket "TcpStream::write_vectored", at_most 1.05, 1.05, 0.0, "sendmsg(2)";
    tcp_write_all_vectored: Socket "TcpStream::write_all_vectored", at_most 1.05, 1.05, 0.0, "as write_vectored, again after a short write";
    tcp_write_queued: Socket "TcpStream::write_queued + flush", at_most 1.05, 1.05, 0.0, "send(2), at once; the flush finds nothing left";
    tcp_write_queued_vectored: Socket "TcpStream::write_queued_vectored + flush", at_most 1.05, 1.05, 0.0, "as write_queued";
    tcp_queued_round_trip: Socket "TcpStream round trip (queued)", exact 3.0, 5.1, 0.0, "the write, the wait, the read; with 64 in flight both sides are on the core";
    tcp_send_zc: Socket "TcpStream::send_zc", at_most 1.05, 3.1, 0.0, "send(2), which copies; with 64 in flight both sides are on the core";
    tcp_send_zc_vectored: Socket "TcpStream::send_zc_vectored", at_most 1.05, 3.1, 0.0, "sendmsg(2), which copies; with 64 in flight both sides are on the core";
    tcp_shutdown: Socket "TcpStream::shutdown", at_most 2.05, 2.05, 0.0, "shutdown(2), and the close of the dropped stream";
    tcp_close: Socket "TcpStream::close", at_most 1.05, 1.05, 0.0, "close(2)";
    tcp_detach: Socket "TcpStream::detach", at_most 1.05, 1.05, 0.0, "ioctl(2): a stream that blocks, as others expect it";
    tcp_std: Socket "TcpStream::from_std + into_std", at_most 2.05, 2.05, 0.0, "ioctl(2) before and after";
    lookup_host: Socket "net::lookup_host (an address)", at_most 0.05, 0.05, 1.0, "nothing is looked up; a name goes to the blocking pool";
    tcp_option: Socket "TcpStream::set_nodelay", at_most 1.05, 1.05, 0.0, "setsockopt(2); other options and addresses alike";
    tcp_bind: Socket "TcpListener::bind", at_most 5.05, 5.05, 0.0, "socket(2), setsockopt(2), bind(2), listen(2), and the close of the dropped one";
    tcp_connect: Socket "TcpStream::connect", at_most 8.0, 6.0, 0.0, "socket(2), connect(2), two calls to watch and forget it, the wait, two to ask what became of it, and the close of the dropped stream";
    tcp_accept: Socket "TcpListener::accept", at_most 1.05, 1.05, 0.0, "accept4(2)";
    tcp_incoming: Socket "TcpListener::incoming (16 connections)", at_most 16.5, 1.05, 0.0, "accept4(2) for each; with 64 in flight 64 listeners take one each";
    udp_bind: Socket "UdpSocket::bind", at_most 3.05, 3.05, 0.0, "socket(2), bind(2), and the close of the dropped one";
    udp_connect: Socket "UdpSocket::connect", at_most 1.05, 1.05, 0.0, "connect(2), which does not wait";
    udp_send: Socket "UdpSocket::send", at_most 1.05, 1.05, 0.0, "send(2)";
    udp_send_zc: Socket "UdpSocket::send_zc", at_most 1.05, 1.05, 0.0, "send(2), which copies";
    udp_send_to: Socket "UdpSocket::send_to", at_most 1.05, 1.05, 0.0, "sendmsg(2)";
    udp_recv: Socket "UdpSocket::recv", at_most 1.05, 1.05, 0.0, "recvmsg(2)";
    udp_recv_from: Socket "UdpSocket::recv_from", at_most 1.05, 1.05, 0.0, "recvmsg(2)";
    udp_recv_stream: Socket "RecvDatagrams::next", at_most 1.05, 1.05, 0.0, "recvmsg(2)";
    udp_round_trip: Socket "UdpSocket round trip", at_most 4.0, 6.1, 0.0, "the send, the receive that finds nothing, the wait, the receive";
    pool_get: Buffer "BufferPool::get", at_most 0.05, 0.05, 0.0, "a list in plain memory";
    file_read_pooled: Buffer "File::read_at (BufferPool)", at_most 1.05, 1.05, 0.0, "as read_at";
    file_write_pooled: Buffer "File::write_at (BufferPool)", at_most 2.05, 2.05, 0.0, "as write_at";
    file_read_stream: Buffer "File::read_stream (64 x 4 KiB)", at_most 72.0, 72.0, 1.0, "preadv2(2) for each piece that is in memory; else a thread of the pool, a wake and a wait; the list of what is ahead";
    tcp_recv_pooled: Buffer "TcpStream::recv_pooled", exact 2.0, 1.1, 0.0, "the wait and recv(2), since the last one left the socket empty; a buffer is taken only for what is there";
    tcp_recv_stream: Buffer "RecvStream::next", exact 2.0, 1.1, 0.0, "the wait and recv(2)";
    pipe: Bytes "io::pipe", at_most 3.05, 3.05, 0.0, "pipe2(2), which does not wait, and the closes of the dropped ends";
    pipe_read: Bytes "PipeWriter::write + PipeReader::read", at_most 2.05, 2.05, 0.0, "write(2) and read(2)";
    pipe_read_exact: Bytes "PipeWriter::write_all + PipeReader::read_exact", at_most 2.05, 2.05, 0.0, "as write and read, again after a short one";
    pipe_read_vectored: Bytes "PipeWriter::write_vectored + PipeReader::read_vectored", at_most 2.05, 2.05, 0.0, "writev(2) and readv(2)";
    pipe_write_all_vectored: Bytes "PipeWriter::write_all_vectored + PipeReader::read_exact", at_most 2.05, 2.05, 0.0, "writev(2) and read(2), again after a short one";
    pipe_read_pooled: Bytes "PipeWriter::write + PipeReader::read_pooled", at_most 3.05, 2.1, 0.0, "write(2), the wait, since the last read left the pipe empty, and read(2); a buffer is taken only for what is there";
    pipe_read_stream: Bytes "PipeWriter::write + RecvStream::next", at_most 3.05, 2.1, 0.0, "write(2), the wait and read(2)";
    pipe_close: Bytes "PipeWriter::close + PipeReader::close", at_most 2.05, 2.05, 0.0, "close(2)";
    send_file: Bytes "io::send_file (32 KiB)", at_most 6.0, 6.05, 0.0, "four that see that it is in memory, splice(2) into a pipe and out of it; when the socket is full, its wait and more of the same";
    copy_bidirectional: Bytes "io::copy_bidirectional (a message)", at_most 7.0, 5.5, 0.0, "splice(2) into a pipe and out of it, and the waits and calls of the copy and of the receiver";
    sleep: Timer "time::sleep", exact 1.0, 0.05, 0.0, "the deadline is the timeout of the wait";
    sleep_until: Timer "time::sleep_until", exact 1.0, 0.05, 0.0, "the deadline is the timeout of the wait";
    interval: Timer "time::interval tick", at_most 1.0, 0.05, 0.0, "as sleep; none when the tick is due already";
    timer: Timer "time::timeout (not reached)", at_most 0.05, 0.05, 0.0, "the wheel is plain memory";
    operation_timeout: Timer "Operation::timeout (not reached)", at_most 1.05, 1.05, 0.0, "the operation's own call";
    operation_cancel_on: Timer "Operation::cancel_on (not cancelled)", at_most 1.05, 1.05, 0.0, "the operation's own call";
    cancel: Timer "CancelToken::cancel + cancelled", at_most 0.05, 0.05, 2.0, "plain memory; the token and its list of waiters";
    yield_now: Task "yield_now", at_most 0.05, 0.05, 0.0, "the run queue is plain memory";
    wake: Task "wake on the same core", at_most 0.05, 0.05, 0.0, "a flag and a push";
    spawn: Task "spawn + join", at_most 0.05, 0.05, 0.0, "tasks are pooled";
    remote_wake: Task "wake of a sleeping core", at_most 1.0, 1.0, 0.0, "the waker writes to the core's eventfd; the wait that it ends is not counted here; none if the core is awake by then";
    remote_spawn: Task "Handle::spawn from another thread", at_most 1.0, 1.0, 1.0, "as a wake; the task's memory is allocated";
    spawn_blocking: Task "spawn_blocking + join", at_most 2.0, 2.0, 3.0, "the core's wait and the write that ends it; the two threads' futex calls are not counted; the closure and its outcome are boxed, and now and then a thread is started";
}
