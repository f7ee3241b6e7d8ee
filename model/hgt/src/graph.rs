//! A graph as a model sees it: features on a device, edges and plans on the host.

use std::sync::Arc;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use crate::config::Schema;
use crate::kernels::project::packing;
use crate::plan::{LayerPlan, plans};
use crate::topology::{Edges, Topology};
use crate::{Config, Error, Result};

/// Nodes with features and edges, ready for a model of one configuration. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Graph<B: Backend> {
    pub(crate) topology: Arc<Topology>,
    pub(crate) plans: Vec<Arc<LayerPlan>>,
    /// Rows of every type, one type after the other, flat.
    pub(crate) features: Tensor<B, 1>,
    pub(crate) schema: Arc<Schema>,
}

impl<B: Backend> Graph<B> {
    /// Checks, sorts and plans.
    ///
    /// `counts` are nodes by type, `features` are nodes x width by type, row-major, `edges` are
    /// edges by relation; all in the configuration's order. Features carry no gradient.
    ///
    /// # Errors
    /// As [`Topology::new`]; [`Error::Graph`] for features of another size or not finite.
    pub fn new(
        config: &Config,
        counts: &[usize],
        features: &[Vec<f32>],
        edges: &[Edges],
        device: &B::Device,
    ) -> Result<Self> {
        let topology = Arc::new(Topology::new(config, counts, edges)?);
        Self::with_topology(config, topology, features, device)
    }

    /// The same over edges that are sorted already.
    ///
    /// # Errors
    /// [`Error::Graph`] for a topology of another configuration, and as [`Graph::new`].
    pub fn with_topology(
        config: &Config,
        topology: Arc<Topology>,
        features: &[Vec<f32>],
        device: &B::Device,
    ) -> Result<Self> {
        let schema = Arc::new(config.schema()?);
        if !topology.fits(&schema) {
            return Err(Error::Graph(
                "its edges were sorted for another configuration: sort them for this one".into(),
            ));
        }
        check_features(config, topology.counts(), features)?;
        let packed: Vec<f32> = features.iter().flatten().copied().collect();
        let length = packed.len();
        let plans = plans(&schema, &topology).into_iter().map(Arc::new).collect();
        let features = Tensor::from_data(TensorData::new(packed, [length]), device);
        Ok(Self { topology, plans, features, schema })
    }

    /// Who is connected to whom.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// Features of a type: nodes x width.
    pub(crate) fn features_of(&self, kind: usize) -> Tensor<B, 2> {
        let (first, _) = packing(&self.schema, self.topology.counts());
        let (rows, width) = (self.topology.counts()[kind], self.schema.widths[kind]);
        let range = first[kind]..first[kind] + rows * width;
        self.features.clone().slice([range]).reshape([rows, width])
    }
}

impl<B: AutodiffBackend> Graph<B> {
    /// The same graph for the backend without gradients, to go with `model.valid()`.
    pub fn valid(&self) -> Graph<B::InnerBackend> {
        Graph {
            topology: self.topology.clone(),
            plans: self.plans.clone(),
            features: self.features.clone().inner(),
            schema: self.schema.clone(),
        }
    }
}

pub(crate) fn check_features(
    config: &Config,
    counts: &[usize],
    features: &[Vec<f32>],
) -> Result<()> {
    if features.len() != counts.len() {
        return Err(Error::Graph(format!(
            "it has features of {} types, the configuration has {}: give one table for each",
            features.len(),
            counts.len()
        )));
    }
    for ((kind, count), values) in config.node_types.iter().zip(counts).zip(features) {
        if values.len() != count * kind.width {
            return Err(Error::Graph(format!(
                "'{}' has {} numbers for {count} nodes: give {} a node",
                kind.name,
                values.len(),
                kind.width
            )));
        }
        if let Some(at) = values.iter().position(|it| !it.is_finite()) {
            return Err(Error::Graph(format!(
                "feature {} of node {} of '{}' is {}: give a finite number and say elsewhere that \
                 it is unknown",
                at % kind.width,
                at / kind.width,
                kind.name,
                values[at]
            )));
        }
    }
    Ok(())
}
