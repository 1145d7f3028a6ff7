//! What only Windows has.
#![forbid(unsafe_code)]

pub mod named_pipe;
