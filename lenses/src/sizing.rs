//! Sizing: how much of the bankroll each bet of a fixture gets, and which limit said so.
//!
//! Full Kelly stakes are found jointly over all bets of the fixture, what is already held included;
//! a fraction of them is taken because fair prices are estimates; then the caps, from the smallest
//! to the largest group, scale down whatever does not fit.

use schema::{BookRole, Market, MarketKind, Odds, Selection};

use crate::Caps;
use crate::kelly::{Problem, maximise};
use crate::scenarios::{MARKETS_MAX, Scenarios, is_simple, joint, profit, simple};

/// Most bets of one fixture sized together; any further ones get nothing.
pub const BETS_MAX: usize = 32;
/// Most of the bankroll that held bets may count as staked at full Kelly, so that there is wealth
/// left to reason about.
const HELD_MAX: f64 = 0.9;

/// A bet to be sized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bet {
    /// The market.
    pub market: Market,
    /// The selection backed.
    pub selection: Selection,
    /// The kind of venue.
    pub role: BookRole,
    /// The price after commission.
    pub net_odds: Odds,
    /// Fair probabilities of all selections of the market.
    pub fair: [f64; 3],
}

/// A bet already placed or suggested on the same fixture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The bet.
    pub bet: Bet,
    /// Its stake as a share of the bankroll.
    pub stake: f64,
}

/// Fair probabilities of a market: what the scenarios of the fixture must agree with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketPrice {
    /// The market.
    pub market: Market,
    /// Fair probabilities by selection; for a line that can be hit, those of a bet that stands.
    pub fair: [f64; 3],
}

/// What the caps leave, as shares of the bankroll. The desk subtracts what is outstanding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// For one bet.
    pub bet: f64,
    /// On this fixture.
    pub fixture: f64,
    /// On its league.
    pub league: f64,
    /// On its day.
    pub day: f64,
    /// At bookmakers.
    pub bookmaker: f64,
    /// At exchanges.
    pub exchange: f64,
}

impl From<&Caps> for Room {
    /// All the room there is when nothing is outstanding.
    fn from(caps: &Caps) -> Self {
        Self {
            bet: caps.bet,
            fixture: caps.fixture,
            league: caps.league,
            day: caps.day,
            bookmaker: caps.bookmaker,
            exchange: caps.exchange,
        }
    }
}

/// What set a stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The fraction of Kelly itself.
    Kelly,
    /// The cap per bet.
    Bet,
    /// The cap per fixture.
    Fixture,
    /// The cap per league.
    League,
    /// The cap per day.
    Day,
    /// The cap of the venue's class.
    Venue,
    /// More than [`BETS_MAX`] bets on one fixture.
    Count,
}

impl Limit {
    /// The name used in suggestions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kelly => "kelly",
            Self::Bet => "cap per bet",
            Self::Fixture => "cap per fixture",
            Self::League => "cap per league",
            Self::Day => "cap per day",
            Self::Venue => "cap per venue class",
            Self::Count => "cap on bets sized together",
        }
    }
}

/// A sized bet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stake {
    /// Share of the bankroll to stake: never negative, never above a cap.
    pub fraction: f64,
    /// The full Kelly stake before fraction and caps.
    pub kelly: f64,
    /// What set it.
    pub limit: Limit,
}

/// Sizes the bets of one fixture. `held` are bets on it that stand, `prices` fair prices of its
/// markets (1X2 and totals shape the scores; those of the bets' own markets come with the bets).
///
/// With no score model that fits the prices, each market is sized alone and the stakes are divided
/// by the number of markets: right if they win and lose together, cautious otherwise.
///
/// ```
/// use schema::{BookRole, Market, Odds, Selection};
/// use tideline_lenses::{Bet, Caps, Limit, Room, size};
/// let bet = Bet {
///     market: Market::ONE_X_TWO,
///     selection: Selection(0),
///     role: BookRole::Bookmaker,
///     net_odds: Odds::new(2.1)?,
///     fair: [0.5, 0.27, 0.23],
/// };
/// let room = Room::from(&Caps::default());
/// let stakes = size(&[bet], &[], &[], &room, 0.25);
/// assert!((stakes[0].kelly - 0.05 / 1.1).abs() < 1e-6);
/// assert!((stakes[0].fraction - 0.25 * 0.05 / 1.1).abs() < 1e-6);
/// assert_eq!(stakes[0].limit, Limit::Kelly);
/// # Ok::<(), schema::Error>(())
/// ```
pub fn size(
    bets: &[Bet],
    held: &[Held],
    prices: &[MarketPrice],
    room: &Room,
    fraction: f64,
) -> Vec<Stake> {
    let sized = bets.len().min(BETS_MAX);
    let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
    let full = if fraction > 0.0 {
        full_kelly(&bets[..sized], held, prices, fraction)
    } else {
        vec![0.0; sized]
    };
    let stake =
        |kelly: &f64| Stake { fraction: fraction * kelly, kelly: *kelly, limit: Limit::Kelly };
    let mut stakes: Vec<Stake> = full.iter().map(stake).collect();
    stakes.resize(bets.len(), Stake { fraction: 0.0, kelly: 0.0, limit: Limit::Count });
    apply_caps(&mut stakes, bets, room);
    stakes
}

