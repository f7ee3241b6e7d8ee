//! The training of a window, away from the stream: a challenger, and whether it is better.
//!
//! Three stretches of time, one after the other: what weights are fitted to, what says when to stop,
//! and the newest settled fixtures, which neither the challenger nor the champion has seen. A
//! challenger goes live only if it is better there.

use std::ops::ControlFlow;
use std::sync::Arc;

use ::hgt::train::{self, Problem, Role, Trial};
use ::hgt::{Chosen, Config as Shape, Weights};
use schema::Time;
use serde::{Deserialize, Serialize};

use super::Config;
use super::champion::{Champion, Member};
use super::inputs::Matches;
use super::problem::{Places, Sample, Scales, Teaching, config, probabilities, problem};
use crate::{Error, Progress, Result};

/// Fixtures that the belief is worth, before any is seen, that moves are as large as they should be.
const PRIOR_FIXTURES: f64 = 100.0;
/// Largest factor on moves.
const BELIEVED_MAX: f64 = 1.5;

/// How a challenger did on the newest settled fixtures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gate {
    pub fixtures: usize,
    /// Mean cross-entropy of the incumbent less that of the challenger: above zero is better.
    pub better_by: f64,
    /// Half of the interval of that mean, 95 %.
    pub half_width: f64,
    /// Whether it may go live.
    pub passed: bool,
}

/// What a training came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub challenger: Champion,
    pub gate: Gate,
    /// Each member's training.
    pub courses: Vec<Course>,
    /// What a sweep chose, where there was one.
    pub choice: Option<Choice>,
}

/// How the training of one member went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Course {
    /// Of leaving every line as it is.
    pub validate_loss_start: f64,
    pub validate_loss: f64,
    pub best_step: usize,
    pub steps: usize,
}

/// The three settings that a sweep chooses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub hidden: usize,
    pub learning_rate: f64,
    pub dropout: f64,
}

/// Everything a training needs, owned.
pub(crate) struct Lesson {
    pub config: Config,
    pub samples: Vec<Arc<Sample>>,
    pub matches: Matches,
    pub places: Places,
    /// What is live: to be beaten.
    pub champion: Option<Champion>,
    /// What the last training came to: to go on from.
    pub warm: Option<Champion>,
    pub teaching: Teaching,
    pub window_end: Time,
    /// Whether to sweep first.
    pub sweep: bool,
}

fn refuse(error: impl std::fmt::Display) -> Error {
    Error::Training(error.to_string())
}

impl Lesson {
    /// Trains and compares; where it is time to, sweeps first and goes by the best.
    pub fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Outcome> {
        let device = self.config.device.choose();
        let (problem, scales) = self.problem();
        let mut choice = None;
        let mut warm = self.warm.as_ref().map_or(&[][..], |warm| &warm.members).to_vec();
        if self.sweep {
            let trials = self.trials(&device, &problem, progress)?;
            if let Some(best) = trials.first() {
                let best = Choice {
                    hidden: best.hidden,
                    learning_rate: best.learning_rate,
                    dropout: best.dropout,
                };
                self.config.take(&best);
                choice = Some(best);
                warm.clear();
            }
        }
        let (mut members, mut courses) = (Vec::new(), Vec::new());
        for at in 0..self.config.members {
            let (member, course) = self.member(at, warm.get(at), &device, &problem, progress)?;
            members.push(member);
            courses.push(course);
        }
        let gate = self.gate(&members, &problem)?;
        let (places, window_end) = (self.places, self.window_end);
        let challenger = Champion { members, scales, places, window_end };
        Ok(Outcome { challenger, gate, courses, choice })
    }

    /// Trains one member, from where it stood or from new weights.
    fn member(
        &self,
        at: usize,
        warm: Option<&Member>,
        device: &Chosen,
        problem: &Problem,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Member, Course)> {
        let warm = warm.map(Member::weights).transpose().map_err(refuse)?;
        let width = problem.features.first().map_or(0, Vec::len) / problem.rows.len().max(1);
        let mut settings = self.settings(warm.is_some());
        settings.seed = settings.seed.wrapping_add(at as u64);
        let steps = settings.steps_max;
        let mut tell = |check: &train::Check| {
            progress(Progress {
                step: at * steps + check.step,
                steps_max: self.config.members * steps,
                train_loss: check.train_loss,
                validate_loss: check.validate_loss,
            });
            ControlFlow::Continue(())
        };
        let shape = self.shape(width);
        let fitted = train::fit_with(device, &shape, warm.as_ref(), problem, &settings, &mut tell)
            .map_err(refuse)?;
        let course = Course {
            validate_loss_start: fitted.validate_loss_start,
            validate_loss: fitted.validate_loss,
            best_step: fitted.best_step,
            steps: fitted.history.last().map_or(0, |check| check.step),
        };
        let mut calibration = fitted.calibration;
        if self.teaching.odds {
            let outputs = outcome(&fitted.weights, problem)?;
            calibration = [0, 1].map(|at| believed(problem, &outputs, at));
        }
        Ok((Member::new(&fitted.weights, calibration), course))
    }

