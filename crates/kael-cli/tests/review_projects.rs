//! `kael review` on whole projects: which files are read, what kael.toml and Cargo.lock say, and what cannot be read.

// What the tests share is for Unix; the program's own tests run on Windows, too.
#![cfg(unix)]

mod common;

use common::review::{FAULT, MANIFEST, findings, project, review};
use common::{Folder, PROGRAM, stderr, stdout};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_workspace_is_read_by_its_mod_lines() {
    let folder = project(
        "review-workspace",
        &[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/not\"]\n"),
            ("crates/app/Cargo.toml", MANIFEST),
            (
                "crates/app/src/main.rs",
                "mod a;\n#[path = \"other/place.rs\"]\nmod b;\n#[cfg(test)]\nmod tests;\nfn main() {}\n",
            ),
            ("crates/app/src/a.rs", "mod inner { mod deep; }\n"),
            ("crates/app/src/a/inner/deep.rs", FAULT),
            ("crates/app/src/other/place.rs", FAULT),
            ("crates/app/src/tests.rs", FAULT),
            ("crates/app/src/nobody_names_it.rs", FAULT),
            ("crates/app/src/bin/tool.rs", FAULT),
            ("crates/app/tests/it.rs", FAULT),
            ("crates/not/Cargo.toml", &MANIFEST.replace("app", "not")),
            ("crates/not/src/lib.rs", FAULT),
        ],
    );
    let product = [
        "crates/app/src/a/inner/deep.rs:2 blocking-file",
        "crates/app/src/bin/tool.rs:2 blocking-file",
        "crates/app/src/other/place.rs:2 blocking-file",
    ];
    assert_eq!(findings(&folder, &[]), product);
    let mut all = [
        &product[..],
        &["crates/app/src/tests.rs:2 blocking-file", "crates/app/tests/it.rs:2 blocking-file"],
    ]
    .concat();
    all.sort_unstable();
    assert_eq!(findings(&folder, &["--tests"]), all);
    // In the folder itself, as CI calls it.
    let mut here = Command::new(PROGRAM);
    let output = here.args(["review", "--format", "github"]).current_dir(&folder.0).output();
    let text = stdout(&output.expect("it starts"));
    assert!(text.starts_with("::error file=crates/app/src/a/inner/deep.rs,line=2,"), "{text}");
}

#[test]
fn a_function_that_blocks_is_found_where_async_code_calls_it() {
    let folder = project(
        "review-calls",
        &[
            ("Cargo.toml", MANIFEST),
            ("src/main.rs", "mod a;\nmod b;\nmod c;\nasync fn main() { a::start(); }\n"),
            (
                "src/a.rs",
                "use crate::b;\npub fn start() {}\npub async fn f() {\n    b::load();\n    b::kept();\n    b::twice();\n    b::start();\n}\n",
            ),
            (
                "src/b.rs",
                "use super::c::read;\npub fn load() { read() }\npub fn kept() {\n    // kael: allow(blocking-file): it lies in memory\n    std::fs::read(\"x\");\n}\n\
                 #[cfg(unix)]\npub fn twice() { read() }\n#[cfg(windows)]\npub fn twice() {}\npub async fn start() { read(); }\n",
            ),
            ("src/c.rs", "pub fn read() { std::fs::read(\"x\"); }\n"),
        ],
    );
    assert_eq!(findings(&folder, &[]), ["src/a.rs:4 blocking-file", "src/b.rs:11 blocking-file"]);
    let text = stdout(&review(&folder.0, &[]));
    let text = text.replace(&format!("{}/", folder.0.display()), "");
    let way = "`b::load` blocks the thread in async code: it calls `c::read`, which calls `std::fs::read` (src/c.rs:1)";
    assert!(text.contains(way), "{text}");
}

const LOCK: &str = r#"version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = ["client", "mio"]

[[package]]
name = "client"
version = "1.0.0"
dependencies = ["tokio"]

[[package]]
name = "mio"
version = "1.0.0"

[[package]]
name = "tokio"
version = "1.0.0"
"#;

#[test]
fn a_runtime_that_the_project_excludes_is_found_in_the_manifest_and_in_the_tree() {
    let manifest = format!(
        "{MANIFEST}\n[dependencies]\nclient = \"1\"\nreadiness = {{ package = \"mio\", version = \"1\" }}\n\n[dev-dependencies]\nsmol = \"2\"\n"
    );
    let settings = "[review]\nno-runtimes = [\"tokio\", \"mio\", \"smol\", \"async-std\"]\n";
    let files = [
        ("Cargo.toml", &*manifest),
        ("Cargo.lock", LOCK),
        ("src/lib.rs", ""),
        ("kael.toml", settings),
    ];
    let folder = project("review-runtimes", &files);
    assert_eq!(
        findings(&folder, &[]),
        ["Cargo.lock:18 unwanted-runtime", "Cargo.toml:8 unwanted-runtime"]
    );
    let text = stdout(&review(&folder.0, &[]));
    assert!(text.contains("is in the tree: client → tokio"), "{text}");
    // A member is subject to what its workspace says; a package that only lies below is not.
    let workspace = "[workspace]\nmembers = [\"in\"]\n";
    let (inside, outside) = (&manifest.replace("\"app\"", "\"in\""), &*manifest);
    let files = [
        ("Cargo.toml", workspace),
        ("kael.toml", settings),
        ("in/Cargo.toml", inside),
        ("in/src/lib.rs", ""),
        ("out/Cargo.toml", outside),
        ("out/src/lib.rs", ""),
    ];
    let folder = project("review-members", &files);
    let of = |name| findings(&Folder(folder.0.join(name)), &[]);
    assert_eq!(of("in"), ["Cargo.toml:8 unwanted-runtime"]);
    assert_eq!(of("out"), [""; 0]);
}

