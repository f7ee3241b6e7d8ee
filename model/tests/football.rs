//! The market pricer on recorded seasons, walk-forward: every fixture is priced with what was live
//! a week before at the latest, and scored against the de-vigged Pinnacle close.
//!
//! `TIDELINE_PREDICTIONS=P.csv` writes the predictions, for scoring by other means.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of a test fails like the test itself"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use model::{Pricer, PricerConfig};
use schema::{
    BookId, BookQuote, BookRole, Devig, FixtureId, LeagueId, Market, MarketRow, Odds, OfferedPrice,
    Probability, Span, Time, fixture_name,
};
use tideline_model as model;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/football");
/// Pre-match columns by name of the book.
const BOOKS: [(&str, &[&str]); 13] = [
    ("B365", &["B365"]),
    ("BW", &["BW"]),
    ("IW", &["IW"]),
    ("LB", &["LB"]),
    ("PS", &["PS"]),
    ("WH", &["WH"]),
    ("VC", &["VC"]),
    ("GB", &["GB"]),
    ("SB", &["SB"]),
    ("SJ", &["SJ"]),
    ("BS", &["BS"]),
    ("Avg", &["Avg", "BbAv"]),
    ("Max", &["Max", "BbMx"]),
];

struct Match {
    name: String,
    league: LeagueId,
    season: String,
    day: Time,
    as_of: MarketRow,
    closing: MarketRow,
    outcome: usize,
}

fn quote(
    book: &str,
    at: Time,
    cell: impl Fn(&str) -> Option<Odds>,
    prefix: &str,
) -> Option<BookQuote> {
    let prices: Vec<Odds> =
        ["H", "D", "A"].iter().filter_map(|side| cell(&format!("{prefix}{side}"))).collect();
    let prices: [Odds; 3] = prices.try_into().ok()?;
    let fair = Devig::Power.fair(&prices)?;
    let role =
        if matches!(book, "Avg" | "Max") { BookRole::Reference } else { BookRole::Bookmaker };
    Some(BookQuote { book: BookId::of(book), role, at, prices, fair })
}

fn row(fixture: FixtureId, at: Time, mut books: Vec<BookQuote>) -> MarketRow {
    books.sort_by_key(|quote| quote.book);
    MarketRow {
        fixture,
        market: Market::ONE_X_TWO,
        updated_at: at,
        books,
        consensus: [Probability::ZERO; 3],
        consensus_open: [Probability::ZERO; 3],
        consensus_books: 0,
        best: [OfferedPrice::default(); 3],
    }
}

fn day(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split('/').collect();
    let [d, m, y] = parts.as_slice() else { return None };
    let year = if y.len() == 2 { format!("20{y}") } else { (*y).to_owned() };
    Some(format!("{year}-{m:0>2}-{d:0>2}"))
}

fn read(path: &Path, matches: &mut Vec<Match>) {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header: BTreeMap<String, usize> = reader
        .headers()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, name)| (name.trim().to_owned(), i))
        .collect();
    let season = path.file_name().unwrap().to_string_lossy()[..]
        .split(['_', '.'])
        .nth(1)
        .unwrap()
        .to_owned();
    for record in reader.records() {
        let record = record.unwrap();
        let text = |name: &str| header.get(name).and_then(|i| record.get(*i)).unwrap_or("").trim();
        let odds = |name: &str| text(name).parse::<Odds>().ok();
        let (Some(date), Ok(home), Ok(away)) =
            (day(text("Date")), text("FTHG").parse::<u16>(), text("FTAG").parse::<u16>())
        else {
            continue;
        };
        let name = fixture_name(text("Div"), &date, text("HomeTeam"), text("AwayTeam"));
        let fixture = FixtureId::of(&name);
        let at: Time = date.parse().unwrap();
        let close_at = at.plus(Span::hours(12));
        let (mut open, mut close) = (BTreeMap::new(), BTreeMap::new());
        for (book, prefixes) in BOOKS {
            for prefix in prefixes {
                if let Some(found) = quote(book, at, odds, prefix) {
                    open.insert(book, found);
                    close.insert(book, found);
                }
                if let Some(found) = quote(book, close_at, odds, &format!("{prefix}C")) {
                    close.insert(book, found);
                }
            }
        }
        matches.push(Match {
            league: LeagueId::of(text("Div")),
            season: season.clone(),
            day: at,
            as_of: row(fixture, at, open.into_values().collect()),
            closing: row(fixture, close_at, close.into_values().collect()),
            outcome: match home.cmp(&away) {
                std::cmp::Ordering::Greater => 0,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Less => 2,
            },
            name,
        });
    }
}

