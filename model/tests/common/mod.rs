//! A season made for the purpose, for any pricer.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use std::sync::Arc;

use model::{Fair, Pricer};
use schema::{
    BookId, BookQuote, BookRole, Change, Delta, Devig, FixtureId, FixtureRow, FixtureStatus,
    LeagueId, Market, MarketKey, MarketRow, MatchStatistics, Odds, OfferedPrice, Probability,
    ResultRow, ResultStatus, Score, Span, TeamId, Time,
};
use tideline_model as model;

pub const TEAMS: u64 = 12;

pub fn league() -> LeagueId {
    LeagueId(1)
}

pub fn kick_off(round: i64) -> Time {
    Time::from_ms(1_600_000_000_000).plus(Span::days(7 * round))
}

/// A row of two books at these fair probabilities.
fn row(fixture: FixtureId, at: Time, fair: [f64; 3]) -> Arc<MarketRow> {
    let quote = |book: u64, margin: f64| {
        let prices = fair.map(|p| Odds::new(((1.0 / p / margin) * 1e4).round() / 1e4).unwrap());
        let fair = Devig::Proportional.fair(&prices).unwrap();
        BookQuote { book: BookId(book), role: BookRole::Bookmaker, at, prices, fair }
    };
    let consensus = fair.map(Probability::clamped);
    Arc::new(MarketRow {
        fixture,
        market: Market::ONE_X_TWO,
        updated_at: at,
        books: vec![quote(1, 1.03), quote(2, 1.06)],
        consensus,
        consensus_open: consensus,
        consensus_books: 2,
        best: [OfferedPrice::default(); 3],
    })
}

fn change<K, V>(key: K, row: V) -> Vec<Change<K, V>> {
    vec![Change { key, before: None, after: Some(row) }]
}

/// A league in which every second team shoots more than its prices say, and whose line moves
/// towards it before the close: form says where the line goes.
pub struct Season<P> {
    pub pricer: P,
    pub fixtures: u64,
    /// What went live last.
    pub artifact: Vec<u8>,
}

/// What happened in one fixture.
pub struct Seen {
    pub as_of: Arc<MarketRow>,
    pub closing: Arc<MarketRow>,
    pub price: Option<Fair>,
}

fn shooter(team: TeamId) -> bool {
    team.0.is_multiple_of(2)
}

impl<P: Pricer> Season<P> {
    pub fn new(pricer: P) -> Self {
        Self { pricer, fixtures: 0, artifact: Vec::new() }
    }

    fn play(&mut self, round: i64, home: TeamId, away: TeamId) -> Seen {
        self.fixtures += 1;
        let id = FixtureId(self.fixtures);
        let key = MarketKey { fixture: id, market: Market::ONE_X_TWO };
        let starts = kick_off(round);
        let status = FixtureStatus::Scheduled;
        let fixture = FixtureRow { league: league(), home, away, kick_off: starts, status };
        let noise = f64::from((self.fixtures * 7_919 % 101) as u32) / 101.0 - 0.5;
        let lean = f64::from(u8::from(shooter(home))) - f64::from(u8::from(shooter(away)));
        let open = 0.40 + 0.1 * noise;
        let close = open + 0.02 * lean + 0.004 * noise;
        let as_of = row(id, starts.minus(Span::hours(20)), [open, 0.28, 0.72 - open]);
        let closing = row(id, starts.minus(Span::minutes(1)), [close, 0.28, 0.72 - close]);
        let pricer = &mut self.pricer;
        pricer.take(&Delta { fixtures: change(id, fixture), ..Delta::default() });
        pricer.take(&Delta { as_of: change(key, Arc::clone(&as_of)), ..Delta::default() });
        let price = pricer.price(&as_of, league(), as_of.updated_at);
        pricer.learn(&as_of, &closing, league());
        let shots = |team| if shooter(team) { 7 } else { 3 };
        let statistics = MatchStatistics {
            shots_on_target: Some([shots(home), shots(away)]),
            ..MatchStatistics::default()
        };
        let result = ResultRow {
            status: ResultStatus::Final,
            score: Score { home: 1, away: 1 },
            statistics: Some(statistics),
            at: starts.plus(Span::hours(2)),
        };
        pricer.settle(&Delta { results: change(id, result), ..Delta::default() });
        Seen { as_of, closing, price }
    }

    /// Plays a round of every team against another and closes the window.
    pub fn round(&mut self, round: i64) -> Vec<Seen> {
        let shift = 1 + round as u64 % (TEAMS - 1);
        let seen = (0..TEAMS / 2)
            .map(|i| {
                let (a, b) = (i * 2, (i * 2 + shift) % TEAMS);
                let away = if a == b { (b + 1) % TEAMS } else { b };
                self.play(round, TeamId(a), TeamId(away))
            })
            .collect();
        self.close(round);
        seen
    }

    /// Closes a window as an engine does that waits for trainings.
    fn close(&mut self, round: i64) {
        let end = kick_off(round).plus(Span::days(3));
        if let Some(training) = self.pricer.training(end) {
            let outcome = training.run(&mut |_| {}).unwrap();
            self.pricer.trained(&outcome).unwrap();
        }
        if let Some(artifact) = self.pricer.close_window(end) {
            self.pricer.go_live(&artifact, &format!("round {round}")).unwrap();
            self.artifact = artifact;
        }
    }
}

/// Mean squared distance of home probabilities from the close.
pub fn miss(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    let close = |seen: &Seen| seen.closing.consensus[0].as_f64();
    seen.iter().map(|seen| (of(seen) - close(seen)).powi(2)).sum::<f64>() / seen.len() as f64
}
