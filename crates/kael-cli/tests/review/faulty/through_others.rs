mod config {
    use std::path::Path;

    pub fn load(path: &Path) -> Option<String> {
        read(path)
    }

    fn read(path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

struct Store;

impl Store {
    async fn reload(&self, path: &std::path::Path) {
        let text = config::load(path); //~ blocking-file
        self.save(text.unwrap_or_default()); //~ blocking-file
        tokio::task::yield_now().await;
        Self::pause(); //~ blocking-sleep
    }

    fn save(&self, text: String) {
        let _ = std::fs::write("state", text);
    }

    fn pause() {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
