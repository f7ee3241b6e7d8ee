//! Made-up outboxes for tests and for the example: seeded, so the same every time.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::assigning_clones,
    reason = "shared by tests and the example"
)]

use std::sync::Arc;

use schema::{
    Action, EventId, Forecast, LedgerRow, LedgerStatus, LensReading, Money, Odds, Outbox, RunState,
    Suggestion, SuggestionQuote, Time,
};

/// A team name that would break out of HTML, of a CSV cell and of a formula.
pub const HOSTILE: &str = "=1+1</td><script>alert(\"1\")</script>&'";

const TEAMS: [&str; 12] = [
    "Arsenal",
    "Crystal Palace",
    "Brighton",
    "Newcastle",
    "Nott'm Forest",
    "Wolves",
    "Ath Bilbao",
    "Sociedad",
    "Bayern Munich",
    "Ein Frankfurt",
    "St Etienne",
    "Paris SG",
];
const BOOKS: [&str; 5] = ["B365", "PS", "BW", "WH", "VC"];
const MARKETS: [(&str, &str); 5] = [
    ("1x2", "home"),
    ("1x2", "draw"),
    ("total 2.5", "over"),
    ("asian_handicap -0.75", "home"),
    ("asian_handicap 0.25", "away"),
];

pub fn time(text: &str) -> Time {
    text.parse().unwrap()
}

pub fn id(number: u64) -> EventId {
    EventId::of(format!("bet {number}").as_bytes())
}

pub fn suggestion(number: u64, tick: u64, action: Action) -> Suggestion {
    let home = TEAMS[number as usize % 12];
    let away = TEAMS[(number as usize * 5 + 1) % 12];
    let (market, selection) = MARKETS[number as usize % 5];
    let at = time("2022-08-05T14:00:00Z");
    let quote = |book: &str, odds: f64| SuggestionQuote {
        book: book.to_owned(),
        odds: Odds::new(odds).unwrap(),
        at,
    };
    Suggestion {
        schema: 1,
        event_id: EventId::of(format!("{number} {tick} {}", action.name()).as_bytes()),
        suggestion_id: id(number),
        revision: 1,
        action,
        retracts: None,
        tick,
        event_time: at,
        emit_time: at,
        fixture: format!("E0|2022-08-05|{home}|{away}"),
        league: "E0".to_owned(),
        home: home.to_owned(),
        away: away.to_owned(),
        kick_off: time("2022-08-05T19:00:00Z"),
        market: market.to_owned(),
        selection: selection.to_owned(),
        book: BOOKS[number as usize % 5].to_owned(),
        odds: Odds::new(2.35).unwrap(),
        odds_min: Odds::new(2.24).unwrap(),
        fair_probability: 0.4537,
        edge: 0.0662,
        confidence: 0.78,
        stake: Money::new(41.2).unwrap(),
        bankroll: Money::new(10_000.0).unwrap(),
        stake_limit: "kelly".to_owned(),
        reason: "B365 offers 2.35 where 11 books make it 2.20; the price has not moved against it."
            .to_owned(),
        lenses: lenses([0.82, 0.74, 0.69, 0.77, 0.9]),
        quotes: vec![quote("B365", 2.35), quote("PS", 2.22), quote("WH", 2.2)],
        expires_at: time("2022-08-05T19:00:00Z"),
        model: "market".to_owned(),
        outcome: None,
        pnl: None,
        clv: None,
    }
}

fn lenses(scores: [f64; 5]) -> Vec<LensReading> {
    let texts = [
        ("margin_of_safety", "Edge of 6.6% is 2.1 times the model's own uncertainty."),
        ("circle_of_competence", "1,204 settled fixtures in E0; calibration error 0.9%."),
        ("moat", "Home sides at this price have beaten the close in 57% of 311 bets."),
        ("mr_market", "Consensus moved 0.4 points towards the selection since the open."),
        ("patience", "Drawdown 1.8%, exposure 3.1% of the bankroll, five hours to kick-off."),
    ];
    texts
        .iter()
        .zip(scores)
        .map(|((lens, reason), score)| LensReading {
            lens: (*lens).to_owned(),
            score,
            reason: (*reason).to_owned(),
        })
        .collect()
}

