//! Memory that a loop of reads and writes takes anew in each turn.

use crate::review::code::scan::{Loop, Scan};
use crate::review::code::walk::{
    Depth, block_diverges, bound, each, each_in, method_calls, name_of, peel, root,
};
use syn::{Block, Expr, ExprMethodCall, Ident, Local, Pat, Stmt};

const READS: &[&str] = &[
    "read",
    "read_at",
    "read_buf",
    "read_exact",
    "read_exact_at",
    "read_line",
    "read_until",
    "recv",
    "recv_buf",
    "recv_from",
];
const WRITES: &[&str] = &["write", "write_all", "write_at", "write_all_at", "send", "send_to"];
/// Methods that take the buffer itself, and what it was is gone.
const TAKES: &[&str] =
    &["freeze", "into_boxed_slice", "into_bytes", "into_string", "split", "split_off", "split_to"];

/// `write_all(&buf[..n].to_vec())`.
pub(super) fn at_method(scan: &mut Scan, call: &ExprMethodCall) {
    let is_write = ["write_all", "write", "send_to"].iter().any(|name| call.method == name);
    if scan.loops == 0 || !is_write {
        return;
    }
    let Some(argument) = call.args.first() else { return };
    let is_borrowed = matches!(argument, Expr::Reference(_));
    let Some(copy) = copied(peel(argument)) else { return };
    let is_slice = matches!(peel(&copy.receiver), Expr::Index(_));
    // An operation that owns its buffer cannot have a part of it; but it can have a slice of the whole.
    if !(is_borrowed || (is_slice && scan.runtime.owns_buffers())) {
        return;
    }
    let remedy = if is_borrowed {
        "write the bytes where they are: pass the slice itself"
    } else {
        "pass the buffer with its bounds, `buffer.slice(..n)`: it comes back with the result"
    };
    let method = &copy.method;
    scan.report(
        "copy-in-io-loop",
        method,
        format!("`{method}` copies what is then written"),
        remedy,
    );
}

/// A call that copies bytes, and nothing else.
fn copied(expr: &Expr) -> Option<&ExprMethodCall> {
    match expr {
        Expr::MethodCall(call) if call.args.is_empty() => {
            let copies = ["to_vec", "to_owned", "clone"].iter().any(|name| call.method == name);
            match peel(&call.receiver) {
                Expr::Index(_) | Expr::Path(_) | Expr::Field(_) if copies => Some(call),
                _ => None,
            }
        }
        _ => None,
    }
}

pub(super) fn at_loop(scan: &mut Scan, turn: &Loop) {
    // It runs once.
    if block_diverges(turn.body) {
        return;
    }
    for statement in &turn.body.stmts {
        let Stmt::Local(local) = statement else { continue };
        let (Some(name), Some(init)) = (bound(&local.pat), &local.init) else { continue };
        if makes_buffer(scan, &init.expr) && is_read_into(scan, turn.body, name) {
            report(scan, local, &init.expr);
        }
    }
}

fn report(scan: &mut Scan, local: &Local, made: &Expr) {
    let (rule, remedy) = match scan.runtime.registers_buffers() {
        Some(remedy) => ("unregistered-buffer", remedy),
        None if scan.runtime.owns_buffers() => (
            "allocation-in-io-loop",
            "make it before the loop, and put the one that comes back with each result in its place",
        ),
        None => (
            "allocation-in-io-loop",
            "make it before the loop; `clear` or `resize` it in each turn",
        ),
    };
    let name = bound(&local.pat).map(ToString::to_string).unwrap_or_default();
    scan.report(
        rule,
        made,
        format!("`{name}` is allocated anew for each read of this loop"),
        remedy,
    );
}

/// `vec![0; n]`, `Vec::with_capacity(n)`, `String::new()`: memory for what comes in.
fn makes_buffer(scan: &Scan, expr: &Expr) -> bool {
    match expr {
        Expr::Macro(call) => {
            call.mac.path.is_ident("vec") && call.mac.tokens.to_string().contains(';')
        }
        Expr::Call(call) => {
            let path = scan.called(call).unwrap_or_default();
            let mut names = path.rsplit("::");
            let function = names.next().unwrap_or("");
            let is_memory = matches!(names.next(), Some("Vec" | "String" | "BytesMut"));
            is_memory && ["with_capacity", "new", "zeroed"].contains(&function)
        }
        _ => false,
    }
}

/// A read of this very loop fills it, and nothing takes it away.
fn is_read_into(scan: &Scan, body: &Block, name: &Ident) -> bool {
    let mut names = vec![name.clone()];
    if scan.runtime.owns_buffers() {
        // The buffer goes in and comes back under the name of the pattern, `let (result, buf) = ..`.
        names.extend(comes_back_as(body, name));
    }
    let is_read = method_calls(body, Depth::Turn).iter().any(|call| {
        READS.iter().any(|read| call.method == read)
            && call.args.first().is_some_and(|argument| {
                let is_lent = matches!(argument, Expr::Reference(_));
                (is_lent || scan.runtime.owns_buffers()) && root(argument) == Some(name)
            })
    });
    is_read && !names.iter().any(|name| is_taken(scan, body, name))
}

fn comes_back_as(body: &Block, name: &Ident) -> Vec<Ident> {
    let mut names = Vec::new();
    for statement in &body.stmts {
        let Stmt::Local(local) = statement else { continue };
        let (Pat::Tuple(pat), Some(init)) = (&local.pat, &local.init) else { continue };
        if let Expr::MethodCall(call) = peel(&init.expr)
            && call.args.first().is_some_and(|argument| name_of(argument) == Some(name))
            && let Some(back) = pat.elems.last().and_then(bound)
        {
            names.push(back.clone());
        }
    }
    names
}

/// Whether the buffer itself goes elsewhere: then each turn needs one of its own. Only uses that surely leave it where it is are
/// not that: `&buf`, `buf[..]`, its methods, and I/O that gives it back.
fn is_taken(scan: &Scan, body: &Block, name: &Ident) -> bool {
    let (mut uses, mut stays) = (0, 0);
    let is = |expr: &Expr| name_of(expr) == Some(name);
    each_in(body, Depth::All, &mut |expr| match expr {
        Expr::Reference(reference) if is(&reference.expr) => stays += 1,
        Expr::Index(index) if is(&index.expr) => stays += 1,
        Expr::Assign(assign) if is(&assign.left) => stays += 1,
        Expr::MethodCall(call) => {
            let takes = TAKES.iter().any(|takes| call.method == takes);
            if is(&call.receiver) && !takes {
                stays += 1;
            }
            let gives_back = scan.runtime.owns_buffers()
                && READS.iter().chain(WRITES).any(|io| call.method == io);
            if gives_back && call.args.first().is_some_and(is) {
                stays += 1;
            }
        }
        // What is not understood may do anything.
        Expr::Macro(call) if call.mac.tokens.to_string().contains(&name.to_string()) => uses += 1,
        expr if is(expr) => uses += 1,
        _ => {}
    });
    let mut carried = false;
    each_in(body, Depth::All, &mut |expr| {
        let inner: Option<&Expr> = match expr {
            Expr::Closure(closure) => Some(&closure.body),
            Expr::Async(_) => Some(expr),
            _ => None,
        };
        if let Some(inner) = inner {
            each(inner, Depth::All, &mut |expr| carried |= is(expr));
        }
    });
    uses > stays || carried
}
