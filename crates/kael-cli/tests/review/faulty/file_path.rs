use std::path::{Path, PathBuf};

struct Root {
    folder: PathBuf,
}

impl Root {
    async fn has(&self, name: &str, other: &Path) -> bool {
        tokio::task::yield_now().await;
        let path = self.folder.join(name);
        path.exists() //~ blocking-file
            || other.is_file() //~ blocking-file
            || Path::new("/etc/app").metadata().is_ok() //~ blocking-file
    }
}
