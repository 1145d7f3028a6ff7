//! [`Names`]: what a path means, by the `use` lines that are in scope. `fs::read` is `std::fs::read` in one file and
//! `tokio::fs::read` in the next.

use std::collections::HashMap;
use syn::{Item, Path, UseTree};

/// Aliases of aliases are followed so often; a circle of them ends here.
const MOST_STEPS: usize = 8;

#[derive(Default)]
pub(crate) struct Names {
    /// Dependencies that Cargo.toml gives another name.
    renamed: HashMap<String, String>,
    /// `crate::a::b`
    module: String,
    scopes: Vec<HashMap<String, String>>,
}

/// What [`Names::leave_module`] puts back.
pub(crate) struct Around {
    module: String,
    scopes: Vec<HashMap<String, String>>,
}

impl Names {
    /// In the module `module`: `crate`, or `crate::a::b`.
    pub(crate) fn new(module: &str, renamed: &[(String, String)]) -> Names {
        let renamed = renamed.iter().cloned().collect();
        Names { renamed, module: module.to_owned(), scopes: Vec::new() }
    }

    /// The path of what is declared in this module.
    pub(crate) fn here(&self, name: &str) -> String {
        format!("{}::{name}", self.module)
    }

    /// Enters a module, of that name if it lies in this file: it sees nothing of what is around it.
    pub(crate) fn enter_module(&mut self, name: Option<&str>, items: &[Item]) -> Around {
        let inner = name.map_or_else(|| self.module.clone(), |name| self.here(name));
        let module = std::mem::replace(&mut self.module, inner);
        let around = Around { module, scopes: std::mem::take(&mut self.scopes) };
        self.enter_block(items);
        around
    }

    pub(crate) fn leave_module(&mut self, around: Around) {
        (self.module, self.scopes) = (around.module, around.scopes);
    }

    /// Enters a block with such items among its statements.
    pub(crate) fn enter_block<'a>(&mut self, items: impl IntoIterator<Item = &'a Item>) {
        let mut scope = HashMap::new();
        for item in items {
            // What is declared here hides a crate of that name.
            let declared = match item {
                Item::Use(item) => {
                    collect(&item.tree, String::new(), &mut scope);
                    continue;
                }
                Item::Type(item) => {
                    if let syn::Type::Path(of) = &*item.ty {
                        scope.insert(item.ident.to_string(), joined(&of.path));
                    }
                    continue;
                }
                Item::Mod(item) => &item.ident,
                Item::Struct(item) => &item.ident,
                Item::Enum(item) => &item.ident,
                Item::Trait(item) => &item.ident,
                Item::Fn(item) => &item.sig.ident,
                _ => continue,
            };
            scope.insert(declared.to_string(), self.here(&declared.to_string()));
        }
        self.scopes.push(scope);
    }

    pub(crate) fn leave_block(&mut self) {
        self.scopes.pop();
    }

    /// Whether a `use` line in scope brings in the item of that path.
    pub(crate) fn uses(&self, path: &str) -> bool {
        self.scopes.iter().any(|scope| scope.values().any(|target| target == path))
    }

    /// What one name alone means.
    pub(crate) fn resolve_name(&self, name: &str) -> String {
        self.resolve_text(name.to_owned())
    }

    /// The whole path, as far as it is known: `std::fs::read`.
    pub(crate) fn resolve(&self, path: &Path) -> String {
        self.resolve_text(joined(path))
    }

    fn resolve_text(&self, mut path: String) -> String {
        for _ in 0..MOST_STEPS {
            let (first, rest) = path.split_once("::").unwrap_or((&path, ""));
            let Some(target) = self.scopes.iter().rev().find_map(|scope| scope.get(first)) else {
                break;
            };
            let next = if rest.is_empty() { target.clone() } else { format!("{target}::{rest}") };
            // `use tokio;` names itself.
            let done = next.split("::").next() == Some(first) || next.starts_with("crate::");
            path = next;
            if done {
                break;
            }
        }
        match path.split_once("::") {
            Some(("self", rest)) => self.here(rest),
            Some(("super", rest)) => {
                let above = self.module.rsplit_once("::").map_or("crate", |(above, _)| above);
                format!("{above}::{rest}")
            }
            Some((first, rest)) if self.renamed.contains_key(first) => {
                format!("{}::{rest}", self.renamed[first])
            }
            _ => path,
        }
    }
}

fn joined(path: &Path) -> String {
    let segments: Vec<String> =
        path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    segments.join("::")
}

fn collect(tree: &UseTree, before: String, scope: &mut HashMap<String, String>) {
    let join = |name: &syn::Ident| {
        if before.is_empty() { name.to_string() } else { format!("{before}::{name}") }
    };
    match tree {
        UseTree::Path(path) => collect(&path.tree, join(&path.ident), scope),
        UseTree::Name(name) if name.ident == "self" => {
            if let Some(last) = before.rsplit("::").next() {
                scope.insert(last.to_owned(), before.clone());
            }
        }
        UseTree::Name(name) => drop(scope.insert(name.ident.to_string(), join(&name.ident))),
        UseTree::Rename(name) if name.ident == "self" => {
            scope.insert(name.rename.to_string(), before);
        }
        UseTree::Rename(name) => drop(scope.insert(name.rename.to_string(), join(&name.ident))),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| collect(tree, before.clone(), scope))
        }
        // What a glob brings in is not known. A name that it brings is not found, so nothing is said of it.
        UseTree::Glob(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(code: &str, path: &str) -> String {
        let file: syn::File = syn::parse_str(code).unwrap();
        let mut names = Names::new("crate::a", &[("tk".to_owned(), "tokio".to_owned())]);
        names.enter_module(None, &file.items);
        names.resolve(&syn::parse_str(path).unwrap())
    }

    #[test]
    fn the_same_words_mean_what_their_use_lines_say() {
        assert_eq!(resolved("use std::fs;", "fs::read"), "std::fs::read");
        assert_eq!(resolved("use tokio::fs;", "fs::read"), "tokio::fs::read");
        assert_eq!(resolved("use std::fs::{self, File as F};", "F::open"), "std::fs::File::open");
        assert_eq!(resolved("use std::fs as files;", "files::read"), "std::fs::read");
        assert_eq!(resolved("use tk::fs;", "fs::read"), "tokio::fs::read");
        assert_eq!(resolved("use tk::fs;", "tk::spawn"), "tokio::spawn");
        assert_eq!(resolved("use tokio; use tokio::fs;", "fs::read"), "tokio::fs::read");
        assert_eq!(resolved("mod std { }", "std::fs::read"), "crate::a::std::fs::read");
        assert_eq!(resolved("use super::b::read;", "read"), "crate::b::read");
        assert_eq!(resolved("", "self::read"), "crate::a::read");
        assert_eq!(resolved("type F = std::fs::File;", "F::open"), "std::fs::File::open");
        assert_eq!(resolved("use a::b; use b::a;", "a::x").split("::").last(), Some("x"));
    }
}
