async fn fetch(url: &str) -> Option<String> {
    let answer = reqwest::get(url).await.ok()?;
    answer.text().await.ok()
}

fn from_a_thread(url: &str) -> Option<String> {
    reqwest::blocking::get(url).ok()?.text().ok()
}
