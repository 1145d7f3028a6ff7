//! The items that a user of the library can name, found by following `pub mod` and `pub use` from the crate's root.
//! Items that a macro makes are not seen: the project does not make items by macros.

use super::super::Repository;
use super::library::{self, Module, documentation, is_hidden};
use std::collections::BTreeMap;
use syn::spanned::Spanned;
use syn::{ImplItem, ItemImpl, ItemTrait, TraitItem, Type, UseTree, Visibility};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    /// A method or an associated constant.
    Method,
    Other,
}

pub(super) struct Item {
    /// As a user writes it, without the crate.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) documentation: String,
    /// The documentation of what it belongs to.
    pub(super) around: String,
    /// File and line.
    pub(super) place: String,
}

const LIBRARY: &str = "crates/kael-rt/src/lib.rs";
/// The crate whose macros the library shows as its own, by its name in paths.
const MACROS: (&str, &str) = ("kael_rt_macros", "crates/kael-rt-macros/src/lib.rs");

pub(super) fn items(repository: &Repository) -> Result<Vec<Item>, String> {
    let root = library::read(repository, LIBRARY)?;
    let macros = library::read(repository, MACROS.1)?;
    let mut api =
        Api { root: &root, macros: &macros, items: BTreeMap::new(), types: BTreeMap::new() };
    api.module(&At { module: &root, path: Vec::new() }, &[]);
    for module in root.all() {
        for item in &module.items {
            if let syn::Item::Impl(block) = item {
                api.methods(block, module);
            }
        }
    }
    Ok(api.items.into_values().collect())
}

struct Api<'a> {
    root: &'a Module,
    macros: &'a Module,
    /// By place, so that an item with two public names counts once.
    items: BTreeMap<String, Item>,
    /// Public types by their own names: public name and documentation.
    types: BTreeMap<String, (String, String)>,
}

/// A module and the path from the crate's root to it.
struct At<'a> {
    module: &'a Module,
    path: Vec<String>,
}

impl<'a> Api<'a> {
    /// All public items of a module that a user can name, under the public path `seen_as`.
    fn module(&mut self, at: &At<'a>, seen_as: &[String]) {
        for item in &at.module.items {
            match item {
                syn::Item::Use(line) if is_public(&line.vis) && !is_hidden(&line.attrs) => {
                    let more = documentation(&line.attrs);
                    for leaf in leaves(&line.tree) {
                        self.reexport(at, &leaf, &leaf.shown, seen_as, &more);
                    }
                }
                item => self.item(item, at.module, seen_as, None, ""),
            }
        }
        for child in at.module.children.iter().filter(|child| child.is_public) {
            let below = At { module: child, path: with(&at.path, &child.name) };
            self.module(&below, &with(seen_as, &child.name));
        }
    }

    /// One item, under its own name or the one that a `pub use` gives it. `more` is the documentation of that line.
    fn item(
        &mut self,
        item: &syn::Item,
        module: &Module,
        seen_as: &[String],
        renamed: Option<&str>,
        more: &str,
    ) {
        let Some((name, visibility, attributes, kind)) = head(item) else { return };
        if !visibility.is_none_or(is_public) || is_hidden(attributes) {
            return;
        }
        let own = format!("{more}\n{}", documentation(attributes));
        let shown = with(seen_as, renamed.unwrap_or(&name)).join("::");
        if matches!(
            item,
            syn::Item::Struct(_) | syn::Item::Enum(_) | syn::Item::Union(_) | syn::Item::Trait(_)
        ) {
            self.types.entry(name).or_insert_with(|| (shown.clone(), own.clone()));
        }
        if let syn::Item::Trait(definition) = item {
            self.trait_methods(definition, module, &shown, &own);
        }
        self.add(shown, kind, own, module.documentation.clone(), place(module, item.span()));
    }

    /// One leaf of a `pub use` that stands at `at`, shown to users as `shown`.
    fn reexport(&mut self, at: &At<'a>, leaf: &Leaf, shown: &str, seen_as: &[String], more: &str) {
        if leaf.path.first().is_some_and(|first| first == MACROS.0) {
            let more = format!("{more}\n{}", at.module.documentation);
            return self.named(self.macros, &leaf.name, shown, seen_as, &more);
        }
        // What does not resolve belongs to another crate, and has its documentation there.
        let Some(target) = self.resolve(at, &leaf.path) else { return };
        if leaf.is_glob {
            return self.module(&target, seen_as);
        }
        if let Some(child) = target.module.child(&leaf.name) {
            let child = At { module: child, path: with(&target.path, &leaf.name) };
            return self.module(&child, &with(seen_as, shown));
        }
        self.named(target.module, &leaf.name, shown, seen_as, more);
        // A chain: the target has the name from somewhere else.
        for item in &target.module.items {
            if let syn::Item::Use(line) = item
                && !std::ptr::eq(target.module, at.module)
            {
                for next in leaves(&line.tree).iter().filter(|next| next.shown == leaf.name) {
                    self.reexport(&target, next, shown, seen_as, more);
                }
            }
        }
    }

