use std::env::consts;

fn suffix() -> &'static str {
    if consts::OS == "windows" { //~ platform-at-run-time
        ".exe"
    } else {
        ""
    }
}
