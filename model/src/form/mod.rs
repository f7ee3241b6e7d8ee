//! The form pricer: where the line will close, by what recent matches said beyond their prices.
//!
//! It starts from the market pricer's price and adds what a regression has found to move lines between
//! the last decision and kick-off: shots, shots on target, corners and goals beyond what past prices
//! expected, how the lines of these teams and this league habitually move, ratings by past closes,
//! what handicaps and totals imply, how far the books lie apart, the time of the season.
//!
//! The teacher is the closing line, since it is far less noisy than results; what happened counts a
//! little beside it. What is made small is the cross-entropy of the price against that mixture: one
//! step of Newton's method from the market's line on running sums, which is enough, since moves are
//! small. It weighs every fixture by how much its line can tell; plain least squares of the same
//! features came half as far.

mod features;
pub(crate) mod normal;
mod teams;

use std::collections::BTreeMap;

use schema::{
    BookId, Change, Delta, FixtureId, FixtureRow, LeagueId, Market, MarketKind, MarketRow,
    Probability, ResultRow, ResultStatus, SELECTIONS_MAX, Span, Time,
};
use serde::{Deserialize, Serialize};

use crate::artifact::Missed;
use crate::consensus::{Logs, Member, probabilities};
use crate::goals::Goals;
use crate::market::{self, MarketPricer};
use crate::ratings::{Rated, Ratings, Shown, rates};
use crate::{Error, Fair, Pricer, Result};
pub(crate) use features::TEAM_NUMBERS;
use features::{DRAW_COLUMNS, Features, Line, Prices, SIDE_COLUMNS, team_numbers};
pub(crate) use features::{coordinates, moved};
use normal::{Normal, dot};
pub(crate) use teams::STATISTICS;
use teams::{Teams, counts};

/// Name in topology and journal.
pub const NAME: &str = "form";
/// Settings in a topology.
pub const EXAMPLE: &str = "\
type: form
odds: all
half_life: 6000d
ridge: 3000.0
outcome_share: 0.2
markets_min: 500.0
market:
  exclude: [Max]
";
/// Columns of both groups of features.
pub(crate) const COLUMNS: usize = SIDE_COLUMNS + DRAW_COLUMNS;
/// Layout of artifacts and states.
const LAYOUT: u16 = 1;
/// A line that moved further than this (on either coordinate) counts as having moved so far: some
/// prices are typed wrong. Where the fixture's own odds are not known, moves are from a guess.
const MOVE_MAX: f64 = 0.5;
const MOVE_MAX_GUESSED: f64 = 2.0;
/// Fixtures that are watched at once; past it the oldest are let go.
const WATCHED_MAX: usize = 100_000;
/// The line of the total that ratings are kept of: 2.5 goals.
const TOTAL_LINE: schema::Line = schema::Line::from_quarters(10);

/// Which odds may be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Odds {
    /// All up to the decision.
    #[default]
    All,
    /// Those of earlier matches only: what a price says before any book has opened.
    Earlier,
    /// None, ever: results and match statistics only.
    None,
}

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which odds may be known: `all`. With `earlier` or `none` the market pricer still says how many
    /// books there are and how far they lie apart, nothing of what the price is.
    pub odds: Odds,
    /// The market pricer it starts from.
    pub market: market::Config,
    /// Time after which a past market counts half: 6000 d, nearly never: what moves lines is slow to change.
    pub half_life: Span,
    /// How strongly coefficients are pulled to zero, in markets: 3000.
    pub ridge: f64,
    /// How much what happened counts beside where the line closed: 0.2. Results say what closes
    /// leave out, but one result is very noisy.
    pub outcome_share: f64,
    /// Markets to have learned from before anything is added to the market's price: 500.
    pub markets_min: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            odds: Odds::All,
            market: market::Config::default(),
            half_life: Span::days(6000),
            ridge: 3000.0,
            outcome_share: 0.2,
            markets_min: 500.0,
        }
    }
}

/// What is live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Artifact {
    layout: u16,
    /// The market pricer's artifact, as text.
    market: String,
    side: Vec<f64>,
    draw: Vec<f64>,
}

/// A fixture that is not over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Watched {
    row: Option<FixtureRow>,
    /// The newest prices of each market: as of the decision, then closing.
    prices: BTreeMap<Market, [Probability; SELECTIONS_MAX]>,
    /// What the last decision saw.
    seen: Option<Seen>,
    /// Where its line closed.
    closed: Option<[f64; 2]>,
}

