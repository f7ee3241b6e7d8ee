//! Batch oracles: every collection recomputed from scratch, as plainly as possible.
//!
//! They share no code with the operators but the schema and the arithmetic of rows, and are what
//! the operators are tested against, here and on recorded seasons.
//!
//! Two bounds of the operators are not modelled: folding of long histories, and rows frozen at
//! retirement. Within the bounds the two are equal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::{
    BookId, BookQuote, BookRole, Event, Fact, FixtureFact, FixtureId, FixtureRow, FixtureStatus,
    FormRow, MarketKey, MarketRow, Odds, Probability, Quote, QuoteState, ResultFact, ResultRow,
    ResultStatus, SELECTIONS_MAX, TeamId, Time, TrainingRow,
};

use crate::rows::{Fair, MatchRow, form_row, market_row};
use crate::{Config, Views};

/// Rival facts in the order that decides between them.
type Ranked<F> = BTreeSet<(Time, u64, F)>;

/// The facts, sorted by what they are about. Sets, so that duplicates collapse.
#[derive(Default)]
struct Facts {
    fixtures: BTreeMap<FixtureId, Ranked<FixtureFact>>,
    results: BTreeMap<FixtureId, Ranked<ResultFact>>,
    quotes: BTreeMap<MarketKey, BTreeMap<BookId, Ranked<Quote>>>,
    newest: BTreeMap<FixtureId, Time>,
}

/// Every collection as it must be at `now`, given these facts in any order.
///
/// ```
/// use schema::Time;
/// use tideline_dataflow::{Config, Views, oracle};
/// assert_eq!(oracle::views(&Config::default(), &[], Time::MIN), Views::default());
/// ```
pub fn views(config: &Config, facts: &[Event], now: Time) -> Views {
    let facts = sort(facts);
    let mut views = Views {
        fixtures: facts
            .fixtures
            .iter()
            .filter_map(|(id, all)| Some((*id, fixture(all)?)))
            .collect(),
        results: facts.results.iter().filter_map(|(id, all)| Some((*id, standing(all)?))).collect(),
        ..Views::default()
    };
    for (key, books) in &facts.quotes {
        let row = |through: &dyn Fn(Time) -> bool| market(config, *key, books, through);
        let announced = views.fixtures.get(&key.fixture);
        if is_live(config, &facts, announced, key.fixture, now) {
            views.markets.extend(row(&|_| true).map(|row| (*key, row)));
        }
        let Some(fixture) = announced else { continue };
        if fixture.status != FixtureStatus::Scheduled {
            continue;
        }
        let decision = fixture.kick_off.minus(config.as_of_lead);
        if now >= decision {
            views.as_of.extend(row(&|at| at <= decision).map(|row| (*key, row)));
        }
        if now >= fixture.kick_off {
            views.closing.extend(row(&|at| at < fixture.kick_off).map(|row| (*key, row)));
        }
    }
    let matches = matches(&facts, &views);
    views.forms = forms(config, &views, &matches);
    views.training = training(&views);
    views
}

fn sort(events: &[Event]) -> Facts {
    let mut facts = Facts::default();
    for event in events {
        let (time, sequence) = (event.event_time, event.sequence);
        let fixture = match &event.fact {
            Fact::Fixture(fact) => {
                facts.fixtures.entry(fact.fixture).or_default().insert((time, sequence, *fact));
                fact.fixture
            }
            Fact::Result(fact) => {
                facts.results.entry(fact.fixture).or_default().insert((time, sequence, **fact));
                fact.fixture
            }
            Fact::Quote(quote) => {
                let key = MarketKey { fixture: quote.fixture, market: quote.market };
                let books = facts.quotes.entry(key).or_default();
                books.entry(quote.book).or_default().insert((time, sequence, *quote));
                quote.fixture
            }
            _ => continue,
        };
        let newest = facts.newest.entry(fixture).or_insert(time);
        *newest = time.max(*newest);
    }
    facts
}

fn fixture(all: &Ranked<FixtureFact>) -> Option<FixtureRow> {
    let (_, _, fact) = all.last()?;
    let FixtureFact { league, home, away, kick_off, status, .. } = *fact;
    Some(FixtureRow { league, home, away, kick_off, status })
}

fn standing(all: &Ranked<ResultFact>) -> Option<ResultRow> {
    all.last().map(result)
}

fn result((at, _, fact): &(Time, u64, ResultFact)) -> ResultRow {
    ResultRow { status: fact.status, score: fact.score, statistics: fact.statistics, at: *at }
}

/// Live: no result, not off, and not retired.
fn is_live(
    config: &Config,
    facts: &Facts,
    announced: Option<&FixtureRow>,
    id: FixtureId,
    now: Time,
) -> bool {
    if facts.results.contains_key(&id) {
        return false;
    }
    let kept_from = match announced {
        Some(row) if row.status != FixtureStatus::Scheduled => return false,
        Some(row) => row.kick_off,
        None => facts.newest[&id],
    };
    now <= kept_from.plus(config.retain_after_kick_off)
}

