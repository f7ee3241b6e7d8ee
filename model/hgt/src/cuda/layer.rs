//! A layer and its gradient as a sequence of kernels.
//!
//! The same formulas as `kernels::forward` and `kernels::backward` on the CPU. Matrices are always
//! applied at the source: what saves arithmetic there costs more launches here.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Tensor, TensorMetadata, TensorPrimitive};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime};

use super::indices::LayerIndices;
use super::kernels::pointwise;
use super::kernels::product::{Factors, Finish, TILE};
use super::memory::Memory;
use super::run::{Columns, Run};
use crate::kernels::Layer;
use crate::operation::{HgtBackend, HgtKernels, LayerTensors, Work};

/// What a layer keeps for its gradient on a device.
#[derive(Clone, Debug)]
pub struct SavedOnDevice<R: CubeRuntime> {
    /// Output rows x hidden.
    query: CubeTensor<R>,
    /// Relations' sources x 2 hidden.
    key_value: CubeTensor<R>,
    /// Edges x heads.
    attention: CubeTensor<R>,
    /// Output rows x hidden, before GELU.
    message: CubeTensor<R>,
}

fn indices<R: CubeRuntime>(layer: &Layer, memory: &Memory<R>) -> Arc<LayerIndices<R>> {
    layer.plan.kept.get_or_make(
        |it: &LayerIndices<R>| it.on(memory.device()),
        || LayerIndices::new(memory, layer),
    )
}

/// Share left out and the two halves of the seed.
fn dropout(layer: &Layer) -> (f32, u32, u32) {
    let it = layer.dropout;
    (it.share, (it.seed >> 32) as u32, it.seed as u32)
}

fn contiguous<R: CubeRuntime>(
    tensors: &LayerTensors<CubeTensor<R>>,
) -> LayerTensors<CubeTensor<R>> {
    let one = |it: &CubeTensor<R>| into_contiguous(it.clone());
    LayerTensors {
        states: one(&tensors.states),
        query: one(&tensors.query),
        key_value: one(&tensors.key_value),
        out: one(&tensors.out),
        gate: one(&tensors.gate),
    }
}