/// What a decision could know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Of the fixture.
    pub features: Features,
    /// The line that is added to: the market pricer's, or the ratings' where odds may not be known.
    pub base: Logs,
    /// What the ratings said.
    pub rated: Rated,
    /// The home and the away team by themselves.
    pub teams: [Vec<f64>; 2],
    /// Books: whose price, when it was made, and how far it lies from the line by coordinate.
    pub books: Vec<(BookId, Time, [f64; 2])>,
}

/// A match that is over, and what it showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finished {
    pub fixture: FixtureId,
    pub row: FixtureRow,
    /// Counts over expectations, less one; see [`Teams::played`].
    pub surprises: [Option<[f64; 2]>; STATISTICS + 1],
    /// Where its line closed, and how far it had moved since the decision.
    pub closed: Option<[f64; 2]>,
    pub moved: Option<[f64; 2]>,
    /// Logs of the goals behind the closing prices.
    pub closed_rates: Option<[f64; 2]>,
    pub score: [u16; 2],
    /// The line that ratings expected, home against away.
    pub rated_ahead: f64,
}

/// Everything it knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    digest: String,
    live: Artifact,
    teams: Teams,
    ratings: Ratings,
    watched: BTreeMap<FixtureId, Watched>,
    sums: Normal,
    markets: f64,
    missed: Missed,
    /// Matches that ended in the newest tick.
    finished: Vec<Finished>,
}

/// The form pricer.
#[derive(Clone, Debug)]
pub struct FormPricer {
    config: Config,
    market: MarketPricer,
    state: State,
}