    /// Every combination of the grid, the best first.
    pub fn sweep(self, progress: &mut dyn FnMut(Progress)) -> Result<Vec<Trial>> {
        let (problem, _) = self.problem();
        self.trials(&self.config.device.choose(), &problem, progress)
    }

    fn trials(
        &self,
        device: &Chosen,
        problem: &Problem,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Trial>> {
        let grid = &self.config.sweep;
        let of = |count: usize| count.max(1);
        let steps_max =
            of(grid.hiddens.len()) * of(grid.learning_rates.len()) * of(grid.dropouts.len());
        let width = problem.features.first().map_or(0, Vec::len) / problem.rows.len().max(1);
        let mut step = 0;
        let mut tell = |trial: &Trial, _: &train::Fitted| {
            step += 1;
            let loss = trial.validate_loss;
            progress(Progress { step, steps_max, train_loss: loss, validate_loss: loss });
            ControlFlow::Continue(())
        };
        let settings = self.settings(false);
        train::sweep_with(device, &self.shape(width), problem, &settings, grid, &mut tell)
            .map_err(refuse)
    }

    /// The graph, and the scales its numbers were brought to.
    fn problem(&self) -> (Problem, Scales) {
        let scales = if let Some(warm) = &self.warm {
            warm.scales.clone()
        } else {
            let known: Vec<&Sample> = self.samples.iter().map(AsRef::as_ref).collect();
            Scales::of(&known, &self.matches)
        };
        (self.problem_of(&self.places, &scales), scales)
    }

    fn problem_of(&self, places: &Places, scales: &Scales) -> Problem {
        let samples: Vec<(&Sample, Role)> =
            self.samples.iter().map(AsRef::as_ref).zip(self.roles()).collect();
        problem(&samples, &self.matches, places, scales, self.teaching)
    }

    /// Time-ordered: fitted to, stopped by, compared on.
    fn roles(&self) -> Vec<Role> {
        let n = self.samples.len();
        let gate = self.config.gate_fixtures.min(n);
        let validate = self.config.validate_fixtures.min(n - gate);
        let train = n - gate - validate;
        (0..n)
            .map(|at| match at {
                at if at < train => Role::Train,
                at if at < train + validate => Role::Validate,
                _ => Role::Context,
            })
            .collect()
    }

    fn shape(&self, fixture_width: usize) -> Shape {
        let by = &self.config;
        config(fixture_width, by.hidden, by.heads, by.layers, by.dropout)
    }

    fn settings(&self, warm: bool) -> train::Settings {
        let by = &self.config;
        let (rate, steps) = if warm {
            (by.learning_rate * by.warm_rate, by.warm_steps)
        } else {
            (by.learning_rate, by.steps)
        };
        train::Settings {
            learning_rate: rate,
            weight_decay: by.weight_decay,
            steps_max: steps,
            check_every: 5,
            patience: by.patience,
            seed: by.seed,
            ..train::Settings::default()
        }
    }

    /// Compares the challenger with what is live on the newest settled fixtures.
    fn gate(&self, challenger: &[Member], problem: &Problem) -> Result<Gate> {
        let own = moves(challenger, problem)?;
        let incumbent = match &self.champion {
            // Its own scales: an operator can have put a model of another line in its place.
            Some(champion) => {
                let problem = self.problem_of(&champion.places, &champion.scales);
                moves(&champion.members, &problem)?
            }
            None => vec![[0.0; 2]; own.len()],
        };
        let from = problem.rows.len().saturating_sub(self.config.gate_fixtures);
        let mut differences = Vec::new();
        for (at, row) in problem.rows.iter().enumerate().skip(from) {
            if row.weight > 0.0 {
                let loss = |by: [f32; 2]| {
                    let p = probabilities(train::moved(row.base, by));
                    let term = |(truth, p): (&f32, f32)| -f64::from(*truth) * f64::from(p).ln();
                    row.truth.iter().zip(p).map(term).sum::<f64>()
                };
                differences.push(loss(incumbent[at]) - loss(own[at]));
            }
        }
        Ok(Gate::of(&differences, self.teaching.odds))
    }
}

/// The outcome head's outputs for all fixtures, two each.
fn outcome(weights: &Weights, problem: &Problem) -> Result<Vec<f32>> {
    let outputs = train::predict(weights, &problem.counts, &problem.features, &problem.edges);
    Ok(outputs.map_err(refuse)?.into_iter().next().unwrap_or_default())
}

/// How much of a coordinate's moves to believe: the factor that brings them nearest to where lines
/// went, by least squares on the fixtures that said when to stop. Lines are so much less noisy than
/// results that a thousand of them can tell.
fn believed(problem: &Problem, outputs: &[f32], at: usize) -> f32 {
    let (mut squares, mut products, mut rows) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (row, by) in problem.rows.iter().zip(outputs.chunks_exact(2)) {
        if let (Role::Validate, Some(closing)) = (row.role, row.closing) {
            let by = f64::from(by[at]);
            squares += by * by;
            products += by * f64::from(closing[at]);
            rows += 1.0;
        }
    }
    // As much as so many more fixtures would weigh, whose lines went exactly there.
    let prior = PRIOR_FIXTURES * squares / f64::max(rows, 1.0);
    if squares > 0.0 {
        ((products + prior) / (squares + prior)).clamp(0.0, BELIEVED_MAX) as f32
    } else {
        1.0
    }
}

/// How far these members together move each line, by coordinate.
fn moves(members: &[Member], problem: &Problem) -> Result<Vec<[f32; 2]>> {
    let mut sums = vec![[0.0; 2]; problem.rows.len()];
    for member in members {
        let weights = member.weights().map_err(refuse)?;
        let outputs = train::predict(&weights, &problem.counts, &problem.features, &problem.edges)
            .map_err(refuse)?;
        let outcome = outputs.first().map_or(&[][..], Vec::as_slice);
        for (sum, by) in sums.iter_mut().zip(outcome.chunks_exact(2)) {
            for at in 0..2 {
                sum[at] += by[at] * member.calibration[at] / members.len() as f32;
            }
        }
    }
    Ok(sums)
}

impl Gate {
    /// Where only results teach, single matches are so loud that a mean alone says nothing: there the
    /// whole interval has to be above zero.
    fn of(differences: &[f64], odds: bool) -> Self {
        let n = differences.len().max(1) as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let variance =
            differences.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / f64::max(n - 1.0, 1.0);
        let half_width = 1.96 * (variance / n).sqrt();
        let passed = mean > if odds { 0.0 } else { half_width };
        Self { fixtures: differences.len(), better_by: mean, half_width, passed }
    }
}

#[cfg(test)]
mod tests {
    use ::hgt::train::TargetRow;