fn seasons(first: &str) -> Option<Vec<Match>> {
    let Ok(folder) = std::fs::read_dir(SHARED) else {
        eprintln!("SKIPPED: {SHARED} is not there, so nothing was checked on recorded seasons");
        return None;
    };
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.ends_with(".csv.gz") && name.split(['_', '.']).nth(1).is_some_and(|s| s >= first)
    });
    let mut matches = Vec::new();
    for path in paths {
        read(&path, &mut matches);
    }
    matches.sort_by(|a, b| (a.day, &a.name).cmp(&(b.day, &b.name)));
    Some(matches)
}

/// Weekly windows: at each close everything older is learned and goes live.
fn walk_forward(pricer: &mut dyn Pricer, matches: &[Match]) -> Vec<Option<[f64; 3]>> {
    let week = Span::days(7);
    let Some(first) = matches.first() else { return Vec::new() };
    let mut window_end = first.day.plus(week);
    let mut forecasts = Vec::with_capacity(matches.len());
    for fixture in matches {
        while fixture.day >= window_end {
            if let Some(artifact) = pricer.close_window(window_end) {
                pricer.go_live(&artifact, &window_end.to_string()).unwrap();
            }
            window_end = window_end.plus(week);
        }
        let fair = pricer.price(&fixture.as_of, fixture.league, fixture.as_of.updated_at);
        forecasts.push(fair.map(|fair| fair.probabilities.map(Probability::as_f64)));
        pricer.learn(&fixture.as_of, &fixture.closing, fixture.league);
    }
    forecasts
}

fn ratio_to_close(
    matches: &[Match],
    forecasts: &[Option<[f64; 3]>],
    seasons: &[&str],
) -> (usize, f64) {
    let (mut n, mut loss, mut loss_close) = (0, 0.0, 0.0);
    for (fixture, forecast) in matches.iter().zip(forecasts) {
        let close =
            fixture.closing.book(BookId::of("PS")).filter(|q| q.at > fixture.as_of.updated_at);
        let (Some(close), Some(forecast)) = (close, forecast) else { continue };
        if seasons.contains(&fixture.season.as_str()) {
            n += 1;
            loss -= forecast[fixture.outcome].ln();
            loss_close -= close.fair[fixture.outcome].as_f64().ln();
        }
    }
    (n, loss / loss_close)
}

fn write_predictions(path: &str, matches: &[Match], forecasts: &[Option<[f64; 3]>]) {
    let mut out = String::from("fixture,p_home,p_draw,p_away\n");
    for (fixture, forecast) in matches.iter().zip(forecasts) {
        if let Some([home, draw, away]) = forecast {
            writeln!(out, "{},{home:.9},{draw:.9},{away:.9}", fixture.name).unwrap();
        }
    }
    std::fs::write(path, out).unwrap();
}

#[test]
fn as_of_prices_come_close_to_the_close() {
    let Some(matches) = seasons("1718") else { return };
    let mut pricer = PricerConfig::default().open().unwrap();
    let forecasts = walk_forward(pricer.as_mut(), &matches);
    if let Ok(path) = std::env::var("TIDELINE_PREDICTIONS") {
        write_predictions(&path, &matches, &forecasts);
    }
    let (n, ratio) = ratio_to_close(&matches, &forecasts, &["1920", "2021", "2122", "2223"]);
    eprintln!("{n} fixtures, log-loss ratio to the close {ratio:.5}");
    assert!(n > 19_500, "{n}");
    assert!(ratio <= 1.0034, "{ratio}");
    let plain = PricerConfig::default().open().unwrap();
    let untaught: Vec<_> = matches
        .iter()
        .map(|m| plain.price(&m.as_of, m.league, m.as_of.updated_at))
        .map(|fair| fair.map(|fair| fair.probabilities.map(Probability::as_f64)))
        .collect();
    let (_, plain) = ratio_to_close(&matches, &untaught, &["1920", "2021", "2122", "2223"]);
    assert!(ratio < plain - 0.0002, "learned {ratio}, plain mean {plain}");
}
