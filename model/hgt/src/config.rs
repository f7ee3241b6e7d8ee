//! What a model is made of, by name; checked once, then used by number.
//!
//! Names are for people and artifacts. Everything behind [`Config::schema`] counts in indices, so
//! that no kernel looks anything up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A kind of node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeType {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Input features of a node, at least one.
    pub width: usize,
}

/// A kind of edge. Messages go from source to target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// Name of the node type that messages come from.
    pub source: String,
    /// Its own name; (source, name, target) is unique in the configuration.
    pub name: String,
    /// Name of the node type that messages go to.
    pub target: String,
}

/// Something read out: a linear function of the last state of one kind of node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Name of the node type it is read from.
    pub node_type: String,
    /// Numbers a node.
    pub width: usize,
    /// Start at exactly zero: for a correction to something that is already good.
    #[serde(default)]
    pub zero_start: bool,
}

/// A heterogeneous graph transformer (Hu et al. 2020), by name.
///
/// ```
/// use tideline_hgt::{Config, NodeType, Output, Relation};
///
/// let config = Config {
///     node_types: vec![
///         NodeType { name: "paper".into(), width: 8 },
///         NodeType { name: "author".into(), width: 3 },
///     ],
///     relations: vec![Relation {
///         source: "author".into(),
///         name: "wrote".into(),
///         target: "paper".into(),
///     }],
///     hidden: 32,
///     heads: 4,
///     layers: 2,
///     dropout: 0.1,
///     outputs: vec![Output {
///         name: "venue".into(),
///         node_type: "paper".into(),
///         width: 5,
///         zero_start: false,
///     }],
/// };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kinds of nodes; their order is the order of every by-type argument.
    pub node_types: Vec<NodeType>,
    /// Kinds of edges; their order is the order of every by-relation argument.
    pub relations: Vec<Relation>,
    /// Width of a node's state, a multiple of `heads`.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Layers: how many steps away a node is seen.
    pub layers: usize,
    /// Share of every layer's new state that is left out in training, `0.0..1.0`.
    pub dropout: f64,
    /// What is read out, at least one.
    pub outputs: Vec<Output>,
}

/// Most node types, relations, layers or outputs: far above any use, below any overflow.
pub const PARTS_MAX: usize = 256;
/// Greatest hidden, input or output width.
pub const WIDTH_MAX: usize = 4096;

/// A checked configuration, by number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schema {
    /// Input width by node type.
    pub widths: Vec<usize>,
    /// (source type, target type) by relation.
    pub relations: Vec<(usize, usize)>,
    /// Width of a state.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Share left out in training.
    pub dropout: f32,
    /// (node type, width) by output.
    pub outputs: Vec<(usize, usize)>,
}

impl Config {
    /// Checks it.
    ///
    /// # Errors
    /// [`Error::Config`] with the first thing that is wrong.
    pub fn check(&self) -> Result<()> {
        self.schema().map(|_| ())
    }

    pub(crate) fn schema(&self) -> Result<Schema> {
        self.check_numbers()?;
        unique("node type", self.node_types.iter().map(|it| it.name.clone()))?;
        unique("output", self.outputs.iter().map(|it| it.name.clone()))?;
        let full = |it: &Relation| format!("{} {} {}", it.source, it.name, it.target);
        unique("relation", self.relations.iter().map(full))?;
        let mut relations = Vec::with_capacity(self.relations.len());
        for it in &self.relations {
            let inside = format!("relation '{}'", full(it));
            relations
                .push((self.type_of(&it.source, &inside)?, self.type_of(&it.target, &inside)?));
        }
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for it in &self.outputs {
            width(it.width, &format!("output '{}'", it.name))?;
            outputs
                .push((self.type_of(&it.node_type, &format!("output '{}'", it.name))?, it.width));
        }
        for it in &self.node_types {
            width(it.width, &format!("node type '{}'", it.name))?;
        }
        Ok(Schema {
            widths: self.node_types.iter().map(|it| it.width).collect(),
            relations,
            hidden: self.hidden,
            heads: self.heads,
            layers: self.layers,
            dropout: self.dropout as f32,
            outputs,
        })
    }

    fn check_numbers(&self) -> Result<()> {
        width(self.hidden, "hidden")?;
        if self.heads == 0 || !self.hidden.is_multiple_of(self.heads) {
            return Err(Error::Config(format!(
                "hidden is {} and heads is {}: choose a hidden width that is a multiple of heads",
                self.hidden, self.heads
            )));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Config(format!(
                "dropout is {}: choose a share from 0 up to, not including, 1",
                self.dropout
            )));
        }
        let parts = [
            ("node_types", self.node_types.len()),
            ("relations", self.relations.len()),
            ("layers", self.layers),
            ("outputs", self.outputs.len()),
        ];
        for (what, count) in parts {
            if count == 0 || count > PARTS_MAX {
                return Err(Error::Config(format!(
                    "{what} has {count}: there must be 1 to {PARTS_MAX} of them"
                )));
            }
        }
        Ok(())
    }

    fn type_of(&self, name: &str, inside: &str) -> Result<usize> {
        self.node_types.iter().position(|it| it.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.node_types.iter().map(|it| it.name.as_str()).collect();
            Error::Config(format!(
                "{inside} speaks of node type '{name}', which is none of {}",
                known.join(", ")
            ))
        })
    }
}

fn width(value: usize, what: &str) -> Result<()> {
    if (1..=WIDTH_MAX).contains(&value) {
        return Ok(());
    }
    Err(Error::Config(format!("the width of {what} is {value}: choose 1 to {WIDTH_MAX}")))
}

fn unique(what: &str, names: impl Iterator<Item = String>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.clone()) {
            return Err(Error::Config(format!("{what} '{name}' is there twice: rename one")));
        }
    }
    Ok(())
}
