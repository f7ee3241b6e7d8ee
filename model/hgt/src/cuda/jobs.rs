//! What products of matrices a layer takes: jobs of some rows each, for all types or relations in
//! one launch.

use std::ops::Range;

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;

use super::kernels::product::{JOB, TILE};
use super::memory::Memory;
use super::segments::{SEGMENT_ROWS, Segments, narrow};
use crate::kernels::Layer;
use crate::kernels::project::packing;

/// Rows of a job that sums a matrix's gradient.
const JOB_ROWS: usize = 1024;

/// Jobs of products; see `kernels::product`.
pub(super) struct Jobs<R: CubeRuntime> {
    pub list: CubeTensor<R>,
    pub count: usize,
}

/// Jobs that sum gradients of matrices, and which of them make up which matrix.
pub(super) struct Sums<R: CubeRuntime> {
    pub jobs: Jobs<R>,
    /// Jobs by matrix.
    pub segments: Segments<R>,
    /// Numbers that a job leaves.
    pub length: usize,
}

/// A list of jobs that grows.
#[derive(Default)]
pub(super) struct JobList(Vec<u32>);

impl JobList {
    /// A job for every `step` of `rows` rows; `job` has a's first number and stride, b's, the
    /// bias's and c's first number, rows and depth.
    fn add(&mut self, rows: usize, step: usize, job: impl Fn(Range<usize>) -> [usize; JOB - 1]) {
        for first in (0..rows).step_by(step) {
            self.0.extend(job(first..rows.min(first + step)).map(narrow));
            self.0.push(0);
        }
    }

    pub fn upload<R: CubeRuntime>(self, memory: &Memory<R>) -> Jobs<R> {
        Jobs { count: self.0.len() / JOB, list: memory.indices(self.0) }
    }
}

/// A matrix's gradient: rows that are read on the left and on the right.
struct Pair {
    left: usize,
    left_stride: usize,
    right: usize,
    rows: usize,
    /// Rows of the matrix.
    height: usize,
}

/// `height` is the greatest of all matrices', those that are not read included.
fn sums<R: CubeRuntime>(
    memory: &Memory<R>,
    pairs: &[Option<Pair>],
    height: usize,
    columns: usize,
) -> Sums<R> {
    let length = (height + 1) * columns;
    let mut jobs = JobList::default();
    let mut starts = vec![0];
    for pair in pairs {
        if let Some(pair) = pair {
            for first in (0..pair.rows).step_by(JOB_ROWS) {
                let rows = JOB_ROWS.min(pair.rows - first);
                let to = jobs.0.len() / JOB * length;
                jobs.add(rows, rows, |_| {
                    let left = pair.left + first * pair.left_stride;
                    let right = pair.right + first * columns;
                    [left, pair.left_stride, right, 0, to, pair.height, rows]
                });
            }
        }
        starts.push(narrow(jobs.0.len() / JOB));
    }
    Sums {
        jobs: jobs.upload(memory),
        segments: Segments::new(memory, &starts, SEGMENT_ROWS),
        length,
    }
}

/// Jobs by computed type.
pub(super) struct Targets<'a> {
    pub layer: &'a Layer,
    pub hidden: usize,
}

impl Targets<'_> {
    /// (type, first row of the input, first row of the output).
    fn each(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let plan = &self.layer.plan;
        let outputs = plan.outputs.iter().zip(&plan.inputs).enumerate();
        outputs.filter_map(|(kind, (output, input))| {
            output.map(|output| (kind, input.unwrap_or_default(), output))
        })
    }

    /// Products of hidden x hidden; `ends` says which rows are read and written.
    pub fn jobs(&self, ends: impl Fn(usize, usize) -> (usize, usize)) -> JobList {
        let hidden = self.hidden;
        let mut jobs = JobList::default();
        for (kind, input, output) in self.each() {
            let (from, to) = ends(input, output);
            let matrix = kind * (hidden + 1) * hidden;
            jobs.add(self.layer.topology.counts()[kind], TILE, |rows| {
                [
                    (from + rows.start) * hidden,
                    hidden,
                    matrix,
                    matrix + hidden * hidden,
                    (to + rows.start) * hidden,
                    rows.len(),
                    hidden,
                ]
            });
        }
        jobs
    }

    /// Sums over rows of the output; `left` says which rows are read on the left.
    pub fn sums<R: CubeRuntime>(
        &self,
        memory: &Memory<R>,
        left: impl Fn(usize, usize) -> usize,
    ) -> Sums<R> {
        let hidden = self.hidden;
        let mut pairs: Vec<Option<Pair>> = Vec::new();
        pairs.resize_with(self.layer.schema.widths.len(), || None);
        for (kind, input, output) in self.each() {
            pairs[kind] = Some(Pair {
                left: left(input, output) * hidden,
                left_stride: hidden,
                right: output * hidden,
                rows: self.layer.topology.counts()[kind],
                height: hidden,
            });
        }
        sums(memory, &pairs, hidden, hidden)
    }
}

