//! What the bets came to: closing line value and yield with intervals, all of them and by what kind
//! they were; those at a price far above every other book apart, since such prices are mostly errors
//! that a bookmaker would not have honoured.

use std::collections::BTreeMap;

use schema::LedgerStatus;
use serde::Serialize;
use sinks::statistics::{max_drawdown, wilson_interval};

use super::chance::{Estimate, ratio, week_of};
use super::history::{season_name, season_of};
use super::record::{PlacedBet, Record};

/// A price over this many times the books' median is suspect.
pub const SUSPECT_OVER_MEDIAN: f64 = 1.10;
/// Upper ends of the bands of edge, in per cent; the last has none.
const EDGE_BANDS: [f64; 5] = [3.0, 5.0, 8.0, 12.0, 20.0];

/// What some bets came to. Void bets count nowhere, open ones only for their closing line.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Bets placed.
    pub bets: usize,
    /// Of these, settled.
    pub settled: usize,
    /// Mean odds taken.
    pub mean_odds: Option<f64>,
    /// Money staked on settled bets.
    pub staked: f64,
    /// Profit.
    pub profit: f64,
    /// Bets with a closing line.
    pub with_close: usize,
    /// Mean closing line value.
    pub clv: Option<Estimate>,
    /// Share of bets with a closing line value above zero (Wilson's interval).
    pub clv_positive: Option<Estimate>,
    /// Profit per unit if every bet had been one unit.
    pub flat_yield: Option<Estimate>,
    /// Profit per unit staked, as staked.
    pub kelly_yield: Option<Estimate>,
    /// Deepest fall from a peak of the opening bankroll with these bets' profit alone.
    pub max_drawdown: f64,
}

/// One kind of bets.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// League, market, book, band of edge or season.
    pub key: String,
    /// How many of them are at suspect prices.
    pub suspect: usize,
    /// All of them.
    pub all: Figures,
    /// Those at prices that are not suspect.
    pub without_suspect: Figures,
}

/// A day and the bankroll at its end.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// Day since 1970.
    pub day: i64,
    /// The bankroll.
    pub bankroll: f64,
}

/// Everything about bets.
#[derive(Clone, Debug, Serialize)]
pub struct Bets {
    /// A price over this many times the median is suspect.
    pub suspect_over_median: f64,
    /// Bankroll at first.
    pub bankroll_start: f64,
    /// Bankroll in the end.
    pub bankroll_end: f64,
    /// Deepest fall of the bankroll from a peak, looked at after every tick.
    pub max_drawdown: f64,
    /// Bets whose stake came back: counted here and nowhere else.
    pub void: usize,
    /// All bets.
    pub all: Figures,
    /// Those at prices that are not suspect.
    pub without_suspect: Figures,
    /// Those at suspect prices.
    pub suspect: Figures,
    /// By league.
    pub by_league: Vec<Group>,
    /// By market.
    pub by_market: Vec<Group>,
    /// By book.
    pub by_book: Vec<Group>,
    /// By edge when suggested.
    pub by_edge: Vec<Group>,
    /// By season.
    pub by_season: Vec<Group>,
    /// The bankroll at the end of each day on which it moved.
    pub curve: Vec<Balance>,
}

impl Bets {
    /// The bets of a record.
    pub fn of(record: &Record) -> Self {
        let placed = record.bets();
        let (void, bets): (Vec<&PlacedBet>, Vec<&PlacedBet>) =
            placed.into_iter().partition(|bet| bet.row.status == LedgerStatus::Void);
        let opening = record.opening();
        let (suspect, sound): (Vec<_>, Vec<_>) =
            bets.iter().copied().partition(|bet| is_suspect(bet));
        let by = |key: &dyn Fn(&PlacedBet) -> String| groups(&bets, opening, key);
        let (curve, max_drawdown) = record.bankroll();
        let balance = |(day, bankroll): &(i64, f64)| Balance { day: *day, bankroll: *bankroll };
        let market = |bet: &PlacedBet| {
            bet.row.market.split(' ').next().unwrap_or(&bet.row.market).to_owned()
        };
        let mut by_edge = by(&|bet| edge_band(bet.edge));
        by_edge.sort_by_key(|group| band_order(&group.key));
        Self {
            suspect_over_median: SUSPECT_OVER_MEDIAN,
            bankroll_start: opening,
            bankroll_end: curve.last().map_or(opening, |(_, bankroll)| *bankroll),
            max_drawdown,
            void: void.len(),
            all: figures(&bets, opening),
            without_suspect: figures(&sound, opening),
            suspect: figures(&suspect, opening),
            by_league: by(&|bet| bet.row.league.clone()),
            by_market: by(&market),
            by_book: by(&|bet| bet.row.book.clone()),
            by_edge,
            by_season: by(&|bet| season_name(season_of(day_of(bet)))),
            curve: curve.iter().map(balance).collect(),
        }
    }
}

