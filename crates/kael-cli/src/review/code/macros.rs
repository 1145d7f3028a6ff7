//! Known macros are written out as ordinary expressions before anything is looked for, so that no rule has to know them:
//!
//! ```text
//!   select! { p = f => b }     #[select] match (f,).await { p => b }
//!   join!(a, b)                (a, b).await
//!   println!("..", a)          (&"..", &a,)
//!   write!(w, "..", a)         w.write(&"..", &a)
//!   pin!(a)                    (a)
//!   vec![a, b]                 [a, b]           `vec![a; n]` stays as it is
//!   cfg_if! { if #[c] { i } }  i                and any other `cfg_..!` of items
//! ```
//!
//! What cannot be read as Rust stays a macro, and nothing is said of it.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Item, Macro, Pat, Stmt, Token};

/// Marks the `match` that was a `select!`.
pub(crate) const SELECT: &str = "select";

pub(crate) fn write_out(file: &mut syn::File) {
    WriteOut.visit_file_mut(file);
}

struct WriteOut;

impl VisitMut for WriteOut {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        open_items(&mut file.items);
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            open_items(items);
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if let Expr::Macro(call) = expr
            && let Some(written) = written_out(&call.mac)
        {
            *expr = written;
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        if let Stmt::Macro(call) = statement {
            let (attrs, mac) = (std::mem::take(&mut call.attrs), call.mac.clone());
            let call = Expr::Macro(syn::ExprMacro { attrs, mac });
            *statement = Stmt::Expr(call, Some(Token![;](Span::call_site())));
        }
        visit_mut::visit_stmt_mut(self, statement);
    }
}

/// Items in a macro whose name begins with `cfg_` stand where the macro stands; which of them are compiled is not asked.
fn open_items(items: &mut Vec<Item>) {
    let mut open = std::mem::take(items);
    open.reverse();
    while let Some(item) = open.pop() {
        let inner = match &item {
            Item::Macro(call) => items_of_cfg(&call.mac),
            _ => None,
        };
        match inner {
            Some(inner) => open.extend(inner.into_iter().rev()),
            None => items.push(item),
        }
    }
}

fn items_of_cfg(call: &Macro) -> Option<Vec<Item>> {
    let name = call.path.segments.last()?.ident.to_string();
    if !name.starts_with("cfg_") {
        return None;
    }
    let parse = |tokens: TokenStream| syn::parse2::<syn::File>(tokens).ok().map(|file| file.items);
    if name != "cfg_if" {
        return parse(call.tokens.clone());
    }
    // `if #[cfg(..)] { .. } else { .. }`
    let blocks = call.tokens.clone().into_iter().filter_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => parse(group.stream()),
        _ => None,
    });
    Some(blocks.flatten().collect())
}

