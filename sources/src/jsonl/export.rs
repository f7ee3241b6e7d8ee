//! From an event back to its line: the inverse of the parser.

use std::fmt::{Display, Write};

use schema::{
    BookRole, Command, Event, Fact, FixtureStatus, Mark, Market, MatchStatistics, Names, Odds,
    Quote, QuoteState, RegionId, ResultStatus,
};

/// The line (without line end) that reads back as this event. Names come from `names`; an id it
/// does not know is written `?`.
///
/// The source is not written: whoever reads the line is the source then.
pub fn to_line(event: &Event, names: &Names) -> String {
    let mut line = Writer(String::with_capacity(160));
    line.0.push('{');
    if event.sequence != 0 {
        line.plain("seq", event.sequence);
    }
    line.plain("ts", event.event_time.ms());
    if event.received_time != event.event_time {
        line.plain("received", event.received_time.ms());
    }
    if event.region != RegionId::default() {
        line.text("region", names.get(event.region));
    }
    fact(&mut line, &event.fact, names);
    line.0.push('}');
    line.0
}

/// Writes keys in the order given.
struct Writer(String);

impl Writer {
    fn key(&mut self, key: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    /// A value whose display is its JSON.
    fn plain(&mut self, key: &str, value: impl Display) {
        self.key(key);
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{value}");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        // Serialising a string cannot fail.
        self.0.push_str(&serde_json::to_string(value).unwrap_or_default());
    }

    fn list<T>(&mut self, key: &str, values: &[T], show: impl Fn(&T) -> String) {
        self.key(key);
        let shown: Vec<String> = values.iter().map(show).collect();
        self.0.push('[');
        self.0.push_str(&shown.join(","));
        self.0.push(']');
    }

    fn market(&mut self, market: Market) {
        if market != Market::ONE_X_TWO {
            self.text("market", market.kind.name());
        }
        if market.kind.has_line() {
            self.plain("line", market.line);
        }
    }
}

fn fact(line: &mut Writer, fact: &Fact, names: &Names) {
    match fact {
        Fact::Quote(fact) => quote(line, fact, names),
        Fact::Fixture(fact) => {
            line.text("type", "fixture");
            line.text("fixture", names.get(fact.fixture));
            line.text("league", names.get(fact.league));
            line.text("home", names.get(fact.home));
            line.text("away", names.get(fact.away));
            line.plain("kick_off", fact.kick_off.ms());
            match fact.status {
                FixtureStatus::Scheduled => {}
                FixtureStatus::Postponed => line.text("status", "postponed"),
                FixtureStatus::Cancelled => line.text("status", "cancelled"),
            }
        }
        Fact::Result(fact) => {
            line.text("type", "result");
            line.text("fixture", names.get(fact.fixture));
            line.text("score", &format!("{}-{}", fact.score.home, fact.score.away));
            match fact.status {
                ResultStatus::Final => {}
                ResultStatus::Void => line.text("status", "void"),
                ResultStatus::Abandoned => line.text("status", "abandoned"),
            }
            if let Some(counts) = &fact.statistics {
                statistics(line, counts);
            }
        }
        Fact::Signal(fact) => {
            line.text("type", "signal");
            line.text("fixture", names.get(fact.fixture));
            line.market(fact.market);
            line.text("name", names.get(fact.name));
            let values = &fact.value_micros[..fact.market.selections().len()];
            line.list("values", values, |micros| (*micros as f64 / 1e6).to_string());
        }
        other => rare(line, other),
    }
}

fn rare(line: &mut Writer, fact: &Fact) {
    match fact {
        Fact::Fill(fact) => {
            line.text("type", "fill");
            line.text("suggestion", &fact.suggestion);
            line.plain("odds", fact.odds);
            line.plain("stake", fact.stake);
        }
        Fact::Control(fact) => {
            line.text("type", "control");
            let command = match fact.command {
                Command::Halt => "halt",
                Command::Reduce => "reduce",
                Command::Resume => "resume",
            };
            line.text("command", command);
            line.text("operator", &fact.operator);
            if !fact.reason.is_empty() {
                line.text("reason", &fact.reason);
            }
        }
        Fact::ModelLive(fact) => {
            line.text("type", "model_live");
            line.text("digest", &fact.digest);
            line.text("pricer", &fact.pricer);
            line.plain("window_end", fact.window_end.ms());
            if !fact.artifact.is_empty() {
                let digits: Vec<String> =
                    fact.artifact.iter().map(|byte| format!("{byte:02x}")).collect();
                line.text("artifact", &digits.concat());
            }
        }
        Fact::Mark(mark) => {
            line.text("type", "mark");
            if *mark == Mark::WindowClose {
                line.text("mark", "window_close");
            }
        }
        // A kind that this version cannot write becomes a record that the parser refuses by name,
        // rather than one that it misreads.
        _ => line.text("type", "unknown"),
    }
}

fn quote(line: &mut Writer, quote: &Quote, names: &Names) {
    let prices = &quote.prices[..quote.market.selections().len()];
    let mut offered = prices.iter().enumerate().filter(|(_, price)| price.is_some());
    let single = match (offered.next(), offered.next()) {
        (Some((index, price)), None) => Some((index, *price)),
        _ => None,
    };
    let kind = match (quote.state, single) {
        (QuoteState::Offered, Some(_)) => "odds",
        (QuoteState::Offered, None) => "quote",
        (QuoteState::Pulled, _) => "pull",
        (QuoteState::Voided(_), _) => "void",
    };
    line.text("type", kind);
    line.text("fixture", names.get(quote.fixture));
    line.text("book", names.get(quote.book));
    line.market(quote.market);
    match quote.role {
        BookRole::Bookmaker => {}
        BookRole::Exchange => line.text("role", "exchange"),
        BookRole::Reference => line.text("role", "reference"),
    }
    match (quote.state, single) {
        (QuoteState::Offered, Some((index, price))) => {
            line.text("sel", quote.market.selections()[index]);
            line.plain("price", price);
        }
        (QuoteState::Offered, None) => line.list("prices", prices, |price| price_text(*price)),
        (QuoteState::Voided(at), _) => line.plain("quoted_at", at.ms()),
        (QuoteState::Pulled, _) => {}
    }
}

fn price_text(price: Odds) -> String {
    if price.is_some() { price.to_string() } else { "null".to_owned() }
}

fn statistics(line: &mut Writer, counts: &MatchStatistics) {
    let named = [
        ("half_time_goals", counts.half_time_goals),
        ("shots", counts.shots),
        ("shots_on_target", counts.shots_on_target),
        ("corners", counts.corners),
        ("fouls", counts.fouls),
        ("yellow_cards", counts.yellow_cards),
        ("red_cards", counts.red_cards),
    ];
    line.key("statistics");
    line.0.push('{');
    for (key, [home, away]) in named.into_iter().filter_map(|(key, pair)| Some((key, pair?))) {
        line.plain(key, format_args!("[{home},{away}]"));
    }
    line.0.push('}');
}
