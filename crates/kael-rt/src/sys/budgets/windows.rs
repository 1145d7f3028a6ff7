//! The budgets of Windows' completion ports: each request is a call, and a wait brings the answers of all that were not over
//! at once.
//!
//! The figures count Kael's own calls into ws2_32, kernel32 and ntdll: what Windows makes of them is not seen from here.
//! A core with something to wait for asks the port once in 127 polls of tasks.
#![forbid(unsafe_code)]

use crate::budget::{Area, Budget, budgets, rule};

budgets! {
    "IOCP";
    file_read: File "File::read_at", at_most 2.05, 1.1, 0.0, "ReadFile, and the wait where it is not over at once";
    file_read_exact: File "File::read_exact_at", at_most 2.05, 1.1, 0.0, "as read_at, again after a short read";
    file_read_vectored: File "File::read_vectored_at", at_most 2.05, 2.05, 0.0, "a thread of the pool does it: a wake and a wait, which those that end together share; it reads buffer after buffer";
    file_write: File "File::write_at", at_most 2.05, 1.1, 0.0, "WriteFile, and the wait where it is not over at once";
    file_write_all: File "File::write_all_at", at_most 2.05, 1.1, 0.0, "as write_at, again after a short write";
    file_write_vectored: File "File::write_vectored_at", at_most 2.05, 2.05, 0.0, "a thread of the pool does it: a wake and a wait, which those that end together share; it writes buffer after buffer";
    file_link: File "ops::link (a write and a read)", at_most 4.1, 2.2, 0.0, "WriteFile and ReadFile, and a wait where one is not over at once";
    file_sync_all: File "File::sync_all", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_sync: File "File::sync_data", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_metadata: File "File::metadata", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_set_len: File "File::set_len", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_allocate: File "File::allocate", at_most 2.05, 2.05, 0.0, "a thread of the pool does it";
    file_open_close: File "File::open + close", at_most 4.1, 4.1, 3.0, "a thread of the pool does either; the path is copied, and as UTF-16 by the standard library";
    file_create_close: File "File::create + close", at_most 4.1, 4.1, 3.0, "a thread of the pool does either; the path is copied, and as UTF-16 by the standard library";
    path_metadata: File "fs::metadata", at_most 2.05, 2.05, 3.0, "a thread of the pool does it; the path is copied, and as UTF-16 by the standard library";
    path_symlink_metadata: File "fs::symlink_metadata", at_most 2.05, 2.05, 3.0, "a thread of the pool does it; the path is copied, and as UTF-16 by the standard library";
    path_directory: File "fs::create_dir + remove_dir", at_most 4.1, 4.1, 6.0, "a thread of the pool does either; the paths are copied twice";
    path_rename: File "fs::rename", at_most 2.05, 2.05, 6.0, "a thread of the pool does it; the paths are copied twice";
    path_write: File "fs::write + remove_file", at_most 10.2, 10.2, 6.0, "open, unlink and close by the pool, the write with what joins the port (2), and waits; the paths are copied twice";
    path_read: File "fs::read", at_most 11.2, 11.2, 4.0, "open, stat and close by the pool, what joins the port (2), three reads, and waits; path and content";
    path_read_to_string: File "fs::read_to_string", at_most 11.2, 11.2, 4.0, "as fs::read";
    tcp_round_trip: Socket "TcpStream round trip", at_most 3.05, 5.1, 0.0, "WSASend, WSARecv, the wait; with 64 in flight both sides are on the core";
    tcp_read: Socket "TcpStream::read", at_most 2.05, 1.05, 0.0, "WSARecv; if nothing is there, the wait";
    tcp_read_exact: Socket "TcpStream::read_exact", at_most 2.05, 1.05, 0.0, "as read, again after a short read";
    tcp_read_vectored: Socket "TcpStream::read_vectored", at_most 2.05, 1.05, 0.0, "WSARecv; if nothing is there, the wait";
    tcp_peek: Socket "TcpStream::peek", at_most 2.05, 1.05, 0.0, "WSARecv with MSG_PEEK";
    tcp_write: Socket "TcpStream::write", at_most 2.05, 1.05, 0.0, "WSASend, and the wait where it is not over at once";
    tcp_write_all: Socket "TcpStream::write_all", at_most 2.05, 1.05, 0.0, "WSASend, which takes all of it";
    tcp_write_vectored: Socket "TcpStream::write_vectored", at_most 2.05, 1.05, 0.0, "WSASend, and the wait where it is not over at once";
    tcp_write_all_vectored: Socket "TcpStream::write_all_vectored", at_most 2.05, 1.05, 0.0, "WSASend, again for more than 16 buffers";
    tcp_write_queued: Socket "TcpStream::write_queued + flush", at_most 2.05, 1.05, 0.0, "WSASend; the flush finds nothing left";
    tcp_write_queued_vectored: Socket "TcpStream::write_queued_vectored + flush", at_most 2.05, 1.05, 0.0, "as write_queued";
    tcp_queued_round_trip: Socket "TcpStream round trip (queued)", at_most 3.05, 5.1, 0.0, "WSASend, WSARecv, the wait; with 64 in flight both sides are on the core";
    tcp_send_zc: Socket "TcpStream::send_zc", at_most 2.05, 3.1, 0.0, "WSASend, which copies unless SO_SNDBUF is 0; with 64 in flight both sides are on the core";
    tcp_send_zc_vectored: Socket "TcpStream::send_zc_vectored", at_most 2.05, 3.1, 0.0, "as send_zc";
    tcp_shutdown: Socket "TcpStream::shutdown", at_most 2.05, 2.05, 0.0, "shutdown, and the closesocket of the dropped stream";
    tcp_close: Socket "TcpStream::close", at_most 1.05, 1.05, 0.0, "closesocket";
    tcp_detach: Socket "TcpStream::detach", at_most 1.05, 1.05, 0.0, "ioctlsocket: a stream that blocks, as others expect it";
    tcp_std: Socket "TcpStream::from_std + into_std", at_most 2.05, 2.05, 0.0, "ioctlsocket";
    lookup_host: Socket "net::lookup_host (an address)", at_most 0.05, 0.05, 1.0, "nothing is looked up; a name goes to the blocking pool";
    tcp_option: Socket "TcpStream::set_nodelay", at_most 1.05, 1.05, 0.0, "setsockopt; other options and addresses alike";
    tcp_bind: Socket "TcpListener::bind", at_most 5.05, 5.05, 0.0, "WSASocket, bind, listen, and the closesocket of the dropped one";
    tcp_connect: Socket "TcpStream::connect", at_most 8.0, 6.1, 0.0, "WSASocket, bind, two calls to join the port, ConnectEx, the wait, setsockopt, and the closesocket of the dropped stream";
    tcp_accept: Socket "TcpListener::accept", at_most 5.05, 4.1, 0.0, "WSASocket, AcceptEx, the wait, GetAcceptExSockaddrs, setsockopt";
    tcp_incoming: Socket "TcpListener::incoming (16 connections)", at_most 80.8, 4.1, 0.0, "as accept, for each; with 64 in flight 64 listeners take one each";
    udp_bind: Socket "UdpSocket::bind", at_most 4.05, 4.05, 0.0, "WSASocket, bind, WSAIoctl, and the closesocket of the dropped one";
    udp_connect: Socket "UdpSocket::connect", at_most 2.05, 2.05, 0.0, "connect, which does not wait, and WSAIoctl";
    udp_send: Socket "UdpSocket::send", at_most 2.05, 1.05, 0.0, "WSASend, and the wait where it is not over at once";
    udp_send_zc: Socket "UdpSocket::send_zc", at_most 2.05, 1.05, 0.0, "WSASend, which copies";
    udp_send_to: Socket "UdpSocket::send_to", at_most 2.05, 1.05, 0.0, "WSASendTo, and the wait where it is not over at once";
    udp_recv: Socket "UdpSocket::recv", at_most 2.05, 1.05, 0.0, "WSARecv; if nothing is there, the wait";
    udp_recv_from: Socket "UdpSocket::recv_from", at_most 2.05, 1.05, 0.0, "WSARecvFrom; if nothing is there, the wait";
    udp_recv_stream: Socket "RecvDatagrams::next", at_most 2.05, 1.05, 0.0, "WSARecvFrom; if nothing is there, the wait";
    udp_round_trip: Socket "UdpSocket round trip", at_most 4.0, 6.1, 0.0, "WSASendTo, WSARecvFrom, the wait; the receive of the next may be asked for twice";
    pool_get: Buffer "BufferPool::get", at_most 0.05, 0.05, 0.0, "a list in plain memory";
    file_read_pooled: Buffer "File::read_at (BufferPool)", at_most 2.05, 1.1, 0.0, "as read_at";
    file_write_pooled: Buffer "File::write_at (BufferPool)", at_most 2.05, 1.1, 0.0, "as write_at";
    file_read_stream: Buffer "File::read_stream (64 x 4 KiB)", at_most 130.0, 72.0, 1.0, "ReadFile for each piece, and the wait where it is not over at once; the list of what is ahead";
    tcp_recv_pooled: Buffer "TcpStream::recv_pooled", at_most 2.05, 1.1, 0.0, "WSARecv into a buffer of the pool, and the wait where nothing is there; while buffers are short it asks without one first";
    tcp_recv_stream: Buffer "RecvStream::next", at_most 2.05, 1.1, 0.0, "WSARecv and the wait";
    pipe: Bytes "io::pipe", at_most 4.05, 4.05, 3.0, "CreateNamedPipe and CreateFile, and the CloseHandle of both ends; the name as text, and as UTF-16 here and by the standard library";
    pipe_read: Bytes "PipeWriter::write + PipeReader::read", at_most 4.1, 2.2, 0.0, "WriteFile and ReadFile, and the waits where they are not over at once";
    pipe_read_exact: Bytes "PipeWriter::write_all + PipeReader::read_exact", at_most 4.1, 2.2, 0.0, "as write and read, again after a short one";
    pipe_read_vectored: Bytes "PipeWriter::write_vectored + PipeReader::read_vectored", at_most 4.1, 2.2, 0.0, "as write and read, of the first buffer";
    pipe_write_all_vectored: Bytes "PipeWriter::write_all_vectored + PipeReader::read_exact", at_most 6.1, 3.2, 0.0, "WriteFile for either of two buffers, and ReadFile";
    pipe_read_pooled: Bytes "PipeWriter::write + PipeReader::read_pooled", at_most 4.1, 2.2, 0.0, "as write and read, into a buffer of the pool";
    pipe_read_stream: Bytes "PipeWriter::write + RecvStream::next", at_most 4.1, 2.2, 0.0, "as write and read, into a buffer of the pool";
    pipe_close: Bytes "PipeWriter::close + PipeReader::close", at_most 2.05, 2.05, 0.0, "CloseHandle";
    send_file: Bytes "io::send_file (32 KiB)", at_most 4.05, 12.0, 0.0, "TransmitFile, which takes a header along, the length of the file before it, and the wait; while another send has it, ReadFile and WSASend for each 64 KiB, and waits";
    copy_bidirectional: Bytes "io::copy_bidirectional (a message)", at_most 8.0, 8.0, 0.0, "a receive and a send, and the waits and calls of the copy and of the receiver";
    sleep: Timer "time::sleep", exact 1.0, 0.05, 0.0, "the deadline is the timeout of the wait";
    sleep_until: Timer "time::sleep_until", exact 1.0, 0.05, 0.0, "the deadline is the timeout of the wait";
    interval: Timer "time::interval tick", at_most 1.0, 0.05, 0.0, "as sleep; none when the tick is due already";
    timer: Timer "time::timeout (not reached)", at_most 0.05, 0.05, 0.0, "the wheel is plain memory";
    operation_timeout: Timer "Operation::timeout (not reached)", at_most 2.05, 1.05, 0.0, "the operation's own calls";
    operation_cancel_on: Timer "Operation::cancel_on (not cancelled)", at_most 2.05, 1.05, 0.0, "the operation's own calls";
    cancel: Timer "CancelToken::cancel + cancelled", at_most 0.05, 0.05, 2.0, "plain memory; the token and its list of waiters";
    yield_now: Task "yield_now", at_most 0.05, 0.05, 0.0, "the run queue is plain memory";
    wake: Task "wake on the same core", at_most 0.05, 0.05, 0.0, "a flag and a push";
    spawn: Task "spawn + join", at_most 0.05, 0.05, 0.0, "tasks are pooled";
    remote_wake: Task "wake of a sleeping core", at_most 1.0, 1.0, 0.0, "the waker posts to the core's port; the wait that it ends is not counted here; none if the core is awake by then";
    remote_spawn: Task "Handle::spawn from another thread", at_most 1.0, 1.0, 1.0, "as a wake; the task's memory is allocated";
    spawn_blocking: Task "spawn_blocking + join", at_most 2.0, 2.0, 3.0, "the core's wait and the post that ends it; what the two threads say to each other is not counted; the closure and its outcome are boxed, and now and then a thread is started";
}
