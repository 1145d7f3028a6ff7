use std::sync::RwLock;

async fn warm(cache: &RwLock<Vec<u8>>) {
    if let Ok(bytes) = cache.read() { //~ lock-across-await
        send(bytes.len()).await;
    }
}

async fn send(_: usize) {}
