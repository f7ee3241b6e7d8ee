//! Axes whose ticks fall on round values and on the first of a month.

use jiff::ToSpan as _;
use jiff::civil::Date;

/// Ticks an axis may have at most.
const TICKS_MAX: usize = 16;
/// Greatest magnitude shown; beyond it the axis, not the page, gives up.
const VALUE_MAX: f64 = 1e12;
/// Days around 1970 that have a date in any calendar.
const DAY_MAX: f64 = 1e6;

/// A range and its labelled ticks, all within it.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Values and their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis over all finite values, widened to round ends, with about `target` ticks at 1, 2 or
    /// 5 times a power of ten (Heckbert 1990). `label` gets a value and the step between ticks.
    pub fn round(
        values: impl IntoIterator<Item = f64>,
        target: usize,
        label: impl Fn(f64, f64) -> String,
    ) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (mut low, mut high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            let v = v.clamp(-VALUE_MAX, VALUE_MAX);
            (l.min(v), h.max(v))
        });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let length_min = low.abs().max(high.abs()).max(1e-6) * 1e-3;
        if high - low < length_min {
            let centre = f64::midpoint(low, high);
            (low, high) = (centre - length_min, centre + length_min);
        }
        let step = round_step((high - low) / target.clamp(1, TICKS_MAX) as f64);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let ticks = (first..=last).map(|n| (n as f64 * step, label(n as f64 * step, step)));
        Self { low: first as f64 * step, high: last as f64 * step, ticks: ticks.collect() }
    }

    /// An axis of days since 1970 with about `target` ticks on days, Mondays, months or years.
    pub fn days(first: f64, last: f64, target: usize) -> Self {
        let target = target.clamp(2, TICKS_MAX);
        let sound = |day: f64| if day.is_finite() { day.clamp(-DAY_MAX, DAY_MAX) } else { 0.0 };
        let low = sound(first);
        let high = sound(last).max(low + 1.0);
        // A few ticks more than asked for beat half as many.
        let every = 0.8 * (high - low) / target as f64;
        let ticks = match every {
            ..=14.0 => day_ticks(low, high, every),
            ..=190.0 => month_ticks(low, high, every),
            _ => year_ticks(low, high, every),
        };
        Self { low, high, ticks }
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    debug_assert!(least > 0.0 && least.is_finite(), "a step is positive");
    let power = 10_f64.powi(least.log10().floor() as i32);
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least * (1.0 - 1e-9));
    times.unwrap_or(10.0) * power
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The date of a day since 1970; the epoch for days that have none.
pub(crate) fn date_of(day: f64) -> Date {
    EPOCH.checked_add((day as i64).days()).unwrap_or(EPOCH)
}

/// The day since 1970 of a date.
pub(crate) fn day_of(date: Date) -> f64 {
    date.since(EPOCH).map_or(0.0, |span| f64::from(span.get_days()))
}

fn day_ticks(low: f64, high: f64, every: f64) -> Vec<(f64, String)> {
    let steps = [1.0, 2.0, 7.0, 14.0];
    let step = steps.into_iter().find(|step| *step >= every).unwrap_or(14.0);
    // 1970-01-05 was a Monday.
    let first = ((low - 4.0) / step).ceil() * step + 4.0;
    let days = (0..=TICKS_MAX).map(|n| first + n as f64 * step).take_while(|day| *day <= high);
    days.map(|day| (day, date_of(day).strftime("%-d %b").to_string())).collect()
}

fn month_ticks(low: f64, high: f64, every: f64) -> Vec<(f64, String)> {
    let steps = [1_i32, 2, 3, 6];
    let step = steps.into_iter().find(|step| f64::from(*step) * 31.0 >= every).unwrap_or(6);
    let start = date_of(low);
    let month = i32::from(start.year()) * 12 + i32::from(start.month()) - 1;
    let first = month.div_euclid(step) * step;
    let months = (0..=TICKS_MAX as i32 + 1).map(|n| first + n * step);
    let dates = months
        .filter_map(|m| Date::new(m.div_euclid(12) as i16, (m.rem_euclid(12) + 1) as i8, 1).ok());
    let inside = dates.map(|date| (day_of(date), date));
    let inside = inside.filter(|(day, _)| (low..=high).contains(day));
    let mut ticks: Vec<(f64, String)> = Vec::new();
    for (day, date) in inside {
        let with_year = ticks.is_empty() || date.month() <= step as i8;
        let pattern = if with_year { "%b %Y" } else { "%b" };
        ticks.push((day, date.strftime(pattern).to_string()));
    }
    ticks
}

fn year_ticks(low: f64, high: f64, every: f64) -> Vec<(f64, String)> {
    let steps = [1_i32, 2, 5, 10, 20, 50, 100, 200, 500];
    let step = steps.into_iter().find(|step| f64::from(*step) * 366.0 >= every).unwrap_or(500);
    let first = i32::from(date_of(low).year()).div_euclid(step) * step;
    let years = (0..=TICKS_MAX as i32 + 1).map(|n| first + n * step);
    let dates = years.filter_map(|year| Date::new(i16::try_from(year).ok()?, 1, 1).ok());
    let inside = dates.map(|date| (day_of(date), date.year().to_string()));
    inside.filter(|(day, _)| (low..=high).contains(day)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::round([9_812.0, 10_433.0], 4, |v, _| format!("{v}"));
        assert_eq!(labels(&axis), ["9800", "10000", "10200", "10400", "10600"]);
        let axis = Axis::round([0.001, 0.019], 4, |v, _| format!("{v:.3}"));
        assert_eq!(labels(&axis), ["0.000", "0.005", "0.010", "0.015", "0.020"]);
        let flat = Axis::round([5.0], 4, |v, _| format!("{v:.3}"));
        assert!(flat.low < 5.0 && 5.0 < flat.high && flat.ticks.len() <= 6, "{flat:?}");
        assert_eq!(labels(&Axis::round([f64::NAN], 1, |v, _| format!("{v}"))), ["0", "1"]);
    }

    #[test]
    fn dates_fall_on_what_people_say() {
        let day = |text: &str| day_of(text.parse().unwrap());
        let week = Axis::days(day("2022-08-01"), day("2022-08-08"), 8);
        assert_eq!(labels(&week)[..2], ["1 Aug", "2 Aug"]);
        let season = Axis::days(day("2021-08-06"), day("2022-05-22"), 5);
        assert_eq!(labels(&season), ["Sep 2021", "Nov", "Jan 2022", "Mar", "May"]);
        let years = Axis::days(day("2005-08-06"), day("2023-05-22"), 9);
        assert_eq!(labels(&years)[..3], ["2006", "2008", "2010"]);
    }
}
