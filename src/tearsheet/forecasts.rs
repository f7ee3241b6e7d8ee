//! The table of forecasters: each on its own fixtures, all on those they have in common, and how
//! the main ones did by league and season.

use serde::Serialize;

use super::chance::{Estimate, SEED, ratio};
use super::columns::{CLOSE, CONSENSUS, Column, Columns, Kind, TIDELINE};
use super::record::Triple;
use super::scores::{
    brier, calibration_error, calibration_floor, log_loss, ranked_probability_score,
};

/// A forecaster counts for the common fixtures when it has this share of those that Tideline and
/// the close both have; one book that came late would otherwise leave nothing to compare on.
const COVERAGE_MIN: f64 = 0.8;

/// Scores of one forecaster over some fixtures.
#[derive(Clone, Debug, Serialize)]
pub struct Scored {
    /// Name.
    pub forecast: String,
    /// What kind of forecaster.
    pub kind: Kind,
    /// Number of fixtures.
    pub fixtures: usize,
    /// Mean log-loss, nats.
    pub log_loss: f64,
    /// Mean ranked probability score, 0 to 1.
    pub rps: f64,
    /// Mean Brier score, 0 to 2.
    pub brier: f64,
    /// Class-wise calibration error, ten equal-count bins.
    pub ece: f64,
    /// What a calibrated forecast as sharp as this would show.
    pub ece_floor: f64,
    /// Against the close, where both have a price.
    pub close: Option<Paired>,
    /// Against the reference book's price before the close, where both have one.
    pub reference: Option<Paired>,
}

/// One forecaster against another on the fixtures that both have.
#[derive(Clone, Debug, Serialize)]
pub struct Paired {
    /// Number of fixtures.
    pub fixtures: usize,
    /// Log-loss over the other's.
    pub ratio: f64,
    /// Mean difference of log-loss, below zero when better, with its week-block interval.
    pub difference: Estimate,
}

/// How the main forecasters did on a part of the fixtures.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// League or season.
    pub key: String,
    /// Fixtures that all of them have.
    pub fixtures: usize,
    /// Tideline's log-loss.
    pub tideline: f64,
    /// The consensus'.
    pub consensus: f64,
    /// The close's.
    pub close: f64,
    /// Tideline's over the close's.
    pub ratio: f64,
    /// The consensus' over the close's.
    pub consensus_ratio: f64,
    /// Tideline less the close, with its week-block interval.
    pub difference: Estimate,
}

/// Everything about forecasts.
#[derive(Clone, Debug, Serialize)]
pub struct Forecasts {
    /// Fixtures with a result from the first day on.
    pub fixtures: usize,
    /// Of these, with a price of Tideline's.
    pub priced: usize,
    /// The book whose price before the close is the other benchmark.
    pub reference: Option<String>,
    /// Number of fixtures that all of `common` have.
    pub common_fixtures: usize,
    /// Forecasters that have too few fixtures for the comparison in common.
    pub left_out: Vec<String>,
    /// Each on the same fixtures.
    pub common: Vec<Scored>,
    /// Each on its own fixtures.
    pub own: Vec<Scored>,
    /// By league.
    pub by_league: Vec<Part>,
    /// By season.
    pub by_season: Vec<Part>,
}

impl Forecasts {
    /// Scores all columns; `league` names a league.
    pub fn of(columns: &Columns, league: impl Fn(schema::LeagueId) -> String) -> Self {
        let everywhere: Vec<usize> = (0..columns.len()).collect();
        let own = columns.all.iter().filter_map(|column| scored(columns, column, &everywhere));
        let own = own.collect();
        let (members, left_out) = members(columns);
        let has_all = |i: &usize| members.iter().all(|column| column.p[*i].is_some());
        let together: Vec<usize> = if members.is_empty() {
            Vec::new()
        } else {
            everywhere.iter().copied().filter(has_all).collect()
        };
        let common = members.iter().filter_map(|column| scored(columns, column, &together));
        let priced = columns.get(TIDELINE);
        Self {
            fixtures: columns.len(),
            priced: priced.map_or(0, |c| c.p.iter().flatten().count()),
            reference: columns.reference.clone(),
            common_fixtures: together.len(),
            left_out: left_out.into_iter().map(|column| column.name.clone()).collect(),
            common: common.collect(),
            own,
            by_league: parts(columns, |i| league(columns.leagues[i])),
            by_season: parts(columns, |i| super::history::season_name(columns.seasons[i])),
        }
    }
}

