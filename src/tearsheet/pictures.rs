//! The one picture the Daily Edge Report has no use for: differences with their intervals, one
//! below the other. Inline SVG in the classes of the pages' style, in two widths.

use std::fmt::Write as _;

use sinks::chart::Axis;
use sinks::html::{Escaped, number};

/// One line of the picture.
pub struct Difference<'a> {
    /// Whose.
    pub name: &'a str,
    /// The difference.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// Whether it stands out.
    pub is_ours: bool,
}

/// Height of a line.
const LINE: f64 = 25.0;
/// The axis reaches this many times the far end of the median line; what lies beyond it is at the
/// edge with its value, or two naive forecasts would press all others into one point.
const REACH: f64 = 1.6;

/// Differences below each other, zero marked; wide and narrow, of which the style shows one.
pub fn differences(id: &str, rows: &[Difference<'_>]) -> String {
    let sound =
        |row: &&Difference<'_>| [row.value, row.low, row.high].iter().all(|v| v.is_finite());
    let rows: Vec<&Difference<'_>> = rows.iter().filter(sound).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("{}{}", draw(id, &rows, "wide", 960.0), draw(id, &rows, "narrow", 400.0))
}

/// The range of the axis: everything up to the reach, and zero.
fn range(rows: &[&Difference<'_>]) -> (f64, f64) {
    let mut ends: Vec<f64> = rows.iter().map(|row| row.low.abs().max(row.high.abs())).collect();
    ends.sort_by(f64::total_cmp);
    let reach = REACH * ends[ends.len() / 2];
    let near = rows.iter().filter(|row| row.high.abs() <= reach && row.low.abs() <= reach);
    let ends = near.flat_map(|row| [row.low, row.high]);
    ends.fold((0.0, 0.0), |(low, high): (f64, f64), end| (low.min(end), high.max(end)))
}

fn draw(id: &str, rows: &[&Difference<'_>], name: &str, width: f64) -> String {
    let (low, high) = range(rows);
    let axis = Axis::round([low, high], 7, |value, _| number(value, 4));
    let labelled = if width > 500.0 { 1 } else { 3 };
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let left = (14.0 + 6.9 * longest as f64).min(width * 0.45);
    let right = width - 66.0;
    let height = 40.0 + LINE * rows.len() as f64;
    let x = |value: f64| {
        let share = ((value - axis.low) / (axis.high - axis.low)).clamp(0.0, 1.0);
        left + share * (right - left)
    };
    let mut out = format!(
        "<svg class=\"chart {name}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-{name}-t\"><title id=\"{id}-{name}-t\">Log-loss less the close's, by \
         forecaster</title>"
    );
    let bottom = height - 30.0;
    let zero = axis.ticks.iter().position(|(value, _)| value.abs() < 1e-12).unwrap_or(0);
    for (i, (value, label)) in axis.ticks.iter().enumerate() {
        let (at, class) = (x(*value), if i == zero { "zero" } else { "grid" });
        // On a phone labels would run into each other: some from zero on.
        let label = if i.abs_diff(zero).is_multiple_of(labelled) { label.as_str() } else { "" };
        let _ = write!(
            out,
            "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"4\" y2=\"{bottom:.1}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 19.0,
            Escaped(label)
        );
    }
    for (i, row) in rows.iter().enumerate() {
        let y = 4.0 + LINE * (i as f64 + 0.5);
        let (class, span, dot) =
            if row.is_ours { ("ours", "own", "end") } else { ("tick", "span", "other") };
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 12.0,
            y + 4.0,
            Escaped(row.name)
        );
        if row.value > axis.high {
            // An arrow to where it would be.
            let _ = write!(
                out,
                "<path class=\"span\" fill=\"none\" d=\"M{0:.1} {1:.1} {2:.1} {3:.1} {0:.1} {4:.1}\"/>",
                right - 6.0,
                y - 5.0,
                right,
                y,
                y + 5.0
            );
        } else if row.value >= axis.low {
            let _ = write!(
                out,
                "<line class=\"{span}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <circle class=\"{dot}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>",
                x(row.low),
                x(row.high),
                x(row.value)
            );
        }
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            width - 2.0,
            y + 4.0,
            Escaped(&super::page::signed(row.value, 4))
        );
    }
    out.push_str("</svg>");
    out
}
