//! One fixture and what can change around it, laid out for pricing.
//!
//! Live nodes have a row of their own (a slot) in the table of states before every layer; states of
//! cached nodes they meet are copied behind them. Per-call work then touches nothing but a few
//! consecutive kilobytes.

use std::ops::Range;
use std::sync::Arc;

use crate::config::Schema;
use crate::plan::Side;
use crate::{Error, Result};

/// A node of a [`Neighbourhood`] whose features can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Live(pub(super) u32);

/// Marks a source that is no live node.
pub(super) const FIXED: u32 = u32::MAX;

/// One fixture (or whatever node outputs are read from) with all it depends on. Made by
/// [`Builder`](super::Builder); belongs to the model and the cache it was made with.
#[derive(Clone, Debug)]
pub struct Neighbourhood {
    pub(super) schema: Arc<Schema>,
    /// The model's.
    pub(super) id: u64,
    /// Slot by live node; `FIXED` where the outputs do not depend on it.
    pub(super) slot: Vec<u32>,
    /// Node type by live node.
    pub(super) kind: Vec<usize>,
    /// Live nodes in the order of their slots, by type: (type, slots).
    pub(super) inputs: Vec<Inputs>,
    /// Before every layer, and after the last.
    pub(super) tables: Vec<Table>,
    pub(super) layers: Vec<LocalLayer>,
    pub(super) root_kind: usize,
    pub(super) outputs: Vec<f32>,
    /// Nodes the outputs depend on.
    pub(super) reach: usize,
    pub(super) changed: bool,
    /// Nothing has been computed yet.
    pub(super) fresh: bool,
}

/// Features of one type's nodes.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub kind: usize,
    /// Slots of the nodes, consecutive.
    pub slots: Range<usize>,
    /// Nodes x width.
    pub features: Vec<f32>,
}

/// States before a layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Slots, then copies of cached nodes: rows x hidden.
    pub states: Vec<f32>,
    /// By slot: differs from the last call.
    pub changed: Vec<bool>,
}

/// What a layer computes, by type.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalLayer {
    pub kinds: Vec<LocalKind>,
}

/// The targets of one type.
#[derive(Clone, Debug)]
pub(super) struct LocalKind {
    pub kind: usize,
    /// Slot by target.
    pub targets: Vec<u32>,
    /// Queries of the last call: targets x hidden.
    pub query: Vec<f32>,
    pub relations: Vec<LocalRelation>,
}

/// Edges of one relation to the targets of its type.
#[derive(Clone, Debug)]
pub(super) struct LocalRelation {
    pub relation: usize,
    pub side: Side,
    /// First edge by target, and the number of edges.
    pub start: Vec<u32>,
    /// Row of the source by edge: in `key_value` where that is made at the source, otherwise in the
    /// layer's table.
    pub source: Vec<u32>,
    /// Slot of the source by edge, or `FIXED`.
    pub slot: Vec<u32>,
    /// (slot, row in `key_value`) of live sources, where keys and values are made at the source.
    pub live: Vec<(u32, u32)>,
    /// Keys and values: sources x 2 hidden; empty where they are made at the target.
    pub key_value: Vec<f32>,
}

impl Neighbourhood {
    /// New features of a live node; taken up by the next [`Fast::reprice`](super::Fast::reprice).
    ///
    /// # Errors
    /// [`Error::Node`] for a node of another neighbourhood, [`Error::Graph`] for the wrong number of
    /// features or one that is not finite. Nothing is changed then.
    pub fn set_features(&mut self, node: Live, features: &[f32]) -> Result<()> {
        let at = node.0 as usize;
        let (Some(&slot), Some(&kind)) = (self.slot.get(at), self.kind.get(at)) else {
            return Err(Error::Node(format!(
                "this neighbourhood has {} live nodes: use those its own builder returned",
                self.slot.len()
            )));
        };
        check_features(&self.schema, kind, features)?;
        let Some(inputs) = self.inputs.iter_mut().find(|it| it.slots.contains(&(slot as usize)))
        else {
            return Ok(());
        };
        let row = (slot as usize - inputs.slots.start) * features.len();
        let own = &mut inputs.features[row..row + features.len()];
        if own != features {
            own.copy_from_slice(features);
            self.tables[0].changed[slot as usize] = true;
            self.changed = true;
        }
        Ok(())
    }

    /// How many nodes the outputs depend on, cached ones and itself included.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// Live nodes.
    pub fn live(&self) -> usize {
        self.slot.len()
    }

    /// Memory it holds, about.
    pub fn bytes(&self) -> usize {
        let relations = self.layers.iter().flat_map(|it| &it.kinds).flat_map(|it| &it.relations);
        let edges: usize = relations
            .map(|it| it.key_value.len() + it.start.len() + 2 * it.source.len() + 2 * it.live.len())
            .sum();
        let queries = self.layers.iter().flat_map(|it| &it.kinds).map(|it| it.query.len());
        let edges = edges + queries.sum::<usize>();
        let tables: usize = self.tables.iter().map(|it| it.states.len()).sum();
        let features: usize = self.inputs.iter().map(|it| it.features.len()).sum();
        (edges + tables + features) * size_of::<f32>()
    }
}

pub(super) fn check_features(schema: &Schema, kind: usize, features: &[f32]) -> Result<()> {
    let width = schema.widths[kind];
    if features.len() != width {
        return Err(Error::Graph(format!(
            "a node of type {kind} was given {} features: give {width}",
            features.len()
        )));
    }
    if let Some(at) = features.iter().position(|it| !it.is_finite()) {
        return Err(Error::Graph(format!(
            "feature {at} of a node of type {kind} is {}: give a finite number and say elsewhere \
             that it is unknown",
            features[at]
        )));
    }
    Ok(())
}
