//! Settlement: from a score to what a bet returns, one function per market.
//!
//! Pure and total, so the desk can restate a bet as often as its result is corrected.

use serde::{Deserialize, Serialize};

use crate::{Market, MarketKind, Money, Odds, Selection, Side};

/// A final score, home then away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Score {
    /// Goals or points of the home side.
    pub home: u16,
    /// Goals or points of the away side.
    pub away: u16,
}

/// What became of a bet.
///
/// | outcome | back returns per unit staked | lay returns per unit of backer's stake |
/// |---|---|---|
/// | win | odds - 1 | 1 |
/// | half win | (odds - 1) / 2 | 1/2 |
/// | push, void | 0 | 0 |
/// | half loss | -1/2 | -(odds - 1) / 2 |
/// | loss | -1 | -(odds - 1) |
/// | dead heat of n | odds/n - 1 | 1 - odds/n |
///
/// For a lay bet the outcome is the layer's: it wins when the selection loses. Commission is taken
/// from winnings only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The whole stake wins.
    Win,
    /// Half wins, half is returned (quarter lines).
    HalfWin,
    /// The stake is returned because the line was hit exactly.
    Push,
    /// Half loses, half is returned (quarter lines).
    HalfLoss,
    /// The whole stake loses.
    Loss,
    /// The bet never stood: event void, price withdrawn as an error.
    Void,
    /// The selection shared first place with this many in all; the stake is divided.
    DeadHeat(u8),
}

impl Outcome {
    /// The name used in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::HalfWin => "half_win",
            Self::Push => "push",
            Self::HalfLoss => "half_loss",
            Self::Loss => "loss",
            Self::Void => "void",
            Self::DeadHeat(_) => "dead_heat",
        }
    }

    /// Profit of a bet, commission (in basis points) taken from winnings.
    ///
    /// ```
    /// # use tideline_schema as schema;
    /// use schema::{Money, Odds, Outcome, Side};
    /// let (stake, odds) = (Money::new(10.0)?, Odds::new(3.0)?);
    /// assert_eq!(Outcome::Win.pnl(stake, odds, Side::Back, 0), Money::new(20.0)?);
    /// assert_eq!(Outcome::Win.pnl(stake, odds, Side::Back, 500), Money::new(19.0)?);
    /// assert_eq!(Outcome::HalfLoss.pnl(stake, odds, Side::Back, 0), Money::new(-5.0)?);
    /// assert_eq!(Outcome::Loss.pnl(stake, odds, Side::Lay, 0), Money::new(-20.0)?);
    /// # Ok::<(), schema::Error>(())
    /// ```
    pub fn pnl(self, stake: Money, odds: Odds, side: Side, commission_bps: u32) -> Money {
        let (gain, loss) = match side {
            Side::Back => (stake.winnings(odds), stake),
            Side::Lay => (stake, stake.winnings(odds)),
        };
        let gross = match self {
            Self::Win => gain,
            Self::HalfWin => gain.half(),
            Self::Push | Self::Void => Money::ZERO,
            Self::HalfLoss => -loss.half(),
            Self::Loss => -loss,
            Self::DeadHeat(n) => {
                let part = i64::from(n.max(1));
                let returned = Money::from_scaled((stake.winnings(odds) + stake).scaled() / part);
                match side {
                    Side::Back => returned - stake,
                    Side::Lay => stake - returned,
                }
            }
        };
        if !gross.is_positive() {
            return gross;
        }
        let taken = i128::from(gross.scaled()) * i128::from(commission_bps.min(10_000)) / 10_000;
        gross - Money::from_scaled(taken as i64)
    }
}

/// The outcome of a selection at a score.
///
/// ```
/// # use tideline_schema as schema;
/// use schema::{Line, Market, MarketKind, Outcome, Score, Selection, settle};
/// let market = Market::with_line(MarketKind::AsianHandicap, Line::new(-0.75)?);
/// let won_by_one = Score { home: 2, away: 1 };
/// assert_eq!(settle(market, Selection(0), won_by_one), Outcome::HalfWin);
/// assert_eq!(settle(market, Selection(1), won_by_one), Outcome::HalfLoss);
/// # Ok::<(), schema::Error>(())
/// ```
pub fn settle(market: Market, selection: Selection, score: Score) -> Outcome {
    match market.kind {
        MarketKind::OneXTwo => one_x_two(selection, score),
        MarketKind::Moneyline => moneyline(selection, score),
        MarketKind::Total => total(selection, market.line.quarters(), score),
        MarketKind::AsianHandicap => asian_handicap(selection, market.line.quarters(), score),
        MarketKind::Binary => binary(selection, score),
    }
}

fn won(wins: bool) -> Outcome {
    if wins { Outcome::Win } else { Outcome::Loss }
}

fn one_x_two(selection: Selection, score: Score) -> Outcome {
    won(match selection.0 {
        0 => score.home > score.away,
        1 => score.home == score.away,
        _ => score.home < score.away,
    })
}

