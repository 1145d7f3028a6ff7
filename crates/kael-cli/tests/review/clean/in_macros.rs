async fn report(path: &str) {
    println!("{:?}", tokio::fs::read(path).await);
    let (one, _) = tokio::join!(tokio::fs::metadata(path), tokio::fs::read(path));
    assert!(one.is_ok(), "std::fs::exists(path)");
    own_macro!(std::fs::read(path) => nobody knows);
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn it_is_there() {
        std::fs::read("Cargo.toml").unwrap();
    }
}
