//! The options in the attribute's parentheses, and the expression that runs a future with them.
#![forbid(unsafe_code)]

use crate::{Error, method, parentheses, rust};
use proc_macro::{Ident, Span, TokenStream, TokenTree};

/// Each one is an expression, handed to the method of the builder of the same name.
#[derive(Default)]
pub(crate) struct Options {
    cores: Option<TokenStream>,
    start_paused: Option<TokenStream>,
}

impl Options {
    pub(crate) fn parse(macro_name: &str, tokens: TokenStream) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let name = match token {
                TokenTree::Ident(name) => name,
                other => return Err(unknown(macro_name, other.span(), &other.to_string())),
            };
            let mut value = Vec::new();
            let mut has_value = false;
            if tokens.next_if(|token| is_mark(token, '=')).is_some() {
                has_value = true;
                while let Some(token) = tokens.next_if(|token| !is_mark(token, ',')) {
                    value.push(token);
                }
            }
            if let Some(other) = tokens.next()
                && !is_mark(&other, ',')
            {
                return Err(Error::new(
                    other.span(),
                    format!("expected `,` or `=` after `{name}`"),
                ));
            }
            if has_value && value.is_empty() {
                return Err(Error::new(name.span(), format!("`{name} =` needs a value")));
            }
            options.set(macro_name, &name, has_value.then(|| value.into_iter().collect()))?;
        }
        Ok(options)
    }

    fn set(
        &mut self,
        macro_name: &str,
        name: &Ident,
        value: Option<TokenStream>,
    ) -> Result<(), Error> {
        let (place, value) = match name.to_string().as_str() {
            "cores" => {
                let example = "`cores` needs a value: `cores = 4`";
                (&mut self.cores, value.ok_or_else(|| Error::new(name.span(), example))?)
            }
            "start_paused" => (&mut self.start_paused, value.unwrap_or_else(|| rust("true"))),
            other => return Err(unknown(macro_name, name.span(), other)),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Error::new(name.span(), format!("`{name}` is given twice"))),
        }
    }

    /// The expression that runs `future` to its end.
    pub(crate) fn block_on(&self, future: TokenStream) -> TokenStream {
        if self.cores.is_none() && self.start_paused.is_none() {
            let mut tokens = rust("::kael_rt::block_on");
            tokens.extend([parentheses(future)]);
            return tokens;
        }
        let mut tokens = rust("::kael_rt::runtime::Builder::new()");
        for (name, value) in [("cores", &self.cores), ("start_paused", &self.start_paused)] {
            if let Some(value) = value {
                tokens.extend(method(name, value.clone()));
            }
        }
        tokens.extend(rust(
            ".build().unwrap_or_else(|error| ::core::panic!(\"the Kael runtime cannot start: {}\", error))",
        ));
        tokens.extend(method("block_on", future));
        tokens
    }
}

fn unknown(macro_name: &str, span: Span, name: &str) -> Error {
    Error::new(
        span,
        format!(
            "unknown option `{name}` of #[{macro_name}]: there are `cores = 4` and `start_paused`"
        ),
    )
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}
