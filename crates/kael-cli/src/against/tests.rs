//! Two results compared: rows find each other by name, what is noise is left out, what is no result is refused.

use super::*;
use crate::page::Page;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

fn row(operation: &str, in_flight: u64, syscalls: f64, p50: u64) -> Value {
    json!({
        "operation": operation, "in_flight": in_flight, "measured_syscalls": syscalls,
        "heap_allocations": 0.0, "latency_ns": { "p50": p50, "p99": 9_000 },
    })
}

fn result(kernel: &str, rows: Vec<Value>) -> Value {
    json!({
        "machine": { "kernel": kernel, "architecture": "x86_64", "processor": null, "cores": 2, "interface": "io_uring" },
        "syscall_budget": rows, "open_loop": [], "ways": [],
    })
}

fn compared(before: Value, now: &Value) -> Difference {
    let earlier = Earlier { file: "a|b<c>.json".to_owned(), form: &MEASUREMENT, result: before };
    earlier.compare(now)
}

fn lines(difference: &Difference) -> Vec<String> {
    let text = difference.markdown_section();
    text.lines().filter(|line| line.starts_with("| ")).skip(1).map(str::to_owned).collect()
}

#[test]
fn rows_find_each_other_by_operation_and_in_flight() {
    let before = result("6.1", vec![row("accept", 1, 1.0, 1_000), row("accept", 64, 0.5, 1_000)]);
    let now = result("6.1", vec![row("accept", 64, 0.75, 1_000), row("accept", 1, 1.0, 2_500)]);
    assert_eq!(
        lines(&compared(before, &now)),
        [
            "| accept, 64 in flight | system calls | 0.5000 | 0.7500 | +0.2500 |",
            "| accept, 1 in flight | p50 | 1.00 µs | 2.50 µs | ×2.50 |",
        ]
    );
}

#[test]
fn new_and_gone_rows_are_named() {
    let before = result("6.1", vec![row("accept", 1, 1.0, 1_000), row("read", 1, 1.0, 1_000)]);
    let now = result("6.1", vec![row("write", 1, 1.0, 1_000), row("accept", 1, 1.0, 1_000)]);
    let difference = compared(before, &now);
    assert_eq!(
        lines(&difference),
        ["| write, 1 in flight |  |  |  | new |", "| read, 1 in flight |  |  |  | gone |"]
    );
    assert_eq!(
        difference.json()["changes"][1],
        json!({ "row": "read, 1 in flight", "change": "gone" })
    );
}

#[test]
fn noise_is_no_change() {
    let before = result("6.1", vec![row("accept", 1, 1.0, 1_000)]);
    for (syscalls, p50) in [(1.0, 1_000), (1.019, 1_200), (0.981, 834)] {
        let difference =
            compared(before.clone(), &result("6.1", vec![row("accept", 1, syscalls, p50)]));
        assert!(difference.changes.is_empty(), "{syscalls} {p50}: {:?}", lines(&difference));
        assert!(difference.markdown_section().contains("Nothing has changed."));
    }
    for (syscalls, p50) in [(1.021, 1_000), (1.0, 1_201), (1.0, 833), (0.979, 1_000)] {
        let difference =
            compared(before.clone(), &result("6.1", vec![row("accept", 1, syscalls, p50)]));
        assert_eq!(difference.changes.len(), 1, "{syscalls} {p50}");
    }
}

#[test]
fn another_machine_is_said_at_the_top() {
    let same = compared(result("6.1", vec![]), &result("6.1", vec![]));
    assert_eq!(same.markdown_head(), "> Compared with a\\|b&lt;c>.json.\n\n");
    let mut now = result("6.18", vec![]);
    now["machine"]["interface"] = json!("epoll");
    let other = compared(result("6.1", vec![]), &now);
    let head = other.markdown_head();
    assert!(
        head.contains(", which has other circumstances. Kernel: 6.1 before, 6.18 now."),
        "{head}"
    );
    assert!(head.contains(" Interface: io_uring before, epoll now."), "{head}");
    assert!(!head.contains("Cores"), "{head}");
    let mut page = Page { title: String::new(), facts: Vec::new(), sections: Vec::new() };
    other.add_to(&mut page);
    assert!(page.facts[0].1.contains("Kernel: 6.1 before, 6.18 now."));
}

