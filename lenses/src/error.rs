//! Why a setting was refused.

/// Result of opening a panel or a lens.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Settings that cannot work. Every message says what would.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number outside its range.
    #[error("lenses: {name} is {value}; give a number from {low} to {high}")]
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
    /// The same lens twice, which would double its say.
    #[error("lenses: {0} is listed twice; list each lens once")]
    Twice(&'static str),
    /// No lens at all.
    #[error("lenses: the panel is empty; list at least one lens or leave `panel` out for all five")]
    Empty,
}

/// Refuses a setting outside `low..=high`, NaN included.
pub(crate) fn within(name: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Error::Setting { name, value, low, high })
    }
}
