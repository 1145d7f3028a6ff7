async fn all(paths: Vec<String>) -> Vec<Vec<u8>> {
    let read = move || paths.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

async fn in_place(path: &str) -> std::io::Result<String> {
    tokio::task::block_in_place(|| std::fs::read_to_string(path))
}
