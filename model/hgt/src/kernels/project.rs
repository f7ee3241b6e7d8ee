//! Inputs to states: `relu(x W + b)` by node type, into one table.

use pulp::Arch;
use rayon::prelude::*;

use super::BLOCK_ROWS;
use super::gemm::{Matrix, MatrixMut, Shape, Start, add_rows, gradient, product};
use crate::config::Schema;
use crate::plan::{LayerPlan, Task, cut};
use crate::topology::Topology;

/// Rows of a task.
const TASK_ROWS: usize = 4096;

fn tasks(plan: &LayerPlan, topology: &Topology) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (kind, &count) in topology.counts().iter().enumerate() {
        if plan.inputs[kind].is_some() {
            for first in (0..count).step_by(TASK_ROWS) {
                tasks.push(Task { kind, rows: first..count.min(first + TASK_ROWS) });
            }
        }
    }
    tasks
}

/// First feature of every type in the packed features, and first row in the packed weights.
pub(crate) fn packing(schema: &Schema, counts: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (mut features, mut weights) = (Vec::new(), Vec::new());
    let (mut feature, mut weight) = (0, 0);
    for (width, count) in schema.widths.iter().zip(counts) {
        features.push(feature);
        weights.push(weight);
        feature += width * count;
        weight += width;
    }
    (features, weights)
}

/// States of all nodes the first layer reads: input rows x hidden.
///
/// `features` are packed by type; `weight` is (all widths) x hidden; `bias` types x hidden.
pub(crate) fn forward(
    schema: &Schema,
    topology: &Topology,
    plan: &LayerPlan,
    features: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let arch = Arch::new();
    let hidden = schema.hidden;
    let (at_feature, at_weight) = packing(schema, topology.counts());
    let tasks = tasks(plan, topology);
    let mut states = vec![0.0; plan.input_rows * hidden];
    let pieces = cut(&tasks, &mut states, |task| task.rows.len() * hidden);
    tasks.par_iter().zip(pieces).for_each(|(task, out)| {
        let width = schema.widths[task.kind];
        let rows = task.rows.len();
        product(
            arch,
            Shape { rows, depth: width, columns: hidden },
            Matrix {
                values: &features[at_feature[task.kind] + task.rows.start * width..],
                stride: width,
            },
            Matrix { values: &weight[at_weight[task.kind] * hidden..], stride: hidden },
            Start::Bias(&bias[task.kind * hidden..][..hidden]),
            MatrixMut { values: &mut *out, stride: hidden },
        );
        for value in out {
            *value = value.max(0.0);
        }
    });
    states
}

/// Gradients of weight and bias, from the states and their gradient.
pub(crate) fn backward(
    schema: &Schema,
    topology: &Topology,
    plan: &LayerPlan,
    features: &[f32],
    states: &[f32],
    states_gradient: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let arch = Arch::new();
    let hidden = schema.hidden;
    let (at_feature, at_weight) = packing(schema, topology.counts());
    let tasks = tasks(plan, topology);
    let partial = |task: &Task| {
        let width = schema.widths[task.kind];
        let mut sums = vec![0.0; (width + 1) * hidden];
        let offset = plan.inputs[task.kind].unwrap_or_default();
        let mut masked = vec![0.0; BLOCK_ROWS * hidden];
        for first in task.rows.clone().step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(task.rows.end - first);
            let at = (offset + first) * hidden;
            let masked = &mut masked[..rows * hidden];
            let both = states[at..].iter().zip(&states_gradient[at..]);
            for (masked, (state, gradient)) in masked.iter_mut().zip(both) {
                *masked = if *state > 0.0 { *gradient } else { 0.0 };
            }
            let (matrix, bias) = sums.split_at_mut(width * hidden);
            gradient(
                arch,
                Shape { rows: width, depth: rows, columns: hidden },
                Matrix {
                    values: &features[at_feature[task.kind] + first * width..],
                    stride: width,
                },
                Matrix { values: masked, stride: hidden },
                MatrixMut { values: matrix, stride: hidden },
            );
            add_rows(masked, bias);
        }
        sums
    };
    let partials: Vec<Vec<f32>> = tasks.par_iter().map(partial).collect();
    let mut weight = vec![0.0; schema.widths.iter().sum::<usize>() * hidden];
    let mut bias = vec![0.0; schema.widths.len() * hidden];
    for (task, sums) in tasks.iter().zip(&partials) {
        let length = schema.widths[task.kind] * hidden;
        add_rows(&sums[..length], &mut weight[at_weight[task.kind] * hidden..][..length]);
        add_rows(&sums[length..], &mut bias[task.kind * hidden..][..hidden]);
    }
    (weight, bias)
}
