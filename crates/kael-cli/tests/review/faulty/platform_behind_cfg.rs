cfg_if::cfg_if! {
    if #[cfg(unix)] {
        async fn pause() {
            std::thread::sleep(std::time::Duration::from_secs(1)); //~ blocking-sleep
        }
    } else {
        fn is_arm() -> bool {
            "aarch64" == std::env::consts::ARCH //~ platform-at-run-time
        }
    }
}
