//! The story of one match: announced, priced, moved, sometimes postponed or priced by mistake,
//! played, and now and then reported wrong at first.

use schema::{
    BookId, BookRole, Event, Fact, FixtureFact, FixtureStatus, Line, Market, MarketKind,
    MatchStatistics, Odds, Quote, QuoteState, RegionId, ResultFact, ResultStatus, SourceId, Span,
    Time,
};

use super::Config;
use super::random::Random;
use super::world::{Book, BookKind, Rates};

/// Prices open this long before kick-off.
const OPENING: Span = Span::days(5);
/// What is known changes at steps of this length.
const STEP_MS: i64 = 1_800_000;
/// How far off everybody is when prices open, and what is left of it at kick-off.
const DOUBT: [f64; 2] = [0.11, 0.02];
/// The last prices of every book come within this time before kick-off.
const CLOSING: Span = Span::minutes(4);
/// In these last hours prices come this much faster.
const RUSH: (Span, f64) = (Span::hours(6), 4.0);

/// The markets every book prices, besides the handicap whose line depends on the match.
const MARKETS: [Market; 2] =
    [Market::ONE_X_TWO, Market::with_line(MarketKind::Total, Line::from_quarters(10))];

/// One match to be told.
pub(super) struct Match<'a> {
    pub config: &'a Config,
    pub books: &'a [Book],
    pub book_ids: &'a [BookId],
    pub source: SourceId,
    pub fixture: FixtureFact,
    pub truth: Rates,
}

/// What is known over time: how far the best guess is from the truth, step by step.
struct Knowledge {
    from: Time,
    doubts: Vec<[f64; 2]>,
}

impl Knowledge {
    /// Doubt melts away while news comes in; a steam move is much news at once.
    fn draw(from: Time, to: Time, steam_rate: f64, random: &mut Random) -> Self {
        let steps = (to.since(from) / STEP_MS).max(1) as usize + 1;
        let mut doubt = [random.normal() * DOUBT[0], random.normal() * DOUBT[0] * 0.6];
        let steam = random.chance(steam_rate).then(|| steps / 4 + random.below(steps / 2 + 1));
        let mut doubts = Vec::with_capacity(steps);
        for step in 0..steps {
            let left = 1.0 - step as f64 / steps as f64;
            let spread = DOUBT[1] + (DOUBT[0] - DOUBT[1]) * left;
            let keep = if steam == Some(step) { 0.25 } else { 0.985 };
            let news = spread * (1.0_f64 - 0.985 * 0.985).sqrt();
            doubt = doubt.map(|doubt| doubt * keep + random.normal() * news);
            doubts.push(doubt);
        }
        Self { from, doubts }
    }

    fn at(&self, time: Time) -> [f64; 2] {
        let step = (time.since(self.from) / STEP_MS).clamp(0, self.doubts.len() as i64 - 1);
        self.doubts[step as usize]
    }
}

/// A book at work on one match.
struct Trader<'a> {
    book: &'a Book,
    id: BookId,
    markets: [Market; 3],
    /// Its own opinion, which it never quite gives up.
    opinion: [f64; 2],
    /// What it offers.
    standing: [[Odds; 3]; 3],
}