pub fn ledger_row(number: u64) -> LedgerRow {
    let bet = suggestion(number, 1, Action::Issued);
    LedgerRow {
        suggestion_id: bet.suggestion_id,
        date: "2022-08-05".to_owned(),
        game_id: bet.fixture,
        league: bet.league,
        market: bet.market,
        selection: bet.selection,
        book: bet.book,
        odds: bet.odds,
        stake: bet.stake,
        fair_probability: bet.fair_probability,
        pnl: Money::ZERO,
        clv: None,
        outcome: None,
        status: LedgerStatus::Open,
        revision: 1,
        placed_at: bet.event_time,
        settled_at: None,
    }
}

pub fn settled_row(number: u64, outcome: &str, pnl: f64, clv: f64, revision: u32) -> LedgerRow {
    LedgerRow {
        pnl: Money::new(pnl).unwrap(),
        clv: Some(clv),
        outcome: Some(outcome.to_owned()),
        status: if outcome == "void" { LedgerStatus::Void } else { LedgerStatus::Provisional },
        revision,
        settled_at: Some(time("2022-08-05T21:00:00Z")),
        ..ledger_row(number)
    }
}

pub fn forecast(number: u64, fair: [f64; 3], outcome: u8) -> Forecast {
    Forecast {
        fixture: suggestion(number, 1, Action::Issued).fixture,
        league: "E0".to_owned(),
        kick_off: time("2022-08-05T19:00:00Z"),
        fair,
        closing: Some([fair[0] + 0.01, fair[1], fair[2] - 0.01]),
        outcome,
    }
}

pub fn outbox(tick: u64, at: &str, bankroll: f64, suggestions: Vec<Suggestion>) -> Outbox {
    Outbox {
        tick,
        time: time(at),
        suggestions: suggestions.into_iter().map(Arc::new).collect(),
        bankroll: Money::new(bankroll).unwrap(),
        exposure: Money::new(82.4).unwrap(),
        events: tick * 100,
        rejected: tick / 2,
        model: "market".to_owned(),
        ..Outbox::default()
    }
}

/// Two days: three bets issued, one revised, one withdrawn, two placed and settled, one of them
/// corrected the day after, when a hostile name turns up too.
pub fn small_run() -> Vec<Outbox> {
    let mut revised = suggestion(2, 2, Action::Revised);
    revised.revision = 2;
    revised.stake = Money::new(20.0).unwrap();
    revised.stake_limit = "cap per day".to_owned();
    let mut withdrawn = suggestion(3, 2, Action::Withdrawn);
    withdrawn.revision = 2;
    withdrawn.stake = Money::ZERO;
    withdrawn.reason = "The price went down to 2.10, below 2.24.".to_owned();
    let issued = |n| suggestion(n, 1, Action::Issued);
    let expired = |n, revision| Suggestion { revision, ..suggestion(n, 3, Action::Expired) };
    let mut run = vec![
        outbox(1, "2022-08-05T14:00:00Z", 10_000.0, vec![issued(1), issued(2), issued(3)]),
        outbox(2, "2022-08-05T15:00:00Z", 10_000.0, vec![revised, withdrawn]),
        outbox(3, "2022-08-05T19:00:00Z", 10_000.0, vec![expired(1, 2), expired(2, 3)]),
        outbox(4, "2022-08-05T21:00:00Z", 10_035.62, vec![settled(1, 4, "win", 55.62)]),
        outbox(5, "2022-08-06T10:00:00Z", 9_938.8, vec![corrected(1, 5, "loss", -41.2)]),
    ];
    run[2].ledger = vec![ledger_row(1), ledger_row(2)];
    run[3].ledger =
        vec![settled_row(1, "win", 55.62, 0.0314, 2), settled_row(2, "loss", -20.0, -0.012, 2)];
    run[3].forecasts = vec![forecast(1, [0.45, 0.28, 0.27], 0), forecast(2, [0.3, 0.3, 0.4], 2)];
    run[4].ledger = vec![settled_row(1, "loss", -41.2, 0.0314, 3)];
    run[4].forecasts = vec![forecast(1, [0.45, 0.28, 0.27], 2)];
    run[4].state = RunState::Reduce;
    run[4].state_reason = "an operator said so: checking the feed".to_owned();
    run[4].stale_sources = vec!["football_data".to_owned(), HOSTILE.to_owned()];
    let mut hostile = suggestion(4, 5, Action::Issued);
    hostile.home = HOSTILE.to_owned();
    hostile.fixture = format!("E0|2022-08-06|{HOSTILE}|Wolves");
    hostile.book = "@book".to_owned();
    hostile.reason = HOSTILE.to_owned();
    hostile.lenses[0].reason = HOSTILE.to_owned();
    let row = LedgerRow { game_id: HOSTILE.to_owned(), book: "@book".to_owned(), ..ledger_row(4) };
    run[4].suggestions.push(Arc::new(hostile));
    run[4].ledger.push(row);
    run
}

