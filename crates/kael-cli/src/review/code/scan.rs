//! [`Scan`]: the one pass over a file. It knows where it is (in async code or not, in how many loops, which names and
//! variables are in scope) and asks the rules at each call, statement and loop.

use super::calls::{Block as Blocking, Calls};
use super::context::{Context, attributes, is_test};
use super::names::Names;
use super::runtime::Runtime;
use super::source::Source;
use super::types::{Binding, Type, Types, is_poll};
use super::walk::{self, peel};
use crate::review::finding::Finding;
use crate::review::rules;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprMethodCall, Item, Pat, Signature, Stmt};

/// A loop, as its rules see it.
pub(crate) struct Loop<'ast> {
    /// The iterator of `for`, or what `while` asks.
    pub(crate) header: Option<&'ast Expr>,
    /// What `for` binds.
    pub(crate) pat: Option<&'ast Pat>,
    pub(crate) body: &'ast Block,
}

pub(crate) struct Scan<'s> {
    source: &'s Source,
    pub(crate) runtime: Runtime,
    pub(crate) names: Names,
    pub(crate) types: Types,
    pub(crate) context: Context,
    /// Loops around, within the function.
    pub(crate) loops: usize,
    /// In `main`, outside of what it spawns: nothing else runs yet.
    in_main: bool,
    with_tests: bool,
    /// The function at hand, unless it is a task's.
    function: Option<String>,
    calls: &'s mut Calls,
    findings: Vec<Finding>,
}

/// What a file is scanned for, beside the file itself.
pub(crate) struct Of<'s> {
    /// The file's own module.
    pub(crate) module: &'s str,
    /// The runtime of a file that names none.
    pub(crate) runtime: Option<Runtime>,
    pub(crate) renamed: &'s [(String, String)],
    pub(crate) with_tests: bool,
}

/// All findings of a file, in no order, but those that need the other files: these are left with `calls`.
pub(crate) fn scan(source: &Source, of: &Of, calls: &mut Calls) -> Vec<Finding> {
    let of_file = Runtime::of(source.crates.iter().map(String::as_str));
    let mut scan = Scan {
        source,
        runtime: of_file.or(of.runtime).unwrap_or(Runtime::Other),
        names: Names::new(of.module, of.renamed),
        types: Types::default(),
        context: Context::Thread,
        loops: 0,
        in_main: false,
        with_tests: of.with_tests,
        function: None,
        calls,
        findings: Vec::new(),
    };
    scan.module(None, &source.tree.items);
    scan.findings
}

