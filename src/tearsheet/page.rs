//! The page: the JSON for people. Every figure on it is looked up in the JSON by its pointer and
//! carries that pointer (`data-json`) and how it is written (`data-as`), so that whoever doubts a
//! figure, a test included, finds where it comes from.

mod bets;
mod forecasts;
mod frame;

use std::fmt::Write as _;

use serde_json::Value;
use sinks::html::{Escaped, NOTHING, capitalised, grouped, number, percent, signed_percent};

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    /// A whole number with commas.
    Count,
    /// So many decimals.
    Fixed(usize),
    /// The same with its sign, plus included.
    Signed(usize),
    /// A fraction in per cent.
    Percent(usize),
    /// The same with its sign, plus included.
    SignedPercent(usize),
    /// Money in whole units.
    Money,
    /// Text as it is.
    Text,
    /// A name made for machines, for people.
    Name,
    /// A moment, cut to its day.
    Day,
}

impl As {
    fn code(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Fixed(decimals) => format!("f{decimals}"),
            Self::Signed(decimals) => format!("s{decimals}"),
            Self::Percent(decimals) => format!("p{decimals}"),
            Self::SignedPercent(decimals) => format!("q{decimals}"),
            Self::Money => "money".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Day => "day".to_owned(),
        }
    }

    fn write(self, value: &Value) -> String {
        if let Some(text) = value.as_str() {
            return match self {
                Self::Day => Escaped(text.get(..10).unwrap_or(text)).to_string(),
                Self::Name => Escaped(&capitalised(text)).to_string(),
                _ => Escaped(text).to_string(),
            };
        }
        let Some(x) = value.as_f64() else { return NOTHING.to_owned() };
        match self {
            Self::Count => grouped(x as u64),
            Self::Fixed(decimals) => number(x, decimals),
            Self::Signed(decimals) => signed(x, decimals),
            Self::Percent(decimals) => percent(x, decimals),
            Self::SignedPercent(decimals) => signed_percent(x, decimals),
            Self::Money => money(x),
            Self::Text | Self::Name | Self::Day => value.to_string(),
        }
    }
}

/// A number with its sign, plus included, unless it rounds to zero.
pub fn signed(x: f64, decimals: usize) -> String {
    let text = number(x, decimals);
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if x > 0.0 && !is_zero { format!("+{text}") } else { text }
}

/// Whole units with commas and a true minus sign.
fn money(x: f64) -> String {
    let units = grouped(x.abs().round() as u64);
    if x <= -0.5 { format!("\u{2212}{units}") } else { units }
}

/// A page as it grows.
struct Page<'a> {
    json: &'a Value,
    out: String,
}

/// The page of a tearsheet, as one self-contained HTML document.
pub fn render(json: &Value) -> String {
    let mut page = Page { json, out: String::with_capacity(256 << 10) };
    page.open();
    page.glance();
    page.forecasts();
    page.calibration();
    page.parts();
    page.bets();
    page.windows();
    page.origin();
    page.close();
    page.out
}

impl Page<'_> {
    fn value(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn number(&self, pointer: &str) -> Option<f64> {
        self.value(pointer).as_f64()
    }

    fn text(&self, pointer: &str) -> &str {
        self.value(pointer).as_str().unwrap_or_default()
    }

    fn rows(&self, pointer: &str) -> usize {
        self.value(pointer).as_array().map_or(0, Vec::len)
    }

    fn has(&self, pointer: &str) -> bool {
        !self.value(pointer).is_null()
    }

    /// A figure, as HTML.
    fn show(&self, pointer: &str, how: As) -> String {
        let value = self.value(pointer);
        if value.is_null() {
            return NOTHING.to_owned();
        }
        let text = how.write(value);
        format!("<span data-json=\"{}\" data-as=\"{}\">{text}</span>", Escaped(pointer), how.code())
    }

    /// A value and its interval, as HTML.
    fn estimate(&self, pointer: &str, how: As) -> String {
        if !self.has(pointer) {
            return NOTHING.to_owned();
        }
        let at = |end: &str| self.show(&format!("{pointer}/{end}"), how);
        format!(
            "{} <small class=\"ci\">{} <span class=\"to\">to</span> {}</small>",
            at("value"),
            at("low"),
            at("high")
        )
    }

    /// One figure of a row of figures; `value` and `note` are HTML.
    fn figure(&mut self, label: &str, value: &str, note: &str) {
        self.put(&format!("<div><dt>{label}</dt><dd>{value}"));
        if !note.is_empty() {
            self.put(&format!("<small>{note}</small>"));
        }
        self.put("</dd></div>");
    }

    fn put(&mut self, html: &str) {
        self.out.push_str(html);
    }

    fn section(&mut self, id: &str, heading: &str) {
        let _ = write!(
            self.out,
            "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{}</h2>",
            Escaped(heading)
        );
    }

    /// A table with a caption for those who hear it: headings (a leading `=` puts a column of
    /// numbers to the right), then rows of HTML whose first cell is their name.
    fn table(&mut self, caption: &str, headings: &[&str], rows: &[Row]) {
        let _ = write!(
            self.out,
            "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table>\
             <caption>{0}</caption><thead><tr>",
            Escaped(caption)
        );
        for heading in headings {
            let (class, text) = match heading.strip_prefix('=') {
                Some(text) => (" class=\"n\"", text),
                None => ("", *heading),
            };
            let _ = write!(self.out, "<th scope=\"col\"{class}>{}</th>", Escaped(text));
        }
        self.out.push_str("</tr></thead><tbody>");
        for row in rows {
            debug_assert_eq!(row.cells.len(), headings.len(), "a cell a heading");
            let class = if row.is_ours { " class=\"ours\"" } else { "" };
            let _ = write!(self.out, "<tr{class}>");
            for (i, cell) in row.cells.iter().enumerate() {
                let class = if headings[i].starts_with('=') { " class=\"n\"" } else { "" };
                let _ = if i == 0 {
                    write!(self.out, "<th scope=\"row\"{class}>{cell}</th>")
                } else {
                    write!(self.out, "<td{class}>{cell}</td>")
                };
            }
            self.out.push_str("</tr>");
        }
        self.out.push_str("</tbody></table></div>");
    }

    /// Opens a part that is shown on demand.
    fn fold(&mut self, summary: &str) {
        let _ = write!(self.out, "<details><summary>{}</summary>", Escaped(summary));
    }
}

/// A row of a table.
struct Row {
    cells: Vec<String>,
    is_ours: bool,
}

impl Row {
    fn of(cells: Vec<String>) -> Self {
        Self { cells, is_ours: false }
    }
}
