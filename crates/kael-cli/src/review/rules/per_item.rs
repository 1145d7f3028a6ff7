//! One system call for each item where one would do for many: writes, reads, and what makes them durable.

use crate::review::code::scan::{Loop, Scan};
use crate::review::code::types::Type;
use crate::review::code::walk::{self, Depth, any_in, method_calls, peel, place, root};
use syn::{Block, Expr, ExprMethodCall, Ident, Pat, Stmt};

const WRITES: &[&str] = &[
    "write",
    "write_all",
    "write_i16",
    "write_i32",
    "write_i64",
    "write_u16",
    "write_u32",
    "write_u64",
    "write_u8",
    "writeln",
];
const SMALL_READS: &[&str] = &[
    "read_f32", "read_f64", "read_i16", "read_i32", "read_i64", "read_i8", "read_u16", "read_u32",
    "read_u64", "read_u8",
];
/// A read of no more bytes is one of a number, not of data.
const FEW_BYTES: usize = 8;

/// Two writes in a row to the same socket: a head and a body.
pub(super) fn at_statement(scan: &mut Scan, block: &[Stmt], index: usize) {
    let Some(previous) = index.checked_sub(1).and_then(|before| block.get(before)) else { return };
    let (Some(first), Some(second)) = (written(previous), written(&block[index])) else { return };
    let is_same =
        place(&first.receiver).is_some() && place(&first.receiver) == place(&second.receiver);
    // The third of a row is told with the second.
    let is_told = index
        .checked_sub(2)
        .and_then(|before| written(&block[before]))
        .is_some_and(|before| place(&before.receiver) == place(&first.receiver));
    if is_same && !is_told && scan.of(&second.receiver).is_socket() {
        let method = &second.method;
        scan.report(
            "unbuffered-writes",
            method,
            format!("this `{method}` is a system call of its own, as the one before it"),
            "write both with `write_vectored`, or through a `BufWriter` with one `flush` at the end",
        );
    }
}

/// The write that a statement is, and nothing else.
fn written(statement: &Stmt) -> Option<&ExprMethodCall> {
    let Stmt::Expr(expr, _) = statement else { return None };
    match peel(expr) {
        Expr::MethodCall(call) if WRITES.iter().any(|name| call.method == name) => Some(call),
        _ => None,
    }
}

pub(super) fn at_loop(scan: &mut Scan, turn: &Loop) {
    writes(scan, turn);
    reads(scan, turn);
    syncs(scan, turn);
}

/// A loop over what is in memory already, with a write for each.
fn writes(scan: &mut Scan, turn: &Loop) {
    if turn.pat.is_none()
        || !turn.header.is_some_and(is_in_memory)
        || walk::block_diverges(turn.body)
    {
        return;
    }
    let calls = method_calls(turn.body, Depth::Turn);
    let Some(write) = calls.iter().find(|call| {
        WRITES.iter().any(|name| call.method == name) && lives_longer(scan, turn, &call.receiver)
    }) else {
        return;
    };
    let of = scan.of(&write.receiver);
    let is_flushed = of.name() == "BufWriter"
        && calls
            .iter()
            .any(|call| call.method == "flush" && place(&call.receiver) == place(&write.receiver));
    if !(of.is_unbuffered() || is_flushed) || waits_for_others(turn.body) {
        return;
    }
    let (message, remedy) = if is_flushed {
        ("`flush` after each item undoes the `BufWriter`", "flush once, after the loop")
    } else {
        (
            "each turn of this loop is a system call for one item",
            "write through a `BufWriter` and flush it once after the loop, or gather the items into one buffer",
        )
    };
    scan.report("unbuffered-writes", &write.method, message.to_owned(), remedy);
}

/// Whether a loop's iterator only goes over memory, and not by large pieces.
fn is_in_memory(iterator: &Expr) -> bool {
    let mut in_memory = true;
    walk::each(iterator, Depth::Body, &mut |expr| {
        if let Expr::MethodCall(call) = expr {
            let name = call.method.to_string();
            in_memory &= !name.contains("chunk") && name != "incoming" && name != "windows";
        }
        in_memory &= !matches!(expr, Expr::Range(_));
    });
    in_memory
}

