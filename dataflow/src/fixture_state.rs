//! Everything kept of one fixture, and how its rows follow from it at the end of a tick.

use std::sync::Arc;

use schema::{
    BookQuote, FixtureId, FixtureRow, FixtureStatus, Market, MarketKey, MarketRow, ResultRow,
    ResultStatus, TeamId, Tick, Time,
};

use crate::Config;
use crate::fixtures::{Announced, Moments, forget_at, retire_at};
use crate::markets::MarketState;
use crate::output::{Output, Update, replace};
use crate::results::Results;
use crate::rows::MatchRow;
use crate::training::Part;

/// One fixture.
#[derive(Debug)]
pub(crate) struct FixtureState {
    pub(crate) hot: Hot,
    pub(crate) id: FixtureId,
    pub(crate) announced: Announced,
    pub(crate) results: Results,
    /// Which of its timers counts.
    pub(crate) due: Time,
    /// Time of the tick that last looked at all of its rows.
    settled_at: Time,
    emitted: Emitted,
}

/// What every quote needs of its fixture: one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Hot {
    pub(crate) markets: Vec<MarketState>,
    /// The moments at which rows of it appear; follow from what was announced.
    pub(crate) moments: Option<Moments>,
    /// Greatest event time of its facts.
    pub(crate) newest_fact: Time,
    /// Whether its markets have live rows: announced or not, but neither off nor finished.
    pub(crate) open: bool,
    /// Its prices are dropped; only results are still taken.
    pub(crate) retired: bool,
    /// Whether its own rows may have changed in this tick.
    pub(crate) touched: bool,
}

#[derive(Debug, Default)]
struct Emitted {
    fixture: Option<FixtureRow>,
    result: Option<ResultRow>,
    matches: Vec<(TeamId, MatchRow)>,
    fixture_part: Option<FixtureRow>,
    result_part: Option<ResultRow>,
}

impl FixtureState {
    pub(crate) fn new(id: FixtureId) -> Self {
        let hot = Hot {
            markets: Vec::new(),
            moments: None,
            newest_fact: Time::MIN,
            open: true,
            retired: false,
            touched: false,
        };
        Self {
            hot,
            id,
            announced: Announced::default(),
            results: Results::default(),
            due: Time::MAX,
            settled_at: Time::MIN,
            emitted: Emitted::default(),
        }
    }

    /// Brings what is cached up to date after an announcement or a result.
    pub(crate) fn refresh(&mut self, config: &Config) {
        let row = self.announced.row();
        self.hot.moments = row.as_ref().and_then(|row| Moments::of(row, config));
        let on = row.is_none_or(|row| row.status == FixtureStatus::Scheduled);
        self.hot.open = on && self.results.is_empty();
    }

    /// Place of a market in `markets`.
    #[inline]
    pub(crate) fn market(&mut self, market: Market) -> usize {
        let known = self.hot.markets.iter().position(|state| state.market == market);
        known.unwrap_or_else(|| {
            // Exactly: most fixtures have few, and the room of those they do not have is far.
            self.hot.markets.reserve_exact(1);
            self.hot.markets.push(MarketState::new(market));
            self.hot.markets.len() - 1
        })
    }

    pub(crate) fn retire_at(&self, config: &Config) -> Time {
        retire_at(self.announced.row().as_ref(), self.hot.newest_fact, config)
    }

    pub(crate) fn forget_at(&self, config: &Config) -> Time {
        forget_at(self.retire_at(config), config)
    }

    /// Whether a moment has passed since anybody looked: its rows come first, retirement after.
    pub(crate) fn has_rows_due(&self, now: Time) -> bool {
        self.hot.moments.is_some_and(|m| self.settled_at < m.closing && m.as_of <= now)
    }

    /// When to look at it next, if nothing happens to it before.
    pub(crate) fn next_due(&self, now: Time, config: &Config) -> Time {
        if self.hot.retired {
            return self.forget_at(config);
        }
        let retire = self.retire_at(config);
        let moments = self.hot.moments.into_iter().flat_map(|m| [m.as_of, m.closing]);
        moments.filter(|moment| *moment > now).fold(retire, Time::min)
    }

    /// Emits what changed of the fixture itself.
    pub(crate) fn settle(&mut self, now: Time, tick: u64, out: &mut Vec<Update>) {
        let id = self.id;
        let (row, result) = (self.announced.row(), self.results.row());
        replace(&mut self.emitted.fixture, row, |row, diff| {
            out.push((Output::Fixture(id, Box::new(row)), tick, diff));
        });
        replace(&mut self.emitted.result, result, |row, diff| {
            out.push((Output::Result(id, Box::new(row)), tick, diff));
        });
        let matches = row.map(|row| self.results.matches(id, &row)).unwrap_or_default();
        self.replace_matches(matches, tick, out);
        if !self.hot.retired {
            let playing = row.filter(|row| row.status == FixtureStatus::Scheduled);
            let ended = result.filter(|result| result.status == ResultStatus::Final);
            self.replace_parts(playing, ended, tick, out);
        }
        self.settled_at = now;
    }