#[test]
fn a_figure_that_was_nothing_has_no_ratio() {
    assert_eq!(Unit::Nanoseconds.change(0.0, 5.0), "from nothing");
    assert_eq!(Unit::Each.change(1.0, 0.5), "-0.5000");
    // An older result without a figure is compared by the others.
    let mut before = row("accept", 1, 1.0, 1_000);
    before["measured_syscalls"] = Value::Null;
    let now = result("6.1", vec![row("accept", 1, 7.0, 1_000)]);
    assert!(compared(result("6.1", vec![before]), &now).changes.is_empty());
}

#[test]
fn designs_are_compared_by_their_rules() {
    let design = |need: Value, rules: &[&str]| {
        let named = |rule: &&str| json!({ "rule": rule, "recommend": format!("Use {rule}.") });
        let rules: Vec<Value> = rules.iter().map(named).collect();
        json!({ "target": "linux", "need": need, "recommended_approach": rules, "syscall_budget": [], "load": [] })
    };
    let before = design(json!({ "conns": "10", "size": "64" }), &["one-ring", "plain"]);
    let now = design(json!({ "conns": "10k", "size": "64" }), &["one-ring", "pools"]);
    let earlier = Earlier { file: "x.json".to_owned(), form: &DESIGN, result: before };
    let difference = earlier.compare(&now);
    assert_eq!(
        lines(&difference),
        ["| pools: Use pools. |  |  |  | new |", "| plain: Use plain. |  |  |  | gone |"]
    );
    let head = difference.markdown_head();
    assert!(head.contains("Need: conns=10,size=64 before, conns=10k,size=64 now."), "{head}");
}

/// A file of this test's own, removed at the end.
struct TextFile(PathBuf);

impl TextFile {
    fn new(name: &str, text: &str) -> TextFile {
        let path = std::env::temp_dir().join(format!("kael-{}-{name}", std::process::id()));
        fs::write(&path, text).expect("the folder can be written");
        TextFile(path)
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[track_caller]
fn refuses(text: &str, form: &'static Form, why: &str) {
    let file = TextFile::new("refused.json", text);
    match Earlier::read(&file.0, form) {
        Err(Fail::Use(said)) => {
            assert!(said.contains(&file.0.display().to_string()), "{said}");
            assert!(said.contains(why), "{said}");
        }
        _ => panic!("`{text}` is a result"),
    }
}

#[test]
fn what_is_no_result_is_refused_with_its_name() {
    refuses("", &MEASUREMENT, "is no result of `kael analyze --format json`: EOF");
    refuses("## Platform Analysis", &MEASUREMENT, "expected value at line 1");
    refuses("[]", &MEASUREMENT, "it has no list `syscall_budget`");
    refuses(r#"{"syscall_budget": {}}"#, &MEASUREMENT, "it has no list `syscall_budget`");
    refuses(
        r#"{"syscall_budget": [{"operation": "x"}]}"#,
        &MEASUREMENT,
        "a row of `syscall_budget`",
    );
    // One that is a result, of the other kind.
    let measurement = result("6.1", vec![row("accept", 1, 1.0, 1)]).to_string();
    refuses(&measurement, &DESIGN, "is no result of `kael analyze --target --format json`");
    refuses(&"[".repeat(100_000), &MEASUREMENT, "recursion limit");
    assert!(matches!(Earlier::read(Path::new("/no/such.json"), &MEASUREMENT), Err(Fail::Use(_))));
    let good = TextFile::new("good.json", &measurement);
    assert!(Earlier::read(&good.0, &MEASUREMENT).is_ok());
}
