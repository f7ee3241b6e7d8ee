//! Which settings learn best: every combination of a grid, one training each, from one seed.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::settings::Settings;
use super::{Fitted, Task, Training, fresh};
use crate::{Chosen, Config, DeviceChoice, Error, Result, Topology};

/// Most combinations of one sweep.
pub const TRIALS_MAX: usize = 256;

/// What to try. An empty list leaves what the configuration or the settings say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grid {
    /// Learning rates.
    pub learning_rates: Vec<f64>,
    /// Widths of a node's state, multiples of the configuration's heads.
    pub hiddens: Vec<usize>,
    /// Shares left out in training.
    pub dropouts: Vec<f64>,
}

/// One combination and how well it did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Width of a node's state.
    pub hidden: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Share left out in training.
    pub dropout: f64,
    /// Steps after which it was best.
    pub best_step: usize,
    /// Least validation loss.
    pub validate_loss: f64,
}

/// Trains every combination of the grid from new weights, on the CPU, and sorts them, least validation loss
/// first, ties in the grid's order.
///
/// All are checked before the first is trained. `progress` sees every trial as it ends, with the
/// model that came of it, and may end the sweep: what was tried so far is returned. Edges are
/// sorted once.
///
/// # Errors
/// As [`fit`](super::fit), and [`Error::Settings`] for more than [`TRIALS_MAX`] combinations.
pub fn sweep(
    config: &Config,
    problem: &Problem,
    settings: &Settings,
    grid: &Grid,
    progress: &mut dyn FnMut(&Trial, &Fitted) -> ControlFlow<()>,
) -> Result<Vec<Trial>> {
    sweep_with(&DeviceChoice::Cpu.choose(), config, problem, settings, grid, progress)
}

/// [`sweep`] on a device that was chosen.
///
/// # Errors
/// As [`sweep`].
pub fn sweep_with(
    device: &Chosen,
    config: &Config,
    problem: &Problem,
    settings: &Settings,
    grid: &Grid,
    progress: &mut dyn FnMut(&Trial, &Fitted) -> ControlFlow<()>,
) -> Result<Vec<Trial>> {
    let all = combinations(config, settings, grid)?;
    for (config, settings) in &all {
        settings.check()?;
        config.check()?;
    }
    let heads = problem.check(config)?;
    let topology = Arc::new(Topology::new(config, &problem.counts, &problem.edges)?);
    let mut trials = Vec::with_capacity(all.len());
    for (config, settings) in &all {
        let start = fresh(config, settings.seed)?;
        let topology = topology.clone();
        let task = Task { config, topology, problem, heads, settings, start };
        let progress_of_steps = &mut |_: &_| ControlFlow::Continue(());
        let fitted = device.run(Training { task, progress: progress_of_steps })?;
        let trial = Trial {
            hidden: config.hidden,
            learning_rate: settings.learning_rate,
            dropout: config.dropout,
            best_step: fitted.best_step,
            validate_loss: fitted.validate_loss,
        };
        trials.push(trial);
        if progress(&trial, &fitted).is_break() {
            break;
        }
    }
    trials.sort_by(|a, b| a.validate_loss.total_cmp(&b.validate_loss));
    Ok(trials)
}

fn combinations(
    config: &Config,
    settings: &Settings,
    grid: &Grid,
) -> Result<Vec<(Config, Settings)>> {
    let or = |values: &[f64], otherwise: f64| {
        if values.is_empty() { vec![otherwise] } else { values.to_vec() }
    };
    let hiddens = if grid.hiddens.is_empty() { vec![config.hidden] } else { grid.hiddens.clone() };
    let learning_rates = or(&grid.learning_rates, settings.learning_rate);
    let dropouts = or(&grid.dropouts, config.dropout);
    let count = hiddens.len().saturating_mul(learning_rates.len()).saturating_mul(dropouts.len());
    if count > TRIALS_MAX {
        return Err(Error::Settings(format!(
            "the grid has {count} combinations: choose values so that it has at most {TRIALS_MAX}"
        )));
    }
    let mut all = Vec::with_capacity(count);
    for &hidden in &hiddens {
        for &learning_rate in &learning_rates {
            for &dropout in &dropouts {
                all.push((
                    Config { hidden, dropout, ..config.clone() },
                    Settings { learning_rate, ..settings.clone() },
                ));
            }
        }
    }
    Ok(all)
}
