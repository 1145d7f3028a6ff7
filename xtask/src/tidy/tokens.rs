//! A Rust file as a flat list of tokens with their lines. Comments and the texts of documentation are not in it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[derive(Debug)]
pub(super) struct Token {
    pub(super) text: String,
    /// First and last line, from 1.
    pub(super) lines: (usize, usize),
}

pub(super) fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push(stream, &mut tokens);
    tokens
}

fn push(stream: TokenStream, tokens: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut index = 0;
    while index < trees.len() {
        if let Some(length) = documentation(&trees[index..]) {
            index += length;
            continue;
        }
        match &trees[index] {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(token(open, group.span_open()));
                push(group.stream(), tokens);
                tokens.push(token(close, group.span_close()));
            }
            tree => tokens.push(token(&tree.to_string(), tree.span())),
        }
        index += 1;
    }
}

fn token(text: &str, span: proc_macro2::Span) -> Token {
    Token { text: text.to_owned(), lines: (span.start().line, span.end().line) }
}

/// The length of a documentation comment, which the lexer gives as `#[doc = ".."]` or `#![doc = ".."]`.
fn documentation(trees: &[TokenTree]) -> Option<usize> {
    let is = |tree: Option<&TokenTree>, sign| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == sign);
    if !is(trees.first(), '#') {
        return None;
    }
    let group = if is(trees.get(1), '!') { 2 } else { 1 };
    let Some(TokenTree::Group(content)) = trees.get(group) else { return None };
    let mut content = content.stream().into_iter();
    let is_doc = matches!(content.next(), Some(TokenTree::Ident(name)) if name == "doc");
    (is_doc && is(content.next().as_ref(), '=')).then_some(group + 1)
}

/// The positions at which `pattern`, words divided by spaces, stands in `tokens`.
pub(super) fn positions<'a>(
    tokens: &'a [Token],
    pattern: &str,
) -> impl Iterator<Item = usize> + 'a {
    let pattern: Vec<String> = pattern.split(' ').map(str::to_owned).collect();
    (0..tokens.len()).filter(move |&start| {
        pattern
            .iter()
            .enumerate()
            .all(|(i, word)| tokens.get(start + i).is_some_and(|token| token.text == *word))
    })
}

/// The tokens inside the parentheses that open at `open`.
pub(super) fn inside(tokens: &[Token], open: usize) -> &[Token] {
    let mut depth = 0_usize;
    for (offset, token) in tokens[open..].iter().enumerate() {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &tokens[open + 1..open + offset.max(1)];
        }
    }
    &[]
}
