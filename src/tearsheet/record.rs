//! What a backtest leaves behind, fixture by fixture: every forecast as it stood at the lead before
//! kick-off, the close, the result and when it was known. Memory grows with the number of fixtures
//! and bets, not with that of ticks or quotes.

use std::collections::BTreeMap;

use model::Pricer;
use rustc_hash::FxHashMap;
use schema::{
    Action, BookId, BookRole, Delta, Devig, EventId, FixtureId, LeagueId, LedgerRow, Market,
    MarketRow, NameId, Names, Odds, Outbox, Probability, ResultStatus, Score, Span, Suggestion,
    TeamId, Time,
};

use crate::desk::Desk;
use crate::engine::Observer;
use crate::setup::Decisions;

/// A forecast of home, draw and away.
pub type Triple = [f64; 3];

/// What decides which prices count as known, and as closing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Fixtures that kick off before are only learned from.
    pub from: Time,
    /// Books whose close is the reference, best first.
    pub closing_reference: Vec<String>,
    /// A quote made this long before kick-off or later counts as a closing one.
    pub closing_within: Span,
    /// How long before kick-off a market counts as known to a decision.
    pub as_of_lead: Span,
}

impl Settings {
    /// The settings of a rehearsal with these decisions.
    pub fn of(decisions: &Decisions, from: Option<Time>) -> Self {
        Self {
            from: from.unwrap_or(Time::MIN),
            closing_reference: decisions.closing_reference.clone(),
            closing_within: decisions.closing_within,
            as_of_lead: decisions.as_of_lead,
        }
    }
}

/// A final score and since when it is known as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The score.
    pub score: Score,
    /// Time of the tick that brought it, or corrected it last.
    pub at: Time,
}

/// One fixture.
#[derive(Clone, Debug, Default)]
pub struct Fixture {
    /// Its competition.
    pub league: LeagueId,
    /// The home side.
    pub home: TeamId,
    /// The away side.
    pub away: TeamId,
    /// When it starts.
    pub kick_off: Time,
    /// Its result.
    pub result: Option<Known>,
    /// Tideline's own price, and which of the models in [`Record::models`] made it.
    pub fair: Option<(Triple, usize)>,
    /// Every book's price at the lead before kick-off, de-vigged.
    pub books: Vec<(BookId, Triple)>,
    /// Closing prices of references, de-vigged.
    pub closes: Vec<(BookId, Triple)>,
    /// Mean of the books one can bet with at the lead before kick-off, de-vigged.
    pub consensus: Option<Triple>,
    /// The same at the close.
    pub closing_consensus: Option<Triple>,
}

/// A model and since when it priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Time it went live: the end of the window it learned from. None for the one before any.
    pub since: Option<Time>,
    /// The pricer.
    pub pricer: String,
    /// The digest of its artifact, or the pricer's name before there was one.
    pub model: String,
}

/// One bet that was placed.
#[derive(Clone, Debug)]
pub struct PlacedBet {
    /// Its row in the ledger as it stands.
    pub row: LedgerRow,
    /// Expected profit per unit staked when it was suggested.
    pub edge: f64,
    /// The price over the median of the books' prices when it was suggested.
    pub price_to_median: f64,
}

/// Everything that was seen.
#[derive(Debug)]
pub struct Record {
    settings: Settings,
    reference_ids: Vec<BookId>,
    fixtures: FxHashMap<FixtureId, Fixture>,
    names: BTreeMap<NameId, String>,
    roles: BTreeMap<BookId, BookRole>,
    models: Vec<Live>,
    suggested: BTreeMap<EventId, (f64, f64)>,
    bets: BTreeMap<EventId, PlacedBet>,
    bankroll: Vec<(i64, f64)>,
    drawdown: sinks::statistics::Drawdown,
    opening: Option<f64>,
    last: Time,
}