fn is_suspect(bet: &PlacedBet) -> bool {
    bet.price_to_median > SUSPECT_OVER_MEDIAN
}

fn day_of(bet: &PlacedBet) -> i64 {
    bet.row.date.parse().map_or_else(|_| bet.row.placed_at.day(), schema::Time::day)
}

fn edge_band(edge: f64) -> String {
    let percent = edge * 100.0;
    let at = EDGE_BANDS.partition_point(|end| *end <= percent);
    match (at.checked_sub(1).map(|i| EDGE_BANDS[i]), EDGE_BANDS.get(at)) {
        (None, Some(end)) => format!("under {end}%"),
        (Some(start), Some(end)) => format!("{start} to {end}%"),
        (start, None) => format!("over {}%", start.unwrap_or(0.0)),
    }
}

/// Bands in their order: the first number in the name, "under" before and "over" after it.
fn band_order(key: &str) -> (u32, u8) {
    let digits: String = key.chars().filter(|c| c.is_ascii_digit() || *c == ' ').collect();
    let first = digits.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
    (first, u8::from(!key.starts_with("under")))
}

fn groups(bets: &[&PlacedBet], opening: f64, key: &dyn Fn(&PlacedBet) -> String) -> Vec<Group> {
    let mut by_key = BTreeMap::<String, Vec<&PlacedBet>>::new();
    for bet in bets {
        by_key.entry(key(bet)).or_default().push(bet);
    }
    let group = |(key, bets): (String, Vec<&PlacedBet>)| {
        let sound: Vec<_> = bets.iter().copied().filter(|bet| !is_suspect(bet)).collect();
        Group {
            key,
            suspect: bets.len() - sound.len(),
            all: figures(&bets, opening),
            without_suspect: figures(&sound, opening),
        }
    };
    by_key.into_iter().map(group).collect()
}

/// What bets came to, week-block intervals where nothing else is said.
pub fn figures(bets: &[&PlacedBet], opening: f64) -> Figures {
    let settled: Vec<&PlacedBet> =
        bets.iter().copied().filter(|bet| bet.row.status != LedgerStatus::Open).collect();
    let week = |bet: &PlacedBet| week_of(day_of(bet));
    let clv: Vec<(i64, f64)> =
        bets.iter().filter_map(|bet| Some((week(bet), bet.row.clv?))).collect();
    let (stake, profit) =
        (|bet: &PlacedBet| bet.row.stake.as_f64(), |bet: &PlacedBet| bet.row.pnl.as_f64());
    let unit = |bet: &PlacedBet| if stake(bet) > 0.0 { profit(bet) / stake(bet) } else { 0.0 };
    let mut in_order = settled.clone();
    in_order.sort_by_key(|bet| (bet.row.settled_at, bet.row.suggestion_id));
    let mut balance = opening;
    let curve = in_order.iter().map(|bet| {
        balance += profit(bet);
        balance
    });
    let max_drawdown = max_drawdown(std::iter::once(opening).chain(curve));
    let odds: f64 = bets.iter().map(|bet| bet.row.odds.decimal()).sum();
    Figures {
        bets: bets.len(),
        settled: settled.len(),
        mean_odds: (!bets.is_empty()).then(|| odds / bets.len() as f64),
        staked: settled.iter().map(|bet| stake(bet)).sum(),
        profit: settled.iter().map(|bet| profit(bet)).sum(),
        with_close: clv.len(),
        clv: ratio(clv.iter().map(|(week, clv)| (*week, *clv, 1.0))),
        clv_positive: share_positive(&clv),
        flat_yield: ratio(settled.iter().map(|bet| (week(bet), unit(bet), 1.0))),
        kelly_yield: ratio(settled.iter().map(|bet| (week(bet), profit(bet), stake(bet)))),
        max_drawdown,
    }
}

fn share_positive(clv: &[(i64, f64)]) -> Option<Estimate> {
    let n = clv.len() as u64;
    let hits = clv.iter().filter(|(_, clv)| *clv > 0.0).count() as u64;
    let (low, high) = wilson_interval(hits, n);
    (n > 0).then(|| Estimate { value: hits as f64 / n as f64, low, high })
}
