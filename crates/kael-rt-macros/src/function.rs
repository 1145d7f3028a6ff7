//! Takes an `async fn` apart, as far as it must be: what stands before it, its name, its return type, its body.
#![forbid(unsafe_code)]

use crate::Error;
use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

pub(crate) struct Function {
    /// Attributes and visibility.
    pub(crate) before: TokenStream,
    pub(crate) name: Ident,
    /// `()`.
    pub(crate) parameters: Group,
    /// `-> Type`, or nothing.
    pub(crate) output: TokenStream,
    pub(crate) body: Group,
}

impl Function {
    pub(crate) fn parse(macro_name: &str, tokens: TokenStream) -> Result<Function, Error> {
        let not_a_function =
            |span| Error::new(span, format!("#[{macro_name}] goes before an `async fn`"));
        let mut tokens = tokens.into_iter();

        let mut before = TokenStream::new();
        let mut is_async = false;
        let name = loop {
            let Some(token) = tokens.next() else { return Err(not_a_function(Span::call_site())) };
            match &token {
                TokenTree::Ident(word) => match word.to_string().as_str() {
                    "async" => {
                        is_async = true;
                        continue;
                    }
                    "fn" if !is_async => {
                        let message = format!(
                            "#[{macro_name}] needs an `async fn`: write `async` before `fn`"
                        );
                        return Err(Error::new(word.span(), message));
                    }
                    "fn" => match tokens.next() {
                        Some(TokenTree::Ident(name)) => break name,
                        _ => return Err(not_a_function(word.span())),
                    },
                    "pub" | "crate" => {}
                    "const" | "unsafe" | "extern" => {
                        let message = format!(
                            "#[{macro_name}] takes a plain `async fn`, not one that is `{word}`"
                        );
                        return Err(Error::new(word.span(), message));
                    }
                    _ => return Err(not_a_function(word.span())),
                },
                // `#` and `[..]` of an attribute, `(..)` of a visibility.
                TokenTree::Punct(mark) if mark.as_char() == '#' => {}
                TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {}
                _ => return Err(not_a_function(token.span())),
            }
            before.extend([token]);
        };

        let parameters = match tokens.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => group,
            Some(other) => {
                return Err(Error::new(
                    other.span(),
                    format!("a function under #[{macro_name}] cannot be generic"),
                ));
            }
            None => return Err(not_a_function(name.span())),
        };
        if !parameters.stream().is_empty() {
            let message = format!("a function under #[{macro_name}] takes no arguments");
            return Err(Error::new(parameters.span(), message));
        }

        let mut output: Vec<TokenTree> = tokens.collect();
        let body = match output.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group,
            _ => return Err(not_a_function(name.span())),
        };
        if let Some(word) = output.iter().find(|token| token.to_string() == "where") {
            return Err(Error::new(
                word.span(),
                format!("a function under #[{macro_name}] cannot be generic"),
            ));
        }
        Ok(Function { before, name, parameters, output: output.into_iter().collect(), body })
    }
}
