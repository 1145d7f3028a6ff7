fn backend() -> &'static str {
    match std::env::consts::OS { //~ platform-at-run-time
        "linux" => "io_uring",
        "macos" => "kqueue",
        _ => "poll",
    }
}
