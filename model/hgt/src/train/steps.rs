//! The loop: steps over the whole graph, checks on the validation rows, the best weights kept.
//!
//! Parameters live as one row of plain numbers between steps: the optimiser, the copy of the best
//! and the check for overflow are then the same on every backend.

use std::ops::ControlFlow;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use super::adam::Adam;
use super::calibration::calibrate;
use super::objective::{Objective, Outputs};
use super::problem::{MOVES, Role};
use super::{Check, Fitted, Stop, Task};
use crate::kernels::mix;
use crate::{Error, Graph, Hgt, Mode, Result, TrainingBackend, Weights};

/// A tensor's numbers, row-major.
pub(crate) fn numbers<B: Backend, const N: usize>(tensor: Tensor<B, N>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.into_vec().unwrap_or_default()
}

/// Gradients of all parameters in the order of [`Weights`], which is that of the module's fields.
struct Collect<'a, B: AutodiffBackend> {
    gradients: &'a mut B::Gradients,
    flat: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Collect<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let tensor = param.val();
        let gradient = tensor.grad_remove(self.gradients);
        let gradient = gradient.unwrap_or_else(|| Tensor::zeros(tensor.shape(), &tensor.device()));
        let length = gradient.shape().num_elements();
        self.flat.push(gradient.reshape([length]));
    }
}

struct Loop<'a, B: AutodiffBackend> {
    task: &'a Task<'a>,
    device: &'a B::Device,
    graph: Graph<B>,
    inference: Graph<B::InnerBackend>,
    train: Objective<'a>,
    validate: Objective<'a>,
    /// Whether each output is learned.
    learned: Vec<bool>,
}

/// The best so far.
struct Best {
    weights: Weights,
    outputs: Outputs,
    check: Check,
}

/// Trains on one backend.
pub(crate) fn fit_on<B: TrainingBackend>(
    task: &Task<'_>,
    device: &B::Device,
    progress: &mut dyn FnMut(&Check) -> ControlFlow<()>,
) -> Result<Fitted> {
    let graph: Graph<B> =
        Graph::with_topology(task.config, task.topology.clone(), &task.problem.features, device)?;
    let objective = |role| Objective::new(task.problem, task.heads, task.settings, role);
    let heads = [task.heads.outcome, task.heads.closing, task.heads.goals];
    let steps = Loop {
        task,
        device,
        inference: graph.valid(),
        graph,
        train: objective(Role::Train),
        validate: objective(Role::Validate),
        learned: (0..task.config.outputs.len()).map(|it| heads.contains(&Some(it))).collect(),
    };
    steps.fit(progress)
}

