mod std {
    pub mod thread {
        pub fn sleep(_: u64) {}
    }
}

async fn pause() {
    std::thread::sleep(1);
}
