//! Who is connected to whom: edges of every relation sorted by target, and the way back.
//!
//! Sorted edges make attention a walk over consecutive memory without atomics, and the transpose
//! does the same for gradients. Both orders are a function of the edges alone, so sums always come
//! in the same order and results do not depend on the number of threads.

use crate::config::Schema;
use crate::{Config, Error, Result};

/// Most nodes of a type and most edges of a relation: indices are 32 bits wide.
pub const ROWS_MAX: usize = 1 << 30;

/// Edges of one relation, as (source row, target row) in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Row of the source among nodes of the relation's source type.
    pub sources: Vec<u32>,
    /// Row of the target among nodes of the relation's target type.
    pub targets: Vec<u32>,
}

/// One relation's edges, sorted by target (stable), with their transpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    /// First edge of every target row, and the number of edges: length targets + 1.
    pub start: Vec<u32>,
    /// Source row by edge.
    pub source: Vec<u32>,
    /// First entry of every source row in `back_edge` and `back_target`: length sources + 1.
    pub back_start: Vec<u32>,
    /// Edge by entry, sorted by source.
    pub back_edge: Vec<u32>,
    /// Target row by entry.
    pub back_target: Vec<u32>,
}

/// Node counts and edges of a whole graph; no features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    counts: Vec<usize>,
    relations: Vec<Csr>,
}

impl Csr {
    fn new(edges: &Edges, sources: usize, targets: usize) -> Self {
        let (start, order) = sorted_by(&edges.targets, targets);
        let source: Vec<u32> = order.iter().map(|&e| edges.sources[e as usize]).collect();
        let target: Vec<u32> = order.iter().map(|&e| edges.targets[e as usize]).collect();
        let (back_start, back_edge) = sorted_by(&source, sources);
        let back_target = back_edge.iter().map(|&e| target[e as usize]).collect();
        Self { start, source, back_start, back_edge, back_target }
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        self.source.len()
    }
}

/// Counting sort: (start of every key, positions in order of key).
fn sorted_by(keys: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut start = vec![0_u32; count + 1];
    for &key in keys {
        start[key as usize + 1] += 1;
    }
    for at in 0..count {
        start[at + 1] += start[at];
    }
    let mut next = start.clone();
    let mut order = vec![0_u32; keys.len()];
    for (at, &key) in keys.iter().enumerate() {
        order[next[key as usize] as usize] = at as u32;
        next[key as usize] += 1;
    }
    (start, order)
}

impl Topology {
    /// Sorts and checks.
    ///
    /// `counts` are nodes by type, `edges` are edges by relation, both in the configuration's order.
    ///
    /// # Errors
    /// [`Error::Config`] for an unusable configuration, [`Error::Graph`] for the wrong number of
    /// types or relations, lists of different lengths, or an edge to a node that is not there.
    pub fn new(config: &Config, counts: &[usize], edges: &[Edges]) -> Result<Self> {
        let schema = config.schema()?;
        if counts.len() != schema.widths.len() || edges.len() != schema.relations.len() {
            return Err(Error::Graph(format!(
                "it counts nodes of {} types and edges of {} relations, the configuration has {} \
                 and {}: give one entry for each, in the configuration's order",
                counts.len(),
                edges.len(),
                schema.widths.len(),
                schema.relations.len()
            )));
        }
        if let Some(at) = counts.iter().position(|&it| it > ROWS_MAX) {
            let name = &config.node_types[at].name;
            return Err(Error::Graph(format!("more than {ROWS_MAX} nodes of '{name}': split it")));
        }
        let mut relations = Vec::with_capacity(edges.len());
        for (at, it) in edges.iter().enumerate() {
            let (source, target) = schema.relations[at];
            check(config, at, it, counts[source], counts[target])?;
            relations.push(Csr::new(it, counts[source], counts[target]));
        }
        Ok(Self { counts: counts.to_vec(), relations })
    }

    /// Nodes by type.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Edges by relation.
    pub fn relations(&self) -> &[Csr] {
        &self.relations
    }

    /// Whether it was made for this configuration's types and relations.
    pub(crate) fn fits(&self, schema: &Schema) -> bool {
        self.counts.len() == schema.widths.len()
            && self.relations.len() == schema.relations.len()
            && self.relations.iter().zip(&schema.relations).all(|(csr, &(source, target))| {
                csr.start.len() == self.counts[target] + 1
                    && csr.back_start.len() == self.counts[source] + 1
            })
    }
}

fn check(config: &Config, at: usize, edges: &Edges, sources: usize, targets: usize) -> Result<()> {
    let it = &config.relations[at];
    let name = format!("relation '{} {} {}'", it.source, it.name, it.target);
    if edges.sources.len() != edges.targets.len() || edges.sources.len() > ROWS_MAX {
        return Err(Error::Graph(format!(
            "{name} has {} sources and {} targets: give one of each an edge, at most {ROWS_MAX}",
            edges.sources.len(),
            edges.targets.len()
        )));
    }
    for (rows, count, kind) in
        [(&edges.sources, sources, &it.source), (&edges.targets, targets, &it.target)]
    {
        if let Some(edge) = rows.iter().position(|&row| row as usize >= count) {
            return Err(Error::Graph(format!(
                "edge {edge} of {name} names row {} of '{kind}', which has {count} nodes: rows \
                 count from 0",
                rows[edge]
            )));
        }
    }
    Ok(())
}
