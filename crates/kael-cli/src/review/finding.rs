//! [`Finding`]: one fault at one place.

use std::ops::Range;
use std::rc::Rc;

/// A text file of the project, as findings refer to it.
pub(crate) struct Text {
    /// Relative to the folder of the review where it lies in that, with `/` on every system.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Text {
    /// Line and column of a byte, both from 1; a column is a character.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[begin..].chars().count() + 1)
    }
}

pub(crate) struct Finding {
    /// A name of [`super::table::RULES`].
    pub(crate) rule: &'static str,
    pub(crate) file: Rc<Text>,
    /// The bytes of the file that are at fault.
    pub(crate) range: Range<usize>,
    /// What was found, in one sentence without a full stop.
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) remedy: String,
    /// A second place in the same file, and what it has to do with the first.
    pub(crate) related: Option<(Range<usize>, &'static str)>,
}

impl Finding {
    /// Line and column, both from 1.
    pub(crate) fn position(&self) -> (usize, usize) {
        self.file.position(self.range.start)
    }

    /// Line and column behind its last character.
    pub(crate) fn end(&self) -> (usize, usize) {
        self.file.position(self.range.end)
    }
}
