//! What has to be computed, and on which side: decided once a graph.
//!
//! A layer computes only the types that something read out depends on. A relation's matrices are
//! applied to its sources or, where that is less work, to its targets: `q . (W x) = (W^T q) . x`
//! and `sum a (W x) = W (sum a x)`, so 120,000 sources of 40 targets cost 40 products, not 120,000.

use std::ops::Range;

use crate::config::Schema;
use crate::topology::{Csr, Topology};

/// Where a relation's key and value matrices are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// On the state of every source.
    Source,
    /// On the query, and on the weighted sum of states, of every target.
    Target,
}

/// A piece of work: rows of one type, few enough to be balanced over threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// Node type.
    pub kind: usize,
    /// Its rows.
    pub rows: Range<usize>,
}

/// One layer's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerPlan {
    /// First row of every type in the layer's input, types it does not read left out.
    pub inputs: Vec<Option<usize>>,
    /// Rows of the layer's input.
    pub input_rows: usize,
    /// First row of every type in the layer's output, types nobody needs left out.
    pub outputs: Vec<Option<usize>>,
    /// Rows of the layer's output.
    pub output_rows: usize,
    /// Side of every relation that ends at a computed type.
    pub sides: Vec<Option<Side>>,
    /// Relations by target type, computed types only.
    pub incoming: Vec<Vec<usize>>,
    /// Relations by source type that end at a computed type.
    pub outgoing: Vec<Vec<usize>>,
    /// Work by target.
    pub target_tasks: Vec<Task>,
    /// Work by source.
    pub source_tasks: Vec<Task>,
    /// The same for another device.
    #[cfg(feature = "kernels-on-a-device")]
    pub kept: crate::kept::Kept,
}

/// Rows of a task: small enough for balance, large enough to amortise a partial gradient.
const TASK_ROWS_MAX: usize = 1536;
/// Edges of a task, unless one row alone has more.
const TASK_EDGES_MAX: usize = 8192;

/// Plans by layer, first to last.
pub(crate) fn plans(schema: &Schema, topology: &Topology) -> Vec<LayerPlan> {
    let types = schema.widths.len();
    let mut needed = vec![false; types];
    for &(kind, _) in &schema.outputs {
        needed[kind] = true;
    }
    let mut plans = Vec::with_capacity(schema.layers);
    for _ in 0..schema.layers {
        let mut read = needed.clone();
        for &(source, target) in &schema.relations {
            read[source] |= needed[target];
        }
        plans.push(LayerPlan::new(schema, topology, &read, &needed));
        needed = read;
    }
    plans.reverse();
    plans
}

/// The plan of a layer that computes every row of every type.
pub(crate) fn whole(schema: &Schema, topology: &Topology) -> LayerPlan {
    let all = vec![true; schema.widths.len()];
    LayerPlan::new(schema, topology, &all, &all)
}

impl LayerPlan {
    fn new(schema: &Schema, topology: &Topology, read: &[bool], needed: &[bool]) -> Self {
        let counts = topology.counts();
        let (inputs, input_rows) = offsets(counts, read);
        let (outputs, output_rows) = offsets(counts, needed);
        let mut incoming = vec![Vec::new(); counts.len()];
        let mut outgoing = vec![Vec::new(); counts.len()];
        let mut sides = vec![None; schema.relations.len()];
        for (at, &(source, target)) in schema.relations.iter().enumerate() {
            if needed[target] {
                incoming[target].push(at);
                outgoing[source].push(at);
                let edges = topology.relations()[at].edges();
                sides[at] = Some(side(schema, counts[source], counts[target], edges));
            }
        }
        let csrs = topology.relations();
        let starts = |at: &usize| -> &[u32] { &csrs[*at].start };
        let target_tasks = tasks(counts, needed, &incoming, starts);
        let backs = |at: &usize| -> &[u32] { &csrs[*at].back_start };
        let source_tasks = tasks(counts, read, &outgoing, backs);
        Self {
            inputs,
            input_rows,
            outputs,
            output_rows,
            sides,
            incoming,
            outgoing,
            target_tasks,
            source_tasks,
            #[cfg(feature = "kernels-on-a-device")]
            kept: crate::kept::Kept::default(),
        }
    }
}

fn offsets(counts: &[usize], wanted: &[bool]) -> (Vec<Option<usize>>, usize) {
    let mut rows = 0;
    let offsets = counts
        .iter()
        .zip(wanted)
        .map(|(&count, &wanted)| {
            wanted.then(|| {
                rows += count;
                rows - count
            })
        })
        .collect();
    (offsets, rows)
}

/// The cheaper side by multiplications: a product of matrices a row, dot products an edge.
fn side(schema: &Schema, sources: usize, targets: usize, edges: usize) -> Side {
    let matrix = 2 * schema.hidden * schema.hidden;
    let vectors = 2 * schema.hidden;
    let at_source = sources * matrix + edges * vectors;
    let at_target = targets * matrix + edges * vectors * schema.heads;
    if at_target < at_source { Side::Target } else { Side::Source }
}

fn tasks<'a>(
    counts: &[usize],
    wanted: &[bool],
    relations: &[Vec<usize>],
    start: impl Fn(&usize) -> &'a [u32],
) -> Vec<Task> {
    let mut tasks = Vec::new();
    for kind in (0..counts.len()).filter(|&it| wanted[it]) {
        let starts: Vec<&[u32]> = relations[kind].iter().map(&start).collect();
        let edges = |row: usize| starts.iter().map(|it| it[row] as usize).sum::<usize>();
        let mut first = 0;
        for row in 0..counts[kind] {
            let full = row - first >= TASK_ROWS_MAX
                || (row > first && edges(row + 1) - edges(first) > TASK_EDGES_MAX);
            if full {
                tasks.push(Task { kind, rows: first..row });
                first = row;
            }
        }
        if first < counts[kind] {
            tasks.push(Task { kind, rows: first..counts[kind] });
        }
    }
    tasks
}

/// Cuts `values` into the tasks' own pieces. The tasks cover every row once, in order; `offset` is
/// the length before a row.
pub(crate) fn cut<'a, T>(
    tasks: &[Task],
    mut values: &'a mut [T],
    length: impl Fn(&Task) -> usize,
) -> Vec<&'a mut [T]> {
    let mut pieces = Vec::with_capacity(tasks.len());
    for task in tasks {
        let (head, tail) = values.split_at_mut(length(task));
        pieces.push(head);
        values = tail;
    }
    debug_assert!(values.is_empty(), "the tasks cover everything");
    pieces
}

/// Edges of a row range.
pub(crate) fn edge_range(csr: &Csr, rows: &Range<usize>) -> Range<usize> {
    csr.start[rows.start] as usize..csr.start[rows.end] as usize
}
