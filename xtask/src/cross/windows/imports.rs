//! What a program takes from Windows when it starts: were one of these libraries missing, it would not start at all. So
//! only those that every Windows 10 has may stand there; what is younger or optional is asked for while the program runs.

use crate::process::{self, Show};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const READER: &str = "x86_64-w64-mingw32-objdump";
const LIMIT: Duration = Duration::from_secs(60);

/// In lower case: Windows does not look at it.
const ALLOWED: &[&str] = &[
    "advapi32.dll",
    // Of Rust's standard library: waiting on an address, and random numbers for its hash tables.
    "api-ms-win-core-synch-l1-2-0.dll",
    "bcryptprimitives.dll",
    "kernel32.dll",
    // The C library that mingw links.
    "msvcrt.dll",
    "ntdll.dll",
    "userenv.dll",
    "ws2_32.dll",
];

pub(super) fn check(program: &Path) -> Result<(), String> {
    let mut command = Command::new(READER);
    let ended = process::run(command.arg("-p").arg(program), LIMIT, Show::Nothing)?;
    if !ended.success() {
        return Err(format!("{READER}: {}\n{}", ended.verdict(), ended.tail(5)));
    }
    let libraries = imports(&ended.output);
    if libraries.is_empty() {
        return Err(format!("{} imports nothing: it is no program", program.display()));
    }
    for (library, functions) in &libraries {
        println!("{library}: {functions} functions");
    }
    let foreign: Vec<&str> = libraries
        .keys()
        .filter(|library| !ALLOWED.contains(&library.as_str()))
        .map(String::as_str)
        .collect();
    match foreign.is_empty() {
        true => Ok(()),
        false => Err(format!("not in the list of what may be imported: {}", foreign.join(", "))),
    }
}

/// The libraries, and how many functions are taken from each.
fn imports(text: &str) -> BTreeMap<String, usize> {
    let mut libraries = BTreeMap::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        if let Some((_, name)) = line.split_once("DLL Name: ") {
            let name = name.trim().to_ascii_lowercase();
            libraries.entry(name.clone()).or_insert(0);
            open = Some(name);
        } else if line.trim().is_empty() {
            open = None;
        } else if let Some(name) = &open
            && line.trim_start().starts_with(|c: char| c.is_ascii_hexdigit())
            && let Some(functions) = libraries.get_mut(name)
        {
            *functions += 1;
        }
    }
    libraries
}

#[cfg(test)]
mod tests {
    #[test]
    fn functions_are_counted_by_library() {
        let text = "The Import Tables\n vma: Hint\n 000c8028 x y\n\n\tDLL Name: KERNEL32.dll\n\
                    \tvma:  Hint/Ord Member-Name Bound-To\n\tc8b1c\t  283  CloseHandle\n\
                    \tc8b2a\t  284  CreateFileW\n\n 000c803c x y\n\n\tDLL Name: WS2_32.dll\n\
                    \tvma:  Hint\n\tc9000\t  1  accept\n\nThe Export Tables\n";
        let found: Vec<(String, usize)> = super::imports(text).into_iter().collect();
        assert_eq!(found, [("kernel32.dll".to_owned(), 2), ("ws2_32.dll".to_owned(), 1)]);
        assert!(super::imports("nothing").is_empty());
    }
}
