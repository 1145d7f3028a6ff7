//! What the compiler says, and where, about functions and options that the attributes cannot take.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::Command;

/// Our macros as cargo built them for this test: the newest library of that name beside the test's own file.
fn macros() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let prefix = format!("{}kael_rt_macros-", std::env::consts::DLL_PREFIX);
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(std::env::consts::DLL_SUFFIX)
    };
    let files =
        std::fs::read_dir(test.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let newest =
        files.filter(is_ours).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    newest.expect("cargo builds the macros before their tests")
}

/// Compiles `source` under `use kael_rt_macros as kael_rt` and returns what rustc says; it must fail.
fn refused(name: &str, source: &str) -> String {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("source.rs");
    std::fs::write(&file, format!("extern crate kael_rt_macros as kael_rt;\n{source}\n")).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--emit=metadata",
            "--error-format=short",
            "--extern",
        ])
        .arg(format!("kael_rt_macros={}", macros().display()))
        .arg("--out-dir")
        .arg(&directory)
        .arg(&file)
        .output()
        .expect("rustc runs, as it did for this test");
    assert!(!output.status.success(), "{name}: this should not compile:\n{source}");
    String::from_utf8(output.stderr).unwrap()
}

/// The place is line:column in the source, the first line being the second of the file.
fn expect(name: &str, source: &str, place: &str, message: &str) {
    let said = refused(name, source);
    let line = said.lines().find(|line| line.contains(message));
    let line = line.unwrap_or_else(|| panic!("{name}: no `{message}` in\n{said}"));
    assert!(line.contains(&format!("source.rs:{place}: error")), "{name}: not at {place}: {line}");
}

#[test]
fn functions_that_cannot_be_run() {
    let cases = [
        (
            "not_async",
            "#[kael_rt::main]\nfn main() {}",
            "3:1",
            "#[kael_rt::main] needs an `async fn`",
        ),
        (
            "arguments",
            "#[kael_rt::test]\nasync fn a(n: u8) {}",
            "3:11",
            "under #[kael_rt::test] takes no arguments",
        ),
        ("generic", "#[kael_rt::test]\nasync fn a<T>() {}", "3:11", "cannot be generic"),
        (
            "where_clause",
            "#[kael_rt::test]\nasync fn a() where u8: Copy {}",
            "3:14",
            "cannot be generic",
        ),
        ("not_a_function", "#[kael_rt::main]\nstruct Main;", "3:1", "goes before an `async fn`"),
        (
            "is_const",
            "#[kael_rt::main]\npub const async fn main() {}",
            "3:5",
            "not one that is `const`",
        ),
    ];
    for (name, source, place, message) in cases {
        expect(name, source, place, message);
    }
}

#[test]
fn options_that_do_not_exist() {
    let rest = "\nasync fn main() {}";
    let cases = [
        (
            "unknown",
            "#[kael_rt::main(threads = 4)]",
            "2:17",
            "unknown option `threads` of #[kael_rt::main]",
        ),
        ("literal", "#[kael_rt::test(4)]", "2:17", "unknown option `4` of #[kael_rt::test]"),
        ("no_value", "#[kael_rt::main(cores)]", "2:17", "`cores` needs a value: `cores = 4`"),
        ("empty_value", "#[kael_rt::main(cores = )]", "2:17", "`cores =` needs a value"),
        ("twice", "#[kael_rt::main(cores = 1, cores = 2)]", "2:28", "`cores` is given twice"),
        (
            "no_comma",
            "#[kael_rt::test(start_paused cores)]",
            "2:30",
            "expected `,` or `=` after `start_paused`",
        ),
    ];
    for (name, attribute, place, message) in cases {
        expect(name, &format!("{attribute}{rest}"), place, message);
    }
}
