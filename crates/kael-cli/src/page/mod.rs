//! [`Page`]: a result as data, for a page of HTML that stands alone: no scripts, nothing from elsewhere. A command fills
//! it in, `html` writes it, and the drawings (`bars`, `quantiles`) are SVG within it. Texts are plain: what looks like markup
//! in them, a file's name for example, is shown and not obeyed. Only words in `backquotes` are set as code.

mod bars;
mod html;
mod quantiles;
#[cfg(test)]
mod tests;

pub(crate) use bars::{Bar, Bars};
use maud::Markup;
pub(crate) use quantiles::{Distribution, Series};

pub(crate) struct Page {
    pub(crate) title: String,
    /// What was looked at: a name and a value each.
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) sections: Vec<Section>,
}

pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) blocks: Vec<Block>,
}

pub(crate) enum Block {
    Text(String),
    Table(Table),
    Bars(Bars),
    Findings(Vec<Finding>),
    Code(String),
    /// Side by side where there is room.
    Drawings(Vec<Drawing>),
}

/// The first column names the rows.
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// One thing that was found, or that is recommended.
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// What it is about: a place, a part of the need, a fact.
    pub(crate) subject: String,
    pub(crate) text: String,
    /// The title and address of what it rests on; only an https address becomes a link.
    pub(crate) document: Option<(String, String)>,
    /// Lines to look at, or a command to run.
    pub(crate) code: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It makes the result a bad one.
    Bad,
    Advice,
}

/// A drawing in SVG. `content` is markup, so that texts in it are escaped as everywhere; the page gives its colours by class
/// (`style.css`), in light and dark.
pub(crate) struct Drawing {
    pub(crate) title: String,
    /// What can be seen, in words, for those who cannot.
    pub(crate) description: String,
    /// What each line is: a class of the drawing and a name.
    pub(crate) legend: Vec<(&'static str, String)>,
    /// The units that `content` is drawn in.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) content: Markup,
}