/// Forecasters for the common fixtures, and those that have too few.
fn members(columns: &Columns) -> (Vec<&Column>, Vec<&Column>) {
    let Some((tideline, close)) = columns.get(TIDELINE).zip(columns.get(CLOSE)) else {
        return (Vec::new(), columns.all.iter().collect());
    };
    let core: Vec<usize> =
        (0..columns.len()).filter(|i| tideline.p[*i].is_some() && close.p[*i].is_some()).collect();
    let covers = |column: &&Column| {
        let n = core.iter().filter(|i| column.p[**i].is_some()).count();
        n as f64 >= COVERAGE_MIN * core.len() as f64
    };
    columns.all.iter().partition(covers)
}

/// Scores of a column on those of the fixtures that it has; `None` when it has none.
fn scored(columns: &Columns, column: &Column, fixtures: &[usize]) -> Option<Scored> {
    let has: Vec<(usize, Triple)> =
        fixtures.iter().filter_map(|i| Some((*i, column.p[*i]?))).collect();
    if has.is_empty() {
        return None;
    }
    let p: Vec<Triple> = has.iter().map(|(_, p)| *p).collect();
    let outcomes: Vec<u8> = has.iter().map(|(i, _)| columns.outcomes[*i]).collect();
    let mean = |score: fn(&Triple, u8) -> f64| {
        p.iter().zip(&outcomes).map(|(p, y)| score(p, *y)).sum::<f64>() / p.len() as f64
    };
    let against = |other: Option<&Column>| {
        other
            .filter(|other| other.name != column.name)
            .and_then(|other| paired(columns, column, other, fixtures))
    };
    Some(Scored {
        forecast: column.name.clone(),
        kind: column.kind,
        fixtures: has.len(),
        log_loss: mean(log_loss),
        rps: mean(ranked_probability_score),
        brier: mean(brier),
        ece: calibration_error(&p, &outcomes),
        ece_floor: calibration_floor(&p, SEED),
        close: against(columns.get(CLOSE)),
        reference: against(columns.reference()),
    })
}

/// One column against another on those of the fixtures that both have.
pub fn paired(
    columns: &Columns,
    one: &Column,
    other: &Column,
    fixtures: &[usize],
) -> Option<Paired> {
    let losses: Vec<(i64, f64, f64)> = fixtures
        .iter()
        .filter_map(|i| {
            let outcome = columns.outcomes[*i];
            let (p, q) = one.p[*i].zip(other.p[*i])?;
            Some((columns.weeks[*i], log_loss(&p, outcome), log_loss(&q, outcome)))
        })
        .collect();
    let difference = ratio(losses.iter().map(|(week, p, q)| (*week, p - q, 1.0)))?;
    let (sum, of_other) = losses.iter().fold((0.0, 0.0), |sum, (_, p, q)| (sum.0 + p, sum.1 + q));
    Some(Paired { fixtures: losses.len(), ratio: sum / of_other, difference })
}

/// The main forecasters on each part, by its key; parts without fixtures in common are left out.
fn parts(columns: &Columns, key: impl Fn(usize) -> String) -> Vec<Part> {
    let main = [TIDELINE, CONSENSUS, CLOSE].map(|name| columns.get(name));
    let [Some(tideline), Some(consensus), Some(close)] = main else { return Vec::new() };
    let mut by_key = std::collections::BTreeMap::<String, Vec<usize>>::new();
    for i in 0..columns.len() {
        if [tideline, consensus, close].iter().all(|column| column.p[i].is_some()) {
            by_key.entry(key(i)).or_default().push(i);
        }
    }
    let part = |(key, fixtures): (String, Vec<usize>)| {
        let to_close = paired(columns, tideline, close, &fixtures)?;
        let of_consensus = paired(columns, consensus, close, &fixtures)?;
        let mean = |column: &Column| {
            let loss = |i: &usize| column.p[*i].map_or(0.0, |p| log_loss(&p, columns.outcomes[*i]));
            fixtures.iter().map(loss).sum::<f64>() / fixtures.len() as f64
        };
        Some(Part {
            key,
            fixtures: fixtures.len(),
            tideline: mean(tideline),
            consensus: mean(consensus),
            close: mean(close),
            ratio: to_close.ratio,
            consensus_ratio: of_consensus.ratio,
            difference: to_close.difference,
        })
    };
    by_key.into_iter().filter_map(part).collect()
}
