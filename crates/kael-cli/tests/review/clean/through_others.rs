mod config {
    use std::path::Path;

    pub fn load(path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    pub async fn read(path: &Path) -> Option<String> {
        tokio::fs::read_to_string(path).await.ok()
    }

    pub fn in_memory() -> Option<String> {
        // kael: allow(blocking-file): the folder is a tmpfs
        std::fs::read_to_string("/run/state").ok()
    }

    pub fn later() -> impl Fn() -> Option<String> {
        || std::fs::read_to_string("state").ok()
    }
}

struct Store;

impl Store {
    async fn reload(&self, path: std::path::PathBuf) {
        config::read(&path).await;
        let text = tokio::task::spawn_blocking(move || config::load(&path)).await;
        self.save(text.ok().flatten());
        config::in_memory();
        let _ = config::later();
    }

    fn save(&self, _: Option<String>) {
        std::thread::spawn(|| std::fs::write("state", "saved"));
    }
}

struct Other;

impl Other {
    fn save(&self) -> std::io::Result<()> {
        std::fs::write("other", "saved")
    }
}
