//! What the form pricer promises, on a season made for the purpose.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use std::sync::Arc;

use model::form::{Config, FormPricer};
use model::{Error, Fair, Pricer};
use schema::{
    BookId, BookQuote, BookRole, Change, Delta, Devig, FixtureId, FixtureRow, FixtureStatus,
    LeagueId, Market, MarketKey, MarketRow, MatchStatistics, Odds, OfferedPrice, Probability,
    ResultRow, ResultStatus, Score, Span, TeamId, Time,
};
use tideline_model as model;

const TEAMS: u64 = 12;

fn league() -> LeagueId {
    LeagueId(1)
}

fn kick_off(round: i64) -> Time {
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
struct Season {
    pricer: FormPricer,
    fixtures: u64,
}

/// What happened in one fixture.
struct Seen {
    as_of: Arc<MarketRow>,
    closing: Arc<MarketRow>,
    price: Option<Fair>,
}

fn shooter(team: TeamId) -> bool {
    team.0.is_multiple_of(2)
}

impl Season {
    fn new() -> Self {
        Self::with(Config { outcome_share: 0.0, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        Self { pricer: FormPricer::new(config).unwrap(), fixtures: 0 }
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
    fn round(&mut self, round: i64) -> Vec<Seen> {
        let shift = 1 + round as u64 % (TEAMS - 1);
        let seen = (0..TEAMS / 2)
            .map(|i| {
                let (a, b) = (i * 2, (i * 2 + shift) % TEAMS);
                let away = if a == b { (b + 1) % TEAMS } else { b };
                self.play(round, TeamId(a), TeamId(away))
            })
            .collect();
        if let Some(artifact) = self.pricer.close_window(kick_off(round).plus(Span::days(3))) {
            self.pricer.go_live(&artifact, &format!("round {round}")).unwrap();
        }
        seen
    }
}

/// Every match is drawn and every line closes where it was: only what happened can teach that.
#[test]
fn what_happens_counts_beside_the_close() {
    let draws = |outcome_share| {
        let mut season = Season::with(Config { outcome_share, ..Config::default() });
        for round in 0..120 {
            season.round(round);
        }
        let seen = season.round(120);
        let draw = |seen: &Seen| seen.price.unwrap().probabilities[1].as_f64();
        seen.iter().map(draw).sum::<f64>() / seen.len() as f64
    };
    let (none, some) = (draws(0.0), draws(0.2));
    assert!((none - 0.28).abs() < 0.005, "{none}");
    assert!(some > none + 0.02, "{some} {none}");
}

/// Mean squared distance of home probabilities from the close.
fn miss(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    let close = |seen: &Seen| seen.closing.consensus[0].as_f64();
    seen.iter().map(|seen| (of(seen) - close(seen)).powi(2)).sum::<f64>() / seen.len() as f64
}

#[test]
fn it_learns_that_shots_move_lines() {
    let mut season = Season::new();
    for round in 0..120 {
        season.round(round);
    }
    let seen: Vec<Seen> = (120..140).flat_map(|round| season.round(round)).collect();
    let opened = miss(&seen, |seen| seen.as_of.consensus[0].as_f64());
    let priced = miss(&seen, |seen| seen.price.unwrap().probabilities[0].as_f64());
    assert!(priced < 0.3 * opened, "{priced} {opened}");
}

#[test]
fn before_it_has_learned_enough_it_is_the_market_pricer() {
    let mut season = Season::new();
    let mut market = model::market::MarketPricer::new(model::market::Config::default()).unwrap();
    for round in 0..20 {
        for seen in season.round(round) {
            let expected = market.price(&seen.as_of, league(), seen.as_of.updated_at);
            assert_eq!(seen.price, expected, "round {round}");
            market.learn(&seen.as_of, &seen.closing, league());
        }
        let artifact = market.close_window(kick_off(round).plus(Span::days(3))).unwrap();
        market.go_live(&artifact, &format!("round {round}")).unwrap();
    }
}

#[test]
fn a_saved_state_goes_on_the_same() {
    let mut season = Season::new();
    for round in 0..110 {
        season.round(round);
    }
    let mut other = Season { fixtures: season.fixtures, ..Season::new() };
    other.pricer.load(&season.pricer.save().unwrap()).unwrap();
    for round in 110..115 {
        let prices = |seen: Vec<Seen>| seen.iter().map(|s| s.price).collect::<Vec<_>>();
        assert_eq!(prices(season.round(round)), prices(other.round(round)), "round {round}");
    }
}

#[test]
fn nonsense_is_refused_and_the_live_model_stays() {
    let mut season = Season::new();
    for round in 0..100 {
        season.round(round);
    }
    let live = season.pricer.model().to_owned();
    assert!(matches!(season.pricer.go_live(b"{", "x"), Err(Error::Artifact { .. })));
    let wrong = br#"{"layout":1,"market":"{}","side":[1.0],"draw":[]}"#;
    assert!(matches!(season.pricer.go_live(wrong, "x"), Err(Error::Layout { .. })));
    assert!(season.pricer.load(b"[]").is_err());
    assert_eq!(season.pricer.model(), live);
    let nonsense = Config { half_life: Span::from_ms(0), ..Config::default() };
    assert!(matches!(FormPricer::new(nonsense), Err(Error::Setting { .. })));
}
