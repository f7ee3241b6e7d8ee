//! Charts of anything stay finite, inside their frame, and small.

use proptest::prelude::*;

use super::*;
use crate::calibration::ReliabilityBin;

/// Every coordinate in the attributes of a picture, as (is vertical, value).
fn coordinates(svg: &str) -> Vec<(bool, f64)> {
    let mut found = Vec::new();
    for piece in svg.split(' ') {
        let Some((name, rest)) = piece.split_once("=\"") else { continue };
        let vertical = match name {
            "x" | "x1" | "x2" | "cx" => false,
            "y" | "y1" | "y2" | "cy" => true,
            _ => continue,
        };
        let value = rest.split('"').next().unwrap();
        found.push((vertical, value.parse().unwrap()));
    }
    for path in svg.split(" d=\"M").skip(1) {
        let numbers = path.split('"').next().unwrap().trim_end_matches('Z').split_whitespace();
        found.extend(numbers.enumerate().map(|(i, n)| (i % 2 == 1, n.parse().unwrap())));
    }
    found
}

fn assert_inside(svg: &str, size: Size) {
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let all = coordinates(svg);
    assert!(all.len() > 4, "there is something to check");
    for (vertical, value) in all {
        let limit = if vertical { size.height } else { size.width };
        assert!((0.0..=limit).contains(&value), "{value} is outside 0..={limit}: {svg}");
    }
}

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e6_f64..1e6,
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(0.0),
    ]
}

proptest! {
    #[test]
    fn any_line_stays_inside_its_frame(
        values in proptest::collection::vec((anything(), anything(), anything()), 0..50),
        first in -1e5_f64..1e5,
        level in anything(),
    ) {
        let with_day = |i: usize| first + i as f64;
        let line: Vec<_> = values.iter().enumerate().map(|(i, v)| (with_day(i), v.0)).collect();
        let band: Vec<_> = values.iter().enumerate().map(|(i, v)| (with_day(i), v.1, v.2)).collect();
        let y = Axis::round(values.iter().map(|v| v.0), 4, |v, _| format!("{v:.2}"));
        let chart = LineChart {
            id: "any",
            title: "Any",
            description: "Anything",
            line: &line,
            band: &band,
            dots: &line,
            level: Some((level, "level")),
            y: &y,
            last: "1,234.00",
        };
        for size in [Size::WIDE, Size::NARROW] {
            assert_inside(&chart.svg(size), size);
        }
    }

    #[test]
    fn any_diagram_stays_inside_its_frame(
        bins in proptest::collection::vec((anything(), anything(), anything(), 0_u64..100_000), 1..10),
    ) {
        let bins: Vec<_> = bins.iter().enumerate().map(|(i, (predicted, low, high, n))| ReliabilityBin {
            from: i as f64 / 10.0,
            to: (i + 1) as f64 / 10.0,
            n: *n,
            predicted: *predicted,
            observed: *low,
            low: *low,
            high: *high,
        }).collect();
        let size = Size { width: 420.0, height: 440.0, points_max: 0, has_label: false, name: "square" };
        assert_inside(&reliability_diagram("any", "Anything", &bins), size);
    }

    #[test]
    fn downsampling_keeps_the_ends_and_the_extremes(
        values in proptest::collection::vec(-100.0_f64..100.0, 1..5_000),
    ) {
        let line: Vec<_> = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        let kept = downsample(&line, POINTS_MAX);
        prop_assert!(kept.len() <= POINTS_MAX);
        prop_assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert_eq!(kept.first(), line.first());
        prop_assert_eq!(kept.last(), line.last());
        let extremes = |points: &[(f64, f64)]| {
            let values = || points.iter().map(|point| point.1);
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        };
        prop_assert_eq!(extremes(&kept), extremes(&line));
    }
}

#[test]
fn labels_are_escaped() {
    let y = Axis::round([0.0, 1.0], 2, |_, _| "<b>".to_owned());
    let chart = LineChart {
        id: "x",
        title: "<script>",
        description: "\"&'",
        line: &[(0.0, 0.0), (1.0, 1.0)],
        band: &[],
        dots: &[],
        level: None,
        y: &y,
        last: "<i>",
    };
    let svg = chart.figure();
    assert!(!svg.contains("<script>") && !svg.contains("<b>") && !svg.contains("<i>"));
}