/// Full Kelly stakes. What is held was sized at the same fraction, so it counts as that much more:
/// bets sized together or one after the other come to the same.
fn full_kelly(bets: &[Bet], held: &[Held], prices: &[MarketPrice], fraction: f64) -> Vec<f64> {
    let markets = markets_of(bets, held, prices);
    let own = distinct(bets, held);
    let scenarios = match (own.as_slice(), markets.as_slice()) {
        ([only], _) if is_simple(only.market) => Some((vec![*only], simple(only))),
        (_, markets) => joint(markets).map(|scenarios| (markets.to_vec(), scenarios)),
    };
    match scenarios {
        Some((markets, scenarios)) => {
            maximise(&problem(bets, held, &markets, &scenarios, fraction))
        }
        None => apart(bets, held, &own, fraction),
    }
}

/// Each market alone, stakes divided by the number of markets.
fn apart(bets: &[Bet], held: &[Held], own: &[MarketPrice], fraction: f64) -> Vec<f64> {
    let mut stakes = vec![0.0; bets.len()];
    for price in own {
        let of: Vec<usize> = (0..bets.len()).filter(|i| bets[*i].market == price.market).collect();
        let group: Vec<Bet> = of.iter().map(|i| bets[*i]).collect();
        let beside: Vec<Held> =
            held.iter().filter(|held| held.bet.market == price.market).copied().collect();
        let alone = maximise(&problem(&group, &beside, &[*price], &simple(price), fraction));
        for (i, stake) in of.into_iter().zip(alone) {
            stakes[i] = stake / own.len() as f64;
        }
    }
    stakes
}

/// Markets with something on them, in the order first seen, at most [`MARKETS_MAX`].
fn distinct(bets: &[Bet], held: &[Held]) -> Vec<MarketPrice> {
    let mut own: Vec<MarketPrice> = Vec::new();
    for bet in bets.iter().chain(held.iter().map(|held| &held.bet)) {
        if own.iter().all(|known| known.market != bet.market) {
            own.push(MarketPrice { market: bet.market, fair: bet.fair });
        }
    }
    own
}

/// The same with the other prices, 1X2 first because the scores must match it exactly, and then
/// what is bet on. More markets than [`MARKETS_MAX`] drop further prices first.
fn markets_of(bets: &[Bet], held: &[Held], prices: &[MarketPrice]) -> Vec<MarketPrice> {
    let mut all = distinct(bets, held);
    for price in prices {
        if all.iter().all(|known| known.market != price.market) {
            all.push(*price);
        }
    }
    let sane = |price: &MarketPrice| price.fair[0] > 0.0 && price.fair[0] < 1.0;
    let betted = distinct(bets, held);
    all.retain(|price| sane(price) || betted.contains(price));
    all.sort_by_key(|price| price.market.kind != MarketKind::OneXTwo);
    if all.len() > MARKETS_MAX {
        all.sort_by_key(|price| {
            let shape = price.market.kind == MarketKind::OneXTwo;
            (!betted.contains(price), !shape)
        });
        all.truncate(MARKETS_MAX);
        all.sort_by_key(|price| price.market.kind != MarketKind::OneXTwo);
    }
    all
}

fn problem(
    bets: &[Bet],
    held: &[Held],
    markets: &[MarketPrice],
    scenarios: &Scenarios,
    fraction: f64,
) -> Problem {
    let returns = |bet: &Bet| -> Vec<f64> {
        let market = markets.iter().position(|price| price.market == bet.market);
        let of = |states: &[u8; MARKETS_MAX]| match market {
            Some(i) => profit(bet.market, states[i], bet.selection, bet.net_odds.decimal()),
            None => -1.0,
        };
        scenarios.states.iter().map(of).collect()
    };
    let total: f64 = held.iter().map(|held| held.stake.max(0.0) / fraction).sum();
    let scale = if total > HELD_MAX { HELD_MAX / total } else { 1.0 };
    let mut base = vec![1.0; scenarios.weights.len()];
    for held in held {
        let stake = held.stake.max(0.0) / fraction * scale;
        base.iter_mut().zip(returns(&held.bet)).for_each(|(base, won)| *base += stake * won);
    }
    Problem {
        weights: scenarios.weights.clone(),
        base,
        staked: total * scale,
        returns: bets.iter().map(returns).collect(),
    }
}

/// Scales down what does not fit: the single bet first, then ever larger groups.
fn apply_caps(stakes: &mut [Stake], bets: &[Bet], room: &Room) {
    for stake in stakes.iter_mut() {
        let most = room.bet.max(0.0);
        if stake.fraction > most {
            (stake.fraction, stake.limit) = (most, Limit::Bet);
        }
    }
    scale_to(stakes, bets, room.fixture, Limit::Fixture, |_| true);
    scale_to(stakes, bets, room.league, Limit::League, |_| true);
    scale_to(stakes, bets, room.day, Limit::Day, |_| true);
    let exchange = |role| role == BookRole::Exchange;
    scale_to(stakes, bets, room.bookmaker, Limit::Venue, |role| !exchange(role));
    scale_to(stakes, bets, room.exchange, Limit::Venue, exchange);
}

fn scale_to(
    stakes: &mut [Stake],
    bets: &[Bet],
    room: f64,
    limit: Limit,
    is_in: impl Fn(BookRole) -> bool,
) {
    let mut group: Vec<&mut Stake> =
        stakes.iter_mut().zip(bets).filter(|(_, bet)| is_in(bet.role)).map(|(s, _)| s).collect();
    let total: f64 = group.iter().map(|stake| stake.fraction).sum();
    if total <= room.max(0.0) {
        return;
    }
    for stake in group.iter_mut().filter(|stake| stake.fraction > 0.0) {
        stake.fraction *= room.max(0.0) / total;
        stake.limit = limit;
    }
}
