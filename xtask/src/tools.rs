//! Programs that lanes need beyond the stable toolchain: found, or installed without a question, or an error that
//! says what to do. A lane never goes on without its tool.

use crate::process::{self, Show};
use crate::workspace;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const CARGO_DENY: &str = "0.20.2";
const INSTALL_LIMIT: Duration = Duration::from_secs(25 * 60);

pub(crate) fn answers(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

/// cargo-deny: from the PATH, or built once into `target/tools`.
pub(crate) fn cargo_deny() -> Result<PathBuf, String> {
    if answers("cargo-deny", "--version") {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let tools = workspace::root().join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if answers(&program.to_string_lossy(), "--version") {
        return Ok(program);
    }
    println!("cargo-deny is not installed: building version {CARGO_DENY} into target/tools, once");
    let mut install =
        workspace::cargo(&["install", "cargo-deny", "--locked", "--version", CARGO_DENY]);
    install.arg("--root").arg(&tools).arg("--target-dir").arg(tools.join("build"));
    // It is run a few times, so what counts is that it builds soon.
    install.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
    let ended = process::run(&mut install, INSTALL_LIMIT, Show::Nothing)?;
    if !ended.success() {
        return Err(format!(
            "cargo-deny could not be built: {}\n{}",
            ended.verdict(),
            ended.tail(30)
        ));
    }
    // A quarter of a gigabyte that nobody reads again; failing to remove it harms nothing.
    let _ = std::fs::remove_dir_all(tools.join("build"));
    println!("cargo-deny was built in {}", crate::table::wall(ended.wall));
    Ok(program)
}

/// strace: from the PATH, or from Debian's archive when we are root.
pub(crate) fn strace() -> Result<(), String> {
    if answers("strace", "-V") { Ok(()) } else { install(&["strace"]) }
}

/// A folder outside the tree for what is slow to make and depends on nothing in the tree. It may be removed at any time.
pub(crate) fn cache() -> PathBuf {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    caches
        .map_or_else(|| workspace::root().join("target/cache"), |caches| caches.join("kael-xtask"))
}

/// Packages of Debian's archive. Only root can install them; others are told what to type.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    let user = Command::new("id").arg("-u").output().map_err(|error| format!("id: {error}"))?;
    if user.stdout.trim_ascii() != b"0" {
        return Err(format!(
            "missing, and only root may install it: `sudo apt-get install {names}`"
        ));
    }
    println!("installing {names} from Debian's archive");
    apt_get(&["update"])?;
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

pub(crate) fn apt_get(arguments: &[&str]) -> Result<(), String> {
    // Lanes run side by side, and apt-get gives up where another one is at work. Debian is never without flock.
    let lock = cache().join("apt.lock");
    std::fs::create_dir_all(cache()).map_err(|error| format!("{}: {error}", lock.display()))?;
    let mut command = Command::new("flock");
    command.arg(lock).arg("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    let ended = process::run(&mut command, INSTALL_LIMIT, Show::Nothing)?;
    match ended.success() {
        true => Ok(()),
        false => Err(format!("apt-get {}: {}\n{}", arguments[0], ended.verdict(), ended.tail(30))),
    }
}

/// A `cargo` of the nightly toolchain. Sanitizers exist only there; nothing of the product is built with it.
pub(crate) fn nightly_cargo(arguments: &[&str]) -> Result<Command, String> {
    if !answers("rustup", "--version") {
        return Err(
            "this lane needs rustup and a nightly toolchain, and rustup is missing".to_owned()
        );
    }
    let found = Command::new("rustup").args(["run", "nightly", "cargo", "--version"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err(
            "this lane needs a nightly toolchain: `rustup toolchain install nightly`".to_owned()
        );
    }
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).args(arguments).current_dir(workspace::root());
    // The outer cargo names its own toolchain in these, and they would win over `rustup run`.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    Ok(command)
}
