//! A layer as one operation of burn, with its own gradient.
//!
//! burn's graph sees tensors in and a tensor out; in between, on the CPU, run the kernels of this
//! crate. A backend without kernels computes the same with burn's own operations (`generic`).

use std::sync::Arc;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};

use crate::kernels::forward::Forward;
use crate::kernels::{Layer, LayerWeights, backward, forward, project};

/// A backend that a whole layer can run on: [`Flex`], with the feature `cuda` an NVIDIA device, and
/// `Autodiff` of these.
///
/// Any other backend can use [`Hgt::forward_generic`](crate::Hgt::forward_generic).
pub trait HgtBackend: Backend {
    /// One layer's new states, output rows x hidden.
    #[doc(hidden)]
    fn hgt_layer(work: &Work, tensors: LayerTensors<FloatTensor<Self>>) -> FloatTensor<Self>;

    /// Inputs to states, input rows x hidden.
    #[doc(hidden)]
    fn hgt_project(
        work: &Work,
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// Products of stacks of matrices in single precision, `n x m x k` by `n x k x p`. burn's own
    /// product may round to less on a GPU.
    #[doc(hidden)]
    fn hgt_stacked_product(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// The arithmetic behind [`HgtBackend`], without gradients.
#[doc(hidden)]
pub trait HgtKernels: HgtBackend {
    /// What the gradient needs.
    type Saved: Clone + std::fmt::Debug + Send + Sync + 'static;

    /// A layer and what its gradient needs.
    fn layer_forward(
        work: &Work,
        tensors: &LayerTensors<FloatTensor<Self>>,
    ) -> (FloatTensor<Self>, Self::Saved);

    /// Gradients of all tensors.
    fn layer_backward(
        work: &Work,
        tensors: &LayerTensors<FloatTensor<Self>>,
        saved: &Self::Saved,
        gradient: FloatTensor<Self>,
    ) -> LayerTensors<FloatTensor<Self>>;

    /// Gradients of weight and bias.
    fn project_backward(
        work: &Work,
        features: FloatTensor<Self>,
        states: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// A layer's edges, sizes and what is left out of it.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Work(pub(crate) Arc<Layer>);

/// What a layer is computed from, or the gradients of it. Every matrix has its bias as last row.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct LayerTensors<T> {
    /// Input rows x hidden.
    pub states: T,
    /// Types x (hidden + 1) x hidden.
    pub query: T,
    /// Relations x (hidden + 1) x 2 hidden.
    pub key_value: T,
    /// Types x (hidden + 1) x hidden.
    pub out: T,
    /// Types.
    pub gate: T,
}

impl<B: HgtKernels, C: CheckpointStrategy> HgtBackend for Autodiff<B, C> {
    fn hgt_layer(work: &Work, tensors: LayerTensors<FloatTensor<Self>>) -> FloatTensor<Self> {
        let LayerTensors { states, query, key_value, out, gate } = tensors;
        let nodes = [&states, &query, &key_value, &out, &gate].map(|it| it.node.clone());
        let inner = LayerTensors {
            states: states.primitive,
            query: query.primitive,
            key_value: key_value.primitive,
            out: out.primitive,
            gate: gate.primitive,
        };
        let (result, saved) = B::layer_forward(work, &inner);
        match LayerGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((work.clone(), inner, saved), result),
            OpsKind::UnTracked(prepared) => prepared.finish(result),
        }
    }

    fn hgt_project(
        work: &Work,
        features: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [weight.node.clone(), bias.node.clone()];
        let features = features.primitive;
        let states = B::hgt_project(work, features.clone(), weight.primitive, bias.primitive);
        match ProjectGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                prepared.finish((work.clone(), features, states.clone()), states)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(states),
        }
    }

    fn hgt_stacked_product(left: FloatTensor<Self>, right: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [left.node.clone(), right.node.clone()];
        let (left, right) = (left.primitive, right.primitive);
        let product = B::hgt_stacked_product(left.clone(), right.clone());
        match StackedGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((left, right), product),
            OpsKind::UnTracked(prepared) => prepared.finish(product),
        }
    }
}

#[derive(Debug)]
struct StackedGradient;

impl<B: HgtKernels> Backward<B, 2> for StackedGradient {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let (left, right) = ops.state;
        let [of_left, of_right] = ops.parents;
        if let Some(parent) = of_left {
            let right = B::float_swap_dims(right, 1, 2);
            let gradient = B::hgt_stacked_product(gradient.clone(), right);
            grads.register::<B>(parent.id, gradient);
        }
        if let Some(parent) = of_right {
            let left = B::float_swap_dims(left, 1, 2);
            grads.register::<B>(parent.id, B::hgt_stacked_product(left, gradient));
        }
    }
}

