//! What past matches say about the teams of the next one, with and without their prices.
//!
//! Three sources, kept apart because the two switches of a pricer take them away one by one: closing
//! lines of earlier matches (strengths by a filter over the line itself, pushed by what matches
//! showed), match statistics (strengths and attack and defence by shots, shots on target, corners,
//! goals), and the table (what is left to play for).

pub(crate) mod rates;
pub(crate) mod stakes;
pub(crate) mod statistics;
pub(crate) mod strength;

use schema::{FixtureRow, Time};
use serde::{Deserialize, Serialize};

use crate::form::STATISTICS;
use rates::Rates;
use stakes::{Open, Stakes};
use statistics::{Relative, Statistics};
use strength::{Expected, Settings, Strengths};

/// Filters over the closing line, home against away: with the push of what matches showed, slower
/// with less of it, and faster without.
pub(crate) const LINES: usize = 3;
/// Filters over differences of counts: class and form.
pub(crate) const AHEAD: usize = 2;
/// How much of a push each filter of the line takes.
const PUSHES: [f64; LINES] = [1.0, 0.7, 0.0];
/// How far one relative surprise (count over expectation, less one) pushes a strength, in log-odds:
/// goals, shots on target, shots, corners; and a red card. Regressed on earlier seasons.
const PUSH: [f64; STATISTICS + 1] = [0.032, 0.0142, 0.0148, 0.005, -0.0045];
/// The same for the total, both sides together, in log-odds of more than 2.5 goals.
const PUSH_TOTAL: [f64; STATISTICS + 1] = [0.01, 0.005, 0.005, 0.0, 0.0];
/// Standard deviations of differences and sums of counts, to bring them to one scale.
const AHEAD_SCALE: [f64; STATISTICS] = [1.7, 3.6, 7.5, 4.2];
const TOTAL_SCALE: [f64; STATISTICS] = [1.65, 3.3, 6.0, 3.4];
/// Their means in football, in that scale.
const AHEAD_LEVELS: [f64; STATISTICS] = [0.22, 0.25, 0.33, 0.24];
pub(crate) const TOTAL_LEVELS: [f64; STATISTICS] = [1.6, 2.6, 3.9, 2.95];
/// Differences beyond this, in that scale, count as this.
const AHEAD_MAX: f64 = 3.0;
/// Rest beyond this is all the same, in days.
const REST_DAYS_MAX: f64 = 21.0;
const DAY_MS: f64 = 86_400_000.0;

const LINE: Settings = Settings {
    sign: -1.0,
    noise_day: 3e-4,
    noise_summer: 0.04,
    noise_league_day: 3e-4,
    spread: 0.02,
    prior: 0.5,
    newcomer: -0.35,
};
const LINE_SETTINGS: [Settings; LINES] = [
    LINE,
    Settings { noise_day: 1e-4, noise_league_day: 2e-5, spread: 0.05, ..LINE },
    Settings { noise_day: 6e-4, noise_league_day: 2e-5, ..LINE },
];
const DRAW: Settings = Settings {
    sign: 1.0,
    noise_day: 2e-5,
    noise_summer: 0.003,
    noise_league_day: 2e-5,
    spread: 0.05,
    prior: 0.01,
    newcomer: 0.0,
};
const TOTAL: Settings = Settings { noise_day: 1e-4, noise_summer: 0.01, prior: 0.05, ..DRAW };
const COUNTS: Settings = Settings {
    noise_day: 1e-4,
    noise_summer: 0.04,
    noise_league_day: 2e-6,
    spread: 1.5,
    prior: 0.2,
    newcomer: 0.15,
    ..LINE
};
const COUNT_SETTINGS: [Settings; AHEAD] =
    [COUNTS, Settings { noise_day: 6e-4, noise_summer: 0.05, ..COUNTS }];
const COUNTS_TOTAL: Settings = Settings {
    sign: 1.0,
    noise_day: 5e-5,
    noise_summer: 0.01,
    noise_league_day: 1e-5,
    spread: 1.0,
    prior: 0.06,
    newcomer: 0.0,
};

/// All ratings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratings {
    /// Whether closing lines may be known: without any, pushes alone would drift.
    odds: bool,
    lines: Vec<Strengths>,
    draw: Strengths,
    total: Strengths,
    ahead: Vec<Strengths>,
    both: Strengths,
    statistics: Statistics,
    stakes: Stakes,
    rates: Rates,
}

impl Ratings {
    /// Ratings before the first match.
    pub fn new(odds: bool) -> Self {
        let ahead = |settings| Strengths::new(settings, &AHEAD_LEVELS);
        Self {
            odds,
            lines: LINE_SETTINGS.map(|settings| Strengths::new(settings, &[0.4])).to_vec(),
            draw: Strengths::new(DRAW, &[-0.2]),
            total: Strengths::new(TOTAL, &[0.0]),
            ahead: COUNT_SETTINGS.map(ahead).to_vec(),
            both: Strengths::new(COUNTS_TOTAL, &TOTAL_LEVELS),
            statistics: Statistics::default(),
            stakes: Stakes::default(),
            rates: Rates::default(),
        }
    }
}

