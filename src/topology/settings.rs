//! The sections that belong to no component, with their defaults and why they are what they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schema::{Devig, Money, Span};
use serde::{Deserialize, Serialize};

/// Default of `data_dir`.
pub(super) fn data_dir() -> PathBuf {
    PathBuf::from("./state")
}

/// The `market` section: how markets are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MarketSettings {
    /// How a book's margin is taken out: `power` (default), `proportional` or `shin`.
    pub devig: Devig,
    /// A quote older than this prices nothing. Default 7 days, which suits weekly collections; for
    /// a live feed minutes are right.
    pub stale_after: Span,
    /// A price this far behind the newest one in its market is not bet at: the book was not looked
    /// at when the others were. Default 1 hour; for a feed that sends only changes, more.
    pub lag_max: Span,
    /// A quote counts as a closing one when it was made this long before kick-off or later; without
    /// one there is no closing line value. Default 6 hours.
    pub closing_within: Span,
    /// Facts about a fixture are taken until this long after its kick-off; later ones are dead
    /// letters, except results. Default 60 days.
    pub retain_after_kick_off: Span,
    /// How long before kick-off a market counts as known to a decision. Default 5 minutes.
    pub as_of_lead: Span,
    /// Commission on winnings by book, as a fraction. Default: 0.05 at the Betfair exchange.
    pub commission: BTreeMap<String, f64>,
    /// Books whose closing price is the reference for closing line value, best first; the closing
    /// consensus where none of them closed. Default: Pinnacle.
    pub closing_reference: Vec<String>,
}

impl Default for MarketSettings {
    fn default() -> Self {
        Self {
            devig: Devig::default(),
            stale_after: Span::days(7),
            lag_max: Span::hours(1),
            closing_within: Span::hours(6),
            retain_after_kick_off: Span::days(60),
            as_of_lead: Span::minutes(5),
            commission: BTreeMap::from([("BFE".to_owned(), 0.05)]),
            closing_reference: vec!["PS".to_owned()],
        }
    }
}

/// The `bankroll` section: the paper account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bankroll {
    /// What it starts with, in the account's currency. Default 10,000.
    pub start: Money,
    /// A paper bet is placed when its suggestion has stood this long. Default 1 minute, about what
    /// a person needs.
    pub fill_after: Span,
    /// A settled bet is final this long after kick-off; until then its result can be corrected.
    /// Default 30 days.
    pub final_after: Span,
}

impl Default for Bankroll {
    fn default() -> Self {
        Self {
            start: Money::from_scaled(10_000 * Money::SCALE),
            fill_after: Span::minutes(1),
            final_after: Span::days(30),
        }
    }
}
