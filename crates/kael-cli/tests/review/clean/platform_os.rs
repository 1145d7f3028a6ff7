use std::env::consts;

#[cfg(windows)]
const SUFFIX: &str = ".exe";
#[cfg(not(windows))]
const SUFFIX: &str = "";

fn is_here(target: &str) -> bool {
    target == consts::ARCH
}

fn name() -> String {
    format!("{}-{}{SUFFIX}", consts::OS, consts::ARCH)
}
