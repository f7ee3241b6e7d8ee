//! One error type for every checked constructor, so that a source can turn any of them into a
//! dead letter with a reason the user can act on.

/// Result of a checked constructor of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a value was refused. Every message says what would have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Decimal odds outside what any venue can offer.
    #[error("odds {0} are not decimal odds: give a number from 1.0001 to 100000")]
    Odds(String),
    /// A probability outside 0..=1.
    #[error("probability {0} is outside 0 to 1")]
    Probability(String),
    /// An amount of money that is not finite or does not fit.
    #[error("amount {0} is not money: give a number below 900 trillion with at most 4 decimals")]
    Money(String),
    /// A handicap or total that is not a multiple of a quarter.
    #[error("line {0} is not a multiple of 0.25 between -1000 and 1000")]
    Line(String),
    /// A date or time that cannot be read.
    #[error("time {0:?} is not readable: give UTC milliseconds or RFC 3339, years 1990 to 2200")]
    Time(String),
    /// A duration that cannot be read.
    #[error("duration {0:?} is not readable: write a number and ms, s, m, h or d, as in 10m")]
    Span(String),
    /// A market name that is not known.
    #[error("market {0:?} is not known: use 1x2, moneyline, total, asian_handicap or binary")]
    Market(String),
    /// A selection name that is not known in its market.
    #[error("selection {0:?} is not one of the market's: use {1}")]
    Selection(String, &'static str),
    /// Two different names with the same stable hash (one in about 10^13 for 1,000 names).
    #[error("names {0:?} and {1:?} have the same id: rename one of them in the alias table")]
    NameCollision(String, String),
    /// A name that is empty, too long, or carries control characters.
    #[error("name {0:?} is refused: names have 1 to 256 characters and no control characters")]
    Name(String),
}
