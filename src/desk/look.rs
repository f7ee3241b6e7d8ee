//! Looking at a fixture: every selection of every live market, priced, compared with what books
//! offer, and shown to the lenses when there is something to show.

use std::collections::BTreeSet;

use lenses::{Ask, BetKind, Case, Gate, Verdict, edge};
use model::{Fair, Pricer};
use schema::{
    BookQuote, BookRole, FixtureId, FixtureRow, FixtureStatus, Market, MarketRow, Names, Odds,
    Probability, Selection, Signal, Time,
};

use super::Desk;
use super::slate::{Candidate, Entry, FairSelection, FixtureView};

/// Most books tried for one selection: after that many suspect prices nobody's is to be trusted.
const BOOKS_TRIED_MAX: usize = 4;

/// One selection at its best book, and what the panel says.
pub struct Look {
    /// The market.
    pub market: Market,
    /// The selection.
    pub selection: Selection,
    /// The book's prices.
    pub quote: BookQuote,
    /// The price of the selection.
    pub odds: Odds,
    /// Commission there, in basis points.
    pub commission_bps: u32,
    /// Fair prices of the market.
    pub fair: Fair,
    /// What the panel says; none when the edge was too small to ask it.
    pub verdict: Option<Verdict>,
}

impl Look {
    /// Expected profit per unit staked, net of commission.
    pub fn edge(&self) -> f64 {
        edge(self.probability(), self.odds.after_commission(self.commission_bps))
    }

    /// Fair probability of the selection.
    pub fn probability(&self) -> f64 {
        self.fair.probabilities[self.selection.index()].as_f64()
    }

    /// Whether every gate lets it pass.
    pub fn passes(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.refusal.is_none())
    }
}

/// Which selections to look at in full.
pub enum Depth {
    /// Those with an edge, and those with a bet on them.
    Edges,
    /// All of them.
    Everything,
}

impl Desk {
    /// The fixture, when bets on it can be made now.
    pub(super) fn bettable(&self, fixture: FixtureId) -> Option<(&Entry, FixtureRow)> {
        let entry = self.slate.get(fixture)?;
        let row = entry.row?;
        let open = row.status == FixtureStatus::Scheduled && row.kick_off > self.now;
        (open && entry.result.is_none()).then_some((entry, row))
    }

    /// Looks at every live market of a fixture.
    pub(super) fn look(&self, fixture: FixtureId, depth: &Depth, pricer: &dyn Pricer) -> Vec<Look> {
        let Some((entry, row)) = self.bettable(fixture) else { return Vec::new() };
        let held: BTreeSet<(Market, Selection)> = entry
            .bets
            .iter()
            .filter(|bet| !bet.is_withdrawn())
            .map(|bet| (bet.market, bet.selection))
            .collect();
        let mut looks = Vec::new();
        for (market, market_row) in &entry.markets {
            let Some(fair) = pricer.price(market_row, row.league, self.now) else { continue };
            let signals = signals_of(entry, fixture, *market);
            let asked = Asked { row, market_row, fair: &fair, signals: &signals };
            for index in 0..market.selections().len() {
                let selection = Selection(index as u8);
                let full =
                    matches!(depth, Depth::Everything) || held.contains(&(*market, selection));
                looks.extend(self.look_at(&asked, selection, full));
            }
        }
        looks
    }

    /// Looks at one selection: its best price, or the best that is not refused for the book's sake
    /// (suspect, or the sharpest book's own).
    fn look_at(&self, asked: &Asked<'_>, selection: Selection, full: bool) -> Option<Look> {
        let offers = self.offers(asked.market_row, selection);
        let mut first = None;
        for (quote, odds, commission_bps) in offers.into_iter().take(BOOKS_TRIED_MAX) {
            let mut look = Look {
                market: asked.market_row.market,
                selection,
                quote: *quote,
                odds,
                commission_bps,
                fair: *asked.fair,
                verdict: None,
            };
            let worth_it = look.edge() >= self.settings.lenses.edge_min;
            if !worth_it && (!full || first.is_some()) {
                break;
            }
            look.verdict = self.ask(asked, &look);
            let refused = look.verdict.as_ref().and_then(|verdict| verdict.refusal.as_ref());
            let of_the_book = |gate| matches!(gate, Gate::SuspectPrice | Gate::SharpestPrice);
            if !refused.is_some_and(|refusal| of_the_book(refusal.gate)) {
                return Some(look);
            }
            first.get_or_insert(look);
        }
        first
    }