#[test]
fn a_dependency_is_known_by_its_own_name() {
    let manifest =
        format!("{MANIFEST}\n[dependencies]\nrt = {{ package = \"tokio\", version = \"1\" }}\n");
    let code = "use rt::fs;\npub async fn f() {\n    fs::read(\"x\").await;\n    std::fs::read(\"x\");\n}\n";
    let folder = project("review-renamed", &[("Cargo.toml", &*manifest), ("src/lib.rs", code)]);
    assert_eq!(findings(&folder, &[]), ["src/lib.rs:4 blocking-file"]);
    let text = stdout(&review(&folder.0, &[]));
    assert!(text.contains("help: use `tokio::fs`"), "{text}");
}

#[test]
fn levels_and_exclusions_are_in_kael_toml() {
    let settings = "[review]\nexclude = [\"src/made\", \"src/gone.rs\"]\n\n[review.rules]\nblocking-file = \"warn\"\nblocking-sleep = \"allow\"\n";
    let both =
        "mod made;\npub async fn f() {\n    std::fs::read(\"x\");\n    std::thread::sleep(D);\n}\n";
    let files = [
        ("Cargo.toml", MANIFEST),
        ("kael.toml", settings),
        ("src/lib.rs", both),
        ("src/made/mod.rs", FAULT),
    ];
    let folder = project("review-settings", &files);
    assert_eq!(findings(&folder, &[]), ["kael.toml:2 bad-exception", "src/lib.rs:3 blocking-file"]);
    let text = stdout(&review(&folder.0, &[]));
    assert!(text.contains("warning[blocking-file]"), "{text}");
}

#[test]
fn our_own_workspace_has_no_finding() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    assert!(root.join("kael.toml").is_file());
    let output = review(&root, &[]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
}

/// Ends with status 2 and these words, whatever is found beside it.
#[track_caller]
fn refuses(path: &Path, words: &str) {
    let output = review(path, &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn what_cannot_be_read_is_named_and_nothing_panics() {
    let folder = Folder::new("review-bad");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.0.join(name);
        fs::write(&path, bytes).expect("it can be written");
        path
    };
    refuses(&folder.0, "is not a Cargo project: give a folder with a Cargo.toml");
    refuses(&folder.0.join("missing"), "No such file or directory");
    refuses(&file("text.txt", b"fn f() {}"), "is not a Cargo project");
    refuses(&file("latin.rs", b"// \xe9\n"), "latin.rs: not UTF-8 from byte 3");
    refuses(&file("open.rs", b"fn f() {\n    (\n}\n"), "line 3, column 1: not Rust");
    refuses(&file("words.rs", b"fn f() {\n    let let\n}\n"), "line 2, column 9: not Rust");
    refuses(&file("long.rs", &vec![b'\n'; (4 << 20) + 1]), "longer than 4 MiB");
    refuses(&file("Cargo.toml", b"[package\n"), "Cargo.toml:1:");
    file("Cargo.toml", MANIFEST.as_bytes());
    refuses(
        file("kael.toml", b"[review.rules]\nbusy-lop = \"warn\"\n").parent().expect("it has one"),
        "kael.toml:2:1: `busy-lop` is no rule",
    );
    file("kael.toml", b"[review.rules]\nbusy-loop = \"loud\"\n");
    refuses(&folder.0, "kael.toml:2:13: a level is");
    file("kael.toml", b"[review]\nexlude = [\"a\"]\n");
    refuses(&folder.0, "kael.toml:2:1: `exlude` is not known");
}

#[test]
fn deep_code_is_refused_or_read_but_never_overflows() {
    let folder = Folder::new("review-deep");
    let path = folder.0.join("deep.rs");
    let forms = [
        ("!", "y", ""),
        ("(", "y", ")"),
        ("[", "y", "]"),
        ("{", "y", "}"),
        ("1+", "y", ""),
        ("x.await.", "y", ""),
        ("if a {} else ", "{}", ""),
        ("&|a| ", "y", ""),
    ];
    for (open, middle, close) in forms {
        let status_of = |depth: usize| {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            let text = format!("async fn f() {{ {open}{middle}{close} }}\n");
            fs::write(&path, text).expect("it can be written");
            review(&path, &[])
        };
        assert_eq!(status_of(200).status.code(), Some(0), "{open}");
        // Near the bound, on either side of it: it is read or refused.
        for depth in [1_000, 1_300, 2_000, 4_000, 8_000] {
            assert!(matches!(status_of(depth).status.code(), Some(0 | 2)), "{open} {depth}");
        }
        let beyond = status_of(30_000);
        assert_eq!(beyond.status.code(), Some(2), "{open}");
        assert!(stderr(&beyond).contains("tokens deep"), "{open}");
    }
}

#[test]
fn loops_of_links_and_modules_end() {
    let folder = project(
        "review-loops",
        &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", "#[path = \"lib.rs\"]\nmod again;\nmod other;\nmod round;\nmod pipe;\n"),
            (
                "src/other.rs",
                "#[path = \"lib.rs\"]\nmod back;\nasync fn f() { std::fs::read(\"x\"); }\n",
            ),
        ],
    );
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, folder.0.join("src").join(name)).expect("it can be made");
    };
    link("round.rs", "round.rs");
    link("other.rs", "pipe.rs");
    assert_eq!(findings(&folder, &[]), ["src/pipe.rs:3 blocking-file"]);
}
