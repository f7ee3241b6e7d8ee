//! The arithmetic of rows: pure functions of what is in them.
//!
//! Operators and oracles share exactly this and nothing else, so that a test compares how a row's
//! inputs were found, not how numbers are added. Sums are integers: their order cannot matter.

use schema::{
    BookId, BookQuote, BookRole, FixtureId, FormRow, Market, MarketRow, Odds, OfferedPrice,
    Probability, ResultRow, SELECTIONS_MAX, Span, Time,
};
use serde::{Deserialize, Serialize};

const MICROS: i64 = 1_000_000;
/// Matches of goal difference zero that every team is credited with, so that a rating after one
/// match is not that match.
const RATING_PRIOR_MATCHES: i64 = 4;

/// A market row from its books, which are sorted by id and have at least one price each.
pub(crate) fn market_row(fixture: FixtureId, market: Market, books: Vec<BookQuote>) -> MarketRow {
    debug_assert!(books.is_sorted_by_key(|quote| quote.book));
    let mut own = Sums::default();
    let mut references = Sums::default();
    let mut best = [OfferedPrice { odds: Odds::NONE, book: BookId(0) }; SELECTIONS_MAX];
    let mut updated_at = Time::MIN;
    for quote in &books {
        updated_at = updated_at.max(quote.at);
        if quote.role == BookRole::Reference {
            references.add(quote);
            continue;
        }
        own.add(quote);
        for (best, &odds) in best.iter_mut().zip(&quote.prices) {
            if odds > best.odds {
                *best = OfferedPrice { odds, book: quote.book };
            }
        }
    }
    let sums = if own.books > 0 { own } else { references };
    MarketRow {
        fixture,
        market,
        updated_at,
        books,
        consensus: sums.mean(&sums.fair),
        consensus_open: sums.mean(&sums.open),
        consensus_books: sums.books,
        best,
    }
}

/// Sums of fair probabilities over complete books.
#[derive(Default)]
struct Sums {
    books: u16,
    fair: [u64; SELECTIONS_MAX],
    open: [u64; SELECTIONS_MAX],
}

impl Sums {
    fn add(&mut self, quote: &BookQuote) {
        if !quote.is_complete() {
            return;
        }
        self.books += 1;
        for i in 0..SELECTIONS_MAX {
            self.fair[i] += quote.fair[i].scaled();
            self.open[i] += quote.fair_open[i].scaled();
        }
    }

    fn mean(&self, sums: &[u64; SELECTIONS_MAX]) -> [Probability; SELECTIONS_MAX] {
        let n = f64::from(self.books.max(1)) * Probability::SCALE as f64;
        sums.map(|sum| Probability::clamped(sum as f64 / n))
    }
}

/// A finished match from one team's side, and the span of event time in which it was known so: a
/// form at kick-off `k` counts it exactly when `known_from < k <= known_until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MatchRow {
    /// When it started.
    pub kick_off: Time,
    /// The fixture.
    pub fixture: FixtureId,
    /// Event time of the result.
    pub known_from: Time,
    /// Event time of the correction that replaced it; [`Time::MAX`] while it stands.
    pub known_until: Time,
    /// Goals of the team.
    pub goals_for: u16,
    /// Goals of its opponent.
    pub goals_against: u16,
    /// Shots on target of the team; 0 where the feed has none.
    pub shots_on_target_for: u8,
    /// Shots on target of its opponent.
    pub shots_on_target_against: u8,
}

impl MatchRow {
    /// A match seen from the home (0) or the away side (1).
    pub(crate) fn of(
        fixture: FixtureId,
        kick_off: Time,
        result: &ResultRow,
        known_until: Time,
        side: usize,
    ) -> Self {
        let goals = [result.score.home, result.score.away];
        let shots = result.statistics.and_then(|s| s.shots_on_target).unwrap_or_default();
        Self {
            kick_off,
            fixture,
            known_from: result.at,
            known_until,
            goals_for: goals[side],
            goals_against: goals[1 - side],
            shots_on_target_for: shots[side],
            shots_on_target_against: shots[1 - side],
        }
    }

    /// Whether a form at this kick-off counts it.
    pub(crate) fn counts_at(&self, kick_off: Time, window: Span) -> bool {
        self.kick_off < kick_off
            && kick_off.since(self.kick_off) <= window.ms()
            && self.known_from < kick_off
            && kick_off <= self.known_until
    }

    fn points(&self) -> i64 {
        match self.goals_for.cmp(&self.goals_against) {
            std::cmp::Ordering::Greater => 3,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Less => 0,
        }
    }
}

/// The form at a kick-off from exactly the matches that count.
///
/// Weights are `2^(-age / half_life)` in millionths. Rating: decayed goal difference over weight
/// plus four, in millionths.
pub(crate) fn form_row<'a>(
    kick_off: Time,
    half_life: Span,
    matches: impl Iterator<Item = &'a MatchRow>,
) -> FormRow {
    let mut form = FormRow::default();
    let mut last = None;
    for played in matches {
        let age_ms = kick_off.since(played.kick_off);
        let halvings = age_ms as f64 / half_life.ms() as f64;
        let weight = ((-halvings).exp2() * MICROS as f64).round() as i64;
        form.matches += 1;
        last = last.max(Some(played.kick_off));
        form.weight_micros += weight;
        form.points_micros += weight * played.points();
        form.goals_for_micros += weight * i64::from(played.goals_for);
        form.goals_against_micros += weight * i64::from(played.goals_against);
        form.shots_on_target_for_micros += weight * i64::from(played.shots_on_target_for);
        form.shots_on_target_against_micros += weight * i64::from(played.shots_on_target_against);
    }
    form.rest_ms = last.map_or(0, |last| kick_off.since(last));
    let ahead = i128::from(form.goals_for_micros - form.goals_against_micros);
    let weight = i128::from(form.weight_micros + RATING_PRIOR_MATCHES * MICROS);
    form.rating_micros = (ahead * i128::from(MICROS) / weight) as i64;
    form
}