impl Scan<'_> {
    pub(crate) fn report(
        &mut self,
        rule: &'static str,
        at: &impl Spanned,
        message: String,
        remedy: impl Into<String>,
    ) {
        self.report_related(rule, at, message, remedy, None);
    }

    pub(crate) fn report_related(
        &mut self,
        rule: &'static str,
        at: &impl Spanned,
        message: String,
        remedy: impl Into<String>,
        related: Option<(Range<usize>, &'static str)>,
    ) {
        let (range, file) = (at.span().byte_range(), self.source.text.clone());
        self.findings.push(Finding { rule, file, range, message, remedy: remedy.into(), related });
    }

    /// In a task, and not before the first of the others begins.
    pub(crate) fn blocks_others(&self) -> bool {
        self.context == Context::Task && !(self.in_main && self.loops == 0)
    }

    /// Somewhere in the file a socket is told not to block.
    pub(crate) fn sets_nonblocking(&self) -> bool {
        self.source.text.text.contains("set_nonblocking(true)")
    }

    pub(crate) fn of(&self, expr: &Expr) -> Type {
        self.types.of(expr, &self.names)
    }

    /// What the path of a called function is.
    pub(crate) fn called(&self, call: &ExprCall) -> Option<String> {
        match &*call.func {
            Expr::Path(path) if path.qself.is_none() => Some(self.names.resolve(&path.path)),
            _ => None,
        }
    }

    /// The path by which others call a function of the module, or of the type at hand.
    fn path_of(&self, name: &str) -> String {
        match self.types.this.as_str() {
            "" => self.names.here(name),
            this => format!("{this}::{name}"),
        }
    }

    /// A call of a function of this crate, as [`Calls`] knows it: `crate::config::load`, or `Config::load`.
    fn local(&self, path: &str) -> Option<String> {
        let (of, name) = path.rsplit_once("::")?;
        let of = if of == "Self" { &self.types.this } else { of };
        let owner = of.rsplit("::").next().unwrap_or(of);
        if owner.starts_with(|c: char| c.is_ascii_uppercase()) {
            let is_ours = path.starts_with("crate::") || path.starts_with("Self::");
            return is_ours.then(|| format!("{owner}::{name}"));
        }
        path.starts_with("crate::").then(|| path.to_owned())
    }

    /// Notes that a function of this crate is called here.
    fn note_call(&mut self, path: &str, at: &impl Spanned) {
        let Some(called) = self.local(path) else { return };
        if self.blocks_others() {
            let (file, range, runtime) =
                (self.source.text.clone(), at.span().byte_range(), self.runtime);
            let shown = called.clone();
            self.calls.called_in_task(called, move |block| Finding {
                rule: block.rule,
                file,
                range,
                message: leads_to(&shown, block),
                remedy: format!("call it in {}, or make it async", runtime.on_a_thread()),
                related: None,
            });
        } else if let (Context::Thread, Some(function)) = (self.context, &self.function) {
            self.calls.calls(function, called);
        }
    }

    /// Notes that the function at hand blocks whoever calls it.
    pub(crate) fn note_block(&mut self, rule: &'static str, what: &str, at: &impl Spanned) {
        if let (Context::Thread, Some(function)) = (self.context, &self.function) {
            let (file, what) = (self.source.text.clone(), what.to_owned());
            let line = file.position(at.span().byte_range().start).0;
            self.calls.blocks(function, Blocking { rule, what, file, line, way: Vec::new() });
        }
    }

    fn module(&mut self, name: Option<&str>, items: &[Item]) {
        let around = self.names.enter_module(name, items);
        self.types.learn_fields(items, &self.names);
        for item in items {
            self.visit_item(item);
        }
        self.names.leave_module(around);
    }

    fn function(&mut self, signature: &Signature, body: &Block, is_main: bool) {
        let is_task = signature.asyncness.is_some() || is_poll(signature, &self.names);
        let context = if is_task { Context::Task } else { Context::Thread };
        let before = (self.context, self.loops, self.in_main);
        (self.context, self.loops, self.in_main) = (context, 0, is_main);
        let path = self.path_of(&signature.ident.to_string());
        self.calls.define(&path);
        let function = std::mem::replace(&mut self.function, (!is_task).then_some(path));
        let around = self.types.enter_function();
        for argument in &signature.inputs {
            self.types.parameter(argument, &self.names);
        }
        self.visit_block(body);
        self.types.leave_function(around);
        self.function = function;
        (self.context, self.loops, self.in_main) = before;
    }

    fn in_context(&mut self, context: Context, f: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.context, context);
        f(self);
        self.context = before;
    }

    fn looped<'ast>(&mut self, turn: &Loop<'ast>) {
        rules::at_loop(self, turn);
        self.types.enter();
        self.loops += 1;
        if let Some(pat) = turn.pat {
            self.bind(pat, Type::Unknown);
        }
        self.visit_block(turn.body);
        self.loops -= 1;
        self.types.leave();
    }

    fn bind(&mut self, pat: &Pat, of: Type) {
        let binding = Binding { of, is_given: false };
        self.types.bind(pat, binding, &self.names);
    }

    /// The arguments of a call: a closure among them runs where the called function runs it.
    fn arguments<'ast>(
        &mut self,
        name: &str,
        path: &str,
        arguments: impl Iterator<Item = &'ast Expr>,
    ) {
        for argument in arguments {
            match argument {
                Expr::Closure(closure) => {
                    let context = self.context.of_closure(name, path);
                    self.in_context(context, |scan| scan.visit_expr_closure(closure));
                }
                Expr::Async(block) if name == "block_on" => {
                    let context = self.context.of_async_block();
                    self.in_context(context, |scan| scan.visit_block(&block.block));
                }
                argument => self.visit_expr(argument),
            }
        }
    }
}

/// `a` blocks, because by way of others it calls what blocks.
fn leads_to(called: &str, block: &Blocking) -> String {
    let mut way = String::new();
    for function in std::iter::once(called).chain(block.way.iter().map(String::as_str)).skip(1) {
        way += &format!(" calls `{}`, which", function.trim_start_matches("crate::"));
    }
    let called = called.trim_start_matches("crate::");
    let place = format!("{}:{}", block.file.path, block.line);
    format!("`{called}` blocks the thread in async code: it{way} calls `{}` ({place})", block.what)
}

