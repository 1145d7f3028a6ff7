//! A loop that reads, writes what it has read, and does nothing else: the kernel or the runtime can do that.

use crate::review::code::scan::{Loop, Scan};
use crate::review::code::walk::{Depth, bound, each, each_in, function_name, name_of, peel, root};
use syn::{Expr, ExprMethodCall, Ident};

/// What such a loop may call beside its read and its write.
const BESIDE: &[&str] = &[
    "Err",
    "Ok",
    "Some",
    "context",
    "expect",
    "flush",
    "into",
    "is_empty",
    "map_err",
    "ok",
    "slice",
    "unwrap",
    "with_context",
    "clear",
];

pub(super) fn at_loop(scan: &mut Scan, turn: &Loop) {
    // `for` goes over something that is there already; a time limit, a condition or a counter of bytes is more than a copy.
    if turn.pat.is_some() {
        return;
    }
    let Some((read, write)) = read_and_write(turn) else { return };
    if scan.of(&write.receiver).name() == "BufWriter" {
        return;
    }
    scan.report(
        "copy-loop",
        &read.method,
        "this loop only reads and writes what it has read".to_owned(),
        scan.runtime.copies(),
    );
}

/// The only read and the only write, if the bytes of the one go into the other, and nowhere else.
fn read_and_write<'a>(turn: &Loop<'a>) -> Option<(&'a ExprMethodCall, &'a ExprMethodCall)> {
    let (mut reads, mut writes, mut others) = (Vec::new(), Vec::new(), 0);
    let mut look = |expr: &'a Expr| match expr {
        Expr::MethodCall(call) if call.method == "read" && call.args.len() == 1 => reads.push(call),
        Expr::MethodCall(call) if call.method == "write_all" && call.args.len() == 1 => {
            writes.push(call);
        }
        Expr::MethodCall(call) => {
            others += usize::from(!BESIDE.iter().any(|name| call.method == name));
        }
        Expr::Call(call) => {
            let known =
                function_name(call).is_some_and(|name| BESIDE.iter().any(|known| name == known));
            others += usize::from(!known);
        }
        Expr::Loop(_)
        | Expr::While(_)
        | Expr::ForLoop(_)
        | Expr::Macro(_)
        | Expr::Closure(_)
        | Expr::Async(_) => others += 1,
        _ => {}
    };
    each_in(turn.body, Depth::Turn, &mut look);
    if let Some(header) = turn.header {
        each(header, Depth::Turn, &mut look);
    }
    let ([read], [write]) = (reads.as_slice(), writes.as_slice()) else { return None };
    let (buffer, written) = (root(&read.args[0])?, root(&write.args[0])?);
    let same = buffer == written || is_given_back(turn, read, written);
    let passes_on =
        matches!(peel(&write.args[0]), Expr::Index(_) | Expr::Path(_) | Expr::MethodCall(_));
    // Back to where it came from is no copy.
    let echo = root(&read.receiver).is_some() && root(&read.receiver) == root(&write.receiver);
    (others == 0 && same && passes_on && !echo && !looks_at(turn, buffer)).then_some((read, write))
}

/// `let (result, written) = from.read(buffer).await`.
fn is_given_back(turn: &Loop, read: &ExprMethodCall, written: &Ident) -> bool {
    turn.body.stmts.iter().any(|statement| match statement {
        syn::Stmt::Local(local) => match (&local.pat, &local.init) {
            (syn::Pat::Tuple(pat), Some(init)) => {
                let is_read =
                    matches!(peel(&init.expr), Expr::MethodCall(call) if std::ptr::eq(call, read));
                is_read && pat.elems.last().and_then(bound) == Some(written)
            }
            _ => false,
        },
        _ => false,
    })
}

/// Whether a single byte is looked at, or anything but the read and the write uses the buffer.
fn looks_at(turn: &Loop, buffer: &Ident) -> bool {
    let mut uses = 0;
    each_in(turn.body, Depth::All, &mut |expr| uses += usize::from(name_of(expr) == Some(buffer)));
    if let Some(header) = turn.header {
        each(header, Depth::All, &mut |expr| {
            uses += usize::from(name_of(expr) == Some(buffer));
        });
    }
    // Owned buffers are put back: `buffer = written`.
    uses > 3
}