impl<B: TrainingBackend> Loop<'_, B> {
    fn fit(&self, progress: &mut dyn FnMut(&Check) -> ControlFlow<()>) -> Result<Fitted> {
        let settings = self.task.settings;
        let mut weights = self.task.start.clone();
        let mut adam = Adam::new(decays(&weights));
        let (check, outputs) = self.check(0, &weights)?;
        if !(check.train_loss + check.validate_loss).is_finite() {
            return Err(Error::Problem(
                "outputs overflow before the first step: scale features to about 1, and do not \
                 start from weights that diverged"
                    .into(),
            ));
        }
        let mut best = Best { weights: weights.clone(), outputs, check };
        let mut history = vec![check];
        if progress(&check).is_break() {
            return Ok(self.finish(best, history, Stop::Asked));
        }
        let (mut stop, mut waited) = (Stop::Steps, 0);
        for step in 1..=settings.steps_max {
            let Some(next) = self.step(step, &weights, &mut adam)? else {
                stop = Stop::Diverged;
                break;
            };
            weights = next;
            if !step.is_multiple_of(settings.check_every) && step != settings.steps_max {
                continue;
            }
            let (check, outputs) = self.check(step, &weights)?;
            history.push(check);
            waited += 1;
            if check.validate_loss < best.check.validate_loss {
                best = Best { weights: weights.clone(), outputs, check };
                waited = 0;
            }
            if progress(&check).is_break() {
                stop = Stop::Asked;
                break;
            }
            if waited >= settings.patience {
                stop = Stop::Patience;
                break;
            }
        }
        Ok(self.finish(best, history, stop))
    }

    /// Losses and outputs of these weights, nothing left out.
    fn check(&self, step: usize, weights: &Weights) -> Result<(Check, Outputs)> {
        let model: Hgt<B::InnerBackend> = weights.init(self.device)?;
        let outputs = model.forward(&self.inference, Mode::Inference)?;
        let outputs: Outputs = outputs.into_iter().map(numbers).collect();
        let validate = self.validate.losses(&outputs);
        let train_loss = self.train.losses(&outputs).total;
        Ok((Check { step, train_loss, validate_loss: validate.total, validate }, outputs))
    }

    /// The weights after one step; none when numbers overflowed.
    fn step(&self, step: usize, weights: &Weights, adam: &mut Adam) -> Result<Option<Weights>> {
        let settings = self.task.settings;
        let model: Hgt<B> = weights.init(self.device)?;
        let seed = mix(settings.seed ^ mix(step as u64));
        let outputs = model.forward(&self.graph, Mode::Training { seed })?;
        let read = |it: &Tensor<B, 2>| numbers(it.clone().inner());
        let plain: Outputs = outputs.iter().map(read).collect();
        let mut gradients: Outputs = plain.iter().map(|it| vec![0.0; it.len()]).collect();
        let losses = self.train.gradients(&plain, &mut gradients);
        if !losses.total.is_finite() {
            return Ok(None);
        }
        let gradient = self.parameters(&model, outputs, gradients);
        let mut values = weights.values().to_vec();
        if !adam.step(&mut values, &gradient, settings) {
            return Ok(None);
        }
        Ok(Weights::new(weights.config().clone(), values).ok())
    }

    /// Gradients of all parameters from those of the outputs.
    fn parameters(
        &self,
        model: &Hgt<B>,
        outputs: Vec<Tensor<B, 2>>,
        gradients: Outputs,
    ) -> Vec<f32> {
        let mut sum: Option<Tensor<B, 1>> = None;
        let learned = outputs.into_iter().zip(gradients).zip(&self.learned);
        for ((output, gradient), _) in learned.filter(|(_, learned)| **learned) {
            // The slope of this sum with respect to an output is the gradient that it is
            // multiplied with.
            let gradient = TensorData::new(gradient, output.dims());
            let part = (output * Tensor::from_data(gradient, self.device)).sum();
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let Some(sum) = sum else { return Vec::new() };
        let mut slopes = sum.backward();
        let mut collect: Collect<'_, B> = Collect { gradients: &mut slopes, flat: Vec::new() };
        model.visit(&mut collect);
        numbers(Tensor::cat(collect.flat, 0))
    }

    fn finish(&self, best: Best, history: Vec<Check>, stop: Stop) -> Fitted {
        let calibration = match self.task.heads.outcome {
            Some(head) => calibrate(&self.validate, &best.outputs[head]),
            None => [1.0; MOVES],
        };
        Fitted {
            weights: best.weights,
            calibration,
            best_step: best.check.step,
            validate_loss_start: self.validate.start().total,
            validate_loss_warm: history[0].validate_loss,
            validate_loss: best.check.validate_loss,
            history,
            stop,
        }
    }
}

/// Whether each parameter is part of a matrix: biases, priors and skips do not decay.
fn decays(weights: &Weights) -> Vec<bool> {
    let one = |(name, _, values): (String, Vec<usize>, &[f32])| {
        let matrix = name.ends_with("weight") || name.ends_with("_relation");
        std::iter::repeat_n(matrix, values.len())
    };
    weights.parameters().into_iter().flat_map(one).collect()
}