impl Match<'_> {
    /// Tells the whole story, in no particular order of time.
    pub fn tell(&self, random: &mut Random, out: &mut Vec<Event>) {
        let mut fixture = self.fixture;
        let announced = fixture.kick_off.minus(OPENING).minus(Span::hours(12));
        self.push(announced, Fact::Fixture(fixture), out);
        if random.chance(self.config.postponed_rate) {
            let called_off = fixture.kick_off.minus(Span::hours(3 + random.below(20) as i64));
            let handicap = self.trade(announced, called_off, random, out);
            fixture.status = FixtureStatus::Postponed;
            self.push(called_off, Fact::Fixture(fixture), out);
            self.pull_all(called_off.plus(Span::minutes(2)), handicap, out);
            let known = called_off.plus(Span::hours(30));
            fixture.status = FixtureStatus::Scheduled;
            fixture.kick_off = fixture.kick_off.plus(Span::days(9));
            self.push(known, Fact::Fixture(fixture), out);
        }
        let opening = fixture.kick_off.minus(OPENING).plus(Span::hours(random.below(9) as i64));
        self.trade(opening, fixture.kick_off, random, out);
        self.result(fixture.kick_off, random, out);
    }

    fn push(&self, time: Time, fact: Fact, out: &mut Vec<Event>) {
        out.push(Event {
            event_time: time,
            received_time: time,
            sequence: 0,
            source: self.source,
            region: RegionId::default(),
            fact,
        });
    }

    /// All prices of all books between two times; gives the handicap market they made.
    fn trade(&self, from: Time, to: Time, random: &mut Random, out: &mut Vec<Event>) -> Market {
        let knowledge = Knowledge::draw(from, to, self.config.steam_rate, random);
        let opening = knowledge.at(from);
        let line = self.truth.off(opening[0], opening[1]).even_line();
        let handicap = Market::with_line(MarketKind::AsianHandicap, line);
        for (book, id) in self.books.iter().zip(self.book_ids) {
            let mut trader = Trader {
                book,
                id: *id,
                markets: [MARKETS[0], MARKETS[1], handicap],
                opinion: [random.normal() * book.noise, random.normal() * book.noise],
                standing: [[Odds::NONE; 3]; 3],
            };
            let mut time = from.plus(Span::from_ms(book.lag_ms + random.below(3_600_000) as i64));
            let close = to.minus(Span::from_ms(1_000 + random.below(CLOSING.ms() as usize) as i64));
            while time < close {
                self.look(&mut trader, &knowledge, time, random, out);
                let rush = if to.since(time) < RUSH.0.ms() { RUSH.1 } else { 1.0 };
                let pause = book.pause_ms / self.config.activity.max(0.01) / rush;
                let wait = -(1.0 - random.unit()).ln() * pause;
                time = time.plus(Span::from_ms(wait.clamp(20_000.0, 86_400_000.0) as i64));
            }
            self.look(&mut trader, &knowledge, close, random, out);
        }
        handicap
    }

    /// A look of one book at all its markets; it quotes what has changed.
    fn look(
        &self,
        trader: &mut Trader<'_>,
        knowledge: &Knowledge,
        time: Time,
        random: &mut Random,
        out: &mut Vec<Event>,
    ) {
        let Trader { book, id, opinion, .. } = *trader;
        let doubt = knowledge.at(time.minus(Span::from_ms(book.lag_ms)));
        let table = self.truth.off(doubt[0] + opinion[0], doubt[1] + opinion[1]).table();
        for (market, standing) in trader.markets.into_iter().zip(&mut trader.standing) {
            let prices = self.prices(book, market, &table.fair(market));
            if prices == *standing {
                continue;
            }
            *standing = prices;
            if book.kind == BookKind::Soft && random.chance(self.config.error_rate) {
                self.mistake(id, market, prices, time, random, out);
                continue;
            }
            self.quote(id, book.kind, market, prices, time, out);
            if book.kind == BookKind::Soft && random.chance(self.config.pull_rate) {
                let gone = time.plus(Span::minutes(1 + random.below(20) as i64));
                self.state(id, market, gone, QuoteState::Pulled, out);
                // What it offers next is new, whatever it is.
                *standing = [Odds::NONE; 3];
            }
        }
    }

    /// Prices of a book: its own, or for the average the mean of what bookmakers would ask.
    fn prices(&self, book: &Book, market: Market, fair: &[f64; 3]) -> [Odds; 3] {
        let selections = market.selections().len();
        let mut prices = [Odds::NONE; 3];
        for (price, fair) in prices.iter_mut().zip(fair).take(selections) {
            *price = if book.kind == BookKind::Average {
                let soft = self.books.iter().filter(|book| book.kind != BookKind::Average);
                let asked: Vec<f64> = soft.map(|b| b.odds(*fair, selections).decimal()).collect();
                let mean = asked.iter().sum::<f64>() / asked.len().max(1) as f64;
                Odds::new((mean * 100.0).round() / 100.0).unwrap_or(Odds::NONE)
            } else {
                book.odds(*fair, selections)
            };
        }
        prices
    }

    fn quote(
        &self,
        book: BookId,
        kind: BookKind,
        market: Market,
        prices: [Odds; 3],
        time: Time,
        out: &mut Vec<Event>,
    ) {
        let role = match kind {
            BookKind::Sharp | BookKind::Soft => BookRole::Bookmaker,
            BookKind::Exchange => BookRole::Exchange,
            BookKind::Average => BookRole::Reference,
        };
        let (fixture, state) = (self.fixture.fixture, QuoteState::Offered);
        self.push(time, Fact::Quote(Quote { fixture, market, book, role, prices, state }), out);
    }

    fn state(
        &self,
        book: BookId,
        market: Market,
        at: Time,
        state: QuoteState,
        out: &mut Vec<Event>,
    ) {
        let (fixture, role, prices) = (self.fixture.fixture, BookRole::Bookmaker, [Odds::NONE; 3]);
        self.push(at, Fact::Quote(Quote { fixture, market, book, role, prices, state }), out);
    }

    /// A price typed wrong, put right a few minutes later, and declared void.
    fn mistake(
        &self,
        book: BookId,
        market: Market,
        prices: [Odds; 3],
        time: Time,
        random: &mut Random,
        out: &mut Vec<Event>,
    ) {
        let mut wrong = prices;
        let which = random.below(market.selections().len());
        let far_off = wrong[which].decimal() * random.between(1.4, 2.2);
        wrong[which] = Odds::new((far_off * 20.0).round() / 20.0).unwrap_or(prices[which]);
        self.quote(book, BookKind::Soft, market, wrong, time, out);
        let noticed = time.plus(Span::minutes(3 + random.below(15) as i64));
        self.quote(book, BookKind::Soft, market, prices, noticed, out);
        let voided = noticed.plus(Span::minutes(1 + random.below(60) as i64));
        self.state(book, market, voided, QuoteState::Voided(time), out);
    }

    fn pull_all(&self, time: Time, handicap: Market, out: &mut Vec<Event>) {
        for (book, id) in self.books.iter().zip(self.book_ids) {
            if book.kind != BookKind::Average {
                for market in [MARKETS[0], MARKETS[1], handicap] {
                    self.state(*id, market, time, QuoteState::Pulled, out);
                }
            }
        }
    }

    fn result(&self, kick_off: Time, random: &mut Random, out: &mut Vec<Event>) {
        let score = self.truth.score(random);
        let [home, away] = [self.truth.home, self.truth.away].map(f64::exp);
        let mut pair = |per_goal: f64, base: f64| {
            Some([random.poisson(base + per_goal * home), random.poisson(base + per_goal * away)])
        };
        let statistics = MatchStatistics {
            half_time_goals: None,
            shots: pair(5.0, 5.5),
            shots_on_target: pair(2.6, 0.8),
            corners: pair(2.0, 2.2),
            fouls: pair(0.0, 11.0),
            yellow_cards: pair(0.0, 1.8),
            red_cards: pair(0.0, 0.06),
        };
        let fixture = self.fixture.fixture;
        let mut fact = ResultFact {
            fixture,
            status: ResultStatus::Final,
            score,
            statistics: Some(statistics),
        };
        let known = kick_off.plus(Span::minutes(112 + random.below(12) as i64));
        if random.chance(self.config.correction_rate) {
            let mut wrong = fact;
            wrong.score.home += 1;
            self.push(known, Fact::Result(Box::new(wrong)), out);
            let corrected = known.plus(Span::minutes(30 + random.below(1_200) as i64));
            self.push(corrected, Fact::Result(Box::new(fact)), out);
            return;
        }
        if random.chance(self.config.abandoned_rate) {
            fact.status = ResultStatus::Abandoned;
        }
        self.push(known, Fact::Result(Box::new(fact)), out);
    }
}
