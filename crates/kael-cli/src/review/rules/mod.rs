//! What each rule looks for. The pass asks at four kinds of places; `table.rs` says what the rules are for.

mod blocking;
mod buffers;
mod busy;
mod copy_loop;
mod locks;
mod per_item;
mod platform;
mod select;
mod shared;

use super::code::scan::{Loop, Scan};
use syn::{Expr, ExprCall, ExprMethodCall, Stmt};

pub(super) fn at_expression(scan: &mut Scan, expr: &Expr) {
    locks::at_expression(scan, expr);
    platform::at_expression(scan, expr);
    select::at_expression(scan, expr);
}

pub(super) fn at_call(scan: &mut Scan, call: &ExprCall) {
    blocking::at_call(scan, call);
}

pub(super) fn at_method(scan: &mut Scan, call: &ExprMethodCall) {
    blocking::at_method(scan, call);
    buffers::at_method(scan, call);
}

pub(super) fn at_statement(scan: &mut Scan, block: &[Stmt], index: usize) {
    locks::at_statement(scan, block, index);
    per_item::at_statement(scan, block, index);
}

pub(super) fn at_loop(scan: &mut Scan, turn: &Loop) {
    buffers::at_loop(scan, turn);
    busy::at_loop(scan, turn);
    copy_loop::at_loop(scan, turn);
    per_item::at_loop(scan, turn);
    shared::at_loop(scan, turn);
}
