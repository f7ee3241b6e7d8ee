//! Training and prediction with plain numbers in and out.
//!
//! [`fit`] takes full-graph steps down the gradient of the losses in [`Losses`] and keeps the
//! weights that were best on the validation rows; [`predict`] reads a trained model out; [`sweep`]
//! tries settings. Whoever calls sees neither tensors nor backends.

mod adam;
mod calibration;
mod objective;
mod problem;
mod settings;
mod steps;
mod sweep;

use std::ops::ControlFlow;
use std::sync::Arc;

use burn_flex::{Flex, FlexDevice};
use serde::{Deserialize, Serialize};

use crate::{
    Chosen, Config, DeviceChoice, Edges, Error, Graph, Hgt, Mode, OnBackend, Result, Topology,
    TrainingBackend, Weights,
};

pub use calibration::CALIBRATION_MAX;
pub use objective::Losses;
pub use problem::{
    CLOSING, GOALS, MOVES, OUTCOME, Problem, Rates, Role, TargetRow, coordinates, moved,
};
pub use settings::{STEPS_MAX, Settings, WARM_UP_STEPS};
pub use sweep::{Grid, TRIALS_MAX, Trial, sweep, sweep_with};

use problem::Heads;

/// How training stands at one step, without anything left out by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Steps taken.
    pub step: usize,
    /// Total loss of the training rows.
    pub train_loss: f64,
    /// Total loss of the validation rows: the least one wins.
    pub validate_loss: f64,
    /// The validation rows' losses one by one.
    pub validate: Losses,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// All steps were taken.
    Steps,
    /// The validation loss had not fallen for as many checks as the settings allow.
    Patience,
    /// Whoever watched the progress said so.
    Asked,
    /// Numbers overflowed: the learning rate is too high. The weights are the best before that.
    Diverged,
}

/// A trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Those with the least validation loss.
    pub weights: Weights,
    /// Factors to multiply the outcome output with, by coordinate; `0..=`[`CALIBRATION_MAX`], 1
    /// where there is no such output.
    pub calibration: [f32; MOVES],
    /// Every check, the first one before any step.
    pub history: Vec<Check>,
    /// Steps after which the weights were best; 0 if training made nothing better.
    pub best_step: usize,
    /// Validation loss of all-zero outputs: of leaving every line as it is.
    pub validate_loss_start: f64,
    /// Validation loss of the weights that training started from.
    pub validate_loss_warm: f64,
    /// Validation loss of `weights`.
    pub validate_loss: f64,
    /// Why training ended.
    pub stop: Stop,
}

/// One training, checked and sorted: everything but the backend.
pub(crate) struct Task<'a> {
    pub config: &'a Config,
    pub topology: Arc<Topology>,
    pub problem: &'a Problem,
    pub heads: Heads,
    pub settings: &'a Settings,
    /// What to start from.
    pub start: Weights,
}

