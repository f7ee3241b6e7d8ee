//! Pictures of the report: line charts and reliability diagrams as inline SVG.
//!
//! Drawn here rather than by a plotting library because a page has to stand alone, follow the
//! reader's colour scheme (colours are the page's CSS classes) and speak to a screen reader. Every
//! coordinate passes through `Plot`, which cuts it to the plot area, so that no input can put a
//! NaN into a page or a line outside its frame.

mod axis;
mod reliability;

use std::fmt::Write as _;

pub use axis::Axis;
pub(crate) use axis::day_of;
pub use reliability::reliability_diagram;

use crate::html::Escaped;

/// Most points a line of a chart has: more cannot be told apart at the width of a page.
pub(crate) const POINTS_MAX: usize = 400;

/// Width and height of a picture, in its own units (CSS pixels at full width).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub width: f64,
    pub height: f64,
    /// Points drawn at this width.
    pub points_max: usize,
    /// Whether the end of a line is labelled.
    pub has_label: bool,
    /// Appended to ids and used as CSS class.
    pub name: &'static str,
}

impl Size {
    /// Beside text on a desktop.
    pub(crate) const WIDE: Self =
        Self { width: 960.0, height: 270.0, points_max: POINTS_MAX, has_label: true, name: "wide" };
    /// On a phone: taller, with the same size of type.
    pub(crate) const NARROW: Self = Self {
        width: 400.0,
        height: 260.0,
        points_max: POINTS_MAX / 2,
        has_label: false,
        name: "narrow",
    };
}

/// The rectangle inside the axes, and the way from values to coordinates.
#[derive(Clone, Copy, Debug)]
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Plot {
    fn x(&self, value: f64) -> f64 {
        scale(value, self.x, (self.left, self.right))
    }

    fn y(&self, value: f64) -> f64 {
        scale(value, self.y, (self.bottom, self.top))
    }
}

/// Maps a value linearly and cuts it to the target; what is not a number goes to its start.
fn scale(value: f64, (low, high): (f64, f64), (from, to): (f64, f64)) -> f64 {
    debug_assert!(low < high, "an axis has a length");
    let share = (value - low) / (high - low);
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    from + share * (to - from)
}

/// A line over time (x in days since 1970), with what surrounds it.
#[derive(Debug)]
pub struct LineChart<'a> {
    /// Unique in the page.
    pub id: &'a str,
    /// What the picture shows, for those who hear it.
    pub title: &'a str,
    /// What there is to see in it, in a sentence.
    pub description: &'a str,
    /// The line, by x.
    pub line: &'a [(f64, f64)],
    /// Lower and upper edge of a band around it, by x; may be empty.
    pub band: &'a [(f64, f64, f64)],
    /// Single values beside it; may be empty.
    pub dots: &'a [(f64, f64)],
    /// A level to compare with, and its label.
    pub level: Option<(f64, &'a str)>,
    /// The y axis: the range and how its values are written.
    pub y: &'a Axis,
    /// Label at the end of the line.
    pub last: &'a str,
}

impl LineChart<'_> {
    /// The chart in both sizes; the page's CSS shows the one that fits.
    pub fn figure(&self) -> String {
        format!("{}{}", self.svg(Size::WIDE), self.svg(Size::NARROW))
    }

    fn svg(&self, size: Size) -> String {
        let line = downsample(self.line, size.points_max);
        let x = Axis::days(
            line.first().map_or(0.0, |point| point.0),
            line.last().map_or(1.0, |point| point.0),
            (size.width / 95.0) as usize,
        );
        let widest = self.y.ticks.iter().map(|(_, label)| label.chars().count()).max();
        let last = if size.has_label { self.last } else { "" };
        let last_width = 8.8 * last.chars().count() as f64;
        let plot = Plot {
            left: 14.0 + 7.6 * widest.unwrap_or(1) as f64,
            right: size.width - (14.0 + last_width).max(26.0),
            top: 14.0,
            bottom: size.height - 30.0,
            x: (x.low, x.high),
            y: (self.y.low, self.y.high),
        };
        let mut out = open_svg(self.id, size, self.title, self.description);
        grid(&mut out, &plot, &x, self.y);
        if let Some((level, label)) = self.level {
            draw_level(&mut out, &plot, level, label);
        }
        draw_band(&mut out, &plot, self.band, size.points_max);
        let stride = self.dots.len().div_ceil(size.points_max).max(1);
        for (dot_x, dot_y) in self.dots.iter().step_by(stride).filter(|dot| dot.1.is_finite()) {
            let (cx, cy) = (plot.x(*dot_x), plot.y(*dot_y));
            let _ = write!(out, r#"<circle class="dot" cx="{cx:.1}" cy="{cy:.1}" r="1.7"/>"#);
        }
        draw_line(&mut out, &plot, &line, last);
        out.push_str("</svg>");
        out
    }
}

