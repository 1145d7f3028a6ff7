//! Loops that wait by asking again and again.

use crate::review::code::scan::{Loop, Scan};
use crate::review::code::walk::{self, Depth, any_in, each_in, peel};
use syn::{Block, Expr, Pat, Stmt};

/// They answer at once, whether there is something or not.
const ASKS: &[&str] = &["try_recv", "try_read", "try_accept", "try_wait", "try_next"];
/// They ask for a flag that somebody else sets.
const FLAGS: &[&str] = &["load", "is_finished", "is_ready", "is_set", "is_running"];
/// They give the processor to others for a moment, and wait for nothing.
const YIELDS: &[&str] = &["yield_now", "spin_loop", "spin_loop_hint"];

pub(super) fn at_loop(scan: &mut Scan, turn: &Loop) {
    let found = match turn.header {
        Some(_) if turn.pat.is_some() => return,
        // In another loop it is how a spin lock is taken: asked first, and only then tried.
        Some(condition) if scan.loops == 0 => flag(condition).filter(|_| does_nothing(turn.body)),
        Some(_) => return,
        None => asked_in_vain(turn.body),
    };
    if let Some(asked) = found {
        scan.report(
            "busy-loop",
            asked,
            "this loop asks again and again and never sleeps".to_owned(),
            "wait for the event: await the channel or a notification, or use a condition variable or `park` on a thread",
        );
    }
}

/// The call in a condition like `!flag.load(..)`.
fn flag(condition: &Expr) -> Option<&Expr> {
    let inner = match condition {
        Expr::Unary(not) if matches!(not.op, syn::UnOp::Not(_)) => &not.expr,
        Expr::Binary(comparison) => &comparison.left,
        other => other,
    };
    match peel(inner) {
        Expr::MethodCall(call) if FLAGS.iter().any(|name| call.method == name) => Some(inner),
        _ => None,
    }
}

fn does_nothing(body: &Block) -> bool {
    body.stmts.iter().all(|statement| match statement {
        Stmt::Expr(expr, _) => is_idle(expr),
        _ => false,
    })
}

/// Code after which nothing has changed.
fn is_idle(expr: &Expr) -> bool {
    match peel(expr) {
        Expr::Block(block) => does_nothing(&block.block),
        Expr::Continue(_) => true,
        Expr::Tuple(unit) => unit.elems.is_empty(),
        Expr::Call(call) => {
            walk::function_name(call).is_some_and(|name| YIELDS.iter().any(|yields| name == yields))
        }
        _ => false,
    }
}

/// A `try_` call of which "not yet" leads to the next turn at once.
fn asked_in_vain(body: &Block) -> Option<&Expr> {
    let waits = any_in(body, Depth::Body, |expr| match expr {
        Expr::Await(wait) => !is_idle(&wait.base),
        // Nobody knows what it does.
        Expr::Macro(_) => true,
        Expr::Call(call) => {
            walk::function_name(call).is_some_and(|name| may_wait(&name.to_string()))
        }
        Expr::MethodCall(call) => may_wait(&call.method.to_string()),
        _ => false,
    });
    if waits {
        return None;
    }
    let mut found = None;
    each_in(body, Depth::Turn, &mut |expr| {
        let (asked, is_in_vain) = match expr {
            Expr::Match(choice) => {
                let negative = choice.arms.iter().filter(|arm| means_nothing(&arm.pat));
                let mut bodies = negative.map(|arm| &*arm.body).peekable();
                // What follows the `match` is done after "not yet", too, unless that begins the next turn.
                let goes_round =
                    |arm: &Expr| is_idle(arm) && (is_end(body, expr) || continues(arm));
                (&*choice.expr, bodies.peek().is_some() && bodies.all(goes_round))
            }
            Expr::If(branch) => match &*branch.cond {
                Expr::Let(pattern) if !means_nothing(&pattern.pat) => {
                    let other = branch.else_branch.as_ref();
                    (
                        &*pattern.expr,
                        other.is_none_or(|(_, other)| is_idle(other)) && is_only(body, expr),
                    )
                }
                _ => return,
            },
            _ => return,
        };
        let is_asking = matches!(peel(asked), Expr::MethodCall(call) if ASKS.iter().any(|name| call.method == name));
        if is_asking && is_in_vain && found.is_none() {
            found = Some(asked);
        }
    });
    found
}

/// Functions by which a turn may wait after all, or whose names do not say that they do not.
fn may_wait(name: &str) -> bool {
    let waits = [
        "sleep", "park", "wait", "recv", "poll", "block_on", "lock", "join", "accept", "read",
        "write", "turn", "run",
    ];
    !ASKS.contains(&name) && waits.iter().any(|wait| name.contains(wait))
}

/// `Err(..)`, `Ok(None)` or `None`.
fn means_nothing(pat: &Pat) -> bool {
    match pat {
        Pat::TupleStruct(pat) => {
            let is = |name| pat.path.segments.last().is_some_and(|last| last.ident == name);
            (is("Err") && pat.elems.first().is_some_and(is_empty_error))
                || (is("Ok") && pat.elems.first().is_some_and(means_nothing))
        }
        Pat::Ident(pat) => pat.ident == "None",
        Pat::Path(path) => path.path.is_ident("None"),
        _ => false,
    }
}

/// An error that may mean "not yet", and not one that ends it: `Err(Disconnected)`.
fn is_empty_error(pat: &Pat) -> bool {
    match pat {
        Pat::Wild(_) | Pat::Ident(_) => true,
        Pat::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Empty"),
        _ => false,
    }
}

fn is_end(body: &Block, expr: &Expr) -> bool {
    matches!(body.stmts.last(), Some(Stmt::Expr(last, _)) if std::ptr::eq(last, expr))
}

fn continues(expr: &Expr) -> bool {
    match expr {
        Expr::Continue(_) => true,
        Expr::Block(block) => {
            matches!(block.block.stmts.last(), Some(Stmt::Expr(Expr::Continue(_), _)))
        }
        _ => false,
    }
}

fn is_only(body: &Block, expr: &Expr) -> bool {
    matches!(body.stmts.as_slice(), [Stmt::Expr(only, _)] if std::ptr::eq(only, expr))
}
