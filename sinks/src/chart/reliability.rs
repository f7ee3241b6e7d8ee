//! The reliability diagram: what was forecast against what came true, with how often.

use std::fmt::Write as _;

use super::{Axis, Plot, Size, grid, open_svg};
use crate::calibration::ReliabilityBin;
use crate::html::grouped;

const SIZE: Size =
    Size { width: 420.0, height: 440.0, points_max: 0, has_label: false, name: "square" };
/// Height of the tallest bar of counts.
const BAR_MAX: f64 = 46.0;

/// Points with their 95 % intervals against the diagonal of perfect calibration; below, bars with
/// the number of events of each bin.
pub fn reliability_diagram(id: &str, description: &str, bins: &[ReliabilityBin]) -> String {
    let percent = |value: f64, _: f64| format!("{:.0}%", value * 100.0);
    let axis = Axis::round([0.0, 1.0], 5, percent);
    let plot = Plot {
        left: 52.0,
        right: SIZE.width - 24.0,
        top: 14.0,
        bottom: SIZE.height - 128.0,
        x: (0.0, 1.0),
        y: (0.0, 1.0),
    };
    let mut out = open_svg(id, SIZE, "Reliability diagram", description);
    grid(&mut out, &plot, &axis, &axis);
    let _ = write!(
        out,
        r#"<line class="level" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
        plot.left, plot.bottom, plot.right, plot.top
    );
    let n_max = bins.iter().map(|bin| bin.n).max().unwrap_or(1).max(1);
    let base = SIZE.height - 26.0;
    for bin in bins {
        let (x, y) = (plot.x(bin.predicted), plot.y(bin.observed));
        let (low, high) = (plot.y(bin.low), plot.y(bin.high));
        let _ = write!(
            out,
            r#"<line class="whisker" x1="{x:.1}" x2="{x:.1}" y1="{low:.1}" y2="{high:.1}"/><circle class="end" cx="{x:.1}" cy="{y:.1}" r="4"/>"#
        );
        draw_bar(&mut out, (plot.x(bin.from), plot.x(bin.to)), base, bin.n, n_max);
    }
    let middle = f64::midpoint(plot.left, plot.right);
    let _ = write!(
        out,
        r#"<line class="axis" x1="{:.1}" x2="{:.1}" y1="{base:.1}" y2="{base:.1}"/><text class="tick" x="{middle:.1}" y="{:.1}" text-anchor="middle">forecast probability, above; events per bin, below</text></svg>"#,
        plot.left,
        plot.right,
        SIZE.height - 8.0
    );
    out
}

fn draw_bar(out: &mut String, (from, to): (f64, f64), base: f64, n: u64, n_max: u64) {
    let height = (BAR_MAX * n as f64 / n_max as f64).clamp(1.0, BAR_MAX);
    let _ = write!(
        out,
        r#"<rect class="bar" x="{:.1}" y="{:.1}" width="{:.1}" height="{height:.1}"/><text class="count" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
        from + 2.0,
        base - height,
        (to - from - 4.0).max(1.0),
        f64::midpoint(from, to),
        base - height - 4.0,
        if n < 10_000 { grouped(n) } else { format!("{}k", n / 1_000) }
    );
}
