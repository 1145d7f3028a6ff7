//! Waiting for what cannot be awaited.

/// Long enough for the busiest machine.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

/// Lets the runtime go on until it is so, and fails if it never is.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "not in time: {what}");
        kael_rt::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}