fn open_svg(id: &str, size: Size, title: &str, description: &str) -> String {
    let (name, width, height) = (size.name, size.width, size.height);
    format!(
        r#"<svg class="chart {name}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-{name}-t {id}-{name}-d"><title id="{id}-{name}-t">{}</title><desc id="{id}-{name}-d">{}</desc>"#,
        Escaped(title),
        Escaped(description)
    )
}

fn grid(out: &mut String, plot: &Plot, x: &Axis, y: &Axis) {
    let (left, right, bottom) = (plot.left, plot.right, plot.bottom);
    for (value, label) in &y.ticks {
        let at = plot.y(*value);
        let _ = write!(
            out,
            r#"<line class="grid" x1="{left:.1}" x2="{right:.1}" y1="{at:.1}" y2="{at:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            left - 8.0,
            at + 4.0,
            Escaped(label)
        );
    }
    let _ = write!(
        out,
        r#"<line class="axis" x1="{left:.1}" x2="{right:.1}" y1="{bottom:.1}" y2="{bottom:.1}"/>"#
    );
    for (value, label) in &x.ticks {
        let at = plot.x(*value);
        let _ = write!(
            out,
            r#"<line class="axis" x1="{at:.1}" x2="{at:.1}" y1="{bottom:.1}" y2="{:.1}"/><text class="tick" x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            bottom + 4.0,
            bottom + 19.0,
            Escaped(label)
        );
    }
}

fn draw_level(out: &mut String, plot: &Plot, level: f64, label: &str) {
    let at = plot.y(level);
    let _ = write!(
        out,
        r#"<line class="level" x1="{:.1}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/>"#,
        plot.left, plot.right
    );
    if !label.is_empty() {
        let _ = write!(
            out,
            r#"<text class="tick" x="{:.1}" y="{:.1}">{}</text>"#,
            plot.left + 4.0,
            (at - 5.0).max(plot.top),
            Escaped(label)
        );
    }
}

fn draw_band(out: &mut String, plot: &Plot, band: &[(f64, f64, f64)], points_max: usize) {
    let stride = band.len().div_ceil(points_max.max(1)).max(1);
    let mut kept: Vec<_> = band.iter().step_by(stride).collect();
    kept.extend(band.last().filter(|_| !(band.len().max(1) - 1).is_multiple_of(stride)));
    kept.retain(|(_, low, high)| low.is_finite() && high.is_finite());
    if kept.len() < 2 {
        return;
    }
    out.push_str(r#"<path class="band" d="M"#);
    let upper = kept.iter().map(|(x, _, high)| (x, high));
    let lower = kept.iter().rev().map(|(x, low, _)| (x, low));
    for (x, y) in upper.chain(lower) {
        let _ = write!(out, "{:.1} {:.1} ", plot.x(*x), plot.y(*y));
    }
    out.push_str(r#"Z"/>"#);
}

fn draw_line(out: &mut String, plot: &Plot, line: &[(f64, f64)], last: &str) {
    let Some((end_x, end_y)) = line.last().map(|(x, y)| (plot.x(*x), plot.y(*y))) else {
        return;
    };
    out.push_str(r#"<path class="line" d="M"#);
    for (x, y) in line {
        let _ = write!(out, "{:.1} {:.1} ", plot.x(*x), plot.y(*y));
    }
    let _ = write!(
        out,
        r#""/><circle class="end" cx="{end_x:.1}" cy="{end_y:.1}" r="3.5"/><text class="end" x="{:.1}" y="{:.1}">{}</text>"#,
        end_x + 8.0,
        end_y + 4.0,
        Escaped(last)
    );
}

/// At most `points_max` points of a line: of each stretch its lowest and its highest, so that no
/// peak and no drawdown is smoothed away. The first and the last stay. Points that are not finite
/// are left out.
pub(crate) fn downsample(points: &[(f64, f64)], points_max: usize) -> Vec<(f64, f64)> {
    debug_assert!(points_max >= 4, "a line needs its ends and its extremes");
    let is_sound = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let sound: Vec<(f64, f64)> = points.iter().filter(is_sound).copied().collect();
    if sound.len() <= points_max {
        return sound;
    }
    let (Some(first), Some(last)) = (sound.first(), sound.last()) else { return sound };
    let inner = &sound[1..sound.len() - 1];
    let stretch = inner.len().div_ceil((points_max - 2) / 2);
    let mut kept = vec![*first];
    for points in inner.chunks(stretch) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let low = points.iter().min_by(by_value);
        let high = points.iter().max_by(by_value);
        let mut pair: Vec<(f64, f64)> = [low, high].into_iter().flatten().copied().collect();
        pair.sort_by(|a, b| a.0.total_cmp(&b.0));
        pair.dedup();
        kept.extend(pair);
    }
    kept.push(*last);
    kept
}

#[cfg(test)]
mod tests;
