//! A layer's edges and jobs as index lists on the device: made once a graph and layer.
//!
//! All relations that end at a computed type become one list of edges, by target: rows of the
//! layer's output on one side, rows of one table of keys and values (relation after relation) on
//! the other. One launch then does what would take one for each relation.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::jobs::{Jobs, Sums, Targets, key_value_sums, key_values, key_values_back, project};
use super::memory::Memory;
use super::segments::{SEGMENT_EDGES, SEGMENT_ROWS, Segments, narrow};
use crate::kernels::Layer;

/// In a list of rows: there is none.
const NONE: u32 = u32::MAX;

/// Everything a layer's kernels look up.
pub(super) struct LayerIndices<R: CubeRuntime> {
    device: R::Device,
    /// Edges of all relations that end at a computed type.
    pub edges: usize,
    /// Rows of the table of keys and values.
    pub table_rows: usize,
    /// By edge: row of the output.
    pub target: CubeTensor<R>,
    /// By edge: row of the table.
    pub source: CubeTensor<R>,
    /// Edges by row of the output.
    pub by_target: Segments<R>,
    /// By entry of the transpose: edge.
    pub back_edge: CubeTensor<R>,
    /// By entry of the transpose: row of the output.
    pub back_target: CubeTensor<R>,
    /// Entries of the transpose by row of the table.
    pub by_source: Segments<R>,
    /// By row of the output: type, and row of the input.
    pub kind: CubeTensor<R>,
    pub own: CubeTensor<R>,
    /// By row of the input: row of the output.
    pub out_row: CubeTensor<R>,
    /// Rows of the output by type.
    pub by_kind: Segments<R>,
    /// Columns by type.
    pub columns: Segments<R>,
    pub query: Jobs<R>,
    pub key_value: Jobs<R>,
    pub out: Jobs<R>,
    pub query_back: Jobs<R>,
    /// By turn: relations of one turn have different source types.
    pub key_value_back: Vec<Jobs<R>>,
    pub query_sums: Sums<R>,
    pub key_value_sums: Sums<R>,
    pub out_sums: Sums<R>,
    /// From features to states; first layer only.
    pub project: Jobs<R>,
    pub project_sums: Sums<R>,
}

/// Edges of all computed relations in one list.
#[derive(Default)]
struct AllEdges {
    start: Vec<u32>,
    target: Vec<u32>,
    source: Vec<u32>,
}

/// First row of every computed relation's keys and values, and the number of rows.
fn table(layer: &Layer) -> (Vec<Option<usize>>, usize) {
    let mut rows = 0;
    let sides = layer.plan.sides.iter().zip(&layer.schema.relations);
    let first = sides
        .map(|(side, &(source, _))| {
            side.map(|_| {
                rows += layer.topology.counts()[source];
                rows - layer.topology.counts()[source]
            })
        })
        .collect();
    (first, rows)
}

fn all_edges(layer: &Layer, table: &[Option<usize>]) -> AllEdges {
    let mut all = AllEdges { start: vec![0], ..AllEdges::default() };
    for (kind, &count) in layer.topology.counts().iter().enumerate() {
        let Some(offset) = layer.plan.outputs[kind] else { continue };
        for row in 0..count {
            for &relation in &layer.plan.incoming[kind] {
                let csr = &layer.topology.relations()[relation];
                let first = table[relation].unwrap_or_default();
                let edges = csr.start[row] as usize..csr.start[row + 1] as usize;
                let sources = csr.source[edges].iter();
                all.source.extend(sources.map(|it| narrow(first + *it as usize)));
            }
            all.target.resize(all.source.len(), narrow(offset + row));
            all.start.push(narrow(all.source.len()));
        }
    }
    all
}

/// (first entry of every source row and the end of the last, edge by entry, target by entry).
fn transposed(edges: &AllEdges, rows: usize) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let mut start = vec![0_u32; rows + 1];
    for &source in &edges.source {
        start[source as usize + 1] += 1;
    }
    for at in 0..rows {
        start[at + 1] += start[at];
    }
    let mut next = start.clone();
    let mut edge = vec![0; edges.source.len()];
    let mut target = vec![0; edges.source.len()];
    for (at, &source) in edges.source.iter().enumerate() {
        let to = &mut next[source as usize];
        edge[*to as usize] = at as u32;
        target[*to as usize] = edges.target[at];
        *to += 1;
    }
    (start, edge, target)
}

impl<R: CubeRuntime> LayerIndices<R> {
    pub fn new(memory: &Memory<R>, layer: &Layer) -> Self {
        let (schema, plan, counts) = (&layer.schema, &layer.plan, layer.topology.counts());
        let (hidden, types) = (schema.hidden, schema.widths.len());
        let (first, table_rows) = table(layer);
        let edges = all_edges(layer, &first);
        let (back_start, back_edge, back_target) = transposed(&edges, table_rows);
        let mut kind_of = Vec::with_capacity(plan.output_rows);
        let mut own = Vec::with_capacity(plan.output_rows);
        let mut out_row = vec![NONE; plan.input_rows];
        let mut kind_start = vec![0];
        for kind in 0..types {
            if let Some(offset) = plan.outputs[kind] {
                let input = plan.inputs[kind].unwrap_or_default();
                for row in 0..counts[kind] {
                    kind_of.push(narrow(kind));
                    own.push(narrow(input + row));
                    out_row[input + row] = narrow(offset + row);
                }
            }
            kind_start.push(narrow(kind_of.len()));
        }
        let columns: Vec<u32> = (0..=types).map(|it| narrow(it * hidden)).collect();
        let targets = Targets { layer, hidden };
        let (project, project_sums) = project(memory, layer);
        Self {
            device: memory.device().clone(),
            edges: edges.source.len(),
            table_rows,
            by_target: Segments::new(memory, &edges.start, SEGMENT_EDGES),
            by_source: Segments::new(memory, &back_start, SEGMENT_EDGES),
            target: memory.indices(edges.target),
            source: memory.indices(edges.source),
            back_edge: memory.indices(back_edge),
            back_target: memory.indices(back_target),
            kind: memory.indices(kind_of),
            own: memory.indices(own),
            out_row: memory.indices(out_row),
            by_kind: Segments::new(memory, &kind_start, SEGMENT_ROWS),
            columns: Segments::new(memory, &columns, hidden),
            query: targets.jobs(|input, out| (input, out)).upload(memory),
            out: targets.jobs(|_, out| (out, out)).upload(memory),
            query_back: targets.jobs(|input, out| (out, input)).upload(memory),
            key_value: key_values(layer, &first).upload(memory),
            key_value_back: key_values_back(memory, layer, &first),
            query_sums: targets.sums(memory, |input, _| input),
            out_sums: targets.sums(memory, |_, out| out),
            key_value_sums: key_value_sums(memory, layer, &first),
            project,
            project_sums,
        }
    }

    /// Whether they are on this device.
    pub fn on(&self, device: &R::Device) -> bool {
        self.device == *device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transpose_lists_every_edge_once_by_source_in_order() {
        let edges = AllEdges { start: vec![0, 2, 3], target: vec![0, 0, 1], source: vec![3, 1, 1] };
        assert_eq!(transposed(&edges, 4), (vec![0, 0, 2, 2, 3], vec![1, 2, 0], vec![0, 1, 0]));
    }
}