    fn replace_matches(
        &mut self,
        matches: Vec<(TeamId, MatchRow)>,
        tick: u64,
        out: &mut Vec<Update>,
    ) {
        if self.emitted.matches == matches {
            return;
        }
        let old = std::mem::replace(&mut self.emitted.matches, matches);
        for (rows, diff) in [(&old, -1), (&self.emitted.matches, 1)] {
            out.extend(
                rows.iter().map(|(team, row)| (Output::Match(*team, Box::new(*row)), tick, diff)),
            );
        }
    }

    fn replace_parts(
        &mut self,
        fixture: Option<FixtureRow>,
        result: Option<ResultRow>,
        tick: u64,
        out: &mut Vec<Update>,
    ) {
        let id = self.id;
        replace(&mut self.emitted.fixture_part, fixture, |row, diff| {
            out.push((Output::part(id, Part::Fixture(row)), tick, diff));
        });
        replace(&mut self.emitted.result_part, result, |row, diff| {
            out.push((Output::part(id, Part::Result(row)), tick, diff));
        });
    }

    /// Brings a touched market's fair probabilities up to date.
    #[inline]
    pub(crate) fn refresh_market(&mut self, at: usize, config: &Config) {
        self.hot.markets[at].refresh(config);
    }

    /// A copy of the quotes of a touched market, if it is to have a live row that may be new.
    #[inline]
    pub(crate) fn live_quotes(
        &self,
        at: usize,
        tick: &Tick,
        config: &Config,
    ) -> Option<Vec<BookQuote>> {
        let shown = self.hot.open && tick.time < self.retire_at(config);
        let state = &self.hot.markets[at];
        (shown && state.touched.live).then(|| state.quotes())
    }

    /// The live row of these quotes.
    #[inline]
    pub(crate) fn live_row(&mut self, at: usize, quotes: Vec<BookQuote>) -> Option<Arc<MarketRow>> {
        self.hot.markets[at].live_row(self.id, quotes)
    }

    /// Emits what changed of one market, given its live row.
    #[inline]
    pub(crate) fn settle_market(
        &mut self,
        at: usize,
        live: Option<Arc<MarketRow>>,
        tick: &Tick,
        config: &Config,
        out: &mut Vec<Update>,
    ) {
        let (id, number) = (self.id, tick.number);
        let state = &mut self.hot.markets[at];
        let touched = std::mem::take(&mut state.touched);
        let key = MarketKey { fixture: id, market: state.market };
        if touched.live {
            state.replace_live(live, |row, diff| {
                out.push((Output::Market(key, row), number, diff));
            });
        }
        if touched.past {
            self.settle_past(at, tick.time, number, config, out);
        }
    }

    fn settle_past(
        &mut self,
        at: usize,
        now: Time,
        tick: u64,
        config: &Config,
        out: &mut Vec<Update>,
    ) {
        let (id, moments) = (self.id, self.hot.moments);
        let state = &mut self.hot.markets[at];
        let key = MarketKey { fixture: id, market: state.market };
        let cutoffs = moments.map(|m| [(m.as_of, m.cutoffs()[0]), (m.closing, m.cutoffs()[1])]);
        let rows = cutoffs.map(|cutoffs| {
            cutoffs.map(
                |(moment, cutoff)| {
                    if moment <= now { state.past_row(id, cutoff, config) } else { None }
                },
            )
        });
        let [as_of, closing] = rows.unwrap_or_default();
        let headline = state.market == Market::ONE_X_TWO;
        let rare = state.rare();
        replace(&mut rare.as_of, as_of, |row, diff| {
            if headline {
                out.push((Output::part(id, Part::AsOf(row.clone())), tick, diff));
            }
            out.push((Output::AsOf(key, row), tick, diff));
        });
        replace(&mut rare.closing, closing, |row, diff| {
            if headline {
                out.push((Output::part(id, Part::Closing(row.clone())), tick, diff));
            }
            out.push((Output::Closing(key, row), tick, diff));
        });
    }

    /// Drops the prices: live rows go, the others stay as they are and change no more.
    pub(crate) fn retire(&mut self, tick: u64, out: &mut Vec<Update>) {
        let id = self.id;
        for state in std::mem::take(&mut self.hot.markets) {
            let key = MarketKey { fixture: id, market: state.market };
            let market = state.market;
            let [live, as_of, closing] = state.into_rows();
            out.extend(live.map(|row| (Output::Market(key, row), tick, -1)));
            if market == Market::ONE_X_TWO {
                let parts = [as_of.map(Part::AsOf), closing.map(Part::Closing)];
                let parts = parts.into_iter().flatten();
                out.extend(parts.map(|part| (Output::part(id, part), tick, -1)));
            }
        }
        self.replace_parts(None, None, tick, out);
        out.push((Output::Retired(id), tick, 1));
        self.hot.retired = true;
        self.hot.open = false;
    }

    /// Takes its match out of the forms: none that still changes counts it.
    pub(crate) fn forget(&mut self, tick: u64, out: &mut Vec<Update>) {
        self.replace_matches(Vec::new(), tick, out);
    }
}
