//! [`Context`]: who runs a piece of code, and which code is only a test's.

use syn::Item;

/// Who runs the code at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Context {
    /// Whoever calls the function.
    Thread,
    /// Nobody knows: a closure that is given away.
    Elsewhere,
    /// A task: what blocks here, blocks others.
    Task,
    /// A thread that was begun or lent for what blocks. A future inside of it blocks nobody else.
    Lent,
}

impl Context {
    /// Of a closure that is given to the function or method `name`, whose whole path may be known.
    pub(crate) fn of_closure(self, name: &str, path: &str) -> Context {
        let lends = ["spawn_blocking", "block_in_place", "unblock", "spawn_blocking_with_handle"];
        if lends.contains(&name) || path == "std::thread::spawn" || path.starts_with("rayon::") {
            return Context::Lent;
        }
        if runs_inline(name) { self } else { Context::Elsewhere }
    }

    /// Of an async block inside.
    pub(crate) fn of_async_block(self) -> Context {
        if self == Context::Lent { Context::Lent } else { Context::Task }
    }
}

/// The functions of Option, Result, iterators and futures that call a closure where they are called or polled.
fn runs_inline(name: &str) -> bool {
    [
        "map",
        "map_err",
        "and_then",
        "or_else",
        "unwrap_or_else",
        "map_or",
        "map_or_else",
        "filter",
        "filter_map",
        "for_each",
        "flat_map",
        "find",
        "find_map",
        "any",
        "all",
        "fold",
        "try_for_each",
        "inspect",
        "then",
        "ok_or_else",
        "is_some_and",
        "is_ok_and",
        "retain",
        "or_insert_with",
        "with_context",
        "poll_fn",
        "take_while",
        "skip_while",
    ]
    .contains(&name)
}

/// A test's own function or module.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = attribute.path().segments.last().is_some_and(|last| last.ident == "test");
        is_test || is_cfg_test(attribute)
    })
}

/// `#[cfg(test)]`, also with `all(test, ..)`.
pub(crate) fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let tokens = list.tokens.to_string();
    list.path.is_ident("cfg") && (tokens == "test" || tokens.starts_with("all (test"))
}

pub(crate) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        _ => &[],
    }
}