#[derive(Debug)]
struct LayerGradient;

impl<B: HgtKernels> Backward<B, 5> for LayerGradient {
    type State = (Work, LayerTensors<FloatTensor<B>>, B::Saved);

    fn backward(
        self,
        ops: Ops<Self::State, 5>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let (work, tensors, saved) = ops.state;
        let all = B::layer_backward(&work, &tensors, &saved, gradient);
        let all = [all.states, all.query, all.key_value, all.out, all.gate];
        for (parent, gradient) in ops.parents.into_iter().zip(all) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct ProjectGradient;

impl<B: HgtKernels> Backward<B, 2> for ProjectGradient {
    type State = (Work, FloatTensor<B>, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<B>(&ops.node);
        let (work, features, states) = ops.state;
        let (weight, bias) = B::project_backward(&work, features, states, gradient);
        for (parent, gradient) in ops.parents.into_iter().zip([weight, bias]) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}

fn like(values: Vec<f32>, of: &FlexTensor) -> FlexTensor {
    tensor(values, of.layout().shape().clone())
}

/// Contiguous copies, where they are not contiguous yet.
fn contiguous(tensors: &LayerTensors<FlexTensor>) -> LayerTensors<FlexTensor> {
    LayerTensors {
        states: tensors.states.to_contiguous(),
        query: tensors.query.to_contiguous(),
        key_value: tensors.key_value.to_contiguous(),
        out: tensors.out.to_contiguous(),
        gate: tensors.gate.to_contiguous(),
    }
}

fn weights(tensors: &LayerTensors<FlexTensor>) -> LayerWeights<'_> {
    LayerWeights {
        query: tensors.query.storage(),
        key_value: tensors.key_value.storage(),
        out: tensors.out.storage(),
        gate: tensors.gate.storage(),
    }
}

impl HgtBackend for Flex {
    fn hgt_layer(work: &Work, tensors: LayerTensors<FlexTensor>) -> FlexTensor {
        Self::layer_forward(work, &tensors).0
    }

    fn hgt_project(
        work: &Work,
        features: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
    ) -> FlexTensor {
        let layer = &work.0;
        let states = project::forward(
            &layer.schema,
            &layer.topology,
            &layer.plan,
            features.to_contiguous().storage(),
            weight.to_contiguous().storage(),
            bias.to_contiguous().storage(),
        );
        tensor(states, [layer.plan.input_rows, layer.schema.hidden])
    }

    fn hgt_stacked_product(left: FlexTensor, right: FlexTensor) -> FlexTensor {
        Self::float_matmul(left, right)
    }
}

/// What a layer keeps for its gradient on the CPU.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct SavedForward(Arc<Forward>);

impl HgtKernels for Flex {
    type Saved = SavedForward;

    fn layer_forward(
        work: &Work,
        tensors: &LayerTensors<FlexTensor>,
    ) -> (FlexTensor, SavedForward) {
        let tensors = contiguous(tensors);
        let layer = &work.0;
        let mut forward =
            forward::forward(layer, weights(&tensors), tensors.states.storage::<f32>());
        let states = std::mem::take(&mut forward.states);
        (
            tensor(states, [layer.plan.output_rows, layer.schema.hidden]),
            SavedForward(Arc::new(forward)),
        )
    }

    fn layer_backward(
        work: &Work,
        tensors: &LayerTensors<FlexTensor>,
        saved: &SavedForward,
        gradient: FlexTensor,
    ) -> LayerTensors<FlexTensor> {
        let tensors = contiguous(tensors);
        let all = backward::backward(
            &work.0,
            weights(&tensors),
            tensors.states.storage::<f32>(),
            &saved.0,
            gradient.to_contiguous().storage::<f32>(),
        );
        LayerTensors {
            states: like(all.states, &tensors.states),
            query: like(all.query, &tensors.query),
            key_value: like(all.key_value, &tensors.key_value),
            out: like(all.out, &tensors.out),
            gate: like(all.gate, &tensors.gate),
        }
    }

    fn project_backward(
        work: &Work,
        features: FlexTensor,
        states: FlexTensor,
        gradient: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let layer = &work.0;
        let (weight, bias) = project::backward(
            &layer.schema,
            &layer.topology,
            &layer.plan,
            features.to_contiguous().storage(),
            states.to_contiguous().storage(),
            gradient.to_contiguous().storage(),
        );
        let hidden = layer.schema.hidden;
        let (rows, types) = (weight.len() / hidden, bias.len() / hidden);
        (tensor(weight, [rows, hidden]), tensor(bias, [types, hidden]))
    }
}
