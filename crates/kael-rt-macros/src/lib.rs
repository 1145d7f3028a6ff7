//! `#[kael_rt::main]` and `#[kael_rt::test]`.
