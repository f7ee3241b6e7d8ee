//! What the desk knows of each fixture it may still have to act on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::{
    BookId, BookQuote, BookRole, Change, Delta, FixtureId, FixtureRow, Forecast, FormRow, Market,
    MarketKey, MarketRow, NameId, Names, Odds, Probability, ResultRow, SELECTIONS_MAX, Signal,
    Span,
};

use super::Settings;

use super::bet::Bet;

/// One fixture at the desk.
#[derive(Debug, Default)]
pub struct Entry {
    /// The fixture; none while only quotes of it have arrived.
    pub row: Option<FixtureRow>,
    /// Its live markets.
    pub markets: BTreeMap<Market, Arc<MarketRow>>,
    /// Its markets as of the lead before kick-off.
    pub as_of: BTreeMap<Market, Arc<MarketRow>>,
    /// Its closing lines.
    pub closing: BTreeMap<Market, Arc<MarketRow>>,
    /// Fair prices at the lead before kick-off.
    pub forecasts: BTreeMap<Market, [f64; SELECTIONS_MAX]>,
    /// Forecasts and what won, as the track record counts them.
    pub scored: BTreeMap<Market, ([f64; SELECTIONS_MAX], usize)>,
    /// Form of both teams.
    pub forms: Option<[FormRow; 2]>,
    /// Its standing result.
    pub result: Option<ResultRow>,
    /// Newest signal of each name and market.
    pub signals: BTreeMap<(Market, NameId), [i64; SELECTIONS_MAX]>,
    /// Bets suggested on it.
    pub bets: Vec<Bet>,
}

/// All fixtures at the desk.
#[derive(Debug, Default)]
pub struct Slate {
    fixtures: BTreeMap<FixtureId, Entry>,
    /// Results that changed after the bets on them were final: nothing is restated any more.
    pub late_corrections: u64,
}

/// A fixture as `predict` shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FixtureView {
    /// Its name.
    pub fixture: String,
    /// Kick-off.
    pub kick_off: schema::Time,
    /// Every bet that was looked at, best edge first.
    pub candidates: Vec<Candidate>,
    /// Fair probabilities by market.
    pub fair: BTreeMap<String, Vec<FairSelection>>,
    /// Form of both sides.
    pub forms: Option<[FormRow; 2]>,
}

/// A fair probability.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FairSelection {
    /// Selection.
    pub selection: &'static str,
    /// Its probability.
    pub probability: f64,
    /// Standard deviation of that.
    pub deviation: f64,
}

/// A bet that was looked at, and what came of it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Candidate {
    /// Market.
    pub market: String,
    /// Selection.
    pub selection: String,
    /// Best book.
    pub book: String,
    /// Its odds.
    pub odds: f64,
    /// Fair odds.
    pub fair_odds: f64,
    /// Expected profit per unit, net of commission.
    pub edge: f64,
    /// Combined score of the lenses; none when the edge was too small to ask them.
    pub confidence: Option<f64>,
    /// Their readings.
    pub lenses: Vec<schema::LensReading>,
    /// Why it is not suggested; none when it is.
    pub refusal: Option<String>,
}

impl Slate {
    /// Takes over a delta; gives the fixtures whose bets have to be looked at again.
    pub fn take(&mut self, delta: &Delta, signals: &[Signal]) -> BTreeSet<FixtureId> {
        let mut touched = BTreeSet::new();
        for change in &delta.fixtures {
            let entry = self.fixtures.entry(change.key).or_default();
            entry.row = change.after;
            touched.insert(change.key);
        }
        for change in &delta.markets {
            take_market(&mut self.fixtures, change, |entry| &mut entry.markets);
            touched.insert(change.key.fixture);
        }
        for change in &delta.as_of {
            take_market(&mut self.fixtures, change, |entry| &mut entry.as_of);
        }
        for change in &delta.closing {
            take_market(&mut self.fixtures, change, |entry| &mut entry.closing);
        }
        for change in &delta.forms {
            if let Some(entry) = self.fixtures.get_mut(&change.key) {
                entry.forms = change.after;
            }
        }
        for change in &delta.results {
            // A result that changes for a fixture already forgotten comes after its bets are final.
            if change.before.is_some() && !self.fixtures.contains_key(&change.key) {
                self.late_corrections += 1;
                continue;
            }
            self.fixtures.entry(change.key).or_default().result = change.after;
        }
        for signal in signals {
            let entry = self.fixtures.entry(signal.fixture).or_default();
            entry.signals.insert((signal.market, signal.name), signal.value_micros);
            touched.insert(signal.fixture);
        }
        touched
    }