    /// The items of `module` whose own name is `name`.
    fn named(&mut self, module: &Module, name: &str, shown: &str, seen_as: &[String], more: &str) {
        for item in &module.items {
            if head(item).is_some_and(|(own, ..)| own == name) {
                self.item(item, module, seen_as, Some(shown), more);
            }
        }
    }

    /// The module that the path of a use line names, seen from `at`.
    fn resolve(&self, at: &At<'a>, line: &[String]) -> Option<At<'a>> {
        let mut path = at.path.clone();
        let mut rest = line;
        match line.first().map(String::as_str) {
            Some("crate") => {
                path.clear();
                rest = &line[1..];
            }
            Some("self") => rest = &line[1..],
            _ => {
                while rest.first().is_some_and(|first| first == "super") {
                    path.pop()?;
                    rest = &rest[1..];
                }
            }
        }
        path.extend_from_slice(rest);
        self.root.descend(&path).map(|module| At { module, path })
    }

    /// The public methods of an inherent `impl` block, when its type is public.
    fn methods(&mut self, block: &ItemImpl, module: &Module) {
        if block.trait_.is_some() || is_hidden(&block.attrs) {
            return;
        }
        let Type::Path(path) = &*block.self_ty else { return };
        let Some(name) = path.path.segments.last().map(|segment| segment.ident.to_string()) else {
            return;
        };
        let Some((shown, around)) = self.types.get(&name).cloned() else { return };
        for item in &block.items {
            let (ident, visibility, attributes) = match item {
                ImplItem::Fn(method) => (&method.sig.ident, &method.vis, &method.attrs),
                ImplItem::Const(constant) => (&constant.ident, &constant.vis, &constant.attrs),
                _ => continue,
            };
            if is_public(visibility) && !is_hidden(attributes) {
                let around = format!("{around}\n{}", documentation(&block.attrs));
                let name = format!("{shown}::{ident}");
                self.add(
                    name,
                    Kind::Method,
                    documentation(attributes),
                    around,
                    place(module, ident.span()),
                );
            }
        }
    }

    fn trait_methods(
        &mut self,
        definition: &ItemTrait,
        module: &Module,
        shown: &str,
        around: &str,
    ) {
        for item in &definition.items {
            if let TraitItem::Fn(method) = item
                && !is_hidden(&method.attrs)
            {
                let name = format!("{shown}::{}", method.sig.ident);
                let own = documentation(&method.attrs);
                let place = place(module, method.sig.ident.span());
                self.add(name, Kind::Method, own, around.to_owned(), place);
            }
        }
    }

    fn add(
        &mut self,
        name: String,
        kind: Kind,
        documentation: String,
        around: String,
        place: String,
    ) {
        let item = Item { name, kind, documentation, around, place: place.clone() };
        self.items.entry(place).or_insert(item);
    }
}

type Head<'i> = (String, Option<&'i Visibility>, &'i [syn::Attribute], Kind);

/// Name, visibility (none: a macro that is exported), attributes and kind.
fn head(item: &syn::Item) -> Option<Head<'_>> {
    let (name, visibility, attributes, kind) = match item {
        syn::Item::Fn(item) => (&item.sig.ident, &item.vis, &item.attrs, Kind::Function),
        syn::Item::Struct(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Enum(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Union(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Trait(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Type(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Const(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Static(item) => (&item.ident, &item.vis, &item.attrs, Kind::Other),
        syn::Item::Macro(item) if item.attrs.iter().any(|a| a.path().is_ident("macro_export")) => {
            return item
                .ident
                .as_ref()
                .map(|name| (name.to_string(), None, item.attrs.as_slice(), Kind::Other));
        }
        _ => return None,
    };
    Some((name.to_string(), Some(visibility), attributes, kind))
}

/// One name that a use line brings in.
struct Leaf {
    path: Vec<String>,
    name: String,
    shown: String,
    is_glob: bool,
}

fn leaves(tree: &UseTree) -> Vec<Leaf> {
    let leaf =
        |name: String, shown: String| vec![Leaf { path: Vec::new(), name, shown, is_glob: false }];
    match tree {
        UseTree::Path(step) => {
            let mut below = leaves(&step.tree);
            for leaf in &mut below {
                leaf.path.insert(0, step.ident.to_string());
            }
            below
        }
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        UseTree::Name(name) => leaf(name.ident.to_string(), name.ident.to_string()),
        UseTree::Rename(rename) => leaf(rename.ident.to_string(), rename.rename.to_string()),
        UseTree::Glob(_) => {
            vec![Leaf {
                path: Vec::new(),
                name: String::new(),
                shown: String::new(),
                is_glob: true,
            }]
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn with(path: &[String], name: &str) -> Vec<String> {
    let mut path = path.to_vec();
    path.push(name.to_owned());
    path
}

/// Lines padded, so that the list is in the order of the files.
fn place(module: &Module, span: proc_macro2::Span) -> String {
    format!("{}:{:04}", module.file, span.start().line)
}