impl<R: CubeRuntime> Run<'_, R> {
    /// New states, and what the gradient needs.
    fn forward(
        &self,
        layer: &Layer,
        tensors: &LayerTensors<CubeTensor<R>>,
    ) -> (CubeTensor<R>, SavedOnDevice<R>) {
        let (memory, at, hidden) = (self.memory, self.at, self.hidden);
        let units = layer.plan.output_rows * hidden;
        let (plain, bias) = (Factors::Plain, Finish::Bias);
        let query = memory.empty(units);
        let by = (&tensors.query, hidden);
        memory.product(&at.query, plain, bias, &tensors.states, by, (&query, hidden), TILE);
        let key_value = memory.empty(at.table_rows * 2 * hidden);
        let by = (&tensors.key_value, 2 * hidden);
        let into = (&key_value, 2 * hidden);
        memory.product(&at.key_value, plain, bias, &tensors.states, by, into, TILE);
        let attention = self.dots(&query, &key_value, 0);
        self.softmax(&attention);
        let message = memory.empty(units);
        let values =
            Columns { stride: 2 * hidden, offset: hidden, out_stride: hidden, out_offset: 0 };
        self.gather(false, &attention, &key_value, &message, &values);
        let active = self.gelu(&message, units);
        let states = memory.empty(units);
        let by = (&tensors.out, hidden);
        memory.product(&at.out, plain, bias, &active, by, (&states, hidden), TILE);
        let (count, dim) = memory.units(units);
        let (share, high, low) = dropout(layer);
        pointwise::finish::launch::<R>(
            memory.client(),
            count,
            dim,
            states.clone().into_array_arg(),
            tensors.states.clone().into_array_arg(),
            tensors.gate.clone().into_array_arg(),
            at.kind.clone().into_array_arg(),
            at.own.clone().into_array_arg(),
            units,
            hidden,
            share,
            high,
            low,
            share > 0.0,
        );
        (states, SavedOnDevice { query, key_value, attention, message })
    }

    fn gelu(&self, message: &CubeTensor<R>, units: usize) -> CubeTensor<R> {
        let active = self.memory.empty(units);
        let (count, dim) = self.memory.units(units);
        pointwise::gelu::launch::<R>(
            self.memory.client(),
            count,
            dim,
            message.clone().into_array_arg(),
            active.clone().into_array_arg(),
            units,
        );
        active
    }

    fn backward(
        &self,
        layer: &Layer,
        tensors: &LayerTensors<CubeTensor<R>>,
        saved: &SavedOnDevice<R>,
        gradient: &CubeTensor<R>,
    ) -> LayerTensors<CubeTensor<R>> {
        let (memory, at, hidden) = (self.memory, self.at, self.hidden);
        let (out, gate, message) = self.output_gradient(layer, tensors, saved, gradient);
        let scores = self.dots(&message, &saved.key_value, hidden);
        self.softmax_gradient(&saved.attention, &scores);
        let query = memory.empty(layer.plan.output_rows * hidden);
        let keys = Columns { stride: 2 * hidden, offset: 0, out_stride: hidden, out_offset: 0 };
        self.gather(false, &scores, &saved.key_value, &query, &keys);
        let table = memory.empty(at.table_rows * 2 * hidden);
        let columns =
            |out_offset| Columns { stride: hidden, offset: 0, out_stride: 2 * hidden, out_offset };
        self.gather(true, &scores, &saved.query, &table, &columns(0));
        self.gather(true, &saved.attention, &message, &table, &columns(hidden));
        let states = self.states_gradient(layer, tensors, gradient, &query, &table);
        LayerTensors {
            states,
            query: memory.matrix_gradient(&at.query_sums, &tensors.states, &query, hidden),
            key_value: memory.matrix_gradient(
                &at.key_value_sums,
                &tensors.states,
                &table,
                2 * hidden,
            ),
            out,
            gate,
        }
    }

    /// Gradients of output matrices, gates and messages before GELU.
    fn output_gradient(
        &self,
        layer: &Layer,
        tensors: &LayerTensors<CubeTensor<R>>,
        saved: &SavedOnDevice<R>,
        gradient: &CubeTensor<R>,
    ) -> (CubeTensor<R>, CubeTensor<R>, CubeTensor<R>) {
        let (memory, at, hidden) = (self.memory, self.at, self.hidden);
        let units = layer.plan.output_rows * hidden;
        let (plain, product) = (memory.empty(units), memory.empty(units));
        let (count, dim) = memory.units(units);
        let (share, high, low) = dropout(layer);
        pointwise::finish_gradient::launch::<R>(
            memory.client(),
            count,
            dim,
            gradient.clone().into_array_arg(),
            tensors.states.clone().into_array_arg(),
            at.own.clone().into_array_arg(),
            plain.clone().into_array_arg(),
            product.clone().into_array_arg(),
            units,
            hidden,
            share,
            high,
            low,
            share > 0.0,
        );
        let active = self.gelu(&saved.message, units);
        let out = memory.matrix_gradient(&at.out_sums, &active, &plain, hidden);
        let types = layer.schema.widths.len();
        let own = memory.empty(types * hidden);
        memory.sum(&at.by_kind, &product, &own, hidden);
        let columns = memory.empty(types * hidden);
        let (count, dim) = memory.units(types * hidden);
        pointwise::gate_gradient::launch::<R>(
            memory.client(),
            count,
            dim,
            out.clone().into_array_arg(),
            tensors.out.clone().into_array_arg(),
            own.into_array_arg(),
            tensors.gate.clone().into_array_arg(),
            columns.clone().into_array_arg(),
            types * hidden,
            hidden,
        );
        let gate = memory.empty(types);
        memory.sum(&at.columns, &columns, &gate, 1);
        let message = memory.empty(units);
        let by = (&tensors.out, hidden);
        let (factors, finish) = (Factors::RightTransposed, Finish::Write);
        memory.product(&at.out, factors, finish, &plain, by, (&message, hidden), TILE);
        let (count, dim) = memory.units(units);
        pointwise::gelu_gradient::launch::<R>(
            memory.client(),
            count,
            dim,
            saved.message.clone().into_array_arg(),
            tensors.gate.clone().into_array_arg(),
            at.kind.clone().into_array_arg(),
            message.clone().into_array_arg(),
            units,
            hidden,
        );
        (out, gate, message)
    }

    /// Gradient of the layer's input from that of its output, of queries, and of keys and values.
    fn states_gradient(
        &self,
        layer: &Layer,
        tensors: &LayerTensors<CubeTensor<R>>,
        gradient: &CubeTensor<R>,
        query: &CubeTensor<R>,
        table: &CubeTensor<R>,
    ) -> CubeTensor<R> {
        let (memory, at, hidden) = (self.memory, self.at, self.hidden);
        let units = layer.plan.input_rows * hidden;
        let states = memory.empty(units);
        let (count, dim) = memory.units(units);
        pointwise::residual_gradient::launch::<R>(
            memory.client(),
            count,
            dim,
            gradient.clone().into_array_arg(),
            tensors.gate.clone().into_array_arg(),
            at.kind.clone().into_array_arg(),
            at.out_row.clone().into_array_arg(),
            states.clone().into_array_arg(),
            units,
            layer.plan.output_rows,
            hidden,
        );
        let (factors, add) = (Factors::RightTransposed, Finish::Add);
        let into = (&states, hidden);
        let by = (&tensors.query, hidden);
        memory.product(&at.query_back, factors, add, query, by, into, TILE);
        for jobs in &at.key_value_back {
            let by = (&tensors.key_value, 2 * hidden);
            memory.product(jobs, factors, add, table, by, into, TILE);
        }
        states
    }
}