impl FormPricer {
    /// A pricer that has learned nothing: it prices as the market pricer does.
    ///
    /// # Errors
    /// [`Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        let within = |name, value: f64, low: f64, high: f64| {
            let fits = (low..=high).contains(&value);
            if fits { Ok(()) } else { Err(Error::Setting { name, value, low, high }) }
        };
        within("half_life (ms)", config.half_life.ms() as f64, 1.0, 1e13)?;
        within("ridge", config.ridge, 0.0, 1e9)?;
        within("outcome_share", config.outcome_share, 0.0, 1.0)?;
        within("markets_min", config.markets_min, 0.0, 1e9)?;
        let state = State {
            digest: NAME.to_owned(),
            live: Artifact::default(),
            teams: Teams::default(),
            ratings: Ratings::new(config.odds != Odds::None),
            watched: BTreeMap::new(),
            sums: Normal::new(SIDE_COLUMNS + DRAW_COLUMNS),
            markets: 0.0,
            missed: Missed::default(),
            finished: Vec::new(),
        };
        Ok(Self { market: MarketPricer::new(config.market.clone())?, config, state })
    }

    /// The fixture as it stands, while it is not over.
    pub(crate) fn fixture(&self, id: FixtureId) -> Option<&FixtureRow> {
        self.state.watched.get(&id)?.row.as_ref()
    }

    /// What the last decision on a fixture saw.
    pub(crate) fn seen(&self, id: FixtureId) -> Option<&Seen> {
        self.state.watched.get(&id)?.seen.as_ref()
    }

    /// Matches that ended in the newest tick.
    pub(crate) fn finished(&self) -> &[Finished] {
        &self.state.finished
    }

    /// The line that it prices with.
    pub(crate) fn adjusted(&self, seen: &Seen) -> Logs {
        let (features, live) = (&seen.features, &self.state.live);
        let by = [dot(&features.side, &live.side), dot(&features.draw, &live.draw)];
        moved(&seen.base, by)
    }

    /// Logs of the goals behind a fixture's prices, or, where they may not be known, behind what is
    /// guessed.
    pub(crate) fn rates(&self, id: FixtureId, seen: &Seen) -> [f64; 2] {
        let prices = || {
            let watched = self.state.watched.get(&id)?;
            let prices: Vec<_> =
                watched.prices.iter().map(|(market, fair)| (*market, *fair)).collect();
            Goals::fit(&prices)
        };
        let goals = match self.config.odds {
            Odds::All => prices(),
            Odds::Earlier => self.guessed_goals(seen, &self.adjusted(seen)),
            Odds::None => None,
        };
        goals.map_or(seen.rated.rates, |goals| goals.rates).map(f64::ln)
    }

    /// What a decision on a 1X2 row can know.
    pub(crate) fn look(&self, row: &MarketRow, league: LeagueId, now: Time) -> Option<Seen> {
        let watched = self.state.watched.get(&row.fixture)?;
        let fixture = watched.row.as_ref()?;
        let rated = self.rated(fixture, now);
        if self.config.odds != Odds::All {
            let base = self.guess(&rated);
            let features = Features::of(&self.state.teams, &rated, fixture, &base, None, now);
            let teams = [0, 1].map(|it| team_numbers(&self.state.teams, &rated, fixture, it));
            return Some(Seen { features, base, rated, teams, books: Vec::new() });
        }
        let (members, base) = self.market.line(row, league, now)?;
        let two_way: Vec<_> = watched
            .prices
            .iter()
            .filter(|(market, _)| market.kind != MarketKind::OneXTwo)
            .map(|(market, fair)| (*market, *fair))
            .collect();
        let goals = Goals::fit(&two_way).filter(|_| two_way.len() > 1);
        let prices = Prices { members: &members, quoted_at: row.updated_at, goals };
        let teams = &self.state.teams;
        let features = Features::of(teams, &rated, fixture, &base, Some(&prices), now);
        let teams = [0, 1].map(|it| team_numbers(teams, &rated, fixture, it));
        let line = coordinates(&base);
        let book = |member: &Member| {
            let at = row.books.iter().find(|quote| quote.book == member.book)?.at;
            let own = coordinates(&member.logs);
            Some((member.book, at, [own[0] - line[0], own[1] - line[1]]))
        };
        let books = members.books.iter().filter_map(book).collect();
        Some(Seen { features, base, rated, teams, books })
    }

    /// What the ratings say of a fixture.
    fn rated(&self, fixture: &FixtureRow, now: Time) -> Rated {
        let last = |team| self.state.teams.by_id.get(&team).and_then(|team| team.last);
        self.state.ratings.expect(fixture, [last(fixture.home), last(fixture.away)], now)
    }

    /// A line without the fixture's own odds.
    fn guess(&self, rated: &Rated) -> Logs {
        if self.config.odds == Odds::Earlier {
            return moved(&[0.0; SELECTIONS_MAX], [rated.lines[0].values[0], rated.draw.values[0]]);
        }
        let p = rates::outcome(rated.rates).map(f64::ln);
        moved(&[0.0; SELECTIONS_MAX], coordinates(&p))
    }

    /// The goals behind a line without the fixture's own odds.
    fn guessed_goals(&self, seen: &Seen, line: &Logs) -> Option<Goals> {
        if self.config.odds == Odds::None {
            return None;
        }
        let over = 1.0 / (1.0 + (-seen.rated.total.values[0]).exp());
        let total = Market { kind: MarketKind::Total, line: TOTAL_LINE };
        let two_way = [over, 1.0 - over, 0.0].map(Probability::clamped);
        let line = probabilities(line, SELECTIONS_MAX).map(Probability::clamped);
        Goals::fit(&[(Market::ONE_X_TWO, line), (total, two_way)])
    }

    /// What a decision could know, kept until the close shows what it should have known.
    fn remember(&mut self, delta: &Delta) {
        let rows = || delta.as_of.iter().filter_map(|change| change.after.as_ref());
        for row in rows() {
            self.note(row);
        }
        for row in rows().filter(|row| row.market == Market::ONE_X_TWO) {
            let league = self.state.watched.get(&row.fixture).and_then(|watched| watched.row);
            let Some(league) = league.map(|row| row.league) else { continue };
            let seen = self.look(row, league, row.updated_at);
            if let Some(watched) = self.state.watched.get_mut(&row.fixture) {
                watched.seen = seen;
            }
        }
    }

    /// Notes a market's mean price.
    fn note(&mut self, row: &MarketRow) {
        if row.consensus_books > 0
            && let Some(watched) = self.state.watched.get_mut(&row.fixture)
        {
            watched.prices.insert(row.market, row.consensus);
        }
    }

    fn announce(&mut self, change: &Change<FixtureId, FixtureRow>) {
        if change.after.is_none() {
            self.state.watched.remove(&change.key);
            return;
        }
        self.state.watched.entry(change.key).or_default().row = change.after;
        if self.state.watched.len() > WATCHED_MAX {
            let first = |(_, a): &(&FixtureId, &Watched)| a.row.map(|row| row.kick_off);
            let oldest = self.state.watched.iter().min_by_key(first).map(|(id, _)| *id);
            oldest.and_then(|id| self.state.watched.remove(&id));
        }
    }

    /// Takes a result in, once.
    fn finish(&mut self, fixture: FixtureId, result: &ResultRow) {
        let Some(watched) = self.state.watched.remove(&fixture) else { return };
        let Some(row) = watched.row.filter(|_| result.status == ResultStatus::Final) else {
            return;
        };
        let rated = match &watched.seen {
            Some(seen) => {
                self.learn_outcome(&row, seen, result, watched.closed.is_some());
                seen.rated.clone()
            }
            None => self.rated(&row, row.kick_off),
        };
        let prices: Vec<_> = watched.prices.into_iter().collect();
        let priced = Goals::fit(&prices).filter(|_| self.config.odds != Odds::None);
        let goals = priced.unwrap_or(Goals { rates: rated.rates });
        let counts = counts(result);
        let odds = self.config.odds;
        let before = watched.seen.as_ref().map(|seen| coordinates(&seen.base));
        let surprises = self.state.teams.played(&row, result, &goals);
        let totals = prices.iter().any(|(market, _)| market.kind == MarketKind::Total);
        let shown = Shown {
            counts: &std::array::from_fn(|at| counts[at]),
            surprises: &surprises,
            score: [result.score.home, result.score.away],
            close: watched.closed.filter(|_| self.config.odds != Odds::None),
            total: priced.filter(|_| totals).map(|goals| log_odds_over(goals.total())),
        };
        self.state.ratings.played(&row, &shown, Some(&rated));
        let close = shown.close;
        let moved = close.zip(before).filter(|_| odds == Odds::All);
        let closing = priced.filter(|_| close.is_some());
        self.state.finished.push(Finished {
            fixture,
            row,
            surprises,
            closed: close,
            moved: moved.map(|(close, line)| [close[0] - line[0], close[1] - line[1]]),
            closed_rates: closing.map(|goals| goals.rates.map(f64::ln)),
            score: [result.score.home, result.score.away],
            rated_ahead: coordinates(&rates::outcome(rated.rates).map(f64::ln))[0],
        });
    }

    /// Learns from what happened; without odds there is nothing else to learn from.
    fn learn_outcome(&mut self, row: &FixtureRow, seen: &Seen, result: &ResultRow, closed: bool) {
        let score = result.score;
        let mut outcome = [0.0; SELECTIONS_MAX];
        outcome[usize::from(score.home <= score.away) + usize::from(score.home < score.away)] = 1.0;
        let line = Line::of(&seen.base);
        let groups = seen.features.groups();
        if self.config.odds == Odds::None {
            self.state.sums.curve(&groups, line.curvature(), row.kick_off, self.config.half_life);
            self.state.sums.slope(&groups, line.slope(&outcome), 1.0);
            self.state.markets += 1.0;
        } else if closed {
            self.state.sums.slope(&groups, line.slope(&outcome), self.config.outcome_share);
        }
    }
}

