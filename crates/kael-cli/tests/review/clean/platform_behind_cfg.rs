cfg_if::cfg_if! {
    if #[cfg(unix)] {
        fn pause() {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    } else {
        fn is_arm() -> bool {
            cfg!(target_arch = "aarch64")
        }
    }
}
