//! Which files the `mod` lines of a file lead to.

use syn::{Attribute, Expr, Item, ItemMod, Lit, Meta};

pub(super) struct Child {
    pub(super) name: String,
    /// The paths at which the compiler would look for it, in its order.
    pub(super) candidates: Vec<String>,
}

pub(super) fn children(path: &str, text: &str, is_root: bool) -> Result<Vec<Child>, String> {
    let file = syn::parse_file(text).map_err(|error| format!("is not a Rust file: {error}"))?;
    let mut children = Vec::new();
    collect(&file.items, path, is_root, &mut Vec::new(), &mut children);
    Ok(children)
}

fn collect(
    items: &[Item],
    path: &str,
    is_root: bool,
    inline: &mut Vec<String>,
    children: &mut Vec<Child>,
) {
    for item in items {
        match item {
            Item::Mod(module) => {
                let name = module.ident.to_string();
                if let Some((_, items)) = &module.content {
                    inline.push(name);
                    collect(items, path, is_root, inline, children);
                    inline.pop();
                } else {
                    let candidates = candidates(path, is_root, inline, module);
                    children.push(Child { name, candidates });
                }
            }
            Item::Macro(call) if call.mac.path.is_ident("include") => {
                if let Ok(Lit::Str(file)) = call.mac.parse_body::<Lit>() {
                    let candidates = vec![normal(&format!("{}/{}", folder_of(path), file.value()))];
                    children.push(Child { name: file.value(), candidates });
                }
            }
            _ => {}
        }
    }
}

/// The paths at which the compiler looks for `mod name;` in the file `path`, inside the inline modules `inline`.
pub(super) fn candidates(
    path: &str,
    is_root: bool,
    inline: &[String],
    module: &ItemMod,
) -> Vec<String> {
    let folder = folder_of(path);
    if let Some(file) = string_attribute(&module.attrs, "path") {
        return vec![normal(&format!("{folder}/{file}"))];
    }
    // A root and a mod.rs have their children beside them, any other file in a folder of its name.
    let mut below = match is_root || path.ends_with("/mod.rs") {
        true => folder.to_owned(),
        false => path.trim_end_matches(".rs").to_owned(),
    };
    for name in inline {
        below = format!("{below}/{name}");
    }
    let name = module.ident.to_string();
    vec![format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")]
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The text of `#[name = "text"]`.
fn string_attribute(attributes: &[Attribute], name: &str) -> Option<String> {
    attributes.iter().find_map(|attribute| string_of(attribute, name))
}

pub(super) fn string_of(attribute: &Attribute, name: &str) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(literal) = &pair.value else { return None };
    match &literal.lit {
        Lit::Str(text) if pair.path.is_ident(name) => Some(text.value()),
        _ => None,
    }
}

/// Takes `.` and `..` out of a path.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str, is_root: bool) -> Vec<String> {
        children(path, text, is_root)
            .unwrap()
            .into_iter()
            .flat_map(|child| child.candidates)
            .collect()
    }

    #[test]
    fn children_lie_where_the_compiler_looks() {
        assert_eq!(paths("c/src/lib.rs", "mod a;", true), ["c/src/a.rs", "c/src/a/mod.rs"]);
        assert_eq!(paths("c/src/a.rs", "mod b;", false), ["c/src/a/b.rs", "c/src/a/b/mod.rs"]);
        assert_eq!(
            paths("c/src/a/mod.rs", "mod b { mod c; }", false),
            ["c/src/a/b/c.rs", "c/src/a/b/c/mod.rs"]
        );
        assert_eq!(paths("c/tests/t.rs", "#[path = \"../x/y.rs\"] mod y;", true), ["c/x/y.rs"]);
    }
}
