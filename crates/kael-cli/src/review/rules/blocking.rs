//! Calls that block the thread, in code that shares its thread with other tasks.

use crate::review::code::scan::Scan;
use crate::review::code::walk::peel;
use syn::{Expr, ExprCall, ExprMethodCall, Lit};

const FILE: &str = "blocking-file";
const SOCKET: &str = "blocking-socket";
const SLEEP: &str = "blocking-sleep";
const PROCESS: &str = "blocking-process";
const DNS: &str = "blocking-dns";
const STDIN: &str = "blocking-stdin";
const WAIT: &str = "blocking-wait";

/// Functions by their whole path.
const FUNCTIONS: &[(&str, &str)] = &[
    ("std::fs::File::create", FILE),
    ("std::fs::File::create_new", FILE),
    ("std::fs::File::open", FILE),
    ("std::fs::canonicalize", FILE),
    ("std::fs::copy", FILE),
    ("std::fs::create_dir", FILE),
    ("std::fs::create_dir_all", FILE),
    ("std::fs::exists", FILE),
    ("std::fs::hard_link", FILE),
    ("std::fs::metadata", FILE),
    ("std::fs::read", FILE),
    ("std::fs::read_dir", FILE),
    ("std::fs::read_link", FILE),
    ("std::fs::read_to_string", FILE),
    ("std::fs::remove_dir", FILE),
    ("std::fs::remove_dir_all", FILE),
    ("std::fs::remove_file", FILE),
    ("std::fs::rename", FILE),
    ("std::fs::set_permissions", FILE),
    ("std::fs::symlink_metadata", FILE),
    ("std::fs::write", FILE),
    ("reqwest::blocking::get", SOCKET),
    ("std::net::TcpStream::connect", SOCKET),
    ("std::net::TcpStream::connect_timeout", SOCKET),
    ("ureq::get", SOCKET),
    ("ureq::post", SOCKET),
    ("std::thread::sleep", SLEEP),
    ("std::thread::sleep_ms", SLEEP),
    ("async_std::task::block_on", WAIT),
    ("futures::executor::block_on", WAIT),
    ("futures_executor::block_on", WAIT),
    ("futures_lite::future::block_on", WAIT),
    ("kael_rt::block_on", WAIT),
    ("pollster::block_on", WAIT),
    ("smol::block_on", WAIT),
    ("smol::future::block_on", WAIT),
    ("std::thread::park", WAIT),
    ("std::thread::park_timeout", WAIT),
    ("std::thread::scope", WAIT),
];

/// What asks the file system, on a path.
const ON_PATH: &[&str] = &[
    "canonicalize",
    "exists",
    "is_dir",
    "is_file",
    "is_symlink",
    "metadata",
    "read_dir",
    "read_link",
    "symlink_metadata",
    "try_exists",
];

/// Methods by the path of their type.
const METHODS: &[(&str, &[&str], &str)] = &[
    ("std::fs::OpenOptions", &["open"], FILE),
    (
        "std::io::Stdin",
        &["read_line", "read_to_string", "read_to_end", "read_exact", "lines"],
        STDIN,
    ),
    ("std::net::TcpListener", &["accept", "incoming"], SOCKET),
    ("std::path::Path", ON_PATH, FILE),
    ("std::path::PathBuf", ON_PATH, FILE),
    ("std::process::Child", &["wait", "wait_with_output"], PROCESS),
    ("std::process::Command", &["output", "status"], PROCESS),
    ("std::sync::Barrier", &["wait"], WAIT),
    ("std::sync::Condvar", &["wait", "wait_timeout", "wait_while"], WAIT),
    ("std::sync::mpsc::Receiver", &["recv", "recv_timeout", "iter"], WAIT),
    ("std::thread::JoinHandle", &["join"], WAIT),
];

/// Methods of what came from elsewhere. What was made here was reported where it was made.
const METHODS_OF_GIVEN: &[(&str, &[&str], &str)] = &[
    (
        "std::fs::File",
        &[
            "read",
            "read_exact",
            "read_to_end",
            "read_to_string",
            "set_len",
            "sync_all",
            "sync_data",
            "write_all",
        ],
        FILE,
    ),
    (
        "std::net::TcpStream",
        &["peek", "read", "read_exact", "read_to_end", "read_to_string", "write_all"],
        SOCKET,
    ),
    ("std::net::UdpSocket", &["recv", "recv_from"], SOCKET),
];

pub(super) fn at_call(scan: &mut Scan, call: &ExprCall) {
    let Some(path) = scan.called(call) else { return };
    if call.args.first().is_some_and(is_in_memory) {
        return;
    }
    if let Some((_, rule)) = FUNCTIONS.iter().find(|(known, _)| *known == path) {
        report(scan, rule, &path, &call.func);
    }
}

pub(super) fn at_method(scan: &mut Scan, call: &ExprMethodCall) {
    let method = call.method.to_string();
    if method == "to_socket_addrs" {
        if scan.names.uses("std::net::ToSocketAddrs") && !is_an_address(&call.receiver) {
            report(scan, DNS, "to_socket_addrs", &call.method);
        }
        return;
    }
    let of = scan.of(&call.receiver);
    let known =
        METHODS.iter().find(|(path, methods, _)| of.is(path) && methods.contains(&&*method));
    let known = known.or_else(|| {
        let is_given = scan.types.is_given(&call.receiver);
        METHODS_OF_GIVEN
            .iter()
            .filter(|_| is_given)
            .find(|(path, methods, _)| of.is(path) && methods.contains(&&*method))
    });
    let Some((path, _, rule)) = known else { return };
    // A socket that was told not to block does not.
    if *rule == SOCKET && scan.sets_nonblocking() {
        return;
    }
    report(scan, rule, &format!("{path}::{method}"), &call.method);
}

/// The path of a file that the kernel makes up when it is read: no device is waited for.
fn is_in_memory(path: &Expr) -> bool {
    match peel(path) {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => {
            ["/proc/", "/sys/"].iter().any(|folder| text.value().starts_with(folder))
        }
        _ => false,
    }
}

/// A literal that needs no look-up.
fn is_an_address(expr: &Expr) -> bool {
    let text = |expr: &Expr| match peel(expr) {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        _ => String::new(),
    };
    match peel(expr) {
        Expr::Tuple(parts) => {
            parts.elems.first().is_some_and(|host| text(host).parse::<std::net::IpAddr>().is_ok())
        }
        expr => text(expr).parse::<std::net::SocketAddr>().is_ok(),
    }
}

/// In a task it is a finding; in any other function it is what that function does to whoever calls it.
fn report(scan: &mut Scan, rule: &'static str, what: &str, at: &impl syn::spanned::Spanned) {
    if !scan.blocks_others() {
        return scan.note_block(rule, what, at);
    }
    let runtime = scan.runtime;
    let remedy = match rule {
        FILE => runtime.files(),
        SOCKET => runtime.sockets(),
        SLEEP => runtime.sleep().to_owned(),
        PROCESS => runtime.processes(),
        DNS => runtime.names(),
        WAIT if what.ends_with("block_on") => "await the future itself".to_owned(),
        WAIT => format!(
            "await a channel or a handle of the runtime, or wait in {}",
            runtime.on_a_thread()
        ),
        _ => format!(
            "read it on a thread of its own that sends into a channel, or in {}",
            runtime.on_a_thread()
        ),
    };
    scan.report(rule, at, format!("`{what}` blocks the thread in async code"), remedy);
}
