//! Which files the `mod` lines of a file lead to.

use syn::{Attribute, Expr, Item, Lit, Meta};

pub(super) struct Child {
    pub(super) name: String,
    /// The paths at which the compiler would look for it, in its order.
    pub(super) candidates: Vec<String>,
}

pub(super) fn children(path: &str, text: &str, is_root: bool) -> Result<Vec<Child>, String> {
    let file = syn::parse_file(text).map_err(|error| format!("is not a Rust file: {error}"))?;
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    // A root and a mod.rs have their children beside them, any other file in a folder of its name.
    let below = match is_root || name == "mod.rs" {
        true => folder.to_owned(),
        false => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    let mut children = Vec::new();
    collect(&file.items, folder, &below, &mut children);
    Ok(children)
}

fn collect(items: &[Item], folder: &str, below: &str, children: &mut Vec<Child>) {
    for item in items {
        match item {
            Item::Mod(module) => {
                let name = module.ident.to_string();
                let inline = module.content.as_ref().map(|(_, items)| items);
                match (inline, string_attribute(&module.attrs, "path")) {
                    (Some(items), _) => {
                        collect(items, folder, &format!("{below}/{name}"), children)
                    }
                    (None, Some(path)) => {
                        children.push(Child {
                            name,
                            candidates: vec![normal(&format!("{folder}/{path}"))],
                        });
                    }
                    (None, None) => {
                        let candidates =
                            vec![format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")];
                        children.push(Child { name, candidates });
                    }
                }
            }
            Item::Macro(call) if call.mac.path.is_ident("include") => {
                if let Ok(Lit::Str(file)) = call.mac.parse_body::<Lit>() {
                    let path = normal(&format!("{folder}/{}", file.value()));
                    children.push(Child { name: file.value(), candidates: vec![path] });
                }
            }
            _ => {}
        }
    }
}

/// The text of `#[name = "text"]`.
pub(super) fn string_attribute(attributes: &[Attribute], name: &str) -> Option<String> {
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
