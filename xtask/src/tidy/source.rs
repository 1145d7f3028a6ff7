//! One Rust file as tidy sees it.

use super::tokens::{Token, flatten, positions};
use proc_macro2::TokenStream;
use std::collections::BTreeSet;

pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
}

impl Source {
    pub(super) fn parse(path: &str, text: &str) -> Result<Source, String> {
        let stream: TokenStream =
            text.parse().map_err(|error| format!("{path} is not Rust: {error}"))?;
        Ok(Source { path: path.to_owned(), text: text.to_owned(), tokens: flatten(stream) })
    }

    /// The lines at which `pattern`, tokens divided by spaces, begins.
    pub(super) fn lines_with(&self, pattern: &str) -> Vec<usize> {
        positions(&self.tokens, pattern).map(|position| self.tokens[position].lines.0).collect()
    }

    pub(super) fn has(&self, pattern: &str) -> bool {
        positions(&self.tokens, pattern).next().is_some()
    }

    /// Lines with something on them that is not a comment.
    pub(super) fn lines_of_code(&self) -> usize {
        let lines: BTreeSet<usize> =
            self.tokens.iter().flat_map(|token| token.lines.0..=token.lines.1).collect();
        lines.len()
    }

    /// A file of tests or of examples, in any crate.
    pub(super) fn is_beside_the_product(&self) -> bool {
        ["/tests/", "/examples/", "/benches/"].iter().any(|folder| self.path.contains(folder))
    }
}