fn settled(number: u64, tick: u64, outcome: &str, pnl: f64) -> Suggestion {
    Suggestion {
        outcome: Some(outcome.to_owned()),
        pnl: Some(Money::new(pnl).unwrap()),
        clv: Some(0.0314),
        revision: 3,
        ..suggestion(number, tick, Action::Settled)
    }
}

fn corrected(number: u64, tick: u64, outcome: &str, pnl: f64) -> Suggestion {
    Suggestion { action: Action::Corrected, revision: 4, ..settled(number, tick, outcome, pnl) }
}

/// A seeded source of numbers in 0..1 (Steele, Lea and Flood 2014, `SplitMix64`).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// `days` days of `bets` bets each, from issue to settlement, with forecasts: a tick an hour.
pub struct Season {
    random: Seeded,
    days: u64,
    bets: u64,
    day: u64,
    bankroll: f64,
    start: Time,
}

pub fn season(days: u64, bets: u64) -> Season {
    let start = time("2021-08-06T00:00:00Z");
    Season { random: Seeded(7), days, bets, day: 0, bankroll: 10_000.0, start }
}

impl Season {
    fn bet(&mut self, number: u64, tick: u64, at: Time) -> Suggestion {
        let random = &mut self.random;
        let p = 0.2 + 0.45 * random.unit();
        let edge = 0.02 + 0.04 * random.unit();
        let mut bet = suggestion(number, tick, Action::Issued);
        bet.kick_off = at.plus(schema::Span::minutes(60 + (random.unit() * 6.0) as i64 * 30));
        bet.expires_at = bet.kick_off;
        bet.event_time = at;
        let league = ["E0", "SP1", "D1", "F1"][(number / 12 % 4) as usize];
        bet.league = league.to_owned();
        bet.fixture = format!("{league}|{}|{}|{}", bet.kick_off.date(), bet.home, bet.away);
        bet.odds = Odds::new(((1.0 + edge) / p * 100.0).round() / 100.0).unwrap();
        bet.odds_min = Odds::new((1.02 / p * 100.0).ceil() / 100.0).unwrap();
        bet.fair_probability = p;
        bet.edge = edge;
        bet.confidence = 0.7 + 0.25 * random.unit();
        bet.stake = Money::new(10_000.0).unwrap().fraction(0.002 + 0.006 * random.unit());
        bet.bankroll = Money::new(self.bankroll).unwrap();
        let limits = ["kelly", "cap per bet", "cap per fixture", "cap per day"];
        bet.stake_limit = limits[(random.unit() * 4.0) as usize].to_owned();
        bet.lenses = lenses([(); 5].map(|()| 0.55 + 0.44 * random.unit()));
        bet.reason = format!(
            "{} offers {} where eleven books make it {:.2}; the price has not moved against it.",
            bet.book,
            bet.odds,
            1.0 / p
        );
        bet
    }

