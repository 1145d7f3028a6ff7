//! A question at run time that the compiler has answered already.

use crate::review::code::scan::Scan;
use crate::review::code::walk::peel;
use syn::{BinOp, Expr};

const CONSTANTS: &[(&str, &str)] = &[
    ("std::env::consts::OS", "target_os"),
    ("std::env::consts::FAMILY", "target_family"),
    ("std::env::consts::ARCH", "target_arch"),
];

pub(super) fn at_expression(scan: &mut Scan, expr: &Expr) {
    match expr {
        Expr::Binary(comparison) if matches!(comparison.op, BinOp::Eq(_) | BinOp::Ne(_)) => {
            // With what is known only at run time there is a reason to compare.
            let (left, right) = (peel(&comparison.left), peel(&comparison.right));
            match (left, right) {
                (side, Expr::Lit(_)) | (Expr::Lit(_), side) => asked(scan, side),
                _ => {}
            }
        }
        Expr::Match(choice) => asked(scan, &choice.expr),
        _ => {}
    }
}

fn asked(scan: &mut Scan, expr: &Expr) {
    let Expr::Path(path) = peel(expr) else { return };
    let resolved = scan.names.resolve(&path.path);
    if let Some((constant, key)) = CONSTANTS.iter().find(|(constant, _)| *constant == resolved) {
        scan.report(
            "platform-at-run-time",
            expr,
            format!("`{constant}` is compared when the program runs"),
            format!("ask `cfg!({key} = \"..\")`, or choose a file or a function with `#[cfg(..)]`"),
        );
    }
}
