fn backend() -> &'static str {
    if cfg!(target_os = "linux") {
        "io_uring"
    } else {
        match std::env::var("BACKEND").as_deref() {
            Ok("kqueue") => "kqueue",
            _ => "poll",
        }
    }
}