    fn settle(&mut self, bet: &Suggestion) -> (LedgerRow, Forecast) {
        // The forecasts are a little too good to be true, as forecasts are.
        let wins = self.random.unit() < bet.fair_probability * 0.98;
        let pnl = if wins { bet.stake.winnings(bet.odds) } else { -bet.stake };
        self.bankroll += pnl.as_f64();
        let mut row = ledger_row(0);
        row.suggestion_id = bet.suggestion_id;
        row.date = bet.kick_off.date();
        row.game_id.clone_from(&bet.fixture);
        row.market.clone_from(&bet.market);
        row.selection.clone_from(&bet.selection);
        row.book.clone_from(&bet.book);
        (row.odds, row.stake, row.pnl) = (bet.odds, bet.stake, pnl);
        row.clv = Some(((0.012 + 0.05 * self.random.normal()) * 1e6).round() / 1e6);
        row.outcome = Some(if wins { "win" } else { "loss" }.to_owned());
        row.status = LedgerStatus::Provisional;
        row.placed_at = bet.event_time;
        row.settled_at = Some(bet.kick_off);
        let p = bet.fair_probability;
        let fair = [p, (1.0 - p) * 0.45, (1.0 - p) * 0.55];
        let sharp = 0.01 * self.random.normal();
        let outcome = if wins { 0 } else { 1 + u8::from(self.random.unit() > 0.45) };
        let forecast = Forecast {
            fixture: bet.fixture.clone(),
            league: bet.league.clone(),
            kick_off: bet.kick_off,
            fair,
            closing: Some([fair[0] + sharp, fair[1] - sharp / 2.0, fair[2] - sharp / 2.0]),
            outcome,
        };
        (row, forecast)
    }
}

impl Iterator for Season {
    type Item = [Outbox; 3];

    /// The day's three outboxes: issue, kick-off, results.
    fn next(&mut self) -> Option<[Outbox; 3]> {
        if self.day == self.days {
            return None;
        }
        let day = self.day;
        self.day += 1;
        let hour = |h: i64| self.start.plus(schema::Span::hours(24 * day as i64 + h));
        let (morning, noon, night) = (hour(11), hour(15), hour(22));
        let tick = 3 * day + 1;
        let at = |tick: u64, time: Time| Outbox {
            tick,
            time,
            events: tick * 1_937,
            rejected: tick / 40,
            model: if day < 200 { "market".to_owned() } else { "9f2c41d07a".repeat(6) + "77ab" },
            ..Outbox::default()
        };
        let mut out = [at(tick, morning), at(tick + 1, noon), at(tick + 2, night)];
        let opening = Money::new(self.bankroll).unwrap();
        (out[0].bankroll, out[1].bankroll) = (opening, opening);
        for index in 0..self.bets {
            let bet = self.bet(day * self.bets + index, tick, morning);
            out[0].exposure += bet.stake;
            out[1].exposure += bet.stake;
            let mut last = Suggestion { action: Action::Expired, tick: tick + 1, ..bet.clone() };
            last.event_id = EventId(bet.event_id.0 + 1);
            last.revision = 2;
            let (row, forecast) = self.settle(&bet);
            out[1].suggestions.push(Arc::new(last));
            out[0].suggestions.push(Arc::new(bet));
            out[2].ledger.push(row);
            out[2].forecasts.push(forecast);
        }
        out[2].bankroll = Money::new(self.bankroll).unwrap();
        Some(out)
    }
}
