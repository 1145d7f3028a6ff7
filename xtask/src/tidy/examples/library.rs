//! A crate's modules, read from its files as a tree.

use super::super::Repository;
use super::super::module_tree::{self, string_of};
use syn::{Attribute, Item, ItemMod, Visibility};

pub(super) struct Module {
    pub(super) name: String,
    pub(super) is_public: bool,
    pub(super) documentation: String,
    pub(super) file: String,
    pub(super) items: Vec<Item>,
    pub(super) children: Vec<Module>,
}

impl Module {
    pub(super) fn child(&self, name: &str) -> Option<&Module> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The module that `path` leads to from here.
    pub(super) fn descend(&self, path: &[String]) -> Option<&Module> {
        path.iter().try_fold(self, |module, name| module.child(name))
    }

    /// This module and all below it.
    pub(super) fn all(&self) -> Vec<&Module> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Module::all));
        all
    }
}

pub(super) fn read(repository: &Repository, root: &str) -> Result<Module, String> {
    let source = repository.source(root).ok_or_else(|| format!("{root} does not exist"))?;
    let file = syn::parse_file(&source.text).map_err(|error| format!("{root}: {error}"))?;
    let place = Place { file: root.to_owned(), is_root: true, inline: Vec::new() };
    module(repository, "crate", true, documentation(&file.attrs), file.items, &place)
}

/// Where a module's text stands: a file, and inside it a chain of inline modules.
struct Place {
    file: String,
    is_root: bool,
    inline: Vec<String>,
}

fn module(
    repository: &Repository,
    name: &str,
    is_public: bool,
    documentation: String,
    items: Vec<Item>,
    place: &Place,
) -> Result<Module, String> {
    let mut children = Vec::new();
    for item in &items {
        if let Item::Mod(declaration) = item
            && !is_only_for_tests(&declaration.attrs)
            && !is_hidden(&declaration.attrs)
        {
            children.extend(child(repository, declaration, place)?);
        }
    }
    let file = place.file.clone();
    Ok(Module { name: name.to_owned(), is_public, documentation, file, items, children })
}

/// A `mod` line or block. A file that is missing is another rule's problem.
fn child(
    repository: &Repository,
    declaration: &ItemMod,
    place: &Place,
) -> Result<Option<Module>, String> {
    let name = declaration.ident.to_string();
    let is_public = matches!(declaration.vis, Visibility::Public(_));
    let outer = documentation(&declaration.attrs);
    if let Some((_, items)) = &declaration.content {
        let mut inline = place.inline.clone();
        inline.push(name.clone());
        let place = Place { file: place.file.clone(), is_root: place.is_root, inline };
        return module(repository, &name, is_public, outer, items.clone(), &place).map(Some);
    }
    let candidates =
        module_tree::candidates(&place.file, place.is_root, &place.inline, declaration);
    let Some(source) = candidates.iter().find_map(|path| repository.source(path)) else {
        return Ok(None);
    };
    let file =
        syn::parse_file(&source.text).map_err(|error| format!("{}: {error}", source.path))?;
    let place = Place { file: source.path.clone(), is_root: false, inline: Vec::new() };
    let inner = documentation(&file.attrs);
    module(repository, &name, is_public, format!("{outer}\n{inner}"), file.items, &place).map(Some)
}

/// The text of an item's documentation comments.
pub(super) fn documentation(attributes: &[Attribute]) -> String {
    let lines: Vec<String> =
        attributes.iter().filter_map(|attribute| string_of(attribute, "doc")).collect();
    lines.join("\n")
}

pub(super) fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("doc")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "hidden")
    })
}

fn is_only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}
