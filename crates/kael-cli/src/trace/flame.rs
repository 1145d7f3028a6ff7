//! Draws stacks as a flame graph: one SVG without scripts. Each box is a function in its callers, as wide as its share of the
//! samples; its full name and share are its title, which viewers show under the pointer.

use super::profile::Stacks;
use crate::page::Drawing;
use maud::PreEscaped;
use std::collections::BTreeMap;
use std::fmt::Write;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;
/// What is narrower cannot be seen.
const LEAST_WIDTH: f64 = 0.3;
/// Of a letter, about.
const LETTER: f64 = 7.0;
/// Deeper stacks are cut: the picture has a bound, and so has the recursion.
const DEEPEST: usize = 100;

#[derive(Default)]
struct Node {
    samples: u64,
    callees: BTreeMap<String, Node>,
}

/// A picture of its own.
pub(super) fn svg(stacks: &Stacks) -> String {
    let Drawing { width, height, content, .. } = drawing(stacks);
    let content = content.into_string();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" \
         font-size=\"12\">\n{content}</svg>\n"
    )
}

/// A picture in a page.
pub(super) fn drawing(stacks: &Stacks) -> Drawing {
    let mut root = Node::default();
    for (stack, count) in stacks {
        root.add(stack.split(';').take(DEEPEST), *count);
    }
    let height = ROW * (root.depth() as f64 + 1.0);
    let mut boxes = String::new();
    root.write_callees(&mut boxes, 0.0, height - ROW, WIDTH / root.samples.max(1) as f64)
        .expect("a String takes all text");
    Drawing {
        title: "Flame graph".to_owned(),
        description: format!(
            "{} samples; each box is a function on top of its callers, as wide as its share of them",
            root.samples
        ),
        legend: Vec::new(),
        width: WIDTH as u32,
        height: height as u32,
        // Names are escaped where they are written.
        content: PreEscaped(boxes),
    }
}

impl Node {
    fn add<'a>(&mut self, stack: impl Iterator<Item = &'a str>, count: u64) {
        self.samples += count;
        let mut node = self;
        for function in stack {
            node = node.callees.entry(function.to_owned()).or_default();
            node.samples += count;
        }
    }

    fn depth(&self) -> usize {
        self.callees.values().map(|callee| 1 + callee.depth()).max().unwrap_or(0)
    }

    /// Callees stand above their caller, from its left edge on.
    fn write_callees(&self, out: &mut String, mut x: f64, y: f64, scale: f64) -> std::fmt::Result {
        for (name, callee) in &self.callees {
            let width = callee.samples as f64 * scale;
            if width >= LEAST_WIDTH {
                let name = escape(name);
                let share = width / WIDTH * 100.0;
                let top = y - ROW;
                write!(out, "<g><title>{name}: {} samples, {share:.1} %</title>", callee.samples)?;
                write!(
                    out,
                    r#"<rect x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{ROW}" fill="{}" stroke="white"/>"#,
                    colour(&name)
                )?;
                let fits = (width / LETTER) as usize;
                if fits >= 3 {
                    write!(
                        out,
                        r#"<text class="box" x="{:.1}" y="{:.1}">{}</text>"#,
                        x + 3.0,
                        y - 5.0,
                        cut(&name, fits - 1)
                    )?;
                }
                writeln!(out, "</g>")?;
                callee.write_callees(out, x, y - ROW, scale)?;
            }
            x += width;
        }
        Ok(())
    }
}

/// The same for the same name, in every picture.
fn colour(name: &str) -> String {
    let sum = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("hsl({}, 75%, {}%)", sum % 50, 62 + sum / 50 % 12)
}

fn escape(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// So many letters of it, where an escaped one counts as one and stays whole.
fn cut(name: &str, letters: usize) -> &str {
    let mut is_inside = false;
    let mut seen = 0;
    for (place, letter) in name.char_indices() {
        if !is_inside {
            if seen == letters {
                return &name[..place];
            }
            seen += 1;
        }
        is_inside = (is_inside || letter == '&') && letter != ';';
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_as_wide_as_their_share() {
        let stacks = [("main;a::<u8>".to_owned(), 3), ("main;b".to_owned(), 1)];
        let picture = svg(&Stacks::from(stacks));
        assert!(picture.contains("<title>main: 4 samples, 100.0 %</title>"), "{picture}");
        assert!(picture.contains("<title>a::&lt;u8&gt;: 3 samples, 75.0 %</title>"), "{picture}");
        assert!(picture.contains(r#"<rect x="900.0" y="0.0" width="300.0""#), "{picture}");
        assert_eq!(picture.matches("<g>").count(), picture.matches("</g>").count());
    }

    #[test]
    fn a_name_is_cut_at_a_letter() {
        assert_eq!(cut("a&lt;b&gt;", 2), "a&lt;");
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("ab", 9), "ab");
    }

    #[test]
    fn endless_recursion_has_an_end() {
        let deep = vec!["f"; 100_000].join(";");
        assert!(svg(&Stacks::from([(deep, 1)])).lines().count() <= DEEPEST + 2);
    }
}
