//! `#[kael_rt::main]` and `#[kael_rt::test]`: an `async fn` without parameters becomes a function that runs it in a
//! runtime of its own. The compiler's own token types are enough for that; there is no parser of Rust in here.
#![forbid(unsafe_code)]

mod function;
mod options;

use function::Function;
use options::Options;
use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Runs an `async fn main` in a runtime on the main thread.
///
/// `#[kael_rt::main]` is `kael_rt::block_on`. Options make it a `kael_rt::runtime::Builder`: `cores = 1` (any
/// expression of the type that `Builder::cores` takes) and `start_paused` or `start_paused = true`.
/// Return types work as usual. It panics with the cause if the runtime cannot be set up.
///
/// ```
/// #[kael_rt::main(cores = 1)]
/// async fn main() -> std::io::Result<()> {
///     kael_rt::time::sleep(kael_rt::time::Duration::from_millis(1)).await;
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, function: TokenStream) -> TokenStream {
    expand("kael_rt::main", options, function, TokenStream::new())
}

/// Makes an `async fn` a test that runs in a runtime of its own, on the test's thread.
///
/// Takes the options of `main`. `#[kael_rt::test(start_paused)]` runs on virtual time: when nothing can
/// run, the clock jumps to the next deadline, so an hour of sleep takes no time.
///
/// ```
/// #[kael_rt::test(start_paused)]
/// async fn an_hour_passes() {
///     kael_rt::time::sleep(kael_rt::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    let attribute = rust("#[::core::prelude::v1::test]");
    expand("kael_rt::test", options, function, attribute)
}

/// An error with the place in the user's code that it is about.
struct Error {
    span: Span,
    message: String,
}

impl Error {
    fn new(span: Span, message: impl Into<String>) -> Error {
        Error { span, message: message.into() }
    }

    /// `::core::compile_error! { "message" }`, all of it at the span.
    fn into_tokens(self) -> TokenStream {
        let mut message = Literal::string(&self.message);
        message.set_span(self.span);
        let argument = Group::new(Delimiter::Brace, TokenTree::from(message).into());
        let mut tokens: Vec<TokenTree> = rust("::core::compile_error!").into_iter().collect();
        tokens.push(argument.into());
        for token in &mut tokens {
            token.set_span(self.span);
        }
        tokens.into_iter().collect()
    }
}

fn expand(
    macro_name: &str,
    options: TokenStream,
    function: TokenStream,
    attribute: TokenStream,
) -> TokenStream {
    let original = function.clone();
    let parsed = Options::parse(macro_name, options).and_then(|options| {
        let function = Function::parse(macro_name, function)?;
        Ok((options, function))
    });
    match parsed {
        Ok((options, function)) => wrap(&options, function, attribute),
        // With the function left as it is, the editor goes on understanding the rest of the file.
        Err(error) => {
            let mut tokens = error.into_tokens();
            tokens.extend(original);
            tokens
        }
    }
}

/// The `async fn` becomes an item inside a plain one of the same name, signature and attributes. An inner *function*
/// and not an `async` block, because it keeps its return type: `?` and `impl Trait` mean what they say.
fn wrap(options: &Options, function: Function, attribute: TokenStream) -> TokenStream {
    let Function { before, name, parameters, output, body } = function;
    let signature = |is_async: bool| {
        let mut tokens = rust(if is_async { "async fn" } else { "fn" });
        tokens.extend([TokenTree::from(name.clone()), parameters.clone().into()]);
        tokens.extend(output.clone());
        tokens
    };
    let call: TokenStream =
        [TokenTree::from(name.clone()), parameters.clone().into()].into_iter().collect();

    let mut outer_body = signature(true);
    outer_body.extend([TokenTree::from(body.clone())]);
    outer_body.extend(options.block_on(call));
    let mut outer_body = Group::new(Delimiter::Brace, outer_body);
    // A wrong return type is reported at the body, where the user can see it.
    outer_body.set_span(body.span());

    let mut tokens = attribute;
    tokens.extend(before);
    tokens.extend(signature(false));
    tokens.extend([TokenTree::from(outer_body)]);
    tokens
}

/// Tokens of our own making. The text is a constant of this crate, so it can be read.
fn rust(text: &str) -> TokenStream {
    text.parse().expect("this crate's own text is Rust")
}

fn parentheses(inside: TokenStream) -> TokenTree {
    Group::new(Delimiter::Parenthesis, inside).into()
}

/// `.name(argument)`
fn method(name: &str, argument: TokenStream) -> TokenStream {
    let dot = Punct::new('.', Spacing::Alone);
    [dot.into(), Ident::new(name, Span::call_site()).into(), parentheses(argument)]
        .into_iter()
        .collect()
}