/// The market from those of its quotes whose event time counts.
fn market(
    config: &Config,
    key: MarketKey,
    books: &BTreeMap<BookId, Ranked<Quote>>,
    counts: &dyn Fn(Time) -> bool,
) -> Option<Arc<MarketRow>> {
    let standing = books.iter().filter_map(|(id, quotes)| book(config, key, *id, quotes, counts));
    let (books, opens): (Vec<BookQuote>, Vec<Fair>) = standing.unzip();
    (!books.is_empty()).then(|| Arc::new(market_row(key.fixture, key.market, books, &opens)))
}

/// One book's prices and the first complete ones: all its quotes that count played from the first to the last.
fn book(
    config: &Config,
    key: MarketKey,
    id: BookId,
    quotes: &Ranked<Quote>,
    counts: &dyn Fn(Time) -> bool,
) -> Option<(BookQuote, Fair)> {
    let voided: BTreeSet<Time> = quotes
        .iter()
        .filter_map(|(_, _, quote)| match quote.state {
            QuoteState::Voided(time) => Some(time),
            _ => None,
        })
        .collect();
    let selections = key.market.selections().len();
    let no_odds = [Odds::NONE; SELECTIONS_MAX];
    let (mut prices, mut at, mut role) = (no_odds, Time::MIN, BookRole::Bookmaker);
    let mut opening: Option<Fair> = None;
    for (time, _, quote) in quotes.iter().filter(|(time, _, _)| counts(*time)) {
        match quote.state {
            QuoteState::Offered if !voided.contains(time) => {
                for (price, new) in prices.iter_mut().zip(quote.prices) {
                    if new.is_some() {
                        (*price, at, role) = (new, *time, quote.role);
                    }
                }
            }
            QuoteState::Pulled => prices = no_odds,
            _ => {}
        }
        if opening.is_none() {
            let fair = config.devig.fair(&prices[..selections]);
            opening = fair.filter(|fair| fair[0] != Probability::ZERO);
        }
    }
    let fair = config.devig.fair(&prices[..selections]).unwrap_or_default();
    let offers = prices != no_odds;
    offers.then(|| (BookQuote { book: id, role, at, prices, fair }, opening.unwrap_or_default()))
}

/// Finished matches by team, each for the span of time in which its score stood.
fn matches(facts: &Facts, views: &Views) -> BTreeMap<TeamId, Vec<MatchRow>> {
    let mut matches: BTreeMap<TeamId, Vec<MatchRow>> = BTreeMap::new();
    for (id, all) in &facts.results {
        let Some(fixture) = views.fixtures.get(id) else { continue };
        let all: Vec<ResultRow> = all.iter().map(result).collect();
        for (i, row) in all.iter().enumerate() {
            if row.status == ResultStatus::Final {
                let until = all.get(i + 1).map_or(Time::MAX, |next| next.at);
                for (side, team) in [fixture.home, fixture.away].into_iter().enumerate() {
                    let played = MatchRow::of(*id, fixture.kick_off, row, until, side);
                    matches.entry(team).or_default().push(played);
                }
            }
        }
    }
    matches
}

fn forms(
    config: &Config,
    views: &Views,
    matches: &BTreeMap<TeamId, Vec<MatchRow>>,
) -> BTreeMap<FixtureId, [FormRow; 2]> {
    let form = |team: &TeamId, kick_off: Time| {
        let earlier = matches.get(team).into_iter().flatten().filter(|played| {
            let age_ms = kick_off.since(played.kick_off);
            age_ms > 0
                && age_ms <= config.form_window.ms()
                && played.known_from < kick_off
                && played.known_until >= kick_off
        });
        form_row(kick_off, config.form_half_life, earlier)
    };
    let playing = views.fixtures.iter().filter(|(_, row)| row.status == FixtureStatus::Scheduled);
    playing
        .map(|(id, row)| (*id, [form(&row.home, row.kick_off), form(&row.away, row.kick_off)]))
        .collect()
}

fn training(views: &Views) -> BTreeMap<FixtureId, TrainingRow> {
    let mut training = BTreeMap::new();
    for (id, forms) in &views.forms {
        let key = MarketKey { fixture: *id, market: schema::Market::ONE_X_TWO };
        if let Some(result) = views.results.get(id).filter(|row| row.status == ResultStatus::Final)
        {
            let row = TrainingRow {
                fixture: views.fixtures[id],
                as_of: views.as_of.get(&key).cloned(),
                closing: views.closing.get(&key).cloned(),
                forms: *forms,
                result: *result,
            };
            training.insert(*id, row);
        }
    }
    training
}
