//! A record of any type, as `serde_json` or a table row gives it, and the fact it states.

use std::fmt;

use schema::{
    BookId, BookRole, Command, Control, Fact, Fill, FixtureFact, FixtureId, FixtureStatus,
    LeagueId, Line, Mark, Market, MarketKind, MatchStatistics, ModelLive, Money, Names, Odds,
    Quote, QuoteState, ResultFact, ResultStatus, SELECTIONS_MAX, Score, Signal, TeamId, Time,
    fixture_name,
};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, de};

use crate::Error;

/// A time as a feed writes it, not yet checked: UTC milliseconds or text.
#[derive(Clone, Debug)]
pub(crate) enum Stamp {
    Ms(i64),
    Text(String),
}

impl Stamp {
    pub(crate) fn time(&self) -> Result<Time, Error> {
        Ok(match self {
            Self::Ms(ms) => Time::checked(*ms)?,
            Self::Text(text) => text.parse()?,
        })
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StampVisitor;
        impl Visitor<'_> for StampVisitor {
            type Value = Stamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in UTC milliseconds or RFC 3339")
            }
            fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Stamp, E> {
                Ok(Stamp::Ms(ms))
            }
            fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Stamp, E> {
                Ok(Stamp::Ms(i64::try_from(ms).unwrap_or(i64::MAX)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Stamp, E> {
                Ok(Stamp::Text(text.chars().take(64).collect()))
            }
        }
        deserializer.deserialize_any(StampVisitor)
    }
}

/// Every key any record has; each type takes its own and ignores the rest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub ts: Option<Stamp>,
    pub received: Option<Stamp>,
    pub seq: Option<u64>,
    pub region: Option<String>,
    pub fixture: Option<String>,
    pub league: Option<String>,
    pub home: Option<String>,
    pub away: Option<String>,
    pub kick_off: Option<Stamp>,
    pub date: Option<String>,
    pub status: Option<String>,
    pub book: Option<String>,
    pub role: Option<String>,
    pub market: Option<String>,
    pub line: Option<f64>,
    pub sel: Option<String>,
    pub price: Option<f64>,
    pub prices: Option<Vec<Option<f64>>>,
    pub quoted_at: Option<Stamp>,
    pub score: Option<String>,
    pub statistics: Option<MatchStatistics>,
    pub name: Option<String>,
    pub values: Option<Vec<Option<f64>>>,
    pub suggestion: Option<String>,
    pub odds: Option<f64>,
    pub stake: Option<f64>,
    pub command: Option<String>,
    pub operator: Option<String>,
    pub reason: Option<String>,
    pub digest: Option<String>,
    pub pricer: Option<String>,
    pub window_end: Option<Stamp>,
    pub artifact: Option<String>,
    pub mark: Option<String>,
}

impl Record {
    /// The error for a key that this record should have.
    pub(crate) fn missing(&self, key: &'static str) -> Error {
        missing(self.kind.as_deref().unwrap_or_default(), key)
    }

    /// The fact it states, its names registered.
    pub(crate) fn fact(&self, names: &mut Names) -> Result<Fact, Error> {
        let Some(kind) = self.kind.as_deref() else { return Err(self.missing("type")) };
        match kind {
            "odds" | "quote" | "pull" | "void" => self.quote(names).map(Fact::Quote),
            "fixture" => self.fixture(names).map(Fact::Fixture),
            "result" => self.result(names).map(|fact| Fact::Result(Box::new(fact))),
            "signal" => self.signal(names).map(Fact::Signal),
            "fill" => self.fill().map(|fact| Fact::Fill(Box::new(fact))),
            "control" => self.control().map(|fact| Fact::Control(Box::new(fact))),
            "model_live" => self.model_live().map(|fact| Fact::ModelLive(Box::new(fact))),
            "mark" => self.mark().map(Fact::Mark),
            other => Err(Error::RecordType(other.chars().take(40).collect())),
        }
    }

    fn need<'a>(&self, value: Option<&'a String>, key: &'static str) -> Result<&'a str, Error> {
        value.map(String::as_str).ok_or_else(|| self.missing(key))
    }

