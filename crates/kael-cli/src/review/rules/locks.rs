//! A lock of std or parking_lot that is still held at an `.await`: by a variable, or by a temporary value that lives as
//! long as its statement.

use crate::review::code::scan::Scan;
use crate::review::code::types::Type;
use crate::review::code::walk::{self, Depth, bound, each, each_in_statement, name_of};
use syn::spanned::Spanned;
use syn::{Arm, Expr, ExprMethodCall, Ident, Stmt};

const RULE: &str = "lock-across-await";
const REMEDY: &str = "let the guard go before: put what needs it into a block of its own and copy out what is used after; if it must be held, use an async mutex";

/// `let guard = lock;` and what follows it in its block.
pub(super) fn at_statement(scan: &mut Scan, block: &[Stmt], index: usize) {
    let Stmt::Local(local) = &block[index] else { return };
    let (Some(name), Some(init)) = (bound(&local.pat), &local.init) else { return };
    let Some(lock) = guard(scan, &init.expr) else { return };
    if let Some(wait) = await_while_held(&block[index + 1..], name) {
        report(scan, lock, wait);
    }
}

/// So many statements behind the lock are looked at.
const MOST_STATEMENTS: usize = 1_000;

/// The first `.await` that comes while the guard is alive. When it goes in one branch only, that counts as gone.
fn await_while_held<'a>(rest: &'a [Stmt], guard: &Ident) -> Option<&'a Expr> {
    for statement in rest.iter().take(MOST_STATEMENTS) {
        if gives_away(statement, guard) {
            return None;
        }
        if let Some(wait) = walk::first_await(statement) {
            return Some(wait);
        }
    }
    None
}

/// `drop(guard)`, or any other call that takes it.
fn gives_away(statement: &Stmt, guard: &Ident) -> bool {
    let mut gives = false;
    each_in_statement(statement, Depth::All, &mut |expr| {
        let arguments = match expr {
            Expr::Call(call) => &call.args,
            Expr::MethodCall(call) => &call.args,
            _ => return,
        };
        gives |= arguments.iter().any(|argument| name_of(argument) == Some(guard));
    });
    gives
}

/// Temporary values: they live to the end of a `match`, an `if let`, a loop's header, or of what is awaited.
pub(super) fn at_expression(scan: &mut Scan, expr: &Expr) {
    match expr {
        Expr::Await(wait) => {
            if let Some(lock) = temporary(scan, &wait.base) {
                report(scan, lock, expr);
            }
        }
        Expr::Match(choice) if !matches!(*choice.expr, Expr::Await(_)) => {
            let Some(lock) = temporary(scan, &choice.expr) else { return };
            if let Some(wait) = choice.arms.iter().find_map(await_in_arm) {
                report(scan, lock, wait);
            }
        }
        Expr::ForLoop(it) => held_in_block(scan, &it.expr, &it.body),
        Expr::If(branch) => {
            each_pattern(&branch.cond, &mut |value| {
                held_in_block(scan, value, &branch.then_branch)
            });
        }
        Expr::While(it) => {
            each_pattern(&it.cond, &mut |value| held_in_block(scan, value, &it.body));
        }
        _ => {}
    }
}

/// The values of `let PATTERN = VALUE`, also in a chain with `&&`.
fn each_pattern<'a>(condition: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    match condition {
        Expr::Let(pattern) => f(&pattern.expr),
        Expr::Binary(both) if matches!(both.op, syn::BinOp::And(_)) => {
            each_pattern(&both.left, f);
            each_pattern(&both.right, f);
        }
        _ => {}
    }
}

fn held_in_block(scan: &mut Scan, value: &Expr, block: &syn::Block) {
    // `if let Ok(guard) = m.lock()`: the pattern does what `unwrap` does.
    let Some(lock) = pattern_guard(scan, value).or_else(|| temporary(scan, value)) else { return };
    if let Some(wait) = block.stmts.iter().find_map(walk::first_await) {
        report(scan, lock, wait);
    }
}

fn await_in_arm(arm: &Arm) -> Option<&Expr> {
    let mut found = None;
    each(&arm.body, Depth::Body, &mut |expr| {
        if found.is_none() && matches!(expr, Expr::Await(_)) {
            found = Some(expr);
        }
    });
    found
}

fn report(scan: &mut Scan, lock: &ExprMethodCall, wait: &Expr) {
    // A chain may be long; the `.await` is at its end.
    let at = match wait {
        Expr::Await(wait) => wait.await_token.span().byte_range(),
        other => other.span().byte_range(),
    };
    let related = Some((at, "the task may sleep here, with the lock"));
    let what = format!("the guard of this `{}` is held over an `.await`", lock.method);
    scan.report_related(RULE, &lock.method, what, REMEDY, related);
}

/// The call that locks, if `expr` is a guard and nothing else.
pub(super) fn guard<'a>(scan: &Scan, expr: &'a Expr) -> Option<&'a ExprMethodCall> {
    match expr {
        Expr::Paren(inner) => guard(scan, &inner.expr),
        Expr::Try(inner) => unwrapped(scan, &inner.expr),
        Expr::MethodCall(call) if is_unwrap(&call.method) => unwrapped(scan, &call.receiver),
        Expr::MethodCall(call) if locks_without_poison(scan, call) => Some(call),
        _ => None,
    }
}

fn is_unwrap(method: &Ident) -> bool {
    method == "unwrap" || method == "expect" || method == "unwrap_or_else"
}

fn unwrapped<'a>(scan: &Scan, expr: &'a Expr) -> Option<&'a ExprMethodCall> {
    match expr {
        Expr::MethodCall(call) if call.method == "map_err" => unwrapped(scan, &call.receiver),
        Expr::MethodCall(call) if is_lock_of_std(scan, call, true) => Some(call),
        _ => None,
    }
}

fn pattern_guard<'a>(scan: &Scan, expr: &'a Expr) -> Option<&'a ExprMethodCall> {
    match expr {
        Expr::MethodCall(call) if is_lock_of_std(scan, call, false) => Some(call),
        _ => None,
    }
}

/// A lock in the middle of an expression, outside of its closures and blocks.
fn temporary<'a>(scan: &Scan, expr: &'a Expr) -> Option<&'a ExprMethodCall> {
    let mut found = None;
    each(expr, Depth::Value, &mut |inner| {
        if found.is_none() {
            found = guard(scan, inner);
        }
    });
    found
}

/// `lock()`, `read()` or `write()` of std's locks, whose result is still to be unwrapped.
fn is_lock_of_std(scan: &Scan, call: &ExprMethodCall, is_unwrapped: bool) -> bool {
    if !call.args.is_empty() {
        return false;
    }
    let kind = match call.method.to_string().as_str() {
        "lock" => "Mutex",
        "read" | "write" => "RwLock",
        _ => return false,
    };
    match scan.of(&call.receiver) {
        Type::Named(path) => path == format!("std::sync::{kind}"),
        Type::Unknown => {
            let named = scan.names.resolve_name(kind);
            let is_std = named == format!("std::sync::{kind}");
            // Only std's locks return a result; but other things than locks are read and written.
            is_std || (kind == "Mutex" && is_unwrapped && named == kind)
        }
        _ => false,
    }
}

fn locks_without_poison(scan: &Scan, call: &ExprMethodCall) -> bool {
    let is_lock = ["lock", "read", "write"].iter().any(|name| call.method == name);
    let is_of_parking_lot = || {
        let of = scan.of(&call.receiver);
        of.is("parking_lot::Mutex") || of.is("parking_lot::RwLock")
    };
    is_lock && call.args.is_empty() && is_of_parking_lot()
}
