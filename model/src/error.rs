//! What can go wrong with a pricer.

/// Result of a fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Settings, artifacts and states that cannot be used. Every message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number outside its range.
    #[error("model: {name} is {value}; give a number from {low} to {high}")]
    Setting {
        /// Key in the topology.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// Least accepted.
        low: f64,
        /// Greatest accepted.
        high: f64,
    },
    /// An artifact that cannot be read.
    #[error("model artifact {digest} is not readable ({source}); roll back to an earlier model")]
    Artifact {
        /// Its digest.
        digest: String,
        /// Where reading failed.
        source: serde_json::Error,
    },
    /// An artifact of a layout this version does not know.
    #[error(
        "model artifact {digest} has layout {found}, this version reads {known}; retrain or upgrade"
    )]
    Layout {
        /// Its digest.
        digest: String,
        /// Layout found.
        found: u16,
        /// Layout known.
        known: u16,
    },
    /// Weights in an artifact that cannot price.
    #[error("the weights of model artifact {digest} are not usable ({why}); roll back or retrain")]
    Weights {
        /// Digest of the artifact.
        digest: String,
        /// What is wrong with them.
        why: String,
    },
    /// A training that did not come to an end.
    #[error("model: {0}; the live model stays")]
    Training(String),
    /// A saved state that cannot be written or read.
    #[error(
        "state of the pricer is not usable ({0}); delete the checkpoint and replay the journal"
    )]
    State(#[from] serde_json::Error),
    /// A table of the graph that cannot be written.
    #[error(
        "the graph cannot be written ({0}); check that the disk has room and the path is writable"
    )]
    Export(#[source] arrow_schema::ArrowError),
}
