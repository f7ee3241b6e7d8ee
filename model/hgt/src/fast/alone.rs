//! Pricing without a cached graph: every node of a neighbourhood is a live one.

use std::sync::Arc;

use super::{Cache, Fast};
use crate::topology::{Edges, Topology};
use crate::{Result, Weights};

impl Fast {
    /// A model and the cache of a graph without nodes: for neighbourhoods that bring all they need.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config).
    pub fn alone(weights: &Weights) -> Result<(Self, Cache)> {
        let config = weights.config();
        let fast = Self::new(weights)?;
        let counts = vec![0; config.node_types.len()];
        let edges = vec![Edges::default(); config.relations.len()];
        let cache = Cache {
            schema: fast.schema.clone(),
            id: fast.id,
            topology: Arc::new(Topology::new(config, &counts, &edges)?),
            first: vec![0; config.node_types.len()],
            states: vec![Vec::new(); config.layers],
        };
        Ok((fast, cache))
    }
}
