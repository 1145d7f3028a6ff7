use std::path::{Path, PathBuf};

struct Root {
    folder: PathBuf,
    names: Names,
}

struct Names(Vec<String>);

impl Names {
    fn exists(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

impl Root {
    async fn has(&self, name: &str) -> bool {
        self.names.exists(name)
            || tokio::fs::try_exists(self.folder.join(name)).await.is_ok()
            || self.folder.is_absolute()
    }

    fn at_start(path: &Path) -> bool {
        path.exists()
    }
}