impl Record {
    /// Nothing seen yet.
    pub fn new(settings: Settings) -> Self {
        let reference_ids =
            settings.closing_reference.iter().map(|name| BookId::of(name)).collect();
        Self {
            settings,
            reference_ids,
            fixtures: FxHashMap::default(),
            names: BTreeMap::new(),
            roles: BTreeMap::new(),
            models: Vec::new(),
            suggested: BTreeMap::new(),
            bets: BTreeMap::new(),
            bankroll: Vec::new(),
            drawdown: sinks::statistics::Drawdown::default(),
            opening: None,
            last: Time::MIN,
        }
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every fixture in order of kick-off, then of id.
    pub fn fixtures(&self) -> Vec<&Fixture> {
        let mut all: Vec<_> = self.fixtures.iter().collect();
        all.sort_by_key(|(id, fixture)| (fixture.kick_off, **id));
        all.into_iter().map(|(_, fixture)| fixture).collect()
    }

    /// Models in the order they went live.
    pub fn models(&self) -> &[Live] {
        &self.models
    }

    /// Bets placed, in the order they were.
    pub fn bets(&self) -> Vec<&PlacedBet> {
        let mut all: Vec<_> = self.bets.values().collect();
        all.sort_by_key(|bet| (bet.row.placed_at, bet.row.suggestion_id));
        all
    }

    /// Books with a price of any fixture, and what kind of offer each is.
    pub fn books(&self) -> impl Iterator<Item = (BookId, &str, BookRole)> {
        self.roles.iter().map(|(book, role)| (*book, self.name(*book), *role))
    }

    /// Books whose close is the reference, best first.
    pub fn references(&self) -> &[BookId] {
        &self.reference_ids
    }

    /// A league's or book's name.
    pub fn name(&self, id: impl Into<NameId>) -> &str {
        self.names.get(&id.into()).map_or("?", String::as_str)
    }

    /// Bankroll at the end of each day on which it moved, the opening one first; and its deepest
    /// fall from a peak, tick by tick, as a fraction.
    pub fn bankroll(&self) -> (&[(i64, f64)], f64) {
        (&self.bankroll, self.drawdown.max)
    }

    /// What the bankroll was at first.
    pub fn opening(&self) -> f64 {
        self.opening.unwrap_or(0.0)
    }

    /// Time of the last tick.
    pub const fn last(&self) -> Time {
        self.last
    }

    fn know(&mut self, id: impl Into<NameId>, names: &Names) {
        let id = id.into();
        self.names.entry(id).or_insert_with(|| names.get(id).to_owned());
    }

    fn take_fixtures(&mut self, delta: &Delta, names: &Names) {
        for change in &delta.fixtures {
            let Some(row) = change.after else {
                self.fixtures.remove(&change.key);
                continue;
            };
            self.know(row.league, names);
            let fixture = self.fixtures.entry(change.key).or_default();
            (fixture.league, fixture.kick_off) = (row.league, row.kick_off);
            (fixture.home, fixture.away) = (row.home, row.away);
        }
        for change in &delta.results {
            let Some(fixture) = self.fixtures.get_mut(&change.key) else { continue };
            let stands = change.after.filter(|result| result.status == ResultStatus::Final);
            fixture.result = stands.map(|result| Known { score: result.score, at: delta.time });
        }
    }

    fn take_markets(&mut self, delta: &Delta, names: &Names) {
        for change in delta.as_of.iter().filter(|change| change.key.market == Market::ONE_X_TWO) {
            let row = change.after.as_deref();
            let Some(prices) = self.prices(change.key.fixture, row, names, |_, _| true) else {
                continue;
            };
            if let Some(fixture) = self.fixtures.get_mut(&change.key.fixture) {
                (fixture.consensus, fixture.books) = (prices.consensus, prices.books);
            }
        }
        let (within, references) = (self.settings.closing_within, self.reference_ids.clone());
        for change in delta.closing.iter().filter(|change| change.key.market == Market::ONE_X_TWO) {
            let row = change.after.as_deref();
            let closed = |at: Time, kick_off: Time| at >= kick_off.minus(within);
            let Some(mut prices) = self.prices(change.key.fixture, row, names, closed) else {
                continue;
            };
            prices.books.retain(|(book, _)| {
                references.contains(book) || self.roles.get(book) == Some(&BookRole::Reference)
            });
            prices.books.shrink_to_fit();
            if let Some(fixture) = self.fixtures.get_mut(&change.key.fixture) {
                (fixture.closing_consensus, fixture.closes) = (prices.consensus, prices.books);
            }
        }
    }

    /// De-vigged prices of a row, nothing for a row that went; `None` for fixtures that are not
    /// scored.
    fn prices(
        &mut self,
        fixture: FixtureId,
        row: Option<&MarketRow>,
        names: &Names,
        counts: impl Fn(Time, Time) -> bool,
    ) -> Option<Prices> {
        let kick_off = self.fixtures.get(&fixture)?.kick_off;
        if kick_off < self.settings.from {
            return None;
        }
        let mut prices = Prices::default();
        let (mut sum, mut n) = ([0.0; 3], 0.0);
        for quote in row.map_or(&[][..], |row| &row.books) {
            let fair = Devig::Power.fair(&quote.prices);
            let Some(fair) = fair.filter(|_| counts(quote.at, kick_off)) else { continue };
            let fair = normal(fair.map(Probability::as_f64));
            self.know(quote.book, names);
            self.roles.insert(quote.book, quote.role);
            prices.books.push((quote.book, fair));
            if quote.role != BookRole::Reference {
                sum = [0, 1, 2].map(|i| sum[i] + fair[i]);
                n += 1.0;
            }
        }
        prices.consensus = (n > 0.0).then(|| sum.map(|p| p / n));
        Some(prices)
    }

    fn take_prices(&mut self, outbox: &Outbox) {
        let live = self.models.len().saturating_sub(1);
        for price in &outbox.prices {
            let counts = price.market == Market::ONE_X_TWO && price.kick_off >= self.settings.from;
            let Some(fixture) = self.fixtures.get_mut(&price.fixture).filter(|_| counts) else {
                continue;
            };
            fixture.fair = Some((normal(price.fair.map(Probability::as_f64)), live));
        }
    }

    fn take_bets(&mut self, outbox: &Outbox) {
        for message in &outbox.suggestions {
            match message.action {
                Action::Issued | Action::Revised => {
                    let told = (message.edge, price_to_median(message));
                    self.suggested.insert(message.suggestion_id, told);
                }
                Action::Withdrawn | Action::Expired => {
                    self.suggested.remove(&message.suggestion_id);
                }
                Action::Settled | Action::Corrected => {}
            }
        }
        for row in &outbox.ledger {
            if let Some(bet) = self.bets.get_mut(&row.suggestion_id) {
                bet.row = row.clone();
                continue;
            }
            let own = (row.fair_probability * row.odds.decimal() - 1.0, 1.0);
            let (edge, price_to_median) = self.suggested.remove(&row.suggestion_id).unwrap_or(own);
            let bet = PlacedBet { row: row.clone(), edge, price_to_median };
            self.bets.insert(row.suggestion_id, bet);
        }
        let (bankroll, day) = (outbox.bankroll.as_f64(), outbox.time.day());
        self.opening.get_or_insert(bankroll);
        self.drawdown.observe(bankroll);
        match self.bankroll.last_mut() {
            Some((_, before)) if *before == bankroll => {}
            Some((last, value)) if *last == day => *value = bankroll,
            _ => self.bankroll.push((day, bankroll)),
        }
    }
}

#[derive(Default)]
struct Prices {
    books: Vec<(BookId, Triple)>,
    consensus: Option<Triple>,
}

/// Summing to one exactly: what was kept in fixed point does so to its last digit only.
fn normal(p: Triple) -> Triple {
    let sum: f64 = p.iter().sum();
    if sum > 0.0 { p.map(|p| p / sum) } else { p }
}

/// The price over the median of the books' prices that the message lists.
fn price_to_median(message: &Suggestion) -> f64 {
    let mut odds: Vec<f64> = message
        .quotes
        .iter()
        .map(|quote| quote.odds)
        .filter(|odds| odds.is_some())
        .map(Odds::decimal)
        .collect();
    if odds.is_empty() {
        return 1.0;
    }
    odds.sort_by(f64::total_cmp);
    message.odds.decimal() / super::chance::quantile(&odds, 0.5)
}

impl Observer for Record {
    fn see(
        &mut self,
        delta: &Delta,
        outbox: &Outbox,
        names: &Names,
        pricer: &dyn Pricer,
        _: &Desk,
    ) {
        debug_assert_eq!(delta.tick, outbox.tick, "a delta and what left because of it");
        if self.models.last().is_none_or(|live| live.model != pricer.model()) {
            let since = (!self.models.is_empty()).then_some(outbox.time);
            let (pricer, model) = (pricer.name().to_owned(), pricer.model().to_owned());
            self.models.push(Live { since, pricer, model });
        }
        self.last = outbox.time;
        self.take_fixtures(delta, names);
        self.take_markets(delta, names);
        self.take_prices(outbox);
        self.take_bets(outbox);
    }
}
