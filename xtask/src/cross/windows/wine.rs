//! wine: from Debian's archive, with the one library that Rust's programs miss in it, and its server while the lane runs.
//!
//! What wine writes (its registry, a folder `C:`) lies in the tree's own `target`, so that lanes of two checkouts have
//! nothing in common. Making it takes half a minute, so a fresh one is kept in the cache and copied.

use super::super::variable;
use crate::process::{self, Show};
use crate::{tools, workspace};
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The packages, and a file of each.
const PACKAGES: &[(&str, &str)] = &[
    ("wine", "/usr/bin/wine"),
    ("wine64", WINE),
    ("gcc-mingw-w64-x86-64-win32", "/usr/bin/x86_64-w64-mingw32-gcc-win32"),
];
const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";
const LINKER: &str = "x86_64-w64-mingw32-gcc-win32";

/// What is compiled with `LINKER`: source, program, words for the compiler.
const RANDOM: (&str, &str, &[&str]) =
    (include_str!("random.c"), "bcryptprimitives.dll", &["-shared"]);
const KEEPER: (&str, &str, &[&str]) = (include_str!("keeper.c"), "keeper.exe", &[]);

/// A part of the cache's name, to be changed with what is made below.
const RECIPE: u32 = 1;

/// For making the folder of wine, which writes some hundred megabytes.
const MAKING_LIMIT: Duration = Duration::from_secs(5 * 60);
/// For the start of its server, and for its end.
const LIMIT: Duration = Duration::from_secs(60);

/// Has cargo link programs for wine.
pub(super) fn link(command: &mut Command) {
    command.env(variable(super::TARGET, "LINKER"), LINKER);
    // Nobody debugs these programs.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
}

pub(super) struct Wine {
    pub(super) version: String,
    prefix: PathBuf,
    keeper: Option<Keeper>,
}

/// The shell that has started the program which keeps wine running. That one ends when its input does, which is ours to hold.
struct Keeper {
    process: Child,
    _input: ChildStdin,
}

impl Wine {
    pub(super) fn install() -> Result<Wine, String> {
        if !cfg!(target_arch = "x86_64") {
            return Err("wine runs programs of its own processor; these are for x86-64".to_owned());
        }
        let is_missing = |(_, file): &&(&str, &str)| !Path::new(file).exists();
        let missing: Vec<&str> =
            PACKAGES.iter().filter(is_missing).map(|(package, _)| *package).collect();
        tools::install(&missing)?;
        let version = answer(Command::new(WINE).arg("--version"))?;
        println!("{version}");
        let place = version.split_whitespace().next().unwrap_or("wine");
        let kept = tools::cache().join(format!("{place}-{RECIPE}"));
        let prefix = workspace::root().join("target/windows/wine");
        let mut wine = Wine { version, prefix, keeper: None };
        // What an earlier lane left, if it was killed.
        wine.end()?;
        wine.make(&kept)?;
        Ok(wine)
    }