    use super::*;

    #[test]
    fn moves_are_believed_as_far_as_lines_went_with_them() {
        let row = |role, closing| TargetRow { role, closing, ..TargetRow::default() };
        let mut problem = Problem::default();
        let mut outputs = Vec::new();
        for at in 0..400 {
            let by = if at % 2 == 0 { 0.1 } else { -0.1 };
            problem.rows.push(row(Role::Validate, Some([0.5 * by, -by])));
            outputs.extend([by, by]);
        }
        problem.rows.push(row(Role::Train, Some([9.0, 9.0])));
        outputs.extend([1.0, 1.0]);
        let side = believed(&problem, &outputs, 0);
        assert!((side - (0.5 * 400.0 + 100.0) / 500.0).abs() < 1e-5, "{side}");
        assert_eq!(believed(&problem, &outputs, 1), 0.0, "they went the other way");
        assert_eq!(believed(&problem, &vec![0.0; outputs.len()], 0), 1.0);
    }

    #[test]
    fn a_gate_opens_to_what_is_better_and_where_only_results_teach_to_what_is_surely_so() {
        let noisy: Vec<f64> = (0..100).map(|at| if at % 2 == 0 { 1.1 } else { -1.0 }).collect();
        let gate = Gate::of(&noisy, true);
        assert!(gate.passed && (gate.better_by - 0.05).abs() < 1e-12, "{gate:?}");
        assert!(gate.half_width > gate.better_by);
        assert!(!Gate::of(&noisy, false).passed);
        assert!(Gate::of(&[0.1, 0.2, 0.15], false).passed);
        assert!(!Gate::of(&[-0.1, 0.05], true).passed);
        assert!(!Gate::of(&[], true).passed, "nothing seen, nothing proved");
    }
}