/// Log-odds of more than 2.5 goals when so many are expected, by Poisson's law.
fn log_odds_over(total: f64) -> f64 {
    let under = (-total).exp() * (1.0 + total + 0.5 * total * total);
    ((1.0 - under) / under).max(1e-6).ln()
}

/// An artifact, read and its sizes checked.
fn parsed(artifact: &[u8], digest: &str) -> Result<Artifact> {
    let refuse = |source| Error::Artifact { digest: digest.to_owned(), source };
    let live: Artifact = serde_json::from_slice(artifact).map_err(refuse)?;
    let sized = |found: &[f64], columns| found.is_empty() || found.len() == columns;
    if live.layout == LAYOUT && sized(&live.side, SIDE_COLUMNS) && sized(&live.draw, DRAW_COLUMNS) {
        return Ok(live);
    }
    Err(Error::Layout { digest: digest.to_owned(), found: live.layout, known: LAYOUT })
}

impl Pricer for FormPricer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn model(&self) -> &str {
        &self.state.digest
    }

    fn take(&mut self, delta: &Delta) {
        for change in &delta.fixtures {
            self.announce(change);
        }
        self.remember(delta);
    }

    fn settle(&mut self, delta: &Delta) {
        self.state.finished.clear();
        for change in &delta.results {
            if let (None, Some(result)) = (&change.before, &change.after) {
                self.finish(change.key, result);
            }
        }
    }

    fn price(&self, row: &MarketRow, league: LeagueId, now: Time) -> Option<Fair> {
        let fair = self.market.price(row, league, now)?;
        let live = &self.state.live;
        let all = self.config.odds == Odds::All;
        if all && (row.market != Market::ONE_X_TWO || live.side.is_empty()) {
            return Some(fair);
        }
        let Some(seen) = self.look(row, league, now) else { return Some(fair) };
        let line = self.adjusted(&seen);
        let probabilities = match row.market {
            Market::ONE_X_TWO => probabilities(&line, SELECTIONS_MAX).map(Probability::clamped),
            market => {
                let guessed = self.guessed_goals(&seen, &line);
                guessed.unwrap_or(Goals { rates: seen.rated.rates }).price(market)
            }
        };
        Some(Fair { probabilities, ..fair })
    }

    fn learn(&mut self, as_of: &MarketRow, closing: &MarketRow, league: LeagueId) {
        let close = self.market.closing_line(as_of, closing);
        self.market.learn(as_of, closing, league);
        self.note(closing);
        if as_of.market != Market::ONE_X_TWO {
            return;
        }
        let Some(close) = close else { return };
        let Some(watched) = self.state.watched.get_mut(&as_of.fixture) else { return };
        let after = coordinates(&close);
        watched.closed = Some(after);
        let (Some(row), Some(seen)) = (watched.row, watched.seen.clone()) else { return };
        let Seen { features, base, .. } = &seen;
        let before = coordinates(base);
        let target = [after[0] - before[0], after[1] - before[1]];
        let live = &self.state.live;
        let by = [dot(&features.side, &live.side), dot(&features.draw, &live.draw)];
        self.state.missed.add(&close, &moved(base, by), base);
        if self.config.odds == Odds::None {
            return;
        }
        let all = self.config.odds == Odds::All;
        let most = if all { MOVE_MAX } else { MOVE_MAX_GUESSED };
        let line = Line::of(base);
        let moved_to = moved(base, target.map(|by| by.clamp(-most, most)));
        let (at, half_life) = (row.kick_off, self.config.half_life);
        let sums = &mut self.state.sums;
        sums.curve(&features.groups(), line.curvature(), at, half_life);
        let close = probabilities(&moved_to, SELECTIONS_MAX);
        sums.slope(&features.groups(), line.slope(&close), 1.0 - self.config.outcome_share);
        self.state.markets += 1.0;
        self.state.teams.closed(&row, if all { target } else { [0.0; 2] }, after[0]);
    }

    fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = self.market.metrics();
        metrics.insert("miss_market".to_owned(), metrics["miss"]);
        let own = self.state.missed.metrics();
        metrics.insert("miss".to_owned(), own["miss"]);
        metrics
    }

    fn close_window(&mut self, end: Time) -> Option<Vec<u8>> {
        self.state.missed = Missed::default();
        self.state.ratings.close_window();
        let market = self.market.close_window(end)?;
        let learned = self.state.markets >= self.config.markets_min;
        let coefficients =
            if learned { self.state.sums.solve(self.config.ridge) } else { Vec::new() };
        let (side, draw) = coefficients.split_at(coefficients.len().min(SIDE_COLUMNS));
        let artifact = Artifact {
            layout: LAYOUT,
            market: String::from_utf8(market).ok()?,
            side: side.to_vec(),
            draw: draw.to_vec(),
        };
        serde_json::to_vec(&artifact).ok()
    }

    fn check(&self, artifact: &[u8], digest: &str) -> Result<()> {
        self.market.check(parsed(artifact, digest)?.market.as_bytes(), digest)
    }

    fn go_live(&mut self, artifact: &[u8], digest: &str) -> Result<()> {
        let live = parsed(artifact, digest)?;
        self.market.go_live(live.market.as_bytes(), digest)?;
        self.state.live = live;
        digest.clone_into(&mut self.state.digest);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let market = String::from_utf8_lossy(&self.market.save()?).into_owned();
        Ok(serde_json::to_vec(&(market, &self.state))?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        let (market, state): (String, State) = serde_json::from_slice(state)?;
        let mut pricer = self.market.clone();
        pricer.load(market.as_bytes())?;
        if !state.sums.is_sound(SIDE_COLUMNS + DRAW_COLUMNS) {
            let digest = state.digest;
            return Err(Error::Layout { digest, found: 0, known: LAYOUT });
        }
        self.market = pricer;
        self.state = state;
        Ok(())
    }
}
