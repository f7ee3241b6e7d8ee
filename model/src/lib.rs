//! Fair prices: what a bet is worth, by all that is known before it settles.
//!
//! A [`Pricer`] prices market rows, learns from fixtures whose line has closed, and hands out what
//! it learned as an artifact. It prices only with artifacts that went live through
//! [`Pricer::go_live`]: going live is an event of the journal, so a replay prices at every tick with
//! the very model that priced then.
//!
//! ```
//! use model::{Pricer, PricerConfig};
//! use tideline_model as model;
//!
//! let mut pricer = PricerConfig::default().open()?;
//! assert_eq!(pricer.name(), "market");
//! assert_eq!(pricer.model(), "market"); // nothing learned yet: all books weigh the same
//! assert!(pricer.close_window("2022-08-08".parse()?).is_none()); // and nothing to learn from
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod artifact;
mod consensus;
mod error;
pub mod form;
pub mod goals;
pub mod graph;
pub mod hgt;
mod ratings;
mod ridge;
mod training;

pub mod market;

use std::collections::BTreeMap;

use schema::{BookId, Delta, LeagueId, MarketRow, Probability, SELECTIONS_MAX, Time};
use serde::{Deserialize, Serialize};

pub use ::hgt::train::Trial;
pub use error::{Error, Result};
pub use training::{Challenger, Progress, Training};

/// The fair price of a market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fair {
    /// Fair probability by selection; zeros behind the last.
    pub probabilities: [Probability; SELECTIONS_MAX],
    /// Standard deviation of each probability: how far the books that made it lie apart, over how
    /// many they effectively are.
    pub deviation: [f64; SELECTIONS_MAX],
    /// Complete, fresh books it was made of, references included.
    pub books: u16,
    /// The book one can bet with that weighs most, when it weighs clearly more than an equal share.
    pub sharpest: Option<BookId>,
}

/// Something that prices markets and learns.
pub trait Pricer: Send {
    /// Which pricer it is, as in `ModelLive::pricer`.
    fn name(&self) -> &'static str;

    /// Digest of the live model; the name of the pricer before any went live.
    fn model(&self) -> &str;

    /// The fair price of a market at a time. `None` when no complete, fresh book is in the row.
    fn price(&self, row: &MarketRow, league: LeagueId, now: Time) -> Option<Fair>;

    /// Shows it what a tick changed, before anything is priced in that tick: who plays whom, and
    /// which rows are as of a decision now. Nothing later than those rows may touch their price.
    fn take(&mut self, _delta: &Delta) {}

    /// Shows it what a tick changed once everything in it is priced: results may say something about
    /// prices from the next tick on.
    fn settle(&mut self, _delta: &Delta) {}

    /// Shows it one market of a finished fixture: the row as of the last decision and the closing
    /// row. Changes nothing about prices until a window closes and its artifact goes live.
    fn learn(&mut self, as_of: &MarketRow, closing: &MarketRow, league: LeagueId);

    /// How the live model did on what it was shown since the last window closed, by name: its prices
    /// against the closes, none of which it had learned from.
    fn metrics(&self) -> BTreeMap<String, f64>;

    /// A training of the window that ends, where there is more to do than fits between two ticks; it
    /// can be done beside the stream. Before [`Pricer::close_window`].
    fn training(&mut self, _end: Time) -> Option<Training> {
        None
    }

    /// A sweep over the settings of its trainings, on all it knows: trials as JSON, the best first.
    /// `None` for a pricer that has none, or knows too little yet.
    fn sweep(&self, _end: Time) -> Option<Training> {
        None
    }

    /// Takes up what a training came to.
    ///
    /// # Errors
    /// [`Error::State`] for what is not this pricer's.
    fn trained(&mut self, _outcome: &[u8]) -> Result<Option<Challenger>> {
        Ok(None)
    }

    /// Ends a training window: the artifact (JSON) of what has been learned up to now, or `None`
    /// when the window brought nothing.
    fn close_window(&mut self, end: Time) -> Option<Vec<u8>>;

    /// Whether it could price with this artifact.
    ///
    /// # Errors
    /// [`Error::Artifact`] or [`Error::Layout`] when it is not one of this pricer's.
    fn check(&self, artifact: &[u8], digest: &str) -> Result<()>;

    /// Prices with this artifact from now on, and learns on from where it stopped.
    ///
    /// # Errors
    /// [`Error::Artifact`] when it is not one of this pricer's; the live model stays.
    fn go_live(&mut self, artifact: &[u8], digest: &str) -> Result<()>;

    /// Everything it knows, for a checkpoint: the live model, and what it was shown since.
    ///
    /// # Errors
    /// [`Error::State`] when it cannot be written.
    fn save(&self) -> Result<Vec<u8>>;

    /// Takes up a saved state in place of its own.
    ///
    /// # Errors
    /// [`Error::State`] when it is not one of this pricer's; nothing changes.
    fn load(&mut self, state: &[u8]) -> Result<()>;
}

/// The registry: which pricer a topology names, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PricerConfig {
    /// Weighted consensus of the books' own prices.
    Market(market::Config),
    /// The same, moved to where lines have closed after such form.
    Form(form::Config),
    /// The same, corrected by a graph transformer.
    Hgt(Box<hgt::Config>),
}

impl Default for PricerConfig {
    fn default() -> Self {
        Self::Market(market::Config::default())
    }
}

impl PricerConfig {
    /// The settings of the market pricer that each of them stands on.
    pub fn market(&self) -> &market::Config {
        match self {
            Self::Market(market) | Self::Form(form::Config { market, .. }) => market,
            Self::Hgt(config) => &config.form.market,
        }
    }

    /// Type name, summary and YAML example of each pricer.
    pub const fn listings() -> [(&'static str, &'static str, &'static str); 3] {
        [
            (market::NAME, "weighted consensus of the books' own prices", market::EXAMPLE),
            (
                form::NAME,
                "the same, moved to where lines have closed after such form",
                form::EXAMPLE,
            ),
            (hgt::NAME, "the same, corrected by a graph transformer", hgt::EXAMPLE),
        ]
    }

    /// Checks the settings and makes the pricer, with nothing learned.
    ///
    /// # Errors
    /// [`Error::Setting`] with the accepted range.
    pub fn open(&self) -> Result<Box<dyn Pricer>> {
        Ok(match self {
            Self::Market(config) => Box::new(market::MarketPricer::new(config.clone())?),
            Self::Form(config) => Box::new(form::FormPricer::new(config.clone())?),
            Self::Hgt(config) => Box::new(hgt::HgtPricer::new((**config).clone())?),
        })
    }
}