    /// A fixture.
    pub fn get(&self, fixture: FixtureId) -> Option<&Entry> {
        self.fixtures.get(&fixture)
    }

    /// A fixture, to change it.
    pub fn get_mut(&mut self, fixture: FixtureId) -> Option<&mut Entry> {
        self.fixtures.get_mut(&fixture)
    }

    /// All fixtures, by id.
    pub fn iter(&self) -> impl Iterator<Item = (FixtureId, &Entry)> {
        self.fixtures.iter().map(|(id, entry)| (*id, entry))
    }

    /// Fixtures with live markets.
    pub fn upcoming(&self) -> BTreeSet<FixtureId> {
        self.iter().filter(|(_, entry)| !entry.markets.is_empty()).map(|(id, _)| id).collect()
    }

    /// Forgets a fixture.
    pub fn remove(&mut self, fixture: FixtureId) {
        self.fixtures.remove(&fixture);
    }

    /// The 1X2 forecast of a fixture, its outcome still to be filled in.
    pub fn forecast(
        &self,
        fixture: FixtureId,
        names: &Names,
        settings: &Settings,
    ) -> Option<Forecast> {
        let entry = self.fixtures.get(&fixture)?;
        let row = entry.row?;
        let fair = *entry.forecasts.get(&Market::ONE_X_TWO)?;
        let (references, within) = (&settings.closing_reference, settings.closing_within);
        let closing = entry.closing_fair(Market::ONE_X_TWO, references, within);
        Some(Forecast {
            fixture: names.get(fixture).to_owned(),
            league: names.get(row.league).to_owned(),
            kick_off: row.kick_off,
            fair,
            closing,
            outcome: 0,
        })
    }
}

fn take_market(
    fixtures: &mut BTreeMap<FixtureId, Entry>,
    change: &Change<MarketKey, Arc<MarketRow>>,
    rows: impl Fn(&mut Entry) -> &mut BTreeMap<Market, Arc<MarketRow>>,
) {
    let fixture = change.key.fixture;
    if let Some(row) = &change.after {
        rows(fixtures.entry(fixture).or_default()).insert(change.key.market, Arc::clone(row));
    } else if let Some(entry) = fixtures.get_mut(&fixture) {
        rows(entry).remove(&change.key.market);
        if entry.row.is_none() && entry.markets.is_empty() && entry.bets.is_empty() {
            fixtures.remove(&fixture);
        }
    }
}

impl Entry {
    /// The fair closing prices of a market: the best reference book that closed complete, else the
    /// mean of the books one can bet with that did. Quotes made before `closing_within` of kick-off
    /// are not closing ones, however long they stood.
    pub fn closing_fair(
        &self,
        market: Market,
        references: &[BookId],
        closing_within: Span,
    ) -> Option<[f64; SELECTIONS_MAX]> {
        let row = self.closing.get(&market)?;
        let from = self.row?.kick_off.minus(closing_within);
        let closed = |quote: &&BookQuote| quote.is_complete() && quote.at >= from;
        let reference = references.iter().find_map(|book| row.book(*book).filter(closed));
        if let Some(quote) = reference {
            return Some(quote.fair.map(Probability::as_f64));
        }
        let books: Vec<_> =
            row.books.iter().filter(|q| q.role != BookRole::Reference).filter(closed).collect();
        if books.is_empty() {
            return None;
        }
        let mut mean = [0_u64; SELECTIONS_MAX];
        for quote in &books {
            for (sum, fair) in mean.iter_mut().zip(quote.fair) {
                *sum += fair.scaled();
            }
        }
        let n = books.len() as f64 * Probability::SCALE as f64;
        Some(mean.map(|sum| sum as f64 / n))
    }
}

/// Closing line value of a price: `odds x closing fair probability - 1`.
pub fn closing_line_value(odds: Odds, closing_fair: f64) -> f64 {
    odds.decimal() * closing_fair - 1.0
}