impl<R: CubeRuntime, BT: BoolElement> HgtBackend for CubeBackend<R, f32, i32, BT> {
    fn hgt_layer(work: &Work, tensors: LayerTensors<CubeTensor<R>>) -> CubeTensor<R> {
        Self::layer_forward(work, &tensors).0
    }

    fn hgt_project(
        work: &Work,
        features: CubeTensor<R>,
        weight: CubeTensor<R>,
        bias: CubeTensor<R>,
    ) -> CubeTensor<R> {
        let layer = &work.0;
        let (rows, hidden) = (layer.plan.input_rows, layer.schema.hidden);
        let memory = Memory::of(&weight);
        let at = indices(layer, &memory);
        let states = memory.empty(rows * hidden);
        let features = into_contiguous(features);
        let weights = into_contiguous(Self::float_cat(vec![weight, bias], 0));
        let (factors, finish) = (Factors::Plain, Finish::BiasRelu);
        let into = (&states, hidden);
        memory.product(&at.project, factors, finish, &features, (&weights, hidden), into, TILE);
        memory.shaped(states, [rows, hidden])
    }

    fn hgt_stacked_product(left: CubeTensor<R>, right: CubeTensor<R>) -> CubeTensor<R> {
        let ([stack, rows, depth], [_, _, columns]) =
            (left.shape().dims::<3>(), right.shape().dims::<3>());
        let memory = Memory::of(&left);
        let (left, right) = (into_contiguous(left), into_contiguous(right));
        memory.stacked(left, right, [stack, rows, depth, columns])
    }
}

impl<R: CubeRuntime, BT: BoolElement> HgtKernels for CubeBackend<R, f32, i32, BT> {
    type Saved = Option<SavedOnDevice<R>>;

