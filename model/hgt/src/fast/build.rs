//! Collecting a neighbourhood's nodes and edges, and refusing what does not fit.

use std::collections::BTreeMap;

use super::layout::Layout;
use super::neighbourhood::{Live, Neighbourhood, check_features};
use super::{Cache, Fast};
use crate::{Error, Result};

/// Most nodes that outputs may depend on: a neighbourhood is one fixture's, not a graph.
pub const NODES_MAX: usize = 1 << 16;

/// An end of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// One added to the neighbourhood.
    Live(Live),
    /// One of the cached graph.
    Cached {
        /// Its type, in the configuration's order.
        kind: usize,
        /// Its row among nodes of the type.
        row: u32,
    },
}

impl From<Live> for Node {
    fn from(live: Live) -> Self {
        Self::Live(live)
    }
}

/// (type, whether it is newer than the cache, row or number): unique.
pub(super) type Key = (usize, bool, u32);
/// Sources by relation that ends at a node.
pub(super) type Sources = Vec<(usize, Vec<Key>)>;

/// Collects a neighbourhood's nodes and edges.
///
/// Edges of the cached graph need not be given. An edge to a cached node changes what that node
/// passes on; leave such edges out to keep it as it was at window close.
#[derive(Debug)]
pub struct Builder<'a> {
    pub(super) fast: &'a Fast,
    pub(super) cache: &'a Cache,
    /// Key and, where they are not the cached ones, features.
    pub(super) nodes: Vec<(Key, Option<Vec<f32>>)>,
    changed: BTreeMap<Key, Live>,
    edges: BTreeMap<Key, Vec<(usize, Key)>>,
}

impl Fast {
    /// Begins a neighbourhood over a cached graph.
    ///
    /// # Errors
    /// [`Error::Graph`] for the cache of another model.
    pub fn neighbourhood<'a>(&'a self, cache: &'a Cache) -> Result<Builder<'a>> {
        if cache.id != self.id {
            return Err(Error::Graph(
                "the cached states are those of another model: compute them with this one".into(),
            ));
        }
        let (changed, edges) = (BTreeMap::new(), BTreeMap::new());
        Ok(Builder { fast: self, cache, nodes: Vec::new(), changed, edges })
    }
}

impl Builder<'_> {
    /// Adds a node that the cached graph does not have.
    ///
    /// # Errors
    /// [`Error::Node`] for an unknown type, [`Error::Graph`] for features that do not fit it.
    pub fn add(&mut self, kind: usize, features: &[f32]) -> Result<Live> {
        self.check_kind(kind)?;
        check_features(&self.fast.schema, kind, features)?;
        let number = self.nodes.len() as u32;
        self.nodes.push(((kind, true, number), Some(features.to_vec())));
        Ok(Live(number))
    }

    /// Makes the features of a node of the cached graph changeable; they are the cached ones until
    /// they are set. Asking twice gives the same node.
    ///
    /// # Errors
    /// [`Error::Node`] for a node the graph does not have.
    pub fn change(&mut self, kind: usize, row: u32) -> Result<Live> {
        let key = self.key(Node::Cached { kind, row })?;
        let next = Live(self.nodes.len() as u32);
        let live = *self.changed.entry(key).or_insert(next);
        if live == next {
            self.nodes.push((key, None));
        }
        Ok(live)
    }

    /// Adds an edge of a relation, given by its place in the configuration.
    ///
    /// # Errors
    /// [`Error::Node`] for a node that is not there, [`Error::Graph`] for an unknown relation or
    /// nodes of other types than its own.
    pub fn edge(
        &mut self,
        relation: usize,
        source: impl Into<Node>,
        target: impl Into<Node>,
    ) -> Result<()> {
        let (source, target) = (self.key(source.into())?, self.key(target.into())?);
        let Some(&types) = self.fast.schema.relations.get(relation) else {
            let count = self.fast.schema.relations.len();
            return Err(Error::Graph(format!(
                "there is no relation {relation}: the configuration has {count}, counted from 0"
            )));
        };
        if types != (source.0, target.0) {
            return Err(Error::Graph(format!(
                "relation {relation} goes from type {} to type {}, the edge from type {} to type \
                 {}: choose the relation that fits",
                types.0, types.1, source.0, target.0
            )));
        }
        self.edges.entry(target).or_default().push((relation, source));
        Ok(())
    }

    fn check_kind(&self, kind: usize) -> Result<()> {
        let count = self.fast.schema.widths.len();
        if kind < count {
            return Ok(());
        }
        Err(Error::Node(format!(
            "there is no type {kind}: the configuration has {count}, counted from 0"
        )))
    }

    fn key(&self, node: Node) -> Result<Key> {
        match node {
            Node::Live(live) => self.nodes.get(live.0 as usize).map(|it| it.0).ok_or_else(|| {
                Error::Node("a live node is another builder's: use those this one returned".into())
            }),
            Node::Cached { kind, row } => {
                self.check_kind(kind)?;
                let count = self.cache.topology.counts()[kind];
                if (row as usize) < count {
                    return Ok((kind, false, row));
                }
                Err(Error::Node(format!(
                    "row {row} of type {kind}: the cached graph has {count}, counted from 0; add \
                     the node if it is newer"
                )))
            }
        }
    }

    /// The neighbourhood of one node, whose outputs it gives.
    ///
    /// # Errors
    /// [`Error::Node`] for a root that is not there or that nothing is read from, [`Error::Graph`]
    /// for more than [`NODES_MAX`] nodes.
    pub fn finish(self, root: impl Into<Node>) -> Result<Neighbourhood> {
        let root = self.key(root.into())?;
        if self.fast.width(root.0) == 0 {
            return Err(Error::Node(format!(
                "no output is read from type {}: choose a node of a type that has one",
                root.0
            )));
        }
        Ok(Layout::new(&self, root)?.neighbourhood(root))
    }

    /// Cached sources first, then added ones, by relation.
    pub(super) fn sources(&self, key: Key) -> Sources {
        let mut all = Vec::new();
        let added = self.edges.get(&key).map(Vec::as_slice).unwrap_or_default();
        for (relation, &(source, target)) in self.fast.schema.relations.iter().enumerate() {
            if target != key.0 {
                continue;
            }
            let mut sources: Vec<Key> = Vec::new();
            if !key.1 {
                let csr = &self.cache.topology.relations()[relation];
                let row = key.2 as usize;
                let edges = csr.start[row] as usize..csr.start[row + 1] as usize;
                sources.extend(csr.source[edges].iter().map(|&it| (source, false, it)));
            }
            sources.extend(added.iter().filter(|it| it.0 == relation).map(|it| it.1));
            if !sources.is_empty() {
                all.push((relation, sources));
            }
        }
        all
    }
}
