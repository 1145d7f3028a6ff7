//! Pages as text: what must never become markup, and that all which is opened is closed.

use super::*;
use maud::html;

/// A file's name as an enemy would choose it.
const NAME: &str = r#"</title></style><script>alert("1")</script>&lt;'"#;

fn hostile() -> Page {
    let text = || NAME.to_owned();
    let drawing = Distribution {
        title: text(),
        series: vec![Series {
            name: text(),
            is_earlier: true,
            quantiles: vec![(50.0, 10), (100.0, 20_000)],
        }],
    };
    let finding = |url: &str| Finding {
        level: Level::Bad,
        subject: text(),
        text: format!("{NAME} `{NAME}`"),
        document: Some((text(), url.to_owned())),
        code: Some(text()),
    };
    let bar = |value, budget| Bar { label: text(), note: text(), value, budget, is_off: true };
    let table = Table {
        caption: text(),
        columns: vec!["Name", "<b>", "Count"],
        rows: vec![vec![text(), text(), "<= 1.00".to_owned()]],
    };
    let flames = Drawing {
        title: text(),
        description: text(),
        legend: Vec::new(),
        width: 10,
        height: 10,
        content: html! { g { title { (NAME) } rect width="10" height="10" {} } },
    };
    let blocks = vec![
        Block::Text(text()),
        Block::Table(table),
        Block::Bars(Bars { caption: text(), bars: vec![bar(1.0, Some(0.5)), bar(1.0, None)] }),
        Block::Findings(vec![finding("https://man7.org/\"><b>"), finding("javascript:alert(1)")]),
        Block::Code(text()),
        Block::Drawings(vec![drawing.draw(), flames]),
    ];
    let sections = vec![Section { heading: text(), blocks }];
    Page { title: text(), facts: vec![("Name", text())], sections }
}

/// The elements of ours that HTML lets stand without an end. Those of SVG are none: what follows would be within them.
const WITHOUT_END: [&str; 1] = ["meta"];

/// The names of all elements in order; what is not closed, or closed and not open, is an error.
fn elements(html: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for part in html.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') || open.last().is_some_and(|name| name == "style"), "{part}");
        let name = tag.split([' ', '/']).next().unwrap_or("");
        if let Some(end) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(end));
        } else if !tag.starts_with('!') {
            all.push(name.to_owned());
            if !WITHOUT_END.contains(&name) {
                open.push(name.to_owned());
            }
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    all
}

#[test]
fn texts_do_not_become_markup() {
    let html = hostile().html();
    let elements = elements(&html);
    for name in ["script", "b", "alert(1)"] {
        assert!(!elements.contains(&name.to_owned()), "{name}");
    }
    // The one that was dangerous is there in words, in the title and everywhere else.
    let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;lt;'";
    assert!(html.contains(&format!("<title>&lt;/title&gt;&lt;/style&gt;{escaped}</title>")));
    assert!(html.matches(escaped).count() >= 20, "{}", html.matches(escaped).count());
    assert!(!html.contains("href=\"javascript"), "only https is followed");
    assert_eq!(html.matches("href=").count(), 1);
}

#[test]
fn a_page_stands_alone() {
    let html = hostile().html();
    for word in ["src=", "@import", "url(", "<link", "<script", "<iframe"] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'"));
    assert!(html.contains("prefers-color-scheme: dark"));
    assert!(html.len() < 20_000, "{} bytes for one of each", html.len());
}

#[test]
fn headings_are_in_order_and_drawings_have_names() {
    let elements = elements(&hostile().html());
    let headings: Vec<&str> = elements
        .iter()
        .map(String::as_str)
        .filter(|name| ["h1", "h2", "h3"].contains(name))
        .collect();
    assert_eq!(headings, ["h1", "h2"]);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!(count("caption"), count("table"));
    assert_eq!(count("figcaption"), count("figure"));
    assert_eq!(count("desc"), 2, "the distribution and the flames");
}

#[test]
fn only_closed_backquotes_make_code() {
    let shown = |text| html::prose(text).into_string();
    assert_eq!(shown("raise `ulimit -l` now"), "raise <code>ulimit -l</code> now");
    assert_eq!(shown("a ` alone"), "a ` alone");
    assert_eq!(shown("`<b>`"), "<code>&lt;b&gt;</code>");
}
