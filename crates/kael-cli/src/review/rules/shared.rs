//! What tasks share on a hot path: a lock for a counter, a channel for one message.

use super::locks;
use crate::review::code::scan::{Loop, Scan};
use crate::review::code::walk::{Depth, bound, each, each_in, function_name, name_of, peel, root};
use syn::{BinOp, Block, Expr, ExprMethodCall, Ident, Stmt};

/// Calls that move bytes or connections, all with an argument or none but `accept`.
const TRANSFERS: &[&str] = &[
    "accept",
    "read",
    "read_buf",
    "read_exact",
    "read_line",
    "recv",
    "recv_from",
    "send_to",
    "write",
    "write_all",
];

pub(super) fn at_loop(scan: &mut Scan, turn: &Loop) {
    if !transfers(turn) {
        return;
    }
    counters(scan, turn.body);
    channels(scan, turn.body);
}

/// Each turn awaits a transfer of bytes or of a connection.
fn transfers(turn: &Loop) -> bool {
    let mut found = false;
    let mut look = |expr: &Expr| {
        if let Expr::Await(wait) = expr
            && let Expr::MethodCall(call) = peel(&wait.base)
        {
            let is_known = TRANSFERS.iter().any(|name| call.method == name);
            found |= is_known && (call.method == "accept" || !call.args.is_empty());
        }
    };
    each_in(turn.body, Depth::Turn, &mut look);
    if let Some(header) = turn.header {
        each(header, Depth::Turn, &mut look);
    }
    found
}

fn counters(scan: &mut Scan, body: &Block) {
    let mut found = Vec::new();
    each_in(body, Depth::Turn, &mut |expr| {
        if let Some(counted) = counted(expr)
            && let Some(lock) = lock_in(scan, counted)
        {
            found.push(lock);
        }
    });
    for statement in &body.stmts {
        let Stmt::Local(local) = statement else { continue };
        if let (Some(name), Some(init)) = (bound(&local.pat), &local.init)
            && let Some(lock) = lock_of(scan, &init.expr)
            && only_counts(body, name)
        {
            found.push(lock);
        }
    }
    for lock in found {
        let message = format!("`{}` is taken for a counter in each turn", lock.method);
        let remedy = "count in the task and add it up when the connection ends, or use an atomic";
        scan.report("lock-in-io-loop", &lock.method, message, remedy);
    }
}

/// What `+=` and `-=` change by a number.
fn counted(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Binary(change) if matches!(change.op, BinOp::AddAssign(_) | BinOp::SubAssign(_)) => {
            Some(&change.left)
        }
        _ => None,
    }
}

/// The lock of `*counter.lock().unwrap()` or `stats.lock().await.bytes`.
fn lock_in<'a>(scan: &Scan, expr: &'a Expr) -> Option<&'a ExprMethodCall> {
    match expr {
        Expr::Unary(inner) => lock_in(scan, &inner.expr),
        Expr::Paren(inner) => lock_in(scan, &inner.expr),
        Expr::Field(field) => lock_in(scan, &field.base),
        expr => lock_of(scan, expr),
    }
}

fn lock_of<'a>(scan: &Scan, expr: &'a Expr) -> Option<&'a ExprMethodCall> {
    match expr {
        Expr::Await(wait) => match &*wait.base {
            Expr::MethodCall(call) if call.method == "lock" && call.args.is_empty() => Some(call),
            _ => None,
        },
        expr => locks::guard(scan, expr),
    }
}

fn only_counts(body: &Block, guard: &Ident) -> bool {
    let (mut uses, mut counts, mut drops) = (0, 0, 0);
    each_in(body, Depth::All, &mut |expr| {
        uses += usize::from(name_of(expr) == Some(guard));
        counts += usize::from(counted(expr).is_some_and(|left| root(left) == Some(guard)));
        if let Expr::Call(call) = expr {
            let is_drop = function_name(call).is_some_and(|name| name == "drop");
            drops += usize::from(is_drop && call.args.first().and_then(root) == Some(guard));
        }
    });
    counts > 0 && uses == counts + drops
}

const CHANNELS: &[&str] = &[
    "async_channel::bounded",
    "async_channel::unbounded",
    "flume::bounded",
    "flume::unbounded",
    "futures::channel::oneshot::channel",
    "smol::channel::bounded",
    "smol::channel::unbounded",
    "std::sync::mpsc::channel",
    "tokio::sync::mpsc::channel",
    "tokio::sync::mpsc::unbounded_channel",
    "tokio::sync::oneshot::channel",
];

fn channels(scan: &mut Scan, body: &Block) {
    // One for each connection is not one for each message.
    let mut accepts = false;
    each_in(body, Depth::Turn, &mut |expr| {
        accepts |= matches!(expr, Expr::MethodCall(call) if call.method == "accept");
    });
    if accepts {
        return;
    }
    let mut found = Vec::new();
    each_in(body, Depth::Turn, &mut |expr| {
        if let Expr::Call(call) = expr
            && let Some(path) = scan.called(call)
            && CHANNELS.contains(&path.as_str())
        {
            found.push((call, path));
        }
    });
    for (call, path) in found {
        let remedy = "make one channel for the connection before the loop, and let each message bear a number";
        let message = format!("`{path}` is called for each message");
        scan.report("channel-in-io-loop", &call.func, message, remedy);
    }
}