/// An `.await` or a call that is no write: then each turn may have to be on its way before the next.
fn waits_for_others(body: &Block) -> bool {
    any_in(body, Depth::Body, |expr| match expr {
        Expr::Await(wait) => match peel(&wait.base) {
            Expr::MethodCall(call) => {
                call.method != "flush" && !WRITES.iter().any(|name| call.method == name)
            }
            _ => true,
        },
        Expr::MethodCall(call) => {
            let name = call.method.to_string();
            ["read", "recv", "seek", "sleep", "shutdown"]
                .iter()
                .any(|other| name.starts_with(other))
        }
        Expr::Call(call) => walk::function_name(call).is_some_and(|name| name == "sleep"),
        _ => false,
    })
}

/// Whether the variable or field outlives the turn.
fn lives_longer(scan: &Scan, turn: &Loop, expr: &Expr) -> bool {
    if place(expr).is_none() {
        return false;
    }
    let Some(name) = root(expr) else { return false };
    let is_bound = turn.pat.is_some_and(|pat| binds(pat, name))
        || turn.body.stmts.iter().any(|statement| match statement {
            Stmt::Local(local) => binds(&local.pat, name),
            _ => false,
        });
    !is_bound && (name == "self" || scan.types.binding(&name.to_string()).is_some())
}

fn binds(pat: &Pat, name: &Ident) -> bool {
    match pat {
        Pat::Ident(pat) => pat.ident == *name,
        Pat::Type(pat) => binds(&pat.pat, name),
        Pat::Reference(pat) => binds(&pat.pat, name),
        Pat::Tuple(pat) => pat.elems.iter().any(|element| binds(element, name)),
        Pat::TupleStruct(pat) => pat.elems.iter().any(|element| binds(element, name)),
        Pat::Struct(pat) => pat.fields.iter().any(|field| binds(&field.pat, name)),
        _ => false,
    }
}

fn reads(scan: &mut Scan, turn: &Loop) {
    let remedy =
        "read through a `BufReader`, or read what is there into a larger buffer and take it apart";
    let iterated = turn.pat.and(turn.header).map(peel);
    if let Some(Expr::MethodCall(call)) = iterated
        && call.method == "bytes"
        && scan.of(&call.receiver).is_unbuffered()
    {
        let message = "`bytes` of what has no buffer is a system call for each byte".to_owned();
        return scan.report("unbuffered-reads", &call.method, message, remedy);
    }
    let found = method_calls(turn.body, Depth::Turn)
        .into_iter()
        .find(|call| is_small_read(scan, turn, call));
    if let Some(call) = found {
        let method = &call.method;
        let message = format!("this `{method}` is a system call for a few bytes");
        scan.report("unbuffered-reads", method, message, remedy);
    }
}

fn is_small_read(scan: &Scan, turn: &Loop, call: &ExprMethodCall) -> bool {
    if !scan.of(&call.receiver).is_unbuffered() || !lives_longer(scan, turn, &call.receiver) {
        return false;
    }
    if SMALL_READS.iter().any(|name| call.method == name) {
        return true;
    }
    let is_read = call.method == "read" || call.method == "read_exact";
    is_read
        && call.args.first().is_some_and(|buffer| match scan.of(buffer) {
            Type::Array(len) => len <= FEW_BYTES,
            _ => false,
        })
}

/// A write and its sync in the same turn, on a file that outlives it.
fn syncs(scan: &mut Scan, turn: &Loop) {
    if walk::block_diverges(turn.body) {
        return;
    }
    let calls = method_calls(turn.body, Depth::Turn);
    let sync = calls.iter().find(|call| {
        ["sync_all", "sync_data"].iter().any(|name| call.method == name)
            && lives_longer(scan, turn, &call.receiver)
    });
    let Some(sync) = sync else { return };
    let is_written = calls.iter().any(|call| {
        let is_write =
            WRITES.iter().chain(&["write_at", "write_all_at"]).any(|name| call.method == name);
        is_write && place(&call.receiver) == place(&sync.receiver)
    });
    if is_written {
        let method = &sync.method;
        scan.report(
            "sync-per-record",
            method,
            format!("`{method}` waits for the device once for each record"),
            "write what has come meanwhile, then sync once for all of it, and only then answer",
        );
    }
}