/// What all ratings say of a match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rated {
    /// The line home against away, by filter.
    pub lines: Vec<Expected>,
    /// The line of the draw against both.
    pub draw: Expected,
    /// Log-odds of more than 2.5 goals.
    pub total: Expected,
    /// Differences of counts, scaled, by filter.
    pub ahead: Vec<Expected>,
    /// Sums of counts, scaled.
    pub both: Expected,
    /// Counts relative to the league's means.
    pub relative: Relative,
    /// What is left to play for.
    pub open: Open,
    /// Rest of both sides, 0 to 1.
    pub rest: [f64; 2],
    /// Expected goals by ratings alone.
    pub rates: [f64; 2],
}

/// What a finished match showed.
pub(crate) struct Shown<'a> {
    /// Counts of both sides, by statistic.
    pub counts: &'a [Option<[f64; 2]>; STATISTICS],
    /// Count over expectation, less one, by statistic; red cards last, as they are.
    pub surprises: &'a [Option<[f64; 2]>; STATISTICS + 1],
    /// Goals.
    pub score: [u16; 2],
    /// Where its line closed (home against away, draw against both), and log-odds of over 2.5.
    pub close: Option<[f64; 2]>,
    pub total: Option<f64>,
}

impl Ratings {
    /// What to expect of a match, given when each side last played.
    pub fn expect(&self, row: &FixtureRow, last: [Option<Time>; 2], now: Time) -> Rated {
        let rest = last.map(|last| {
            let days = last.map_or(REST_DAYS_MAX, |last| now.since(last) as f64 / DAY_MS);
            days.clamp(0.0, REST_DAYS_MAX) / REST_DAYS_MAX
        });
        let mut rated = Rated {
            lines: self.lines.iter().map(|it| it.expect(row)).collect(),
            draw: self.draw.expect(row),
            total: self.total.expect(row),
            ahead: self.ahead.iter().map(|it| it.expect(row)).collect(),
            both: self.both.expect(row),
            relative: self.statistics.expect(row),
            open: self.stakes.open(row),
            rest,
            rates: [0.0; 2],
        };
        rated.rates = self.rates.expect(&rated);
        rated
    }

    /// Takes a finished match in; `before` is what was expected as of the decision.
    pub fn played(&mut self, row: &FixtureRow, shown: &Shown<'_>, before: Option<&Rated>) {
        if let Some(before) = before {
            self.rates.learn(before, shown.score, row.kick_off);
        }
        if self.odds {
            self.closed(row, shown);
        }
        let scaled = |scale: [f64; STATISTICS], sign: f64, most: f64| {
            let one = |at: usize| {
                shown.counts[at]
                    .map(|[home, away]| ((home + sign * away) / scale[at]).clamp(-most, most))
            };
            std::array::from_fn::<_, STATISTICS, _>(one)
        };
        for filter in &mut self.ahead {
            filter.played(row, Some(&scaled(AHEAD_SCALE, -1.0, AHEAD_MAX)), [0.0; 2]);
        }
        self.both.played(row, Some(&scaled(TOTAL_SCALE, 1.0, f64::INFINITY)), [0.0; 2]);
        self.statistics.played(row, shown.counts, shown.score[0] == shown.score[1]);
        self.stakes.played(row, shown.score);
    }

    /// What the closing lines said, and what the match pushes them by.
    fn closed(&mut self, row: &FixtureRow, shown: &Shown<'_>) {
        let side = push(shown.surprises, &PUSH, -1.0);
        for (filter, share) in self.lines.iter_mut().zip(PUSHES) {
            let close = shown.close.map(|close| [Some(close[0])]);
            filter.played(
                row,
                close.as_ref().map(<[_; 1]>::as_slice),
                [share * side, -share * side],
            );
        }
        let draw = shown.close.map(|close| [Some(close[1])]);
        self.draw.played(row, draw.as_ref().map(<[_; 1]>::as_slice), [0.0; 2]);
        let both = push(shown.surprises, &PUSH_TOTAL, 1.0);
        let total = [shown.total];
        self.total.played(row, Some(&total), [both; 2]);
    }

    /// Takes up what regressions learned since the last window.
    pub fn close_window(&mut self) {
        self.rates.solve();
    }
}

/// How far a match's surprises push its home side (`sign` -1: differences), or both (1: sums).
fn push(
    surprises: &[Option<[f64; 2]>; STATISTICS + 1],
    by: &[f64; STATISTICS + 1],
    sign: f64,
) -> f64 {
    surprises.iter().zip(by).filter_map(|(it, by)| it.map(|[a, b]| by * (a + sign * b))).sum()
}
