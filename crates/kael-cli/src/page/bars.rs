//! [`Bars`]: figures as bars, each with its budget as a mark.

use super::html::prose;
use maud::{Markup, html};

pub(crate) struct Bars {
    pub(crate) caption: String,
    pub(crate) bars: Vec<Bar>,
}

pub(crate) struct Bar {
    pub(crate) label: String,
    /// The figure, in words: it stands beside the bar.
    pub(crate) note: String,
    pub(crate) value: f64,
    /// The bar ends at the mark when it is used up. Without one, bars are drawn to the scale of the longest.
    pub(crate) budget: Option<f64>,
    /// Whether it breaks its budget. The mark does not say: a figure may be off a little, and an exact one may be too small.
    pub(crate) is_off: bool,
}

/// How much of the width a bar has that has used up its budget; what is beyond is room for more.
const BUDGET_PER_CENT: f64 = 66.0;

impl Bars {
    pub(super) fn markup(&self) -> Markup {
        let longest = self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        html! {
            figure.bars {
                figcaption { (prose(&self.caption)) }
                ul { @for bar in &self.bars { (bar.markup(longest)) } }
            }
        }
    }
}

impl Bar {
    fn markup(&self, longest: f64) -> Markup {
        let Bar { label, note, is_off, .. } = self;
        let width = format!("{:.1}", self.per_cent(longest));
        html! {
            li class=[is_off.then_some("off")] {
                span { (prose(label)) } " "
                span.note { (note) @if *is_off { ", off its budget" } }
                svg.bar role="img" viewBox="0 0 100 6" preserveAspectRatio="none" {
                    title { (label) ": " (note) }
                    rect.track width="100" height="6" {}
                    rect.value width=(width) height="6" {}
                    @if self.budget.is_some() {
                        line.mark x1=(BUDGET_PER_CENT) x2=(BUDGET_PER_CENT) y1="0" y2="6" {}
                    }
                }
            }
        }
    }

    fn per_cent(&self, longest: f64) -> f64 {
        let (whole, of) = match self.budget {
            Some(budget) => (budget, BUDGET_PER_CENT),
            None => (longest, 100.0),
        };
        let part = if whole > 0.0 { self.value / whole * of } else { self.beyond_nothing() };
        part.clamp(0.0, 100.0)
    }

    /// Of a budget of nothing, anything is too much.
    fn beyond_nothing(&self) -> f64 {
        if self.is_off { 100.0 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: f64, budget: Option<f64>, is_off: bool) -> Bar {
        Bar { label: String::new(), note: String::new(), value, budget, is_off }
    }

    #[test]
    fn a_bar_ends_at_the_mark_when_its_budget_is_used_up() {
        assert_eq!(bar(2.0, Some(2.0), false).per_cent(9.0), BUDGET_PER_CENT);
        assert_eq!(bar(1.0, Some(2.0), false).per_cent(9.0), BUDGET_PER_CENT / 2.0);
        assert_eq!(bar(100.0, Some(2.0), true).per_cent(9.0), 100.0);
        assert_eq!(bar(0.0, Some(0.0), false).per_cent(9.0), 0.0);
        assert_eq!(bar(0.5, Some(0.0), true).per_cent(9.0), 100.0);
    }

    #[test]
    fn without_budgets_the_longest_has_the_whole_width() {
        assert_eq!(bar(4.0, None, false).per_cent(4.0), 100.0);
        assert_eq!(bar(1.0, None, false).per_cent(4.0), 25.0);
        assert_eq!(bar(0.0, None, false).per_cent(0.0), 0.0);
    }
}
