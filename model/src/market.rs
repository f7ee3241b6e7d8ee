//! The market pricer: a weighted consensus of the books' own prices.
//!
//! Which books to believe, and which way books as a whole are shaded, is learned from how past
//! prices compared with the close: the closing line holds what was learned up to kick-off, so it is
//! the least noisy teacher there is. Once a window, a ridge regression over decayed sums says how
//! far the close lay from the plain mean of the books, as a linear function of each book's
//! difference from that mean (a sharp book's is gone along with, a lagging one's is gone against)
//! and of four common drifts. A further drift by league is what the regression left over there.
//!
//! Measured on recorded football, the README has the table of what else was tried.

use std::collections::BTreeMap;

use schema::{
    BookId, BookRole, LeagueId, Market, MarketKind, MarketRow, Probability, SELECTIONS_MAX, Span,
    Time,
};
use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, KindModel, LAYOUT, Mean, Missed, State, check, reference_weight};
use crate::consensus::{Logs, Members, probabilities};
use crate::ridge::Coefficients;
use crate::{Error, Fair, Pricer, Result};

/// Name in topology and journal.
pub const NAME: &str = "market";
/// Settings in a topology.
pub const EXAMPLE: &str = "\
type: market
exclude: [Max]
stale_after: 14d
half_life: 728d
ridge: 1.0
league_shrink: 100.0
reference_power: 16.0
deviation_floor: 0.02
";

/// Share of the consensus, relative to an equal one, from which a book is called the sharpest.
const SHARPEST_MIN: f64 = 1.25;
/// Quotes of prior weight in the dispersion of a row.
const DISPERSION_PRIOR_BOOKS: f64 = 2.0;

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Books left out of every consensus: `[Max]`. The prices of a maximum over books belong to no
    /// one book; they have no margin to take out, and one mistyped price is always in them.
    pub exclude: Vec<String>,
    /// Quotes older than this are left out: 14 d, which recorded collections need; minutes live.
    pub stale_after: Span,
    /// Time after which a past market counts half: 728 d (104 weeks).
    pub half_life: Span,
    /// Ridge of the regression, in the units of its sums: 1.
    pub ridge: f64,
    /// Markets at which a league's own drift counts half: 100.
    pub league_shrink: f64,
    /// How strongly closing prices of sharper books are preferred as the teacher: a book counts by
    /// its mean squared error to the minus this power: 16.
    pub reference_power: f64,
    /// Dispersion between books (of log-probability) assumed where few are seen: 0.02.
    pub deviation_floor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            exclude: vec!["Max".to_owned()],
            stale_after: Span::days(14),
            half_life: Span::days(728),
            ridge: 1.0,
            league_shrink: 100.0,
            reference_power: 16.0,
            deviation_floor: 0.02,
        }
    }
}

impl Config {
    fn check(&self) -> Result<()> {
        let within = |name, value: f64, low: f64, high: f64| {
            let fits = (low..=high).contains(&value);
            if fits { Ok(()) } else { Err(Error::Setting { name, value, low, high }) }
        };
        within("stale_after (ms)", self.stale_after.ms() as f64, 1.0, 1e13)?;
        within("half_life (ms)", self.half_life.ms() as f64, 1.0, 1e13)?;
        within("ridge", self.ridge, 1e-6, 1e9)?;
        within("league_shrink", self.league_shrink, 1e-6, 1e9)?;
        within("reference_power", self.reference_power, 0.0, 100.0)?;
        within("deviation_floor", self.deviation_floor, 0.0, 1.0)
    }
}

/// The market pricer.
#[derive(Clone, Debug)]
pub struct MarketPricer {
    config: Config,
    exclude: Vec<BookId>,
    state: State,
}

impl MarketPricer {
    /// A pricer that has learned nothing: all books weigh the same.
    ///
    /// # Errors
    /// [`Error::Setting`] with the accepted range.
    pub fn new(config: Config) -> Result<Self> {
        config.check()?;
        let exclude = config.exclude.iter().map(|name| BookId::of(name)).collect();
        let state = State {
            digest: NAME.to_owned(),
            live: Artifact::default(),
            learned_until: Time::MIN,
            learned: BTreeMap::new(),
            fresh: BTreeMap::new(),
            missed: Missed::default(),
        };
        Ok(Self { config, exclude, state })
    }

