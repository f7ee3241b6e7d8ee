//! Forecasts: the fair price at the lead before kick-off, what it closed at, and what happened.
//!
//! They say how well a league and market are known (the circle of competence), how well calibrated
//! the prices are (the report), and they are what the pricer learns from.

use std::sync::Arc;

use model::Pricer;
use schema::{
    Delta, FairPrice, FixtureId, Forecast, LeagueId, Market, MarketRow, Names, ResultStatus, Score,
    Selection,
};

use super::Desk;

impl Desk {
    /// Prices every market at the lead before kick-off, and scores the price once the result is in.
    pub(super) fn take_forecasts(&mut self, delta: &Delta, names: &Names, pricer: &dyn Pricer) {
        for change in &delta.as_of {
            let Some(row) = &change.after else { continue };
            let Some(entry) = self.slate.get_mut(change.key.fixture) else { continue };
            let Some(fixture) = entry.row else { continue };
            let Some(fair) = pricer.price(row, fixture.league, row.updated_at) else { continue };
            entry
                .forecasts
                .insert(change.key.market, fair.probabilities.map(schema::Probability::as_f64));
            self.outbox.prices.push(FairPrice {
                fixture: change.key.fixture,
                kick_off: fixture.kick_off,
                market: change.key.market,
                fair: fair.probabilities,
            });
        }
        for change in &delta.results {
            self.unscore(change.key);
            if let Some(result) = change.after.filter(|result| result.status == ResultStatus::Final)
            {
                self.score(change.key, result.score, names);
            }
        }
    }

    /// Takes a fixture's forecasts out of the track record: its result changed.
    fn unscore(&mut self, fixture: FixtureId) {
        let Some(entry) = self.slate.get_mut(fixture) else { return };
        let Some(league) = entry.row.map(|row| row.league) else { return };
        for (market, (fair, outcome)) in std::mem::take(&mut entry.scored) {
            let selections = market.selections().len();
            self.record.unforecast(league, market.kind, &fair[..selections], outcome);
        }
    }

    /// Counts a fixture's forecasts with what happened, and publishes that of 1X2.
    fn score(&mut self, fixture: FixtureId, score: Score, names: &Names) {
        let forecast = self.slate.forecast(fixture, names, &self.settings);
        let Some(entry) = self.slate.get_mut(fixture) else { return };
        let Some(league) = entry.row.map(|row| row.league) else { return };
        for (market, fair) in &entry.forecasts {
            let Some(outcome) = winner(*market, score) else { continue };
            entry.scored.insert(*market, (*fair, outcome));
            let selections = market.selections().len();
            self.record.forecast(league, market.kind, &fair[..selections], outcome);
        }
        let outcome = entry.scored.get(&Market::ONE_X_TWO).map(|(_, outcome)| *outcome as u8);
        if let (Some(forecast), Some(outcome)) = (forecast, outcome) {
            self.outbox.forecasts.push(Forecast { outcome, ..forecast });
        }
    }

    /// Pairs of what was known at the lead before kick-off and what the line closed at, for every
    /// line that closed in this tick.
    pub fn lessons(&self, delta: &Delta) -> Vec<(LeagueId, Arc<MarketRow>, Arc<MarketRow>)> {
        let closed = delta.closing.iter().filter(|change| change.before.is_none());
        closed
            .filter_map(|change| {
                let closing = change.after.clone()?;
                let entry = self.slate.get(change.key.fixture)?;
                let as_of = entry.as_of.get(&change.key.market)?;
                Some((entry.row?.league, Arc::clone(as_of), closing))
            })
            .collect()
    }
}

/// Which selection of a market won outright; none when the stake was split or returned.
fn winner(market: Market, score: Score) -> Option<usize> {
    let won = |index: &usize| {
        schema::settle(market, Selection(*index as u8), score) == schema::Outcome::Win
    };
    (0..market.selections().len()).find(won)
}
