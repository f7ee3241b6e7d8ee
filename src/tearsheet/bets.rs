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
    /// The highest price that was taken, over the median of its time.
    pub price_to_median_max: Option<f64>,
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
            price_to_median_max: bets.iter().map(|bet| bet.price_to_median).reduce(f64::max),
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
    // A price of exactly so many times the median is not over it, whatever its last bit says.
    bet.price_to_median > SUSPECT_OVER_MEDIAN + 1e-9
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
        // From zero on: an empty sum of floats is minus zero.
        staked: settled.iter().fold(0.0, |sum, bet| sum + stake(bet)),
        profit: settled.iter().fold(0.0, |sum, bet| sum + profit(bet)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{EventId, LedgerRow, Money, Odds, Time};

    fn bet(id: u128, date: &str, odds: f64, stake: f64, wins: bool, clv: f64) -> PlacedBet {
        let at: Time = date.parse().unwrap();
        let pnl = if wins { stake * (odds - 1.0) } else { -stake };
        let row = LedgerRow {
            suggestion_id: EventId(id),
            date: date.to_owned(),
            game_id: "E0|x|y|z".to_owned(),
            league: "E0".to_owned(),
            market: "1x2".to_owned(),
            selection: "home".to_owned(),
            book: "B365".to_owned(),
            odds: Odds::new(odds).unwrap(),
            stake: Money::new(stake).unwrap(),
            fair_probability: 0.5,
            pnl: Money::new(pnl).unwrap(),
            clv: Some(clv),
            outcome: None,
            status: LedgerStatus::Final,
            revision: 1,
            placed_at: at,
            settled_at: Some(at),
        };
        PlacedBet { row, edge: 0.04, price_to_median: 1.0 }
    }

    #[test]
    fn three_bets_by_hand() {
        let bets = [
            bet(1, "2022-08-06", 2.0, 100.0, true, 0.05),
            bet(2, "2022-08-13", 3.0, 50.0, false, -0.01),
            bet(3, "2022-08-20", 4.0, 100.0, false, 0.02),
        ];
        let found = figures(&bets.iter().collect::<Vec<_>>(), 1_000.0);
        assert_eq!((found.bets, found.settled, found.with_close), (3, 3, 3));
        assert_eq!((found.staked, found.profit, found.mean_odds), (250.0, -50.0, Some(3.0)));
        assert!((found.clv.unwrap().value - 0.02).abs() < 1e-12);
        // One unit each: +1 - 1 - 1 over 3; as staked: -50 over 250.
        assert!((found.flat_yield.unwrap().value + 1.0 / 3.0).abs() < 1e-12);
        assert!((found.kelly_yield.unwrap().value + 0.2).abs() < 1e-12);
        // From 1,100 down to 950.
        assert!((found.max_drawdown - 150.0 / 1_100.0).abs() < 1e-12);
        // Three weeks drawn from three: all three may be the worst, or the best.
        assert_eq!(found.flat_yield.map(|y| (y.low, y.high)), Some((-1.0, 1.0)));
        let share = found.clv_positive.unwrap();
        assert!((share.value - 2.0 / 3.0).abs() < 1e-12 && share.low > 0.2 && share.high < 0.95);
    }

    #[test]
    fn open_bets_have_no_yield_and_none_has_nothing() {
        let mut open = bet(1, "2022-08-06", 2.0, 100.0, true, 0.05);
        open.row.status = LedgerStatus::Open;
        let found = figures(&[&open], 1_000.0);
        assert_eq!((found.bets, found.settled, found.with_close), (1, 0, 1));
        assert!(found.flat_yield.is_none() && found.kelly_yield.is_none());
        let nothing = figures(&[], 1_000.0);
        assert!(nothing.clv.is_none() && nothing.clv_positive.is_none());
        assert!(nothing.profit.is_sign_positive(), "not minus zero");
    }

    #[test]
    fn bands_of_edge_are_in_order() {
        let found: Vec<String> = [0.01, 0.03, 0.049, 0.05, 0.1, 0.3].map(edge_band).into();
        let expected = ["under 3%", "3 to 5%", "3 to 5%", "5 to 8%", "8 to 12%", "over 20%"];
        assert_eq!(found, expected);
        assert!(found.is_sorted_by_key(|band| band_order(band)));
        assert!(band_order(&edge_band(0.15)) < band_order(&edge_band(0.3)));
    }
}
