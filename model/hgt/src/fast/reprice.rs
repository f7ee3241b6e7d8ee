//! One call: from changed features to outputs, touching only what changed.
//!
//! Features to first states, layer by layer (see [`Step`]), last states to outputs.

use super::Fast;
use super::neighbourhood::{Neighbourhood, Table};
use super::step::{Edges, Step};
use crate::kernels::gemm::{Matrix, MatrixMut, Shape, Start, product};

/// Working memory of [`Fast::reprice`], shared by all neighbourhoods of a thread. Grows to what the
/// largest needs and is not freed in between.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Targets of a type that are computed again, by their place.
    pub(super) picked: Vec<u32>,
    /// Of the picked targets: rows x hidden.
    pub(super) query: Vec<f32>,
    pub(super) message: Vec<f32>,
    /// Rows x heads x hidden.
    pub(super) wide: Vec<f32>,
    /// Rows x heads.
    pub(super) constant: Vec<f32>,
    /// Greatest score, then one over the sum of a softmax: rows x heads.
    pub(super) extreme: Vec<f32>,
    pub(super) inverse: Vec<f32>,
    /// Features or states, and products of them, rows gathered.
    pub(super) gathered: Vec<f32>,
    pub(super) made: Vec<f32>,
    pub(super) rows: Vec<u32>,
    pub(super) edges: Vec<Edges>,
}

/// Makes it `length` long; what it holds is arbitrary.
pub(super) fn sized(values: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if values.len() < length {
        values.resize(length, 0.0);
    }
    &mut values[..length]
}

impl Fast {
    /// The root's outputs, those of its type one after the other in the configuration's order.
    ///
    /// Computes what depends on features set since the last call; the first call computes
    /// everything. The neighbourhood has to be one built with this model. Allocates nothing once
    /// `scratch` has served one as large.
    ///
    /// # Panics
    /// Where the neighbourhood was built with another model.
    pub fn reprice<'a>(&self, scratch: &mut Scratch, of: &'a mut Neighbourhood) -> &'a [f32] {
        assert!(of.id == self.id, "a neighbourhood is priced by the model it is built with");
        if !of.changed && !of.fresh {
            return &of.outputs;
        }
        self.project(scratch, of);
        for (layer, folded) in self.layers.iter().enumerate() {
            let (before, after) = of.tables.split_at_mut(layer + 1);
            for kind in &mut of.layers[layer].kinds {
                let step = Step { fast: self, folded, table: &before[layer], scratch };
                step.run(kind, &mut after[0], of.fresh);
            }
        }
        self.read(of);
        for table in &mut of.tables {
            table.changed.fill(false);
        }
        (of.changed, of.fresh) = (false, false);
        &of.outputs
    }

    /// First states of nodes whose features changed.
    fn project(&self, scratch: &mut Scratch, of: &mut Neighbourhood) {
        let hidden = self.schema.hidden;
        let Table { states, changed } = &mut of.tables[0];
        for inputs in &of.inputs {
            let width = self.schema.widths[inputs.kind];
            let at_weight: usize = self.schema.widths[..inputs.kind].iter().sum();
            scratch.gathered.clear();
            scratch.rows.clear();
            for slot in inputs.slots.clone().filter(|slot| changed[*slot]) {
                let row = (slot - inputs.slots.start) * width;
                scratch.gathered.extend_from_slice(&inputs.features[row..row + width]);
                scratch.rows.push(slot as u32);
            }
            let rows = scratch.rows.len();
            let made = sized(&mut scratch.made, rows * hidden);
            product(
                self.arch,
                Shape { rows, depth: width, columns: hidden },
                Matrix { values: &scratch.gathered, stride: width },
                Matrix { values: &self.project_weight[at_weight * hidden..], stride: hidden },
                Start::Bias(&self.project_bias[inputs.kind * hidden..][..hidden]),
                MatrixMut { values: made, stride: hidden },
            );
            for (slot, made) in scratch.rows.iter().zip(made.chunks_exact(hidden)) {
                let state = &mut states[*slot as usize * hidden..][..hidden];
                for (state, made) in state.iter_mut().zip(made) {
                    *state = made.max(0.0);
                }
            }
        }
    }

    /// Outputs from the root's last state.
    fn read(&self, of: &mut Neighbourhood) {
        let hidden = self.schema.hidden;
        let last = of.layers.last().and_then(|it| it.kinds.first());
        let Some(&slot) = last.and_then(|it| it.targets.first()) else { return };
        let state = &of.tables[self.schema.layers].states[slot as usize * hidden..][..hidden];
        let mut rest = &mut of.outputs[..];
        for (&(kind, width), (weight, bias)) in self.schema.outputs.iter().zip(&self.outputs) {
            if kind != of.root_kind {
                continue;
            }
            let (own, tail) = std::mem::take(&mut rest).split_at_mut(width);
            rest = tail;
            own.copy_from_slice(bias);
            for (state, weight) in state.iter().zip(weight.chunks_exact(width)) {
                for (own, weight) in own.iter_mut().zip(weight) {
                    *own += *state * *weight;
                }
            }
        }
    }
}