/// (first row of the source type's states, its rows) of a relation.
fn sources(layer: &Layer, relation: usize) -> (usize, usize) {
    let (source, _) = layer.schema.relations[relation];
    (layer.plan.inputs[source].unwrap_or_default(), layer.topology.counts()[source])
}

pub(super) fn key_values(layer: &Layer, table: &[Option<usize>]) -> JobList {
    let hidden = layer.schema.hidden;
    let mut jobs = JobList::default();
    for (relation, first) in table.iter().enumerate() {
        let Some(first) = first else { continue };
        let (input, count) = sources(layer, relation);
        let matrix = relation * (hidden + 1) * 2 * hidden;
        jobs.add(count, TILE, |rows| {
            [
                (input + rows.start) * hidden,
                hidden,
                matrix,
                matrix + hidden * 2 * hidden,
                (first + rows.start) * 2 * hidden,
                rows.len(),
                hidden,
            ]
        });
    }
    jobs
}

/// Relations of one source type add to the same rows: one after the other.
pub(super) fn key_values_back<R: CubeRuntime>(
    memory: &Memory<R>,
    layer: &Layer,
    table: &[Option<usize>],
) -> Vec<Jobs<R>> {
    let hidden = layer.schema.hidden;
    let turns = layer.plan.outgoing.iter().map(Vec::len).max().unwrap_or_default();
    let turn = |turn: usize| {
        let mut jobs = JobList::default();
        for &relation in layer.plan.outgoing.iter().filter_map(|it| it.get(turn)) {
            let first = table[relation].unwrap_or_default();
            let (input, count) = sources(layer, relation);
            jobs.add(count, TILE, |rows| {
                [
                    (first + rows.start) * 2 * hidden,
                    2 * hidden,
                    relation * (hidden + 1) * 2 * hidden,
                    0,
                    (input + rows.start) * hidden,
                    rows.len(),
                    2 * hidden,
                ]
            });
        }
        jobs.upload(memory)
    };
    (0..turns).map(turn).collect()
}

pub(super) fn key_value_sums<R: CubeRuntime>(
    memory: &Memory<R>,
    layer: &Layer,
    table: &[Option<usize>],
) -> Sums<R> {
    let hidden = layer.schema.hidden;
    let pair = |(relation, first): (usize, &Option<usize>)| {
        let (input, rows) = sources(layer, relation);
        first.map(|first| Pair {
            left: input * hidden,
            left_stride: hidden,
            right: first * 2 * hidden,
            rows,
            height: hidden,
        })
    };
    let pairs: Vec<Option<Pair>> = table.iter().enumerate().map(pair).collect();
    sums(memory, &pairs, hidden, 2 * hidden)
}

/// Features to states, and the sums of its gradient. Weights come with all biases after them.
pub(super) fn project<R: CubeRuntime>(memory: &Memory<R>, layer: &Layer) -> (Jobs<R>, Sums<R>) {
    let (schema, hidden) = (&layer.schema, layer.schema.hidden);
    let counts = layer.topology.counts();
    let (features, weights) = packing(schema, counts);
    let all: usize = schema.widths.iter().sum();
    let mut jobs = JobList::default();
    let mut pairs: Vec<Option<Pair>> = Vec::new();
    for (kind, &width) in schema.widths.iter().enumerate() {
        let Some(input) = layer.plan.inputs[kind] else {
            pairs.push(None);
            continue;
        };
        jobs.add(counts[kind], TILE, |rows| {
            [
                features[kind] + rows.start * width,
                width,
                weights[kind] * hidden,
                (all + kind) * hidden,
                (input + rows.start) * hidden,
                rows.len(),
                width,
            ]
        });
        pairs.push(Some(Pair {
            left: features[kind],
            left_stride: width,
            right: input * hidden,
            rows: counts[kind],
            height: width,
        }));
    }
    let height = schema.widths.iter().copied().max().unwrap_or_default();
    (jobs.upload(memory), sums(memory, &pairs, height, hidden))
}
