//! [`Modules`]: the files of a crate, one after another, by its `mod` lines. Each file is given once, whatever links and
//! `#[path]` say; what no `mod` line leads to is not part of the crate.

use crate::review::code::context::is_cfg_test;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

/// Files of one review. A larger project is reviewed package by package.
pub(crate) const MOST_FILES: usize = 20_000;

pub(crate) struct Modules {
    open: Vec<Module>,
    seen: HashSet<PathBuf>,
    with_tests: bool,
}

#[derive(Clone)]
pub(crate) struct Module {
    pub(crate) path: PathBuf,
    /// The folder in which its own modules lie.
    below: PathBuf,
    /// `crate`, or `crate::a::b`.
    pub(crate) name: String,
}

impl Modules {
    pub(crate) fn new(with_tests: bool) -> Modules {
        Modules { open: Vec::new(), seen: HashSet::new(), with_tests }
    }

    pub(crate) fn add_root(&mut self, path: PathBuf) {
        let below = path.parent().unwrap_or(Path::new("")).to_owned();
        self.open.push(Module { path, below, name: "crate".to_owned() });
    }

    /// The next file that was not given yet.
    pub(crate) fn next(&mut self) -> Option<Module> {
        while let Some(module) = self.open.pop() {
            let whole = std::fs::canonicalize(&module.path).unwrap_or_else(|_| module.path.clone());
            if self.seen.insert(whole) {
                return Some(module);
            }
        }
        None
    }

    pub(crate) fn given(&self) -> usize {
        self.seen.len()
    }

    /// Takes the `mod` lines of that file.
    pub(crate) fn follow(&mut self, module: &Module, items: &[Item]) {
        let folder = module.path.parent().unwrap_or(Path::new("")).to_owned();
        self.collect(items, &folder, &module.below, &module.name, false);
    }

    fn collect(
        &mut self,
        items: &[Item],
        folder: &Path,
        below: &Path,
        outer: &str,
        is_inline: bool,
    ) {
        for item in items {
            let Item::Mod(module) = item else { continue };
            if !self.with_tests && module.attrs.iter().any(is_cfg_test) {
                continue;
            }
            let name = module.ident.to_string();
            let name = name.trim_start_matches("r#");
            let whole = format!("{outer}::{name}");
            if let Some((_, items)) = &module.content {
                let inner = below.join(path_attribute(module).as_deref().unwrap_or(name));
                self.collect(items, folder, &inner, &whole, true);
                continue;
            }
            // `#[path]` is relative to the file, and inside of an inline module to that module's folder.
            let from = if is_inline { below } else { folder };
            let candidates = match path_attribute(module) {
                Some(path) => {
                    vec![(from.join(&path), from.join(path).parent().unwrap_or(from).to_owned())]
                }
                None => vec![
                    (below.join(format!("{name}.rs")), below.join(name)),
                    (below.join(name).join("mod.rs"), below.join(name)),
                ],
            };
            // One that is not there is made by a build script, or is not of this platform.
            let found = candidates.into_iter().find(|(path, _)| path.exists());
            self.open.extend(found.map(|(path, below)| Module { path, below, name: whole }));
        }
    }
}

fn path_attribute(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}