    fn market(&self) -> Result<Market, Error> {
        let kind = match self.market.as_deref() {
            None => MarketKind::OneXTwo,
            Some(name) => name.parse()?,
        };
        if !kind.has_line() {
            return Ok(Market::of(kind));
        }
        let line = self.line.ok_or_else(|| self.missing("line"))?;
        Ok(Market::with_line(kind, Line::new(line)?))
    }

    fn quote(&self, names: &mut Names) -> Result<Quote, Error> {
        let market = self.market()?;
        let role = word(
            "role",
            self.role.as_deref(),
            "bookmaker, exchange or reference",
            &[
                ("bookmaker", BookRole::Bookmaker),
                ("exchange", BookRole::Exchange),
                ("reference", BookRole::Reference),
            ],
        )?;
        let mut prices = [Odds::NONE; SELECTIONS_MAX];
        let state = match self.kind.as_deref() {
            Some("odds") => {
                let selection = market.selection(self.need(self.sel.as_ref(), "sel")?)?;
                let price = self.price.ok_or_else(|| self.missing("price"))?;
                prices[selection.index()] = Odds::new(price)?;
                QuoteState::Offered
            }
            Some("quote") => {
                prices = self.offered(market)?;
                QuoteState::Offered
            }
            Some("void") => {
                let stamp = self.quoted_at.as_ref().ok_or_else(|| self.missing("quoted_at"))?;
                QuoteState::Voided(stamp.time()?)
            }
            _ => QuoteState::Pulled,
        };
        let (fixture, book) =
            (self.need(self.fixture.as_ref(), "fixture")?, self.need(self.book.as_ref(), "book")?);
        Ok(Quote {
            fixture: FixtureId(names.register(fixture)?.0),
            market,
            book: BookId(names.register(book)?.0),
            role,
            prices,
            state,
        })
    }

    fn offered(&self, market: Market) -> Result<[Odds; SELECTIONS_MAX], Error> {
        let given = self.prices.as_ref().ok_or_else(|| self.missing("prices"))?;
        let wanted = market.selections().len();
        if given.len() != wanted {
            return Err(Error::Length { key: "prices", got: given.len(), wanted });
        }
        let mut prices = [Odds::NONE; SELECTIONS_MAX];
        for (price, given) in prices.iter_mut().zip(given) {
            if let Some(given) = given {
                *price = Odds::new(*given)?;
            }
        }
        if prices.iter().all(|price| price.is_none()) { Err(Error::NoPrice) } else { Ok(prices) }
    }

    fn fixture(&self, names: &mut Names) -> Result<FixtureFact, Error> {
        let league = self.need(self.league.as_ref(), "league")?;
        let home = self.need(self.home.as_ref(), "home")?;
        let away = self.need(self.away.as_ref(), "away")?;
        let kick_off = self.kick_off.as_ref().ok_or_else(|| self.missing("kick_off"))?.time()?;
        let status = word(
            "status",
            self.status.as_deref(),
            "scheduled, postponed or cancelled",
            &[
                ("scheduled", FixtureStatus::Scheduled),
                ("postponed", FixtureStatus::Postponed),
                ("cancelled", FixtureStatus::Cancelled),
            ],
        )?;
        let name = self.fixture.clone().unwrap_or_else(|| {
            let date = self.date.clone().unwrap_or_else(|| kick_off.date());
            fixture_name(league, &date, home, away)
        });
        Ok(FixtureFact {
            fixture: FixtureId(names.register(&name)?.0),
            league: LeagueId(names.register(league)?.0),
            home: TeamId(names.register(home)?.0),
            away: TeamId(names.register(away)?.0),
            kick_off,
            status,
        })
    }

    fn result(&self, names: &mut Names) -> Result<ResultFact, Error> {
        let status = word(
            "status",
            self.status.as_deref(),
            "final, void or abandoned",
            &[
                ("final", ResultStatus::Final),
                ("void", ResultStatus::Void),
                ("abandoned", ResultStatus::Abandoned),
            ],
        )?;
        let score = match (&self.score, status) {
            (Some(score), _) => read_score(score)?,
            (None, ResultStatus::Final) => return Err(self.missing("score")),
            (None, _) => Score { home: 0, away: 0 },
        };
        let fixture = self.need(self.fixture.as_ref(), "fixture")?;
        let fixture = FixtureId(names.register(fixture)?.0);
        Ok(ResultFact { fixture, status, score, statistics: self.statistics })
    }