impl<'ast> Visit<'ast> for Scan<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !self.with_tests && is_test(attributes(item)) {
            return;
        }
        match item {
            Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    self.module(Some(&module.ident.to_string()), items);
                }
            }
            Item::Fn(item) => {
                let is_main = item.sig.ident == "main";
                self.function(&item.sig, &item.block, is_main);
            }
            Item::Impl(item) => {
                let this = match &*item.self_ty {
                    syn::Type::Path(path) => {
                        path.path.segments.last().map(|last| last.ident.to_string())
                    }
                    _ => None,
                };
                let before = std::mem::replace(&mut self.types.this, this.unwrap_or_default());
                visit::visit_item_impl(self, item);
                self.types.this = before;
            }
            item => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if self.with_tests || !is_test(&item.attrs) {
            self.function(&item.sig, &item.block, false);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body, false);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            _ => None,
        });
        self.names.enter_block(items);
        self.types.enter();
        for index in 0..block.stmts.len() {
            rules::at_statement(self, &block.stmts, index);
            self.visit_stmt(&block.stmts[index]);
        }
        self.types.leave();
        self.names.leave_block();
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let mut of = Type::Unknown;
        if let Some(init) = &local.init {
            self.visit_expr(&init.expr);
            if let Some((_, other)) = &init.diverge {
                self.visit_expr(other);
            }
            of = self.of(&init.expr);
        }
        self.bind(&local.pat, of);
    }

    /// `if let` and `while let`: what it binds lives on in the block that is visited next.
    fn visit_expr_let(&mut self, pattern: &'ast syn::ExprLet) {
        self.visit_expr(&pattern.expr);
        let of = self.of(&pattern.expr);
        self.bind(&pattern.pat, of);
    }

    fn visit_expr_if(&mut self, branch: &'ast syn::ExprIf) {
        self.types.enter();
        self.visit_expr(&branch.cond);
        self.visit_block(&branch.then_branch);
        self.types.leave();
        if let Some((_, other)) = &branch.else_branch {
            self.visit_expr(other);
        }
    }

    fn visit_expr_match(&mut self, choice: &'ast syn::ExprMatch) {
        self.visit_expr(&choice.expr);
        let of = self.of(&choice.expr);
        for arm in &choice.arms {
            self.types.enter();
            self.bind(&arm.pat, of.clone());
            if let Some((_, guard)) = &arm.guard {
                self.visit_expr(guard);
            }
            self.visit_expr(&arm.body);
            self.types.leave();
        }
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        let context = if closure.asyncness.is_some() { Context::Task } else { self.context };
        self.types.enter();
        for input in &closure.inputs {
            self.bind(input, Type::Unknown);
        }
        // What it does in a loop of its own is not what this loop does.
        let loops = std::mem::take(&mut self.loops);
        self.in_context(context, |scan| scan.visit_expr(&closure.body));
        self.loops = loops;
        self.types.leave();
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        let context = self.context.of_async_block();
        let before = (self.loops, self.in_main);
        (self.loops, self.in_main) = (0, false);
        self.in_context(context, |scan| scan.visit_block(&block.block));
        (self.loops, self.in_main) = before;
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        rules::at_expression(self, expr);
        match expr {
            Expr::Loop(it) => self.looped(&Loop { header: None, pat: None, body: &it.body }),
            Expr::While(it) => {
                self.types.enter();
                self.visit_expr(&it.cond);
                let header = Some(&*it.cond);
                self.looped(&Loop { header, pat: None, body: &it.body });
                self.types.leave();
            }
            Expr::ForLoop(it) => {
                self.visit_expr(&it.expr);
                let (header, pat) = (Some(&*it.expr), Some(&*it.pat));
                self.looped(&Loop { header, pat, body: &it.body });
            }
            // A closure that is no argument: nobody knows who calls it.
            Expr::Closure(closure) => {
                self.in_context(Context::Elsewhere, |scan| scan.visit_expr_closure(closure));
            }
            expr => visit::visit_expr(self, expr),
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        rules::at_call(self, call);
        self.visit_expr(&call.func);
        let name = walk::function_name(call).map(ToString::to_string).unwrap_or_default();
        let path = self.called(call).unwrap_or_default();
        self.note_call(&path, &call.func);
        self.arguments(&name, &path, call.args.iter());
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        rules::at_method(self, call);
        let owner = match peel(&call.receiver) {
            Expr::Path(path) if path.path.is_ident("self") => "Self".to_owned(),
            receiver => match self.of(receiver) {
                Type::Named(path) => path,
                _ => String::new(),
            },
        };
        self.note_call(&format!("{owner}::{}", call.method), &call.method);
        self.visit_expr(&call.receiver);
        let is_parallel = walk::chain(&call.receiver).any(|name| name.to_string().contains("par_"));
        let name = if is_parallel { String::new() } else { call.method.to_string() };
        self.arguments(&name, "", call.args.iter());
    }
}