    /// A program of Windows, in the repository's root. Paths in its arguments may be ours: wine knows them.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.plain(WINE);
        command.arg(program.as_ref());
        command
    }

    /// What stands before a program, for who starts it himself.
    pub(super) fn runner(&self) -> Vec<String> {
        let mut words = ["env", "-u", "DISPLAY"].map(str::to_owned).to_vec();
        words.extend(self.variables().map(|(name, value)| format!("{name}={value}")));
        words.push(WINE.to_owned());
        words
    }

    fn plain(&self, program: &str) -> Command {
        let mut command = workspace::command(program);
        // It opens no window.
        command.envs(self.variables()).env_remove("DISPLAY");
        command
    }

    fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        [
            ("WINEPREFIX", self.prefix.display().to_string()),
            ("WINEARCH", "win64".to_owned()),
            // What wine has to say of itself would stand among the lines of tests.
            ("WINEDEBUG", "-all".to_owned()),
            // It offers to fetch the first two, and a menu needs a desktop.
            ("WINEDLLOVERRIDES", "mscoree=;mshtml=;winemenubuilder.exe=".to_owned()),
        ]
        .into_iter()
    }

    /// A fresh folder at its place: from the cache, or made, and then kept there.
    fn make(&mut self, kept: &Path) -> Result<(), String> {
        let said = |error: std::io::Error| format!("{}: {error}", self.prefix.display());
        match fs::remove_dir_all(&self.prefix) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(said(error)),
            _ => {}
        }
        let above = self.prefix.parent().expect("a folder in a folder").to_path_buf();
        fs::create_dir_all(&above).map_err(said)?;
        if kept.exists() {
            println!("its folder: from the cache");
            copy(kept, &self.prefix)?;
        } else {
            self.run(&[WINE, "wineboot", "-i"])?;
            // Debian's wine says Windows 7, which Rust's standard library does not support.
            let key = r"HKCU\Software\Wine";
            self.run(&[WINE, "reg", "add", key, "/v", "Version", "/d", "win10", "/f"])?;
            self.run(&[SERVER, "-w"])?;
            // Whole, or not at all. Somebody else may have been quicker, and one who cannot write there needs no cache.
            let fresh = kept.with_extension(std::process::id().to_string());
            let keeping = copy(&self.prefix, &fresh)
                .and_then(|()| fs::rename(&fresh, kept).map_err(|error| error.to_string()));
            let _ = fs::remove_dir_all(&fresh);
            if let Err(reason) = keeping
                && !kept.exists()
            {
                println!("not kept in the cache: {reason}");
            }
        }
        compile(RANDOM, &self.prefix.join("drive_c/windows/system32"))?;
        compile(KEEPER, &above)
    }

    /// Without a word: wine's services would inherit our end of the streams, and stay.
    fn run(&self, words: &[&str]) -> Result<(), String> {
        let mut command = self.plain("sh");
        command.args(["-c", r#"exec "$@" >/dev/null 2>&1"#, "sh"]).args(words);
        let ended = process::run(&mut command, MAKING_LIMIT, Show::Nothing)?;
        let failed = || Err(format!("{}: {}", words.join(" "), ended.verdict()));
        if ended.success() { Ok(()) } else { failed() }
    }

    /// Starts the server, and the program that keeps it.
    pub(super) fn start(&mut self) -> Result<(), String> {
        let mut command = self.plain("sh");
        // When our end of its input is gone, whatever the reason, so is the keeper, and then all else.
        command.args(["-c", r#""$1" "$2"; exec "$3" -k"#, "sh", WINE]);
        command.arg(self.prefix.with_file_name(KEEPER.1)).arg(SERVER);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // An interrupt from the keyboard is for us, and this one is to outlive us by a moment.
        let mut process = command
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", process::describe(&command)))?;
        let input = process.stdin.take().expect("stdin is piped");
        let output = process.stdout.take().expect("stdout is piped");
        self.keeper = Some(Keeper { process, _input: input });
        let (up, is_up) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // Without a line it has ended, and who waits learns that nothing comes.
            if BufReader::new(output).read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                let _ = up.send(());
            }
        });
        is_up.recv_timeout(LIMIT).map_err(|_| "wine does not start a program".to_owned())
    }

    /// Ends all that runs under wine here. What is left after that is an error.
    pub(super) fn end(&mut self) -> Result<(), String> {
        // It first, or it would end what is started after this.
        if let Some(mut keeper) = self.keeper.take() {
            let _ = keeper.process.kill();
            let _ = keeper.process.wait();
        }
        if self.prefix.exists() {
            // It fails when there is no server.
            process::run(self.plain(SERVER).arg("-k"), LIMIT, Show::Nothing)?;
        }
        let began = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            if began.elapsed() > LIMIT {
                return Err(format!("processes of wine do not end: {}", left.join(", ")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The processes that have our folder in their environment: programs, wine's services, its server.
    fn processes(&self) -> Vec<String> {
        let ours = format!("WINEPREFIX={}", self.prefix.display());
        let is_ours = |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == ours.as_bytes())
        };
        let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let describe = |process: PathBuf| {
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            let number = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!("{} ({number})", name.trim())
        };
        all.filter(is_ours).map(describe).collect()
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        if let Err(reason) = self.end() {
            eprintln!("xtask: {reason}");
        }
    }
}

/// Compiles one of our two programs into a folder.
fn compile((source, name, words): (&str, &str, &[&str]), folder: &Path) -> Result<(), String> {
    let text = workspace::root().join("target/windows").join(name).with_extension("c");
    fs::write(&text, source).map_err(|error| format!("{}: {error}", text.display()))?;
    let mut command = Command::new(LINKER);
    command.args(["-O2", "-s", "-Wall", "-Werror"]).args(words).arg(&text);
    // Last, as the linker wants libraries. Without it nothing here changes.
    command.arg("-o").arg(folder.join(name)).arg("-ladvapi32");
    answer(&mut command).map(drop)
}

/// As `cp` does: with links as they are. `C:` and `Z:` are links.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    answer(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to)).map(drop)
}

fn answer(command: &mut Command) -> Result<String, String> {
    let ended = process::run(command, LIMIT, Show::Nothing)?;
    match ended.success() {
        true => Ok(ended.output.trim().to_owned()),
        false => {
            Err(format!("{}: {}\n{}", process::describe(command), ended.verdict(), ended.tail(20)))
        }
    }
}