    fn signal(&self, names: &mut Names) -> Result<Signal, Error> {
        let market = self.market()?;
        let given = self.values.as_ref().ok_or_else(|| self.missing("values"))?;
        let wanted = market.selections().len();
        if given.len() != wanted {
            return Err(Error::Length { key: "values", got: given.len(), wanted });
        }
        let mut value_micros = [0; SELECTIONS_MAX];
        for (micros, given) in value_micros.iter_mut().zip(given) {
            // Saturates: a signal of a million millions is as strong as any.
            *micros = (given.unwrap_or(0.0) * 1e6).round() as i64;
        }
        let fixture = self.need(self.fixture.as_ref(), "fixture")?;
        let name = self.need(self.name.as_ref(), "name")?;
        let fixture = FixtureId(names.register(fixture)?.0);
        Ok(Signal { fixture, market, name: names.register(name)?, value_micros })
    }

    fn fill(&self) -> Result<Fill, Error> {
        let suggestion = self.need(self.suggestion.as_ref(), "suggestion")?.to_owned();
        let odds = Odds::new(self.odds.ok_or_else(|| self.missing("odds"))?)?;
        let stake = Money::new(self.stake.ok_or_else(|| self.missing("stake"))?)?;
        Ok(Fill { suggestion, odds, stake })
    }

    fn control(&self) -> Result<Control, Error> {
        let command = self.need(self.command.as_ref(), "command")?;
        let commands =
            [("halt", Command::Halt), ("reduce", Command::Reduce), ("resume", Command::Resume)];
        let command = word("command", Some(command), "halt, reduce or resume", &commands)?;
        let operator = self.need(self.operator.as_ref(), "operator")?.to_owned();
        Ok(Control { command, operator, reason: self.reason.clone().unwrap_or_default() })
    }

    fn model_live(&self) -> Result<ModelLive, Error> {
        let window_end = self.window_end.as_ref().ok_or_else(|| self.missing("window_end"))?;
        let artifact = self.artifact.as_deref().unwrap_or_default();
        Ok(ModelLive {
            digest: self.need(self.digest.as_ref(), "digest")?.to_owned(),
            pricer: self.need(self.pricer.as_ref(), "pricer")?.to_owned(),
            window_end: window_end.time()?,
            artifact: read_hexadecimal(artifact)?,
        })
    }

    fn mark(&self) -> Result<Mark, Error> {
        let marks = [("clock", Mark::Clock), ("window_close", Mark::WindowClose)];
        word("mark", self.mark.as_deref(), "clock or window_close", &marks)
    }
}

fn missing(kind: &str, key: &'static str) -> Error {
    Error::Missing { kind: kind.chars().take(40).collect(), key }
}

/// One of a few words; the first of them when there is none.
fn word<T: Copy>(
    key: &'static str,
    value: Option<&str>,
    wanted: &'static str,
    words: &[(&str, T)],
) -> Result<T, Error> {
    let Some(value) = value else { return Ok(words[0].1) };
    words
        .iter()
        .find(|(name, _)| *name == value)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| Error::Word { key, value: value.chars().take(40).collect(), wanted })
}

fn read_score(text: &str) -> Result<Score, Error> {
    let refuse = || Error::Score(text.chars().take(40).collect());
    let (home, away) = text.split_once('-').ok_or_else(refuse)?;
    Ok(Score {
        home: home.trim().parse().map_err(|_| refuse())?,
        away: away.trim().parse().map_err(|_| refuse())?,
    })
}

fn read_hexadecimal(text: &str) -> Result<Vec<u8>, Error> {
    let refuse = || Error::Word {
        key: "artifact",
        value: text.chars().take(40).collect(),
        wanted: "an even number of hexadecimal digits",
    };
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(refuse);
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return Err(refuse());
    }
    pairs.iter().map(|[high, low]| Ok((digit(*high)? * 16 + digit(*low)?) as u8)).collect()
}
