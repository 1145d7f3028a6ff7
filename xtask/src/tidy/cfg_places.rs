//! The platform is chosen in a few files of the library; nowhere else does a line ask for the target.

use super::exceptions::CFG_FILES;
use super::tokens::{Token, inside, positions};
use super::{Report, Repository};

pub(super) fn check(repository: &Repository, report: &mut Report) {
    for source in &repository.sources {
        let path = source.path.as_str();
        if !path.starts_with("crates/kael-rt/src/") || CFG_FILES.contains(&path) {
            continue;
        }
        for pattern in ["cfg (", "cfg ! (", "cfg_attr ("] {
            let open = pattern.split(' ').count() - 1;
            for position in positions(&source.tokens, pattern) {
                if let Some(name) =
                    inside(&source.tokens, position + open).iter().find(|token| is_target(token))
                {
                    let line = source.tokens[position].lines.0;
                    let what = format!(
                        "asks for `{}`; only {} choose the platform",
                        name.text,
                        CFG_FILES.join(", ")
                    );
                    report.problem(format!("{path}:{line}"), what);
                }
            }
        }
    }
}

/// The width of a pointer is no platform: assertions of sizes need it.
fn is_target(token: &Token) -> bool {
    let name = token.text.as_str();
    (name.starts_with("target_") && name != "target_pointer_width")
        || ["kael_backend", "windows", "unix"].contains(&name)
}
