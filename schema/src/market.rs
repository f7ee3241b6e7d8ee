//! Markets, their lines and their selections, in the field's own names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Most selections a market of this crate has (home, draw, away).
pub const SELECTIONS_MAX: usize = 3;

/// What is being bet on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MarketKind {
    /// Home win, draw or away win after regular time.
    #[serde(rename = "1x2")]
    OneXTwo,
    /// Home or away wins; a draw is a push.
    Moneyline,
    /// Sum of both scores over or under the line.
    Total,
    /// Home or away after the home side is given the line (quarter lines split the stake).
    AsianHandicap,
    /// Yes or no: the two legs of one condition of a prediction market. Here it settles as "the
    /// home side wins".
    Binary,
}

impl MarketKind {
    /// Every kind, in order.
    pub const ALL: [Self; 5] =
        [Self::OneXTwo, Self::Moneyline, Self::Total, Self::AsianHandicap, Self::Binary];

    /// The name used in feeds and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneXTwo => "1x2",
            Self::Moneyline => "moneyline",
            Self::Total => "total",
            Self::AsianHandicap => "asian_handicap",
            Self::Binary => "binary",
        }
    }

    /// Names of the selections, in the order of every price array.
    pub const fn selections(self) -> &'static [&'static str] {
        match self {
            Self::OneXTwo => &["home", "draw", "away"],
            Self::Moneyline | Self::AsianHandicap => &["home", "away"],
            Self::Total => &["over", "under"],
            Self::Binary => &["yes", "no"],
        }
    }

    /// Whether the market has a line.
    pub const fn has_line(self) -> bool {
        matches!(self, Self::Total | Self::AsianHandicap)
    }
}

impl FromStr for MarketKind {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| Error::Market(text.chars().take(40).collect()))
    }
}

/// A handicap or total in quarters: -0.75 is -3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line(i16);

impl Line {
    /// No line, and the level line.
    pub const ZERO: Self = Self(0);

    /// A line from a decimal number.
    ///
    /// # Errors
    /// [`Error::Line`] unless it is a multiple of a quarter within 1,000.
    pub fn new(line: f64) -> Result<Self> {
        let quarters = line * 4.0;
        if quarters.fract() == 0.0 && quarters.abs() <= 4_000.0 {
            Ok(Self(quarters as i16))
        } else {
            Err(Error::Line(line.to_string()))
        }
    }

    /// The line in quarters.
    pub const fn quarters(self) -> i16 {
        self.0
    }

    /// A line from quarters.
    pub const fn from_quarters(quarters: i16) -> Self {
        Self(quarters)
    }

    /// The line as a decimal number.
    pub fn decimal(self) -> f64 {
        f64::from(self.0) / 4.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.decimal())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One market of a fixture: its kind and its line (level when the kind has none).
///
/// ```
/// # use tideline_schema as schema;
/// use schema::{Line, Market, MarketKind};
/// let market = Market::with_line(MarketKind::AsianHandicap, Line::new(-0.75)?);
/// assert_eq!(market.to_string(), "asian_handicap -0.75");
/// assert_eq!(market.selections(), ["home", "away"]);
/// # Ok::<(), schema::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Market {
    /// What is being bet on.
    pub kind: MarketKind,
    /// The handicap of the home side or the total.
    pub line: Line,
}

impl Market {
    /// The 1X2 market.
    pub const ONE_X_TWO: Self = Self { kind: MarketKind::OneXTwo, line: Line::ZERO };

    /// A market without a line.
    pub const fn of(kind: MarketKind) -> Self {
        Self { kind, line: Line::ZERO }
    }

    /// A market with a line.
    pub const fn with_line(kind: MarketKind, line: Line) -> Self {
        Self { kind, line }
    }

    /// Names of its selections.
    pub const fn selections(self) -> &'static [&'static str] {
        self.kind.selections()
    }

    /// A selection by name.
    ///
    /// # Errors
    /// [`Error::Selection`] with the names it has.
    pub fn selection(self, name: &str) -> Result<Selection> {
        let found = self.selections().iter().position(|known| *known == name);
        found.map(|index| Selection(index as u8)).ok_or_else(|| {
            let has = match self.kind {
                MarketKind::OneXTwo => "home, draw, away",
                MarketKind::Moneyline | MarketKind::AsianHandicap => "home, away",
                MarketKind::Total => "over, under",
                MarketKind::Binary => "yes, no",
            };
            Error::Selection(name.chars().take(40).collect(), has)
        })
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.kind.has_line() { write!(f, " {}", self.line) } else { Ok(()) }
    }
}

/// A selection of a market, as its index in the market's price arrays (0, 1 or 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Selection(pub u8);

impl Selection {
    /// Its index in price arrays.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its name in a market, or `?` when the market has no such selection.
    pub fn name(self, market: Market) -> &'static str {
        market.selections().get(self.index()).copied().unwrap_or("?")
    }
}

/// Which way an exchange bet goes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// For the selection, as with a bookmaker.
    #[default]
    Back,
    /// Against it: the stake is the backer's stake, the liability is stake x (odds - 1).
    Lay,
}