fn written_out(call: &Macro) -> Option<Expr> {
    let name = &call.path.segments.last()?.ident;
    let span = name.span();
    let tokens = call.tokens.clone();
    let written = match name.to_string().as_str() {
        "select" | "select_biased" => select(tokens, span)?,
        "join" | "try_join" => {
            let futures = biased_list(tokens)?;
            quote_spanned!(span=> (#futures,).await)
        }
        "pin" => {
            let expr: Expr = syn::parse2(tokens).ok()?;
            quote_spanned!(span=> (#expr))
        }
        "vec" => {
            let items = list(tokens).filter(|items| !items.is_empty())?;
            quote_spanned!(span=> [#items])
        }
        "write" | "writeln" => {
            let mut parts = list(tokens)?.into_iter();
            let (to, rest) = (parts.next()?, parts.map(value_of_argument));
            quote_spanned!(span=> #to.#name(#(&#rest),*))
        }
        "print" | "println" | "eprint" | "eprintln" | "format" | "panic" | "trace" | "debug"
        | "info" | "warn" | "error" | "assert" | "assert_eq" | "assert_ne" | "debug_assert"
        | "bail" | "anyhow" | "ensure" => {
            let parts = list(tokens)?.into_iter().map(value_of_argument);
            match name == "panic" || name == "bail" {
                true => quote_spanned!(span=> return (#(&#parts,)*)),
                false => quote_spanned!(span=> (#(&#parts,)*)),
            }
        }
        _ => return None,
    };
    syn::parse2(written).ok()
}

/// `name = value` of a format is the value.
fn value_of_argument(argument: Expr) -> Expr {
    match argument {
        Expr::Assign(named) => *named.right,
        argument => argument,
    }
}

fn list(tokens: TokenStream) -> Option<Punctuated<Expr, Token![,]>> {
    Punctuated::parse_terminated.parse2(tokens).ok()
}

/// The futures of `join!`, which may begin with `biased;`.
fn biased_list(tokens: TokenStream) -> Option<Punctuated<Expr, Token![,]>> {
    let mut futures = (|input: ParseStream| {
        skip_biased(input)?;
        Punctuated::parse_terminated(input)
    })
    .parse2(tokens)
    .ok()?;
    futures.pop_punct();
    Some(futures)
}

fn skip_biased(input: ParseStream) -> syn::Result<()> {
    if input.peek(syn::Ident) && input.peek2(Token![;]) {
        input.parse::<syn::Ident>()?;
        input.parse::<Token![;]>()?;
    }
    Ok(())
}

fn select(tokens: TokenStream, span: Span) -> Option<TokenStream> {
    let Branches(branches) = syn::parse2(tokens).ok()?;
    let futures = branches.iter().filter_map(|branch| branch.future.as_ref());
    let arms = branches.iter().map(|branch| {
        let (pat, body) = (&branch.pat, &branch.body);
        quote_spanned!(span=> #pat => #body,)
    });
    let mark = syn::Ident::new(SELECT, span);
    Some(quote_spanned!(span=> #[#mark] match (#(#futures,)*).await { #(#arms)* }))
}

struct Branches(Vec<Branch>);

struct Branch {
    pat: Pat,
    /// None of `else`, `default` and `complete`.
    future: Option<Expr>,
    body: Expr,
}

impl Parse for Branches {
    fn parse(input: ParseStream) -> syn::Result<Branches> {
        skip_biased(input)?;
        let mut branches = Vec::new();
        while !input.is_empty() {
            branches.push(input.parse()?);
        }
        Ok(Branches(branches))
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream) -> syn::Result<Branch> {
        let is_other =
            input.peek(Token![else]) || (input.peek(syn::Ident) && input.peek2(Token![=>]));
        let (pat, future) = if is_other {
            <syn::Ident as syn::ext::IdentExt>::parse_any(input)?;
            (
                Pat::Wild(syn::PatWild {
                    attrs: Vec::new(),
                    underscore_token: Token![_](input.span()),
                }),
                None,
            )
        } else {
            let pat = Pat::parse_multi_with_leading_vert(input)?;
            input.parse::<Token![=]>()?;
            (pat, Some(input.parse()?))
        };
        if input.peek(Token![,]) && input.peek2(Token![if]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            input.parse::<Expr>()?;
        }
        input.parse::<Token![=>]>()?;
        let body = if input.peek(syn::token::Brace) {
            let block: Block = input.parse()?;
            Expr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block })
        } else {
            input.parse()?
        };
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        Ok(Branch { pat, future, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;

    fn written(code: &str) -> String {
        let mut file: syn::File = syn::parse_str(&format!("fn f() {{ {code}; }}")).unwrap();
        write_out(&mut file);
        file.to_token_stream().to_string().replace(' ', "")
    }

    #[test]
    fn select_is_a_match_on_all_its_futures() {
        let out = written(
            "select! { biased; Some(x) = a.next(), if ok => g(x), _ = b => {} else => h() }",
        );
        assert!(out.contains("#[select]match(a.next(),b,).await{Some(x)=>g(x),_=>{}"), "{out}");
    }

    #[test]
    fn others_are_what_they_evaluate() {
        assert!(written("join!(a, b)").contains("(a,b,).await"));
        assert!(written("println!(\"{} {y}\", a, y = b)").contains("(&\"{}{y}\",&a,&b,)"));
        assert!(written("writeln!(w, \"{}\", a)").contains("w.writeln(&\"{}\",&a)"));
        assert!(written("vec![0; 9]").contains("vec![0;9]"));
        let mut file: syn::File = syn::parse_str(
            "cfg_if! { if #[cfg(unix)] { mod a; } else { mod b; } } cfg_net! { mod c; }",
        )
        .unwrap();
        write_out(&mut file);
        assert_eq!(file.to_token_stream().to_string(), "mod a ; mod b ; mod c ;");
        assert!(written("mine!(a b c)").contains("mine!(abc)"));
    }
}
