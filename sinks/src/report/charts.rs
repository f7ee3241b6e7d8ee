//! From the run's history to its pictures.

use schema::Money;

use super::day::Summary;
use crate::chart::{Axis, LineChart, day_of};
use crate::html::{money, number, percent, signed_percent};
use crate::statistics::SAMPLE_MIN;

/// Bankroll at the end of each day, from what the run began with. Empty before there is a day.
pub(super) fn bankroll(id: &str, history: &[Summary]) -> String {
    let (Some(first), Some(last)) = (history.first(), history.last()) else {
        return String::new();
    };
    let mut line = vec![(day_of(first.date) - 1.0, first.opening.as_f64())];
    line.extend(history.iter().map(|day| (day_of(day.date), day.bankroll.as_f64())));
    let label = |value: f64, step: f64| {
        let decimals = if step < 1.0 { 2 } else { 0 };
        match Money::new(value) {
            Ok(amount) if decimals == 0 => money(amount).trim_end_matches(".00").to_owned(),
            Ok(amount) => money(amount),
            Err(_) => number(value, decimals),
        }
    };
    let y = Axis::round(line.iter().map(|point| point.1), 5, label);
    let description = format!(
        "From {} to {} the bankroll went from {} to {}; its greatest drawdown was {}.",
        first.date,
        last.date,
        money(first.opening),
        money(last.bankroll),
        percent(last.drawdown.max, 1)
    );
    LineChart {
        id,
        title: "Bankroll over time",
        description: &description,
        line: &line,
        band: &[],
        dots: &[],
        level: Some((first.opening.as_f64(), "")),
        y: &y,
        last: &money(last.bankroll),
    }
    .figure()
}

/// Running mean of the closing line value with its 95 % interval, and each day's own mean as a dot.
/// Drawn from the day on which there are enough bets to judge, when there is one; `None` before
/// there is an interval.
pub(super) fn closing_line_value(id: &str, history: &[Summary]) -> Option<String> {
    let interval = |day: &Summary| Some((day_of(day.date), day.clv.interval()?));
    let all: Vec<_> = history.iter().filter_map(interval).collect();
    let enough = all.iter().position(|(_, interval)| interval.n >= SAMPLE_MIN);
    let shown = &all[enough.unwrap_or(0)..];
    let (_, last) = shown.last()?;
    let edges = shown.iter().flat_map(|(_, interval)| [interval.low, interval.high]);
    let label = |value: f64, step: f64| percent(value, usize::from(step < 0.01));
    let y = Axis::round(edges.chain([0.0]), 5, label);
    let line: Vec<_> = shown.iter().map(|(x, interval)| (*x, interval.mean)).collect();
    let band: Vec<_> = shown.iter().map(|(x, i)| (*x, i.low, i.high)).collect();
    let start = line.first().map_or(0.0, |point| point.0);
    let daily = history.iter().filter_map(|day| Some((day_of(day.date), day.clv_today.mean()?)));
    let fits = |dot: &(f64, f64)| dot.0 >= start && (y.low..=y.high).contains(&dot.1);
    let dots: Vec<_> = daily.filter(fits).collect();
    let description = format!(
        "The mean closing line value over {} bets is {}, 95% interval {} to {}.",
        last.n,
        signed_percent(last.mean, 2),
        signed_percent(last.low, 2),
        signed_percent(last.high, 2)
    );
    let chart = LineChart {
        id,
        title: "Closing line value over time",
        description: &description,
        line: &line,
        band: &band,
        dots: &dots,
        level: Some((0.0, "")),
        y: &y,
        last: &signed_percent(last.mean, 2),
    };
    Some(chart.figure())
}
