//! What can go wrong in the engine, as one type. Each message says what to do next; the components'
//! own errors pass through unchanged, since they say it best.

use std::path::PathBuf;

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
    /// A source.
    #[error(transparent)]
    Source(#[from] sources::Error),
    /// The dataflow.
    #[error(transparent)]
    Dataflow(#[from] dataflow::Error),
    /// The pricer or its model.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The lenses' settings.
    #[error(transparent)]
    Lens(#[from] lenses::Error),
    /// A sink.
    #[error(transparent)]
    Sink(#[from] sinks::Error),
    /// A value.
    #[error(transparent)]
    Value(#[from] schema::Error),
    /// A file of the data directory.
    #[error("{what} {path}: {source}; check that the disk has room and the directory is writable")]
    File {
        /// What was being done (`cannot write`).
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A data directory that must not be replaced.
    #[error(
        "{path} holds the journal of a live run, and a rehearsal would replace it: give another \
         --data-dir, or replay that journal itself with `tideline replay {path}/journal`"
    )]
    LiveData {
        /// The directory.
        path: PathBuf,
    },
    /// A live journal made with other decisions.
    #[error(
        "{path} was made with other settings ({changed}): going on with these would retell its past \
         differently; put them back, or give a new --data-dir and compare the two with \
         `tideline replay {path}/journal --topology FILE`"
    )]
    Decisions {
        /// The directory.
        path: PathBuf,
        /// Which settings.
        changed: String,
    },
    /// A feed inside the directory a rehearsal would replace.
    #[error(
        "{path} is inside the data directory this replay would replace: give another --data-dir"
    )]
    FeedInDataDir {
        /// The feed.
        path: PathBuf,
    },
    /// A tick number in a journal that is not the next one.
    #[error(
        "tick {found} follows tick {expected_after} in the journal: run `tideline journal verify` \
         on it and restore the segment it names"
    )]
    TickOrder {
        /// The number found.
        found: u64,
        /// The number before it.
        expected_after: u64,
    },
    /// An artifact whose bytes are not those that its name stands for.
    #[error(
        "{path} is not what was stored there (its sha256 is {found}): it was cut short or changed; \
         restore it, or roll back to another model with `tideline models rollback`"
    )]
    Artifact {
        /// The file.
        path: PathBuf,
        /// The sha256 of what it holds.
        found: String,
    },
    /// A model that is not in the registry.
    #[error("no model {name}: {why}")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// Why it was not found.
        why: &'static str,
    },
    /// No thread for a training.
    #[error("no thread can be had for training ({0}): raise the limit on processes")]
    Thread(#[source] std::io::Error),
    /// The thread of a training ended in a panic.
    #[error(
        "a training stopped unexpectedly; the live model stays: run with RUST_BACKTRACE=1 and report the trace"
    )]
    Training,
    /// The thread of a source ended in a panic.
    #[error("source {0} stopped unexpectedly: run with RUST_BACKTRACE=1 and report the trace")]
    SourcePanic(String),
}

impl Error {
    /// A file error.
    pub fn file(what: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { what, path: path.into(), source }
    }
}
