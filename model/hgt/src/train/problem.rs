//! What is to be learned, as plain numbers: one graph, and what should come out at the nodes of one
//! kind.
//!
//! A line is three log-probabilities up to a constant (home, draw, away). It moves along two
//! coordinates, home against away and draw against both: outputs of the model are moves along
//! them, so that an output of zero leaves the line as it is.

use serde::{Deserialize, Serialize};

use crate::{Config, Edges, Error, Result};

/// Name of the output that moves the base line: home against away, draw.
pub const OUTCOME: &str = "outcome";
/// Name of the output that says how far the line will have moved at its close: same coordinates.
pub const CLOSING: &str = "closing";
/// Name of the output that moves the logarithms of the expected goals: home, away.
pub const GOALS: &str = "goals";
/// Width of each of the three outputs.
pub const MOVES: usize = 2;

/// One graph with what is to be learned about its nodes of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problem {
    /// Nodes by type, as in [`Graph::new`](crate::Graph::new).
    pub counts: Vec<usize>,
    /// Features by type, nodes x width, row-major.
    pub features: Vec<Vec<f32>>,
    /// Edges by relation.
    pub edges: Vec<Edges>,
    /// Index of the node type that is learned about.
    pub target_type: usize,
    /// One per node of that type, in order.
    pub rows: Vec<TargetRow>,
}

/// What a node is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Its neighbours learn from it through the graph; what became of it is not looked at.
    #[default]
    Context,
    /// The weights are fitted to it.
    Train,
    /// Says when to stop. Nothing here knows of time: choose rows later than all training rows.
    Validate,
}

/// What should come out at one node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TargetRow {
    /// What it is there for.
    pub role: Role,
    /// How much it counts; 0 for nothing known yet, and then nothing else of it is read.
    pub weight: f32,
    /// Log-probabilities of home, draw and away, up to a constant, that the output corrects.
    pub base: [f32; 3],
    /// The distribution that should come out: what happened, the closing line, or a mixture.
    pub truth: [f32; 3],
    /// How far the line moved to its close, by [`coordinates`] of closing minus base.
    pub closing: Option<[f32; MOVES]>,
    /// Goals, where they are known.
    pub rates: Option<Rates>,
}

/// Expected goals of home and away.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Logarithms of the expected goals that the output corrects.
    pub base: [f32; MOVES],
    /// Goals that should have been expected, 0 or more; may be a mixture.
    pub truth: [f32; MOVES],
}

/// Coordinates of a line: home against away, `l0 - l2`, and draw, `l1 - (l0 + l2) / 2`.
///
/// ```
/// use tideline_hgt::train::{coordinates, moved};
///
/// let line = moved([0.0; 3], [0.4, -0.3]);
/// let back = coordinates(line);
/// assert!((back[0] - 0.4).abs() < 1e-6 && (back[1] + 0.3).abs() < 1e-6);
/// ```
pub fn coordinates(line: [f32; 3]) -> [f32; MOVES] {
    [line[0] - line[2], line[1] - f32::midpoint(line[0], line[2])]
}

/// A line moved along its two coordinates; the inverse of [`coordinates`] but for a constant.
pub fn moved(line: [f32; 3], by: [f32; MOVES]) -> [f32; 3] {
    let (side, draw) = (0.5 * by[0], by[1] / 3.0);
    [line[0] + side - draw, line[1] + 2.0 * draw, line[2] - side - draw]
}

/// Where the outputs that are learned stand in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heads {
    pub outcome: Option<usize>,
    pub closing: Option<usize>,
    pub goals: Option<usize>,
}

impl Heads {
    /// Finds them and checks that they are of the target type and two numbers wide.
    pub fn of(config: &Config, target_type: usize) -> Result<Self> {
        let schema = config.schema()?;
        let find = |name: &str| {
            let Some(at) = config.outputs.iter().position(|it| it.name == name) else {
                return Ok(None);
            };
            if schema.outputs[at] == (target_type, MOVES) {
                return Ok(Some(at));
            }
            Err(Error::Problem(format!(
                "output '{name}' is {} wide on '{}': make it {MOVES} wide on the target type",
                config.outputs[at].width, config.outputs[at].node_type
            )))
        };
        let heads = Self { outcome: find(OUTCOME)?, closing: find(CLOSING)?, goals: find(GOALS)? };
        if heads == Self::default() {
            return Err(Error::Problem(format!(
                "the configuration has no output called {OUTCOME}, {CLOSING} or {GOALS}: add one"
            )));
        }
        Ok(heads)
    }
}

impl Problem {
    /// Checks the rows; the graph is checked where it is sorted.
    pub(crate) fn check(&self, config: &Config) -> Result<Heads> {
        if self.target_type >= config.node_types.len() {
            return Err(Error::Problem(format!(
                "target_type is {} and there are {} node types: count from 0",
                self.target_type,
                config.node_types.len()
            )));
        }
        let count = self.counts.get(self.target_type).copied().unwrap_or_default();
        if self.rows.len() != count {
            return Err(Error::Problem(format!(
                "it has {} rows for {count} nodes of '{}': give one each, with weight 0 where \
                 nothing is known",
                self.rows.len(),
                config.node_types[self.target_type].name
            )));
        }
        for (at, row) in self.rows.iter().enumerate() {
            row.check().map_err(|why| Error::Problem(format!("row {at}: {why}")))?;
        }
        for (role, advice) in [
            (Role::Train, "nothing can be learned; give training rows a weight"),
            (Role::Validate, "nothing says when to stop; set the latest known rows aside"),
        ] {
            if !self.rows.iter().any(|it| it.role == role && it.weight > 0.0) {
                return Err(Error::Problem(format!(
                    "no row has the role {role:?} and a weight above 0: {advice}"
                )));
            }
        }
        Heads::of(config, self.target_type)
    }
}

impl TargetRow {
    fn check(&self) -> std::result::Result<(), String> {
        if !self.weight.is_finite() || self.weight < 0.0 {
            return Err(format!("its weight is {}: choose 0 or more", self.weight));
        }
        if self.weight == 0.0 || self.role == Role::Context {
            return Ok(());
        }
        if self.base.iter().any(|it| !it.is_finite()) {
            return Err(format!(
                "its base line is {:?}: give finite log-probabilities, or weight 0",
                self.base
            ));
        }
        let sum: f32 = self.truth.iter().sum();
        if self.truth.iter().any(|it| !(0.0..=1.0).contains(it)) || (sum - 1.0).abs() > 1e-3 {
            return Err(format!(
                "its truth is {:?}: give three probabilities that sum to 1, or weight 0",
                self.truth
            ));
        }
        if self.closing.is_some_and(|it| it.iter().any(|it| !it.is_finite())) {
            return Err(format!("its closing move is {:?}: give none if unknown", self.closing));
        }
        let wrong = |it: Rates| {
            it.base.iter().any(|it| !it.is_finite())
                || it.truth.iter().any(|it| !it.is_finite() || *it < 0.0)
        };
        if self.rates.is_some_and(wrong) {
            return Err(format!(
                "its rates are {:?}: give finite logarithms and goals of 0 or more, or none",
                self.rates
            ));
        }
        Ok(())
    }
}
