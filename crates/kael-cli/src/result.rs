//! [`Analysis`]: what a command found, in each form that `--format` takes, and compared with an earlier one if that is asked.

use crate::against::{Earlier, Form};
use crate::fail::Fail;
use crate::page::Page;
use clap::ValueEnum;
use serde_json::Value;
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Md,
    Json,
    /// A page that stands alone, with bars and distributions
    Html,
}

pub(crate) trait Analysis {
    /// How two results of this kind are compared.
    const FORM: &'static Form;

    fn markdown(&self) -> String;
    fn json(&self) -> Value;
    /// The earlier result is for drawings that show both; what has changed is added by [`written`].
    fn page(&self, earlier: Option<&Value>) -> Page;
}

/// The result of `--against`, read before the work begins, so that a wrong file shows at once.
pub(crate) fn earlier<A: Analysis>(file: Option<&Path>) -> Result<Option<Earlier>, Fail> {
    file.map(|path| Earlier::read(path, A::FORM)).transpose()
}

pub(crate) fn written<A: Analysis>(
    analysis: &A,
    format: Format,
    earlier: Option<&Earlier>,
) -> String {
    let difference = earlier.map(|earlier| earlier.compare(&analysis.json()));
    match format {
        Format::Md => {
            let report = analysis.markdown();
            difference.map_or(report.clone(), |difference| {
                difference.markdown_head() + &report + &difference.markdown_section()
            })
        }
        Format::Json => {
            let mut result = analysis.json();
            if let Some(difference) = difference {
                result["against"] = difference.json();
            }
            format!("{result:#}\n")
        }
        Format::Html => {
            let mut page = analysis.page(earlier.map(Earlier::result));
            if let Some(difference) = difference {
                difference.add_to(&mut page);
            }
            page.html()
        }
    }
}
