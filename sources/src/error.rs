//! Why a source cannot go on, or why one record was refused. Every message says what to do next.

use std::io;
use std::path::PathBuf;

/// Why a source cannot start or go on, or why a record was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be opened or read.
    #[error("cannot read {path}: {cause}; check that it exists and that you may read it")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A feed cannot be written.
    #[error("cannot write the feed: {cause}; check the disk and that you may write there")]
    Write {
        /// What the system said.
        cause: io::Error,
    },
    /// A file is neither text nor a format that is known.
    #[error(
        "{path} is a binary file of no known format: give JSON lines or CSV (plain, gz or zst), \
         Parquet or Arrow"
    )]
    Binary {
        /// The file.
        path: PathBuf,
    },
    /// A folder without a single feed in it.
    #[error("no feed found in {path}: put {wanted} there or give another path")]
    NoFeed {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A path from which no source can be guessed.
    #[error(
        "cannot tell what feed {path} is: give a folder of football-data CSV files, or JSON lines, \
         Parquet or Arrow files"
    )]
    Guess {
        /// The path.
        path: PathBuf,
    },
    /// A part of the program that was not built in.
    #[error("{what} needs a part that is not built in: build with `--features {feature}`")]
    Feature {
        /// What was asked for.
        what: String,
        /// The cargo feature that has it.
        feature: &'static str,
    },
    /// A table that cannot be read as events.
    #[error("table in {path} cannot be read: {cause}; see the README for its columns")]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A setting that makes no sense.
    #[error("setting `{key}` of this source is refused: {reason}")]
    Setting {
        /// The key in the topology.
        key: &'static str,
        /// What is wrong and what would be accepted.
        reason: String,
    },
    /// Part of a source ended in a way no input should cause.
    #[error("source {name} stopped unexpectedly: {cause}; please report this with the input")]
    Stopped {
        /// The source.
        name: String,
        /// What happened.
        cause: String,
    },
    /// A line that is not one JSON object of the expected types.
    #[error("line is not a JSON record: {0}; write one object a line")]
    Json(String),
    /// A key that a record of this type needs.
    #[error("record of type {kind:?} has no {key:?}: add it")]
    Missing {
        /// Type of the record.
        kind: String,
        /// The key.
        key: &'static str,
    },
    /// A record type that is not known.
    #[error(
        "record type {0:?} is not known: use odds, quote, pull, void, fixture, result, signal, \
         fill, control, model_live or mark"
    )]
    RecordType(String),
    /// A value that is not one of a few words.
    #[error("{key} {value:?} is not known: use {wanted}")]
    Word {
        /// The key.
        key: &'static str,
        /// What it said.
        value: String,
        /// What would have been accepted.
        wanted: &'static str,
    },
    /// A list of the wrong length.
    #[error("{key} has {got} values where its market has {wanted}: give one a selection")]
    Length {
        /// The key.
        key: &'static str,
        /// Values given.
        got: usize,
        /// Selections of the market.
        wanted: usize,
    },
    /// A quote without any price.
    #[error("quote has no price: give one, or write a pull to take prices off")]
    NoPrice,
    /// A score that cannot be read.
    #[error("score {0:?} is not readable: write home-away as in 2-1")]
    Score(String),
    /// A value that a checked constructor refused.
    #[error(transparent)]
    Value(#[from] schema::Error),
}

impl Error {
    /// A file or folder that cannot be read.
    pub(crate) fn read(path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self::Read { path: path.into(), cause }
    }
}
