//! Looking through expressions: small questions that several rules ask.

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprMethodCall, ExprPath, Ident, Pat, Stmt};

/// How far a look goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Depth {
    /// Not into blocks of any kind: what lives as long as the expression.
    Value,
    /// Not into loops that lie within: what is done once a turn.
    Turn,
    /// All that this code does by itself, but not what closures and async blocks do.
    Body,
    /// All of it.
    All,
}

struct Each<'f, 'ast> {
    depth: Depth,
    f: &'f mut dyn FnMut(&'ast Expr),
}

impl<'ast> Visit<'ast> for Each<'_, 'ast> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        (self.f)(expr);
        let goes_on = match expr {
            Expr::Block(_) | Expr::Unsafe(_) | Expr::If(_) | Expr::Match(_)
                if self.depth == Depth::Value =>
            {
                false
            }
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => self.depth > Depth::Turn,
            Expr::Closure(_) | Expr::Async(_) => self.depth == Depth::All,
            _ => true,
        };
        if goes_on {
            visit::visit_expr(self, expr);
        }
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

pub(crate) fn each<'ast>(expr: &'ast Expr, depth: Depth, f: &mut dyn FnMut(&'ast Expr)) {
    Each { depth, f }.visit_expr(expr);
}

pub(crate) fn each_in<'ast>(block: &'ast Block, depth: Depth, f: &mut dyn FnMut(&'ast Expr)) {
    Each { depth, f }.visit_block(block);
}

pub(crate) fn each_in_statement<'ast>(
    statement: &'ast Stmt,
    depth: Depth,
    f: &mut dyn FnMut(&'ast Expr),
) {
    Each { depth, f }.visit_stmt(statement);
}

pub(crate) fn any_in(block: &Block, depth: Depth, is: impl Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    each_in(block, depth, &mut |expr| found |= is(expr));
    found
}

/// The calls of methods in a block.
pub(crate) fn method_calls(block: &Block, depth: Depth) -> Vec<&ExprMethodCall> {
    let mut calls = Vec::new();
    each_in(block, depth, &mut |expr| {
        if let Expr::MethodCall(call) = expr {
            calls.push(call);
        }
    });
    calls
}

/// Without parentheses, references, `?`, `.await` and what turns an error into a panic or another error.
pub(crate) fn peel(mut expr: &Expr) -> &Expr {
    loop {
        expr = match expr {
            Expr::Paren(inner) => &inner.expr,
            Expr::Group(inner) => &inner.expr,
            Expr::Reference(inner) => &inner.expr,
            Expr::Try(inner) => &inner.expr,
            Expr::Await(inner) => &inner.base,
            Expr::Unary(inner) if matches!(inner.op, syn::UnOp::Deref(_)) => &inner.expr,
            Expr::MethodCall(call) if is_about_errors(&call.method) => &call.receiver,
            expr => return expr,
        }
    }
}

fn is_about_errors(method: &Ident) -> bool {
    ["unwrap", "expect", "map_err", "context", "with_context", "unwrap_or_else", "ok", "wrap_err"]
        .iter()
        .any(|name| method == name)
}

/// The name, if it is nothing but one.
pub(crate) fn name_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(ExprPath { path, qself: None, .. }) => path.get_ident(),
        _ => None,
    }
}

/// The variable of which `expr` is a part, a slice or a reference.
pub(crate) fn root(expr: &Expr) -> Option<&Ident> {
    match peel(expr) {
        Expr::Index(index) => root(&index.expr),
        Expr::Field(field) => root(&field.base),
        Expr::MethodCall(call) => root(&call.receiver),
        expr => name_of(expr),
    }
}

/// `self.a.b` or `name.a` as words, to see whether two expressions mean the same.
pub(crate) fn place(expr: &Expr) -> Option<String> {
    match peel(expr) {
        Expr::Field(field) => {
            let member = match &field.member {
                syn::Member::Named(name) => name.to_string(),
                syn::Member::Unnamed(index) => index.index.to_string(),
            };
            Some(format!("{}.{member}", place(&field.base)?))
        }
        expr => name_of(expr).map(Ident::to_string),
    }
}

/// The last name of the function that is called: `spawn` of `tokio::spawn(..)`.
pub(crate) fn function_name(call: &ExprCall) -> Option<&Ident> {
    match &*call.func {
        Expr::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

/// The variable that a pattern without parts binds.
pub(crate) fn bound(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) => Some(&pat.ident),
        Pat::Type(pat) => bound(&pat.pat),
        _ => None,
    }
}

/// Whether control never comes behind it.
pub(crate) fn diverges(expr: &Expr) -> bool {
    match expr {
        Expr::Return(_) | Expr::Break(_) => true,
        Expr::Block(block) => block_diverges(&block.block),
        Expr::If(branch) => {
            block_diverges(&branch.then_branch)
                && branch.else_branch.as_ref().is_some_and(|(_, other)| diverges(other))
        }
        Expr::Match(choice) => {
            !choice.arms.is_empty() && choice.arms.iter().all(|arm| diverges(&arm.body))
        }
        Expr::Macro(call) => call.mac.path.is_ident("panic"),
        Expr::Call(call) => {
            function_name(call).is_some_and(|name| name == "exit" || name == "abort")
        }
        _ => false,
    }
}

pub(crate) fn block_diverges(block: &Block) -> bool {
    block.stmts.iter().any(|statement| match statement {
        Stmt::Expr(expr, _) => diverges(expr),
        Stmt::Macro(call) => call.mac.path.is_ident("panic"),
        _ => false,
    })
}

/// The first `.await` of the code itself.
pub(crate) fn first_await(statement: &Stmt) -> Option<&Expr> {
    let mut found = None;
    each_in_statement(statement, Depth::Body, &mut |expr| {
        if matches!(expr, Expr::Await(_)) && found.is_none() {
            found = Some(expr);
        }
    });
    found
}

/// The methods of a chain of calls, the last first.
pub(crate) fn chain(expr: &Expr) -> impl Iterator<Item = &syn::Ident> {
    let mut next = Some(expr);
    std::iter::from_fn(move || match peel(next?) {
        Expr::MethodCall(call) => {
            next = Some(&call.receiver);
            Some(&call.method)
        }
        _ => None,
    })
}