    /// Fresh prices one can bet at, best first after commission; ties go to the smaller book id.
    pub(super) fn offers<'a>(
        &self,
        row: &'a MarketRow,
        selection: Selection,
    ) -> Vec<(&'a BookQuote, Odds, u32)> {
        let mut offers: Vec<_> = row
            .books
            .iter()
            .filter(|quote| quote.role != BookRole::Reference && self.is_fresh(row, quote))
            .filter_map(|quote| {
                let odds = quote.prices[selection.index()];
                let commission =
                    self.settings.commission_bps.get(&quote.book).copied().unwrap_or(0);
                odds.is_some().then_some((quote, odds, commission))
            })
            .collect();
        offers.sort_by_key(|(quote, odds, bps)| {
            (std::cmp::Reverse(odds.after_commission(*bps)), quote.book)
        });
        offers
    }

    /// Whether a price can still be had: it is young enough, its feed is alive, and the book was
    /// looked at when the newest in the market was.
    fn is_fresh(&self, row: &MarketRow, quote: &BookQuote) -> bool {
        self.now.since(quote.at) <= self.settings.stale_after.ms()
            && row.updated_at.since(quote.at) <= self.settings.lag_max.ms()
            && !self.feeds.is_stale(quote.book)
    }

    fn ask(&self, asked: &Asked<'_>, look: &Look) -> Option<Verdict> {
        let kind = BetKind::of(look.market.kind, look.odds, look.quote.role);
        let case = Case::of(
            asked.market_row,
            &Ask {
                now: self.now,
                kick_off: asked.row.kick_off,
                league: asked.row.league,
                book: look.quote.book,
                selection: look.selection,
                commission_bps: look.commission_bps,
                fair: look.probability(),
                deviation: look.fair.deviation[look.selection.index()],
                sharpest: look.fair.sharpest,
                exclude: &self.settings.exclude,
                standing: self.record.league(asked.row.league, look.market.kind),
                record: self.record.bets(kind),
                account: lenses::Account {
                    drawdown: self.account.drawdown(),
                    exposure: self.account.fraction(self.account.open()),
                },
                signals: asked.signals,
            },
        )?;
        Some(self.panel.judge(&case, &self.weights))
    }

    /// Everything the desk sees in a fixture now.
    pub fn explain(
        &self,
        fixture: FixtureId,
        names: &Names,
        pricer: &dyn Pricer,
    ) -> Option<FixtureView> {
        let (entry, row) = self.bettable(fixture)?;
        let mut looks = self.look(fixture, &Depth::Everything, pricer);
        looks.sort_by(|a, b| b.edge().total_cmp(&a.edge()));
        let priced = entry.markets.iter().filter_map(|(market, market_row)| {
            let fair = pricer.price(market_row, row.league, self.now)?;
            Some((market.to_string(), fair_selections(*market, &fair)))
        });
        Some(FixtureView {
            fixture: names.get(fixture).to_owned(),
            kick_off: row.kick_off,
            candidates: looks.iter().map(|look| candidate(look, names)).collect(),
            fair: priced.collect(),
            forms: entry.forms,
        })
    }

    /// Everything the desk sees in every fixture that has not started.
    pub fn slate(&self, names: &Names, pricer: &dyn Pricer) -> Vec<FixtureView> {
        self.slate.iter().filter_map(|(fixture, _)| self.explain(fixture, names, pricer)).collect()
    }

    /// Time of the last tick.
    pub const fn time(&self) -> Time {
        self.now
    }
}

/// What every selection of a market is asked with.
struct Asked<'a> {
    row: FixtureRow,
    market_row: &'a MarketRow,
    fair: &'a Fair,
    signals: &'a [Signal],
}

fn signals_of(entry: &Entry, fixture: FixtureId, market: Market) -> Vec<Signal> {
    let of_market = entry.signals.iter().filter(|((of, _), _)| *of == market);
    of_market
        .map(|((market, name), value)| Signal {
            fixture,
            market: *market,
            name: *name,
            value_micros: *value,
        })
        .collect()
}

fn fair_selections(market: Market, fair: &Fair) -> Vec<FairSelection> {
    let each = market.selections().iter().zip(fair.probabilities).zip(fair.deviation);
    each.map(|((selection, probability), deviation)| FairSelection {
        selection,
        probability: Probability::as_f64(probability),
        deviation,
    })
    .collect()
}

fn candidate(look: &Look, names: &Names) -> Candidate {
    let verdict = look.verdict.as_ref();
    Candidate {
        market: look.market.to_string(),
        selection: look.selection.name(look.market).to_owned(),
        book: names.get(look.quote.book).to_owned(),
        odds: look.odds.decimal(),
        fair_odds: 1.0 / look.probability(),
        edge: look.edge(),
        confidence: verdict.map(|verdict| verdict.confidence),
        lenses: verdict.map(|verdict| verdict.readings.clone()).unwrap_or_default(),
        refusal: verdict.and_then(|verdict| verdict.refusal.as_ref()).map(|r| r.reason.clone()),
    }
}
