use std::sync::RwLock;

async fn warm(cache: &RwLock<Vec<u8>>) {
    let mut len = 0;
    if let Ok(bytes) = cache.read() {
        len = bytes.len();
    }
    send(len).await;
}

async fn send(_: usize) {}
