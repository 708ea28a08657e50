//! Text in columns: each as wide as its widest cell, the last one free.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use owo_colors::OwoColorize as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The width of a terminal, in columns.
pub(super) const WIDTH: usize = 100;
const INDENT: &str = "  ";
const GAP: &str = "  ";

/// A table in the making. Cells are text that is made safe already.
#[derive(Debug, Default)]
pub(super) struct Columns {
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
pub(super) struct Cell {
    text: String,
    style: Style,
    is_number: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Dimmed,
    Bold,
    Alarm,
    Warning,
}

impl Style {
    pub(super) fn paint(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Dimmed => text.dimmed().to_string(),
            Self::Bold => text.bold().to_string(),
            Self::Alarm => text.red().bold().to_string(),
            Self::Warning => text.yellow().to_string(),
        }
    }
}

impl Cell {
    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
            is_number: false,
        }
    }

    pub(super) fn number(number: Option<u32>) -> Self {
        let text = number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        Self::from(text).set_right()
    }

    /// As numbers are set.
    pub(super) fn set_right(self) -> Self {
        Self {
            is_number: true,
            ..self
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

impl Columns {
    pub(super) fn heading<const N: usize>(cells: [&str; N]) -> Self {
        let mut columns = Self::default();
        columns.row(cells.map(|cell| Cell::styled(cell, Style::Dimmed)));
        columns
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.text.width().max(*width);
            }
        }
        for row in &self.rows {
            let mut line = INDENT.to_owned();
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(cell.text.width()));
                let gap = if place == 0 { "" } else { GAP };
                let text = cell.style.paint(&cell.text);
                let _ = match (cell.is_number, place + 1 == row.len()) {
                    (true, _) => write!(line, "{gap}{padding}{text}"),
                    (false, true) => write!(line, "{gap}{text}"),
                    (false, false) => write!(line, "{gap}{text}{padding}"),
                };
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The text, cut to so many columns of a terminal.
pub(in crate::report) fn fit(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 1;
    let mut short: String = text
        .chars()
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= width
        })
        .collect();
    short.push('…');
    Cow::Owned(short)
}

/// Pieces that belong together one behind the other, over as many lines as they need.
pub fn wrap(pieces: &[String], indent: &str) -> String {
    let mut out = String::new();
    let mut line = indent.to_owned();
    for piece in pieces {
        let is_first = line.width() == indent.width();
        if !is_first && line.width() + 1 + piece.width() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = indent.to_owned();
        } else if !is_first {
            line.push(' ');
        }
        line += piece;
    }
    let _ = writeln!(out, "{line}");
    out
}

/// The line above a section.
pub(super) fn title(text: &str) -> String {
    format!("\n{}\n", text.bold())
}
