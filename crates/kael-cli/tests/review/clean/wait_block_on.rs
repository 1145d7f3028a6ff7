async fn outer() -> u32 {
    inner().await
}

async fn inner() -> u32 {
    7
}

fn main() {
    futures::executor::block_on(async {
        outer().await;
    });
}
