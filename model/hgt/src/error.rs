//! What can be wrong with a configuration, a graph or stored weights, and what to do about it.

/// What this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration contradicts itself.
    #[error("the model's configuration is not usable: {0}")]
    Config(String),
    /// A graph does not fit the configuration.
    #[error("the graph does not fit the model: {0}")]
    Graph(String),
    /// Stored weights are damaged or belong to something else.
    #[error("the stored weights cannot be used: {0}")]
    Weights(String),
    /// A node was asked for that the graph does not have.
    #[error("there is no such node: {0}")]
    Node(String),
    /// What is to be learned does not fit the graph or the configuration.
    #[error("this cannot be learned: {0}")]
    Problem(String),
    /// Settings of the training are out of bounds.
    #[error("the training's settings are not usable: {0}")]
    Settings(String),
}
