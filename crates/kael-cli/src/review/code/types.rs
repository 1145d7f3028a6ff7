//! [`Types`]: what kind of thing a variable or a field is, as far as the file itself says it: by an annotation, or by the
//! call that made it. What is not known is [`Type::Unknown`], and no rule speaks of it.

use super::names::Names;
use super::walk::peel;
use std::collections::HashMap;
use syn::{Expr, Fields, FnArg, GenericArgument, Item, Member, Pat, PathArguments, ReturnType};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Type {
    #[default]
    Unknown,
    /// A whole path: `std::net::TcpStream`.
    Named(String),
    Tuple(Vec<Type>),
    /// Of so many bytes.
    Array(usize),
}

impl Type {
    pub(crate) fn is(&self, path: &str) -> bool {
        matches!(self, Type::Named(name) if name == path)
    }

    /// The last name of its path.
    pub(crate) fn name(&self) -> &str {
        match self {
            Type::Named(path) => path.rsplit("::").next().unwrap_or(path),
            _ => "",
        }
    }

    /// Of std or of a runtime: of whose types the names say what they are.
    pub(crate) fn is_of_a_runtime(&self) -> bool {
        let Type::Named(path) = self else { return false };
        let owner = path.split("::").next().unwrap_or("");
        path.contains("::")
            && (owner == "std" || super::runtime::Runtime::of_crate(owner).is_some())
    }

    pub(crate) fn is_socket(&self) -> bool {
        let names =
            ["TcpStream", "UnixStream", "OwnedWriteHalf", "OwnedReadHalf", "WriteHalf", "ReadHalf"];
        self.is_of_a_runtime() && names.contains(&self.name())
    }

    /// Each read and each write of it enters the kernel.
    pub(crate) fn is_unbuffered(&self) -> bool {
        self.is_socket() || (self.is_of_a_runtime() && self.name() == "File")
    }

    fn beside(&self, name: &str) -> Type {
        match self {
            Type::Named(path) => match path.rsplit_once("::") {
                Some((before, _)) => Type::Named(format!("{before}::{name}")),
                None => Type::Unknown,
            },
            _ => Type::Unknown,
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Binding {
    pub(crate) of: Type,
    /// It came from outside of the function.
    pub(crate) is_given: bool,
}

#[derive(Default)]
pub(crate) struct Types {
    /// By structure and field.
    fields: HashMap<(String, String), Type>,
    scopes: Vec<HashMap<String, Binding>>,
    /// What `Self` is here.
    pub(crate) this: String,
}

impl Types {
    pub(crate) fn enter(&mut self) {
        self.scopes.push(HashMap::new());
    }

    pub(crate) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// Enters a function, which sees no variable of what is around it. Give what this returns to [`Types::leave_function`].
    pub(crate) fn enter_function(&mut self) -> Vec<HashMap<String, Binding>> {
        std::mem::replace(&mut self.scopes, vec![HashMap::new()])
    }

    pub(crate) fn leave_function(&mut self, around: Vec<HashMap<String, Binding>>) {
        self.scopes = around;
    }

    pub(crate) fn learn_fields(&mut self, items: &[Item], names: &Names) {
        for item in items {
            let Item::Struct(item) = item else { continue };
            let Fields::Named(fields) = &item.fields else { continue };
            for field in &fields.named {
                if let Some(name) = &field.ident {
                    let key = (item.ident.to_string(), name.to_string());
                    self.fields.insert(key, of_annotation(&field.ty, names));
                }
            }
        }
    }

    pub(crate) fn parameter(&mut self, argument: &FnArg, names: &Names) {
        if let FnArg::Typed(argument) = argument {
            let of = of_annotation(&argument.ty, names);
            self.bind(&argument.pat, Binding { of, is_given: true }, names);
        }
    }

    pub(crate) fn bind(&mut self, pat: &Pat, binding: Binding, names: &Names) {
        match pat {
            Pat::Ident(pat) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(pat.ident.to_string(), binding);
                }
            }
            Pat::Type(pat) => {
                let of = of_annotation(&pat.ty, names);
                let of = if of == Type::Unknown { binding.of } else { of };
                self.bind(&pat.pat, Binding { of, ..binding }, names);
            }
            Pat::Reference(pat) => self.bind(&pat.pat, binding, names),
            Pat::TupleStruct(pat) if pat.elems.len() == 1 => {
                self.bind(&pat.elems[0], binding, names)
            }
            Pat::Tuple(pat) => {
                for (index, element) in pat.elems.iter().enumerate() {
                    let of = match &binding.of {
                        Type::Tuple(parts) => parts.get(index).cloned().unwrap_or_default(),
                        _ => Type::Unknown,
                    };
                    self.bind(element, Binding { of, ..binding.clone() }, names);
                }
            }
            Pat::TupleStruct(pat) => {
                for element in &pat.elems {
                    self.bind(element, Binding { of: Type::Unknown, ..binding.clone() }, names);
                }
            }
            Pat::Struct(pat) => {
                for field in &pat.fields {
                    self.bind(&field.pat, Binding { of: Type::Unknown, ..binding.clone() }, names);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn binding(&self, name: &str) -> Option<&Binding> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    /// Whether it was bound outside of the function, or is a field of `self`.
    pub(crate) fn is_given(&self, expr: &Expr) -> bool {
        match peel(expr) {
            Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|name| self.binding(&name.to_string()))
                .is_some_and(|binding| binding.is_given),
            Expr::Field(field) => {
                matches!(peel(&field.base), Expr::Path(base) if base.path.is_ident("self"))
            }
            _ => false,
        }
    }

    pub(crate) fn of(&self, expr: &Expr, names: &Names) -> Type {
        match peel(expr) {
            Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|name| self.binding(&name.to_string()))
                .map_or(Type::Unknown, |binding| binding.of.clone()),
            Expr::Field(field) => self.of_field(field, names),
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => {
                    let path = names.resolve(&path.path);
                    let first = call.args.first().map(|argument| self.of(argument, names));
                    of_call(&path, first.unwrap_or_default())
                }
                _ => Type::Unknown,
            },
            Expr::MethodCall(call) => {
                of_method(self.of(&call.receiver, names), &call.method.to_string())
            }
            Expr::Repeat(array) => match &*array.len {
                Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(len), .. }) => {
                    len.base10_parse().map_or(Type::Unknown, Type::Array)
                }
                _ => Type::Unknown,
            },
            Expr::Struct(made) => Type::Named(names.resolve(&made.path)),
            _ => Type::Unknown,
        }
    }

