//! Futures that lose data when `select!` drops them. In a loop the next turn begins a new one, in the middle of the data.

use crate::review::code::macros::SELECT;
use crate::review::code::runtime::Runtime;
use crate::review::code::scan::Scan;
use crate::review::code::walk::diverges;
use syn::{Expr, ExprMethodCall};

/// They keep in themselves how far they came.
const IN_STEPS: &[&str] = &[
    "read_exact",
    "read_line",
    "read_to_end",
    "read_to_string",
    "write_all",
    "write_all_vectored",
];
/// On rings whose futures give up what the kernel has done already.
const IN_FLIGHT: &[&str] = &["read", "readv", "recv", "recv_from", "write", "writev", "send"];

pub(super) fn at_expression(scan: &mut Scan, expr: &Expr) {
    let Expr::Match(choice) = expr else { return };
    if scan.loops == 0 || !choice.attrs.iter().any(|attribute| attribute.path().is_ident(SELECT)) {
        return;
    }
    let Expr::Await(wait) = &*choice.expr else { return };
    let Expr::Tuple(futures) = &*wait.base else { return };
    for (index, future) in futures.elems.iter().enumerate() {
        let Expr::MethodCall(call) = without_fuse(future) else { continue };
        // When every other branch leaves the loop, nobody misses the data.
        let goes_on = choice
            .arms
            .iter()
            .enumerate()
            .any(|(other, arm)| other != index && !diverges(&arm.body));
        if goes_on && loses(scan.runtime, call) {
            let method = &call.method;
            scan.report(
                "lossy-select",
                method,
                format!("`{method}` loses data when another branch of this `select!` is first"),
                remedy(scan.runtime),
            );
        }
    }
}

fn without_fuse(future: &Expr) -> &Expr {
    match future {
        Expr::MethodCall(call) if call.method == "fuse" => without_fuse(&call.receiver),
        Expr::Paren(inner) => without_fuse(&inner.expr),
        future => future,
    }
}

fn loses(runtime: Runtime, call: &ExprMethodCall) -> bool {
    let is_in = |list: &[&str]| list.iter().any(|name| call.method == name);
    // All of these take a buffer; a channel's `recv` and `read` of a lock do not.
    if call.args.is_empty() {
        return false;
    }
    match runtime {
        // What a dropped operation had received goes to the next, and a dropped write is finished.
        Runtime::Kael => false,
        Runtime::Monoio | Runtime::Compio | Runtime::TokioUring => {
            is_in(IN_STEPS) || is_in(IN_FLIGHT)
        }
        _ => is_in(IN_STEPS),
    }
}

fn remedy(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Monoio => {
            "make the future once before the loop and pin it, or use the cancelable operations of `monoio::io`, whose result says what was done"
        }
        Runtime::Compio | Runtime::TokioUring => {
            "make the future once before the loop and pin it, and make a new one only when it has ended"
        }
        _ => {
            "make the future once before the loop and pin it, or use `read` into a buffer that outlives the turn, which may be dropped"
        }
    }
}