    /// Weight of each book in a consensus of all of these, by the live model: negative for a book
    /// that lags so much that its difference is better gone against.
    pub fn weights(&self, kind: MarketKind, books: &[BookId]) -> Vec<f64> {
        let Some(model) = self.state.live.markets.get(&kind) else {
            return vec![1.0 / books.len() as f64; books.len()];
        };
        let own: Vec<f64> = books.iter().map(|book| model.coefficients.book(*book)).collect();
        let share = (1.0 - own.iter().sum::<f64>()) / books.len() as f64;
        own.into_iter().map(|own| own + share).collect()
    }

    fn members(&self, row: &MarketRow, now: Time) -> Option<Members> {
        let oldest = now.minus(self.config.stale_after);
        Members::of(row, |quote| {
            quote.is_complete() && quote.at >= oldest && !self.exclude.contains(&quote.book)
        })
    }

    /// The books of a row and their corrected consensus, by the live model.
    pub(crate) fn line(
        &self,
        row: &MarketRow,
        league: LeagueId,
        now: Time,
    ) -> Option<(Members, Logs)> {
        let members = self.members(row, now)?;
        let mut logs = members.mean;
        if let Some(model) = self.state.live.markets.get(&row.market.kind) {
            logs = model.coefficients.apply(&members);
            if let Some(drift) = model.leagues.get(&league) {
                logs.iter_mut().zip(drift).for_each(|(log, drift)| *log += drift);
            }
        }
        Some((members, logs))
    }

    /// The line a market closed at, as the teacher sees it.
    pub(crate) fn closing_line(&self, as_of: &MarketRow, closing: &MarketRow) -> Option<Logs> {
        let (closers, weights) = self.close(as_of, closing)?;
        weighted(&closers, &weights, None)
    }

    /// The teacher: the mean of closing prices newer than anything in the as-of row, sharper books
    /// weighing more. Books without such a price did not quote a close that was recorded.
    fn close(&self, as_of: &MarketRow, closing: &MarketRow) -> Option<(Members, Vec<f64>)> {
        let members = Members::of(closing, |quote| {
            quote.is_complete()
                && quote.at > as_of.updated_at
                && !self.exclude.contains(&quote.book)
        })?;
        let model = self.state.live.markets.get(&as_of.market.kind);
        let unknown = reference_weight(&Mean::default(), self.config.reference_power);
        let weight = |book: &BookId| model.and_then(|m| m.reference.get(book)).copied();
        let weights =
            members.books.iter().map(|member| weight(&member.book).unwrap_or(unknown)).collect();
        Some((members, weights))
    }

    /// Dispersion of the weighted books about the price, over the root of how many they effectively
    /// are, turned from log-probability into probability by `p (1 - p)`.
    fn deviation(
        &self,
        members: &Members,
        weights: &[f64],
        logs: &Logs,
        p: &[f64; SELECTIONS_MAX],
    ) -> [f64; SELECTIONS_MAX] {
        let positive: Vec<f64> = weights.iter().map(|weight| weight.max(0.0)).collect();
        let sum: f64 = positive.iter().sum();
        let squares: f64 = positive.iter().map(|weight| weight * weight).sum();
        let effective = if squares > 0.0 { sum * sum / squares } else { 1.0 };
        let books = members.books.len() as f64;
        let floor = self.config.deviation_floor;
        std::array::from_fn(|i| {
            if i >= members.selections {
                return 0.0;
            }
            let spread: f64 = members
                .books
                .iter()
                .zip(&positive)
                .map(|(member, weight)| weight * (member.logs[i] - logs[i]).powi(2))
                .sum::<f64>()
                / sum.max(f64::MIN_POSITIVE);
            let prior = DISPERSION_PRIOR_BOOKS;
            let variance = (books * spread + prior * floor * floor) / (books + prior);
            (variance / effective).sqrt() * p[i] * (1.0 - p[i])
        })
    }
}

/// Weighted mean of the members' logs, leaving one book out; `None` when nothing is left.
fn weighted(members: &Members, weights: &[f64], without: Option<BookId>) -> Option<Logs> {
    let mut logs = [0.0; SELECTIONS_MAX];
    let mut total = 0.0;
    for (member, weight) in members.books.iter().zip(weights) {
        if Some(member.book) != without {
            logs.iter_mut().zip(member.logs).for_each(|(sum, log)| *sum += weight * log);
            total += weight;
        }
    }
    (total > 0.0).then(|| logs.map(|sum| sum / total))
}