    fn of_field(&self, field: &syn::ExprField, names: &Names) -> Type {
        let Member::Named(member) = &field.member else { return Type::Unknown };
        let owner = match peel(&field.base) {
            Expr::Path(path) if path.path.is_ident("self") => self.this.clone(),
            base => self.of(base, names).name().to_owned(),
        };
        self.fields.get(&(owner, member.to_string())).cloned().unwrap_or_default()
    }
}

/// What a function of that path returns: `T::new(..)` a `T`.
fn of_call(path: &str, first: Type) -> Type {
    match path {
        "std::thread::spawn" => return Type::Named("std::thread::JoinHandle".to_owned()),
        "std::sync::mpsc::channel" | "std::sync::mpsc::sync_channel" => {
            let end = |name: &str| Type::Named(format!("std::sync::mpsc::{name}"));
            return Type::Tuple(vec![end("Sender"), end("Receiver")]);
        }
        "std::fs::File::options" => return Type::Named("std::fs::OpenOptions".to_owned()),
        "tokio::fs::File::options" => return Type::Named("tokio::fs::OpenOptions".to_owned()),
        "std::io::stdin" => return Type::Named("std::io::Stdin".to_owned()),
        _ => {}
    }
    let Some((of, function)) = path.rsplit_once("::") else { return Type::Unknown };
    let owner = of.rsplit("::").next().unwrap_or(of);
    if ["Arc", "Rc", "Box", "Some", "Ok"].contains(&owner) || owner.is_empty() {
        return first;
    }
    let makes = [
        "new",
        "open",
        "create",
        "create_new",
        "connect",
        "bind",
        "default",
        "from_std",
        "from",
        "with_capacity",
    ];
    let is_type = owner.starts_with(|c: char| c.is_ascii_uppercase());
    if is_type && makes.contains(&function) { Type::Named(of.to_owned()) } else { Type::Unknown }
}

fn of_method(of: Type, method: &str) -> Type {
    match (of.name(), method) {
        ("", _) => Type::Unknown,
        ("OpenOptions", "open") => of.beside("File"),
        ("OpenOptions", _) => of,
        ("Command", "spawn") => of.beside("Child"),
        ("Command", "output" | "status") => Type::Unknown,
        ("Command", _) => of,
        ("TcpListener", "accept") => Type::Tuple(vec![of.beside("TcpStream"), Type::Unknown]),
        ("UnixListener", "accept") => Type::Tuple(vec![of.beside("UnixStream"), Type::Unknown]),
        ("TcpStream" | "UnixStream", "split" | "into_split") => {
            Type::Tuple(vec![of.beside("OwnedReadHalf"), of.beside("OwnedWriteHalf")])
        }
        (_, "try_clone" | "clone" | "by_ref" | "as_mut" | "as_ref" | "borrow_mut" | "borrow") => of,
        ("Stdin", "lock") => of,
        ("Path" | "PathBuf", "join" | "parent" | "to_path_buf" | "with_extension") => {
            of.beside("PathBuf")
        }
        _ => Type::Unknown,
    }
}

/// The type that is written there; what only holds another is that other.
fn of_annotation(annotation: &syn::Type, names: &Names) -> Type {
    match annotation {
        syn::Type::Reference(reference) => of_annotation(&reference.elem, names),
        syn::Type::Paren(inner) => of_annotation(&inner.elem, names),
        syn::Type::Path(path) if path.qself.is_none() => {
            let resolved = names.resolve(&path.path);
            let last = path.path.segments.last();
            let inner = last.and_then(|segment| match &segment.arguments {
                PathArguments::AngleBracketed(list) => list.args.iter().find_map(|arg| match arg {
                    GenericArgument::Type(inner) => Some(inner),
                    _ => None,
                }),
                _ => None,
            });
            let holds = last.is_some_and(|segment| {
                ["Arc", "Rc", "Box", "Pin", "Option"].iter().any(|name| segment.ident == name)
            });
            match inner {
                Some(inner) if holds => of_annotation(inner, names),
                _ => Type::Named(resolved),
            }
        }
        syn::Type::Tuple(tuple) => {
            Type::Tuple(tuple.elems.iter().map(|element| of_annotation(element, names)).collect())
        }
        _ => Type::Unknown,
    }
}

/// Whether a function of that signature is polled: it has a `Context` of tasks.
pub(crate) fn is_poll(signature: &syn::Signature, names: &Names) -> bool {
    let has_context = signature.inputs.iter().any(|argument| match argument {
        FnArg::Typed(argument) => of_annotation(&argument.ty, names).is("std::task::Context"),
        FnArg::Receiver(_) => false,
    });
    let returns_poll = match &signature.output {
        ReturnType::Type(_, of) => of_annotation(of, names).name() == "Poll",
        ReturnType::Default => false,
    };
    has_context && returns_poll
}
