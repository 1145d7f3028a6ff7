//! A [`Page`] as HTML.

use super::{Block, Drawing, Finding, Level, Page, Section, Table};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Says to the browser, too, that nothing is loaded and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Page {
    pub(crate) fn html(&self) -> String {
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(include_str!("style.css"))) }
                }
                body {
                    main {
                        h1 { (self.title) }
                        dl {
                            @for (name, value) in &self.facts {
                                div { dt { (name) } dd { (prose(value)) } }
                            }
                        }
                        @for part in &self.sections { (section(part)) }
                    }
                }
            }
        };
        markup.into_string() + "\n"
    }
}

fn section(section: &Section) -> Markup {
    html! {
        section {
            h2 { (section.heading) }
            @for part in &section.blocks { (block(part)) }
        }
    }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Text(text) => html! { p { (prose(text)) } },
        Block::Table(content) => table(content),
        Block::Bars(bars) => bars.markup(),
        Block::Findings(findings) => html! {
            ul.findings { @for found in findings { (finding(found)) } }
        },
        Block::Code(text) => code(text),
        Block::Drawings(drawings) => html! {
            div.drawings { @for each in drawings { (drawing(each)) } }
        },
    }
}

/// Words in `backquotes` are code; one that is not closed is itself.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let is_closed = parts.len() % 2 == 1;
    html! {
        @if is_closed {
            @for (index, part) in parts.iter().enumerate() {
                @if index % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else { (text) }
    }
}

/// A part that scrolls in itself can be reached by the keyboard, and has a name.
fn code(text: &str) -> Markup {
    html! { pre tabindex="0" { code { (text) } } }
}

fn table(table: &Table) -> Markup {
    let numbers: Vec<bool> =
        (0..table.columns.len()).map(|index| is_number(table, index)).collect();
    let class = |index: usize| numbers.get(index).is_some_and(|number| *number).then_some("number");
    html! {
        div.scroll role="region" aria-label=(table.caption) tabindex="0" {
            table {
                caption { (prose(&table.caption)) }
                thead { tr {
                    @for (index, column) in table.columns.iter().enumerate() {
                        th scope="col" class=[class(index)] { (column) }
                    }
                } }
                tbody {
                    @for row in &table.rows { tr {
                        @for (index, cell) in row.iter().enumerate() {
                            @if index == 0 { th scope="row" { (prose(cell)) } }
                            @else { td class=[class(index)] { (prose(cell)) } }
                        }
                    } }
                }
            }
        }
    }
}

/// Whether each cell of a column begins as a number does.
fn is_number(table: &Table, index: usize) -> bool {
    let mut cells =
        table.rows.iter().filter_map(|row| row.get(index)).filter(|cell| !cell.is_empty());
    let is_one = |cell: &String| {
        cell.trim_start_matches("<= ")
            .starts_with(|c: char| c.is_ascii_digit() || "+-×".contains(c))
    };
    index > 0 && cells.all(is_one)
}

fn finding(finding: &Finding) -> Markup {
    let Finding { level, subject, text, document, code: lines } = finding;
    html! {
        li class=[(*level == Level::Bad).then_some("bad")] {
            p {
                strong { (prose(subject)) } " " (prose(text))
                @if let Some((title, url)) = document {
                    " "
                    @if url.starts_with("https://") { a href=(url) rel="noreferrer" { (title) } }
                    @else { (title) }
                }
            }
            @if let Some(lines) = lines { (code(lines)) }
        }
    }
}

fn drawing(drawing: &Drawing) -> Markup {
    let Drawing { title, description, legend, width, height, content } = drawing;
    html! {
        figure {
            figcaption {
                strong { (prose(title)) }
                @for (class, name) in legend {
                    span.key {
                        svg viewBox="0 0 24 8" aria-hidden="true" { line class=(class) x1="1" y1="4" x2="23" y2="4" {} }
                        (name)
                    }
                }
            }
            svg role="img" viewBox={ "0 0 " (width) " " (height) } {
                title { (title) }
                desc { (description) }
                (content)
            }
        }
    }
}
