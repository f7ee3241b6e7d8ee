//! What can go wrong here, and the reasons for which a fact is refused.

use std::fmt;

use schema::{Event, Time};

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the dataflow stopped. None of them is a matter of a single bad fact: those are [`Refused`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configured value that cannot work.
    #[error("dataflow configuration: {0}")]
    Config(String),
    /// Ticks must be numbered upwards and their time must not go back.
    #[error(
        "tick {number} at {time} follows tick {last_number} at {last_time}: number ticks upwards \
         and stamp each with the greatest event time so far"
    )]
    TickOrder {
        /// Number of the tick refused.
        number: u64,
        /// Its time.
        time: Time,
        /// Number of the one before.
        last_number: u64,
        /// Time of the one before.
        last_time: Time,
    },
    /// A worker thread could not be started.
    #[error("cannot start {workers} dataflow workers ({reason}): use fewer")]
    Start {
        /// How many were wanted.
        workers: usize,
        /// What the system said.
        reason: String,
    },
    /// A worker thread ended in the middle of its work.
    #[error(
        "a dataflow worker died ({0}): restart from the journal, and please report it with the \
         journal"
    )]
    WorkerDied(String),
}

/// A fact that was not applied, for the dead-letter file.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Number of its tick.
    pub tick: u64,
    /// The fact.
    pub event: Event,
    /// Why.
    pub reason: RefusedReason,
}

/// Why a fact was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusedReason {
    /// Its fixture kicked off longer ago than facts are waited for.
    Retired,
    /// It belongs into a stretch of a book's prices that was already folded together.
    FoldedHistory,
    /// Its market already has the most voided times that are remembered.
    TooManyVoids,
    /// It is older than all of a fixture's results that are remembered.
    TooManyResults,
}

impl fmt::Display for RefusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retired => {
                "its fixture was retired: raise retain_after_kick_off to wait longer for late facts"
            }
            Self::FoldedHistory => {
                "it is older than the kept history of this book's prices in this market (or was \
                 seen before): deliver late facts sooner"
            }
            Self::TooManyVoids => {
                "its market has too many voided times: check the source that voids prices"
            }
            Self::TooManyResults => {
                "its fixture was corrected too often: check the source of results"
            }
        })
    }
}