/// Trains a model on one graph, on the CPU.
///
/// Starts from `warm`, which must be of the same configuration but for the dropout, or from new
/// weights. `progress` sees every check, the first one before any step, and may end the training:
/// the best weights so far are returned. One seed gives one result whatever the number of
/// threads. A step costs one forward and one backward pass over the whole graph.
///
/// # Errors
/// [`Error::Config`], [`Error::Graph`], [`Error::Settings`]; [`Error::Problem`] for rows that do
/// not fit; [`Error::Weights`] for warm weights of another configuration.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use tideline_hgt::train::{Problem, Role, Settings, TargetRow, fit, predict};
/// use tideline_hgt::{Config, Edges, NodeType, Output, Relation};
///
/// let config = Config {
///     node_types: vec![NodeType { name: "fixture".into(), width: 1 }],
///     relations: vec![Relation {
///         source: "fixture".into(),
///         name: "before".into(),
///         target: "fixture".into(),
///     }],
///     hidden: 8,
///     heads: 2,
///     layers: 1,
///     dropout: 0.0,
///     outputs: vec![Output {
///         name: "outcome".into(),
///         node_type: "fixture".into(),
///         width: 2,
///         zero_start: true,
///     }],
/// };
/// // Home wins where the feature is above zero: the base line knows nothing of it.
/// let features: Vec<f32> = (0..60).map(|it| (it as f32).sin()).collect();
/// let row = |(at, feature): (usize, &f32)| TargetRow {
///     role: if at < 40 { Role::Train } else { Role::Validate },
///     weight: 1.0,
///     truth: if *feature > 0.0 { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] },
///     ..TargetRow::default()
/// };
/// let problem = Problem {
///     counts: vec![60],
///     rows: features.iter().enumerate().map(row).collect(),
///     features: vec![features],
///     edges: vec![Edges::default()],
///     target_type: 0,
/// };
/// let settings = Settings { learning_rate: 0.03, steps_max: 60, ..Settings::default() };
/// let fitted = fit(&config, None, &problem, &settings, &mut |_| ControlFlow::Continue(()))?;
/// assert!(fitted.validate_loss < 0.8 * fitted.validate_loss_start);
/// let outputs = predict(&fitted.weights, &problem.counts, &problem.features, &problem.edges)?;
/// assert_eq!(outputs[0].len(), 2 * 60);
/// # Ok::<(), tideline_hgt::Error>(())
/// ```
pub fn fit(
    config: &Config,
    warm: Option<&Weights>,
    problem: &Problem,
    settings: &Settings,
    progress: &mut dyn FnMut(&Check) -> ControlFlow<()>,
) -> Result<Fitted> {
    fit_with(&DeviceChoice::Cpu.choose(), config, warm, problem, settings, progress)
}

/// [`fit`] on a device that was chosen. Only the CPU promises the same bits again: a GPU adds in
/// another order, so that its last digits differ.
///
/// # Errors
/// As [`fit`].
pub fn fit_with(
    device: &Chosen,
    config: &Config,
    warm: Option<&Weights>,
    problem: &Problem,
    settings: &Settings,
    progress: &mut dyn FnMut(&Check) -> ControlFlow<()>,
) -> Result<Fitted> {
    settings.check()?;
    let heads = problem.check(config)?;
    let start = match warm {
        Some(warm) => warmed(config, warm)?,
        None => fresh(config, settings.seed)?,
    };
    let topology = Arc::new(Topology::new(config, &problem.counts, &problem.edges)?);
    let task = Task { config, topology, problem, heads, settings, start };
    device.run(Training { task, progress })
}

/// A task and who watches it, for any backend.
pub(crate) struct Training<'a, 'b> {
    pub task: Task<'a>,
    pub progress: &'b mut dyn FnMut(&Check) -> ControlFlow<()>,
}

impl OnBackend for Training<'_, '_> {
    type Output = Result<Fitted>;

    fn run<B: TrainingBackend>(self, device: &B::Device) -> Result<Fitted> {
        steps::fit_on::<B>(&self.task, device, self.progress)
    }
}

/// New weights.
pub(crate) fn fresh(config: &Config, seed: u64) -> Result<Weights> {
    config.init::<Flex>(&FlexDevice, seed)?.weights()
}

/// Warm weights under this configuration.
fn warmed(config: &Config, warm: &Weights) -> Result<Weights> {
    let same = Config { dropout: config.dropout, ..warm.config().clone() };
    if same == *config {
        return Weights::new(same, warm.values().to_vec());
    }
    Err(Error::Weights(
        "the weights to start from are of another configuration: start from those of this one, or \
         without any"
            .into(),
    ))
}

/// Outputs of a trained model, by output of its configuration: rows x width, row-major.
///
/// Nothing is left out and no gradient is kept. Arguments as in [`Graph::new`].
///
/// # Errors
/// As [`Graph::new`].
pub fn predict(
    weights: &Weights,
    counts: &[usize],
    features: &[Vec<f32>],
    edges: &[Edges],
) -> Result<Vec<Vec<f32>>> {
    let device = FlexDevice;
    let graph: Graph<Flex> = Graph::new(weights.config(), counts, features, edges, &device)?;
    let model: Hgt<Flex> = weights.init(&device)?;
    Ok(model.forward(&graph, Mode::Inference)?.into_iter().map(steps::numbers).collect())
}
