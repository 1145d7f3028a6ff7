async fn outer() -> u32 {
    tokio::task::yield_now().await;
    futures::executor::block_on(inner()) //~ blocking-wait
}

async fn inner() -> u32 {
    7
}