/// An artifact, read and checked.
fn parsed(artifact: &[u8], digest: &str) -> Result<Artifact> {
    let refuse = |source| Error::Artifact { digest: digest.to_owned(), source };
    let live: Artifact = serde_json::from_slice(artifact).map_err(refuse)?;
    check(&live, digest)?;
    Ok(live)
}

impl Pricer for MarketPricer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn model(&self) -> &str {
        &self.state.digest
    }

    fn price(&self, row: &MarketRow, league: LeagueId, now: Time) -> Option<Fair> {
        let (members, logs) = self.line(row, league, now)?;
        let p = probabilities(&logs, members.selections);
        let ids: Vec<BookId> = members.books.iter().map(|member| member.book).collect();
        let weights = self.weights(row.market.kind, &ids);
        let equal = SHARPEST_MIN / ids.len() as f64;
        let sharpest = members
            .books
            .iter()
            .zip(&weights)
            .filter(|(member, weight)| member.role != BookRole::Reference && **weight >= equal)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(member, _)| member.book);
        Some(Fair {
            probabilities: p.map(Probability::clamped),
            deviation: self.deviation(&members, &weights, &logs, &p),
            books: ids.len() as u16,
            sharpest,
        })
    }

    fn learn(&mut self, as_of: &MarketRow, closing: &MarketRow, league: LeagueId) {
        let Some(members) = self.members(as_of, as_of.updated_at) else { return };
        let Some((closers, weights)) = self.close(as_of, closing) else { return };
        let Some(close) = weighted(&closers, &weights, None) else { return };
        let kind = as_of.market.kind;
        let empty = Coefficients::default();
        let live = self.state.live.markets.get(&kind).map_or(&empty, |model| &model.coefficients);
        let priced = live.apply(&members);
        if as_of.market == Market::ONE_X_TWO {
            self.state.missed.add(&close, &priced, &members.mean);
        }
        let fresh = self.state.fresh.entry(kind).or_default();
        fresh.sums.add(&members, &close);
        let left = fresh.leagues.entry(league).or_default();
        left.sum = std::array::from_fn(|i| left.sum[i] + close[i] - priced[i]);
        left.weight += 1.0;
        for member in &members.books {
            // A book is measured against the others' close where there is one, so that it is not
            // called sharp for agreeing with itself.
            let target = weighted(&closers, &weights, Some(member.book)).unwrap_or(close);
            let error = fresh.errors.entry(member.book).or_default();
            let squared = |i: usize| (member.logs[i] - target[i]).powi(2);
            error.sum +=
                (0..members.selections).map(squared).sum::<f64>() / members.selections as f64;
            error.weight += 1.0;
        }
    }

    fn metrics(&self) -> BTreeMap<String, f64> {
        self.state.missed.metrics()
    }

    fn close_window(&mut self, end: Time) -> Option<Vec<u8>> {
        self.state.missed = Missed::default();
        if self.state.fresh.is_empty() {
            return None;
        }
        let State { learned, learned_until, fresh, .. } = &mut self.state;
        if *learned_until != Time::MIN {
            let elapsed_ms = end.since(*learned_until).max(0) as f64;
            let factor = (-elapsed_ms / self.config.half_life.ms() as f64).exp2();
            for knowledge in learned.values_mut() {
                knowledge.decay(factor);
            }
        }
        *learned_until = end;
        for (kind, fresh) in std::mem::take(fresh) {
            learned.entry(kind).or_default().merge(&fresh);
        }
        let markets = learned.iter().map(|(kind, k)| (*kind, KindModel::of(k, &self.config)));
        let artifact = Artifact {
            layout: LAYOUT,
            window_end: end,
            markets: markets.collect(),
            knowledge: learned.clone(),
        };
        serde_json::to_vec(&artifact).ok()
    }

    fn check(&self, artifact: &[u8], digest: &str) -> Result<()> {
        parsed(artifact, digest).map(|_| ())
    }

    fn go_live(&mut self, artifact: &[u8], digest: &str) -> Result<()> {
        let live = parsed(artifact, digest)?;
        // After a rollback to an older artifact, what was learned since is still true.
        if live.window_end >= self.state.learned_until {
            self.state.learned_until = live.window_end;
            self.state.learned.clone_from(&live.knowledge);
        }
        self.state.live = live;
        digest.clone_into(&mut self.state.digest);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.state)?)
    }

    fn load(&mut self, state: &[u8]) -> Result<()> {
        let state: State = serde_json::from_slice(state)?;
        check(&state.live, &state.digest)?;
        self.state = state;
        Ok(())
    }
}
