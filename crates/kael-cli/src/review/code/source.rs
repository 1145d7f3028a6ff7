//! [`Source`]: one Rust file, read within bounds. What is no text, no Rust, too long or too deep is an error that says so.

use super::macros;
use crate::review::finding::Text;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// Bytes of one file. Longer ones are made by programs, not by hand.
pub(crate) const MOST_BYTES: u64 = 4 << 20;
/// How deep the expressions of a file may lie in each other, counted in tokens that may begin one. The parser and each
/// look at the tree need so many frames of the stack; see [`super::super::STACK_BYTES`].
const MOST_DEPTH: usize = 8_192;
/// What a pair of brackets counts.
const BRACKET_DEPTH: usize = 32;

pub(crate) struct Source {
    pub(crate) text: Rc<Text>,
    /// With known macros written out.
    pub(crate) tree: syn::File,
    /// Where strings and documentation stand: a comment inside of one is none.
    pub(crate) literals: Vec<Range<usize>>,
    /// The names that stand before `::`, each once.
    pub(crate) crates: Vec<String>,
}

impl Source {
    /// Reads the file, which findings will call `name`.
    pub(crate) fn read(path: &Path, name: String) -> Result<Source, String> {
        let text = read_text(path)?;
        // Of the same length, so that all places stay.
        let text = match text.strip_prefix("#!") {
            Some(rest) if !rest.trim_start().starts_with('[') => format!("//{rest}"),
            _ => text,
        };
        proc_macro2::extra::invalidate_current_thread_spans();
        let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
            let start = error.span().start();
            format!("line {}, column {}: not Rust: {error}", start.line, start.column + 1)
        })?;
        let mut look = Look::default();
        look.at(tokens.clone())?;
        let mut tree = syn::parse2(tokens).map_err(|error| {
            let start = error.span().start();
            format!("line {}, column {}: not Rust: {error}", start.line, start.column + 1)
        })?;
        macros::write_out(&mut tree);
        let text = Rc::new(Text { path: name, text });
        Ok(Source { text, tree, literals: look.literals, crates: look.crates })
    }
}

/// A text of at most [`MOST_BYTES`]. What is not a plain file is not opened: a pipe would never end.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let is_plain = fs::metadata(path).map_err(|error| error.to_string())?.is_file();
    if !is_plain {
        return Err("not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!(
            "longer than {} MiB: leave it out with `exclude` in kael.toml",
            MOST_BYTES >> 20
        ));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 from byte {}", error.utf8_error().valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// One look at the tokens of a file before it is parsed, without recursion.
#[derive(Default)]
struct Look {
    literals: Vec<Range<usize>>,
    crates: Vec<String>,
}

/// The tokens of a pair of brackets that are still to be looked at.
struct Level {
    rest: std::iter::Peekable<proc_macro2::token_stream::IntoIter>,
    /// The depth at which it begins.
    begin: usize,
    /// The depth at the token that comes next.
    depth: usize,
    in_attribute: bool,
}

impl Level {
    fn new(tokens: TokenStream, begin: usize) -> Level {
        Level { rest: tokens.into_iter().peekable(), begin, depth: begin, in_attribute: false }
    }
}

impl Look {
    fn at(&mut self, tokens: TokenStream) -> Result<(), String> {
        let mut levels = vec![Level::new(tokens, 0)];
        let mut name: Option<String> = None;
        while let Some(level) = levels.last_mut() {
            let Some(token) = level.rest.next() else {
                levels.pop();
                continue;
            };
            // Attributes, each line of documentation among them, lie beside each other.
            match &token {
                TokenTree::Punct(sign) if sign.as_char() == '#' => level.in_attribute = true,
                TokenTree::Punct(sign) if level.in_attribute && sign.as_char() == '!' => {}
                _ if level.in_attribute => level.in_attribute = false,
                _ => level.depth += 1,
            }
            if level.depth > MOST_DEPTH {
                let line = token.span().start().line;
                return Err(format!(
                    "line {line}: an expression more than {MOST_DEPTH} tokens deep: leave the file out with `exclude` in kael.toml"
                ));
            }
            match token {
                TokenTree::Group(group) => {
                    let inner = Level::new(group.stream(), level.depth + BRACKET_DEPTH);
                    if group.delimiter() == Delimiter::Brace && ends(level.rest.peek()) {
                        level.depth = level.begin;
                    }
                    levels.push(inner);
                    name = None;
                }
                TokenTree::Punct(sign) => match sign.as_char() {
                    ';' | ',' => level.depth = level.begin,
                    ':' if sign.spacing() == proc_macro2::Spacing::Joint => {
                        if let Some(name) = name.take().filter(|name| !self.crates.contains(name)) {
                            self.crates.push(name);
                        }
                    }
                    _ => name = None,
                },
                TokenTree::Ident(ident) => name = Some(ident.to_string()),
                TokenTree::Literal(literal) => {
                    self.literals.push(literal.span().byte_range());
                    name = None;
                }
            }
        }
        Ok(())
    }
}

/// Whether a block that such a token follows is over: nothing goes on with it.
fn ends(next: Option<&TokenTree>) -> bool {
    match next {
        Some(TokenTree::Punct(sign)) => sign.as_char() == '#',
        Some(TokenTree::Ident(word)) => word != "else" && word != "as",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> Result<Look, String> {
        let mut look = Look::default();
        look.at(text.parse().unwrap()).map(|()| look)
    }

    #[test]
    fn depth_counts_what_lies_in_each_other_and_not_what_follows() {
        assert!(look(&"fn f() { g(1, 2); }\n".repeat(20_000)).is_ok());
        assert!(look(&"//! A line.\n".repeat(100_000)).is_ok());
        assert!(look(&format!("const T: [u8; 1] = [{}];", "1,".repeat(100_000))).is_ok());
        for (open, close) in [("!", ""), ("1+", ""), ("(", ")"), ("{", "}"), ("if a {} else ", "")]
        {
            let text =
                format!("fn f() {{ {}1{} }}", open.repeat(MOST_DEPTH), close.repeat(MOST_DEPTH));
            assert!(look(&text).is_err(), "{open}");
        }
    }

    #[test]
    fn names_before_colons_are_crates_or_may_be() {
        let look = look("use tokio::fs; fn f() { std::fs::read(\"a::b\") }").unwrap();
        assert_eq!(look.crates, ["tokio", "std", "fs"]);
        assert_eq!(look.literals.len(), 1);
    }
}
