//! Reading Rust: a file as a tree, what its names mean, and the one pass over it that asks the rules.
//!
//! ```text
//!   source    a file within bounds          macros   known macros as ordinary expressions
//!   names     what a path means             types    what kind of thing a variable is
//!   runtime   what each runtime has         walk     small questions about expressions
//!   context   who runs a piece of code      calls    functions that block, and who calls them
//!   scan      the pass
//! ```

pub(crate) mod calls;
pub(crate) mod context;
pub(crate) mod macros;
pub(crate) mod names;
pub(crate) mod runtime;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod types;
pub(crate) mod walk;