    fn layer_forward(
        work: &Work,
        tensors: &LayerTensors<CubeTensor<R>>,
    ) -> (CubeTensor<R>, Self::Saved) {
        let layer = &work.0;
        let memory = Memory::of(&tensors.states);
        let shape = [layer.plan.output_rows, layer.schema.hidden];
        if shape[0] == 0 {
            return (memory.shaped(memory.empty(0), shape), None);
        }
        let at = indices(layer, &memory);
        let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
        let run = Run { memory: &memory, at: &at, hidden, heads };
        let (states, saved) = run.forward(layer, &contiguous(tensors));
        (memory.shaped(states, shape), Some(saved))
    }

    fn layer_backward(
        work: &Work,
        tensors: &LayerTensors<CubeTensor<R>>,
        saved: &Self::Saved,
        gradient: CubeTensor<R>,
    ) -> LayerTensors<CubeTensor<R>> {
        let layer = &work.0;
        let memory = Memory::of(&tensors.states);
        let Some(saved) = saved else {
            let zeros = |it: &CubeTensor<R>| {
                Self::float_zeros(it.shape(), memory.device(), it.dtype.into())
            };
            return LayerTensors {
                states: zeros(&tensors.states),
                query: zeros(&tensors.query),
                key_value: zeros(&tensors.key_value),
                out: zeros(&tensors.out),
                gate: zeros(&tensors.gate),
            };
        };
        let at = indices(layer, &memory);
        let (hidden, heads) = (layer.schema.hidden, layer.schema.heads);
        let run = Run { memory: &memory, at: &at, hidden, heads };
        let all = run.backward(layer, &contiguous(tensors), saved, &into_contiguous(gradient));
        LayerTensors {
            states: memory.shaped(all.states, tensors.states.shape()),
            query: memory.shaped(all.query, tensors.query.shape()),
            key_value: memory.shaped(all.key_value, tensors.key_value.shape()),
            out: memory.shaped(all.out, tensors.out.shape()),
            gate: memory.shaped(all.gate, tensors.gate.shape()),
        }
    }

    fn project_backward(
        work: &Work,
        features: CubeTensor<R>,
        states: CubeTensor<R>,
        gradient: CubeTensor<R>,
    ) -> (CubeTensor<R>, CubeTensor<R>) {
        let layer = &work.0;
        let (rows, hidden) = (layer.plan.input_rows, layer.schema.hidden);
        let memory = Memory::of(&gradient);
        let at = indices(layer, &memory);
        let features = into_contiguous(features);
        let masked = memory.empty(rows * hidden);
        if rows > 0 {
            let (count, dim) = memory.units(rows * hidden);
            pointwise::relu_gradient::launch::<R>(
                memory.client(),
                count,
                dim,
                into_contiguous(gradient).into_array_arg(),
                into_contiguous(states).into_array_arg(),
                masked.clone().into_array_arg(),
                rows * hidden,
            );
        }
        let all = memory.matrix_gradient(&at.project_sums, &features, &masked, hidden);
        apart::<Self>(
            layer,
            memory.shaped(
                all,
                [at.project_sums.segments.rows, at.project_sums.length / hidden, hidden],
            ),
        )
    }
}

/// Gradients by type, types x (greatest width + 1) x hidden, as those of weights and of biases.
fn apart<B: Backend>(layer: &Layer, all: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
    let hidden = layer.schema.hidden;
    let all: Tensor<B, 3> = Tensor::from_primitive(TensorPrimitive::Float(all));
    let rows = |kind: usize, from: usize, to: usize| -> Tensor<B, 2> {
        all.clone().slice([kind..kind + 1, from..to, 0..hidden]).reshape([to - from, hidden])
    };
    let widths = || layer.schema.widths.iter().enumerate();
    let weights = widths().map(|(kind, &width)| rows(kind, 0, width)).collect();
    let biases = widths().map(|(kind, &width)| rows(kind, width, width + 1)).collect();
    let primitive = |it: Vec<Tensor<B, 2>>| Tensor::cat(it, 0).into_primitive().tensor();
    (primitive(weights), primitive(biases))
}