fn moneyline(selection: Selection, score: Score) -> Outcome {
    if score.home == score.away {
        return Outcome::Push;
    }
    won((score.home > score.away) == (selection.0 == 0))
}

fn binary(selection: Selection, score: Score) -> Outcome {
    won((score.home > score.away) == (selection.0 == 0))
}

fn total(selection: Selection, line_quarters: i16, score: Score) -> Outcome {
    let scored = (i32::from(score.home) + i32::from(score.away)) * 4;
    let margin = scored - i32::from(line_quarters);
    by_margin(if selection.0 == 0 { margin } else { -margin })
}

fn asian_handicap(selection: Selection, line_quarters: i16, score: Score) -> Outcome {
    let ahead = (i32::from(score.home) - i32::from(score.away)) * 4;
    let margin = ahead + i32::from(line_quarters);
    by_margin(if selection.0 == 0 { margin } else { -margin })
}

/// A margin in quarters. Whole and half lines land on even quarters; a margin of exactly one
/// quarter only happens on a quarter line, where half the stake is on each neighbour.
fn by_margin(quarters: i32) -> Outcome {
    match quarters {
        2.. => Outcome::Win,
        1 => Outcome::HalfWin,
        0 => Outcome::Push,
        -1 => Outcome::HalfLoss,
        _ => Outcome::Loss,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;
    use proptest::prelude::*;

    fn score(home: u16, away: u16) -> Score {
        Score { home, away }
    }

    #[test]
    fn every_market_settles_by_its_rules() {
        use MarketKind::{AsianHandicap, Binary, Moneyline, OneXTwo, Total};
        use Outcome::{HalfLoss, HalfWin, Loss, Push, Win};
        let line = |kind, x: f64| Market::with_line(kind, Line::new(x).unwrap());
        for (market, selection, score, expected) in [
            (Market::of(OneXTwo), 0, score(1, 0), Win),
            (Market::of(OneXTwo), 1, score(1, 1), Win),
            (Market::of(OneXTwo), 2, score(1, 1), Loss),
            (Market::of(Moneyline), 0, score(1, 1), Push),
            (Market::of(Moneyline), 1, score(0, 1), Win),
            (Market::of(Binary), 1, score(1, 1), Win),
            (line(Total, 2.5), 0, score(2, 1), Win),
            (line(Total, 3.0), 0, score(2, 1), Push),
            (line(Total, 2.75), 0, score(2, 1), HalfWin),
            (line(Total, 3.25), 0, score(2, 1), HalfLoss),
            (line(Total, 3.25), 1, score(2, 1), HalfWin),
            (line(AsianHandicap, 0.0), 0, score(1, 1), Push),
            (line(AsianHandicap, -0.25), 0, score(1, 1), HalfLoss),
            (line(AsianHandicap, 0.25), 0, score(1, 1), HalfWin),
            (line(AsianHandicap, -1.5), 1, score(2, 1), Win),
            (line(AsianHandicap, -1.0), 0, score(2, 1), Push),
        ] {
            let found = settle(market, Selection(selection), score);
            assert_eq!(found, expected, "{market} {selection} at {score:?}");
        }
    }

    #[test]
    fn dead_heats_divide_the_stake() {
        let (stake, odds) = (Money::new(10.0).unwrap(), Odds::new(5.0).unwrap());
        assert_eq!(Outcome::DeadHeat(2).pnl(stake, odds, Side::Back, 0), Money::new(15.0).unwrap());
        assert_eq!(Outcome::DeadHeat(2).pnl(stake, odds, Side::Lay, 0), Money::new(-15.0).unwrap());
    }

    proptest! {
        /// A quarter line is the mean of its two neighbouring half-quarter lines.
        #[test]
        fn quarter_lines_split_the_stake(
            half in -8_i16..8, home in 0_u16..6, away in 0_u16..6, cents in 1_i64..100_000,
            odds in 10_100_u32..100_000, selection in 0_u8..2,
        ) {
            let odds = Odds::from_scaled(odds).unwrap();
            let stake = Money::from_scaled(cents * 200);
            let at = |quarters| {
                let market = Market::with_line(MarketKind::AsianHandicap, Line::from_quarters(quarters));
                settle(market, Selection(selection), score(home, away)).pnl(stake, odds, Side::Back, 0)
            };
            let (low, high) = (at(half * 2).scaled(), at(half * 2 + 2).scaled());
            prop_assert!((at(half * 2 + 1).scaled() * 2 - low - high).abs() <= 2);
        }

        /// Backing and laying the same bet cancel out before commission.
        #[test]
        fn back_and_lay_cancel(cents in 1_i64..1_000_000, odds in 10_100_u32..1_000_000, won: bool) {
            let (odds, stake) = (Odds::from_scaled(odds).unwrap(), Money::from_scaled(cents * 100));
            let (back, lay) = if won { (Outcome::Win, Outcome::Loss) } else { (Outcome::Loss, Outcome::Win) };
            let sum = back.pnl(stake, odds, Side::Back, 0) + lay.pnl(stake, odds, Side::Lay, 0);
            prop_assert_eq!(sum, Money::ZERO);
        }
    }
}
