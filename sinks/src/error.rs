//! One error type for all sinks. A sink that cannot write must say which file and what to do, since
//! the engine goes on without it and the operator reads only this line.

use std::path::{Path, PathBuf};

/// Result of a sink.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a sink could not be opened, or could not publish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that can be read but makes no sense.
    #[error("sink {sink}: {setting} is {found}: {advice}")]
    Setting {
        /// Name of the sink in the topology.
        sink: String,
        /// The key.
        setting: &'static str,
        /// What it was set to.
        found: String,
        /// What to write instead.
        advice: String,
    },
    /// A file that cannot be read or written.
    #[error(
        "cannot {action} {path}: {source}; see that its folder exists, is writable and has room"
    )]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is there but was not written by this sink.
    #[error("{path} is not a file of suggestions (line {line}): give the sink another path")]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// First line that does not fit, from 1.
        line: u64,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}; redirect it, or remove the console sink")]
    Output(#[source] std::io::Error),
    /// A suggestion that JSON cannot hold.
    #[error("suggestion {id} does not fit into JSON: {source}; please report this as a defect")]
    Json {
        /// Its event id.
        id: schema::EventId,
        /// What the encoder said.
        source: serde_json::Error,
    },
    /// The ledger could not be encoded as Parquet.
    #[error("cannot write {path} as Parquet: {reason}; set only `csv` to go on without it")]
    Parquet {
        /// Which file.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
}

impl Error {
    /// Names the file and the action of a failed system call.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}
