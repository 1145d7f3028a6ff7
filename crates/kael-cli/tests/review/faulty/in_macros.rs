async fn report(path: &str) {
    println!("{:?}", std::fs::read(path)); //~ blocking-file
    let (one, _) = tokio::join!(
        async { std::fs::metadata(path) }, //~ blocking-file
        tokio::fs::metadata(path),
    );
    assert!(one.is_ok() && std::fs::exists(path).is_ok()); //~ blocking-file
}
