//! From nodes and edges to a neighbourhood: what the outputs depend on, what of it can change, and
//! where every number lies. Runs once a fixture, so it may take its time and memory.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Builder, Key, NODES_MAX, Sources};
use super::neighbourhood::{
    FIXED, Inputs, LocalKind, LocalLayer, LocalRelation, Neighbourhood, Table,
};
use crate::kernels::gemm::{Matrix, MatrixMut, Shape, Start, product};
use crate::plan::Side;
use crate::{Error, Result};

/// What depends on what, and where it goes.
pub(super) struct Layout<'a> {
    builder: &'a Builder<'a>,
    sources: BTreeMap<Key, Sources>,
    /// Nodes that can differ from the cache and matter: before every layer and after the last.
    live: Vec<BTreeSet<Key>>,
    /// Live at any time; those with features first, types together.
    slots: BTreeMap<Key, u32>,
    tables: Vec<Table>,
    /// Row of the copy of a cached node, by layer.
    fixed: Vec<BTreeMap<Key, u32>>,
    reach: usize,
}

impl<'a> Layout<'a> {
    pub fn new(builder: &'a Builder<'a>, root: Key) -> Result<Self> {
        let layers = builder.fast.schema.layers;
        let mut sources: BTreeMap<Key, Sources> = BTreeMap::new();
        let mut needed = vec![BTreeSet::from([root])];
        for _ in 0..layers {
            let mut before = needed[needed.len() - 1].clone();
            for key in &needed[needed.len() - 1] {
                let own = sources.entry(*key).or_insert_with(|| builder.sources(*key));
                before.extend(own.iter().flat_map(|it| &it.1));
            }
            if before.len() > NODES_MAX {
                return Err(Error::Graph(format!(
                    "the outputs depend on {} nodes, more than {NODES_MAX}: give the model fewer \
                     layers or the fixture fewer neighbours",
                    before.len()
                )));
            }
            needed.push(before);
        }
        needed.reverse();
        let own = builder.nodes.iter().map(|it| it.0);
        let own: BTreeSet<Key> = own.filter(|it| needed[0].contains(it)).collect();
        let mut live = vec![own];
        for needed in &needed[1..] {
            let before = &live[live.len() - 1];
            let touched = |key: &Key| {
                let all = sources.get(key).map(Vec::as_slice).unwrap_or_default();
                before.contains(key)
                    || all.iter().flat_map(|it| &it.1).any(|it| before.contains(it))
            };
            let next = needed.iter().copied().filter(touched).collect();
            live.push(next);
        }
        // A root that nothing touches still has outputs.
        live[layers].insert(root);
        let later: BTreeSet<Key> = live.iter().flatten().copied().collect();
        let rest = later.iter().filter(|it| !live[0].contains(it));
        let slots = live[0].iter().chain(rest).zip(0..).map(|(key, at)| (*key, at)).collect();
        let fixed = vec![BTreeMap::new(); layers];
        let mut layout = Self {
            builder,
            sources,
            live,
            slots,
            tables: Vec::new(),
            fixed,
            reach: needed[0].len(),
        };
        layout.tables = (0..=layers).map(|layer| layout.table(layer)).collect();
        Ok(layout)
    }

    /// A table with the cached states in their slots.
    fn table(&self, layer: usize) -> Table {
        let hidden = self.builder.fast.schema.hidden;
        let mut states = vec![0.0; self.slots.len() * hidden];
        for (key, slot) in &self.slots {
            if !key.1 && layer < self.builder.fast.schema.layers {
                let state = self.builder.cache.state(layer, key.0, key.2 as usize);
                states[*slot as usize * hidden..][..hidden].copy_from_slice(state);
            }
        }
        Table { states, changed: vec![false; self.slots.len()] }
    }

    pub fn neighbourhood(mut self, root: Key) -> Neighbourhood {
        let fast = self.builder.fast;
        let layers = (0..fast.schema.layers).map(|layer| self.layer(layer)).collect();
        let nodes = &self.builder.nodes;
        let inputs = self.inputs();
        Neighbourhood {
            schema: fast.schema.clone(),
            id: fast.id,
            slot: nodes.iter().map(|it| self.slots.get(&it.0).copied().unwrap_or(FIXED)).collect(),
            kind: nodes.iter().map(|it| it.0.0).collect(),
            inputs,
            tables: self.tables,
            layers,
            root_kind: root.0,
            outputs: vec![0.0; fast.width(root.0)],
            reach: self.reach,
            changed: true,
            fresh: true,
        }
    }

    /// Features by type; new nodes are to be computed.
    fn inputs(&mut self) -> Vec<Inputs> {
        let given: BTreeMap<Key, &Option<Vec<f32>>> =
            self.builder.nodes.iter().map(|it| (it.0, &it.1)).collect();
        let mut inputs: Vec<Inputs> = Vec::new();
        for key in &self.live[0] {
            let slot = self.slots[key] as usize;
            let width = self.builder.fast.schema.widths[key.0];
            if inputs.last().is_none_or(|it| it.kind != key.0) {
                inputs.push(Inputs { kind: key.0, slots: slot..slot, features: Vec::new() });
            }
            let Some(it) = inputs.last_mut() else { continue };
            it.slots.end = slot + 1;
            match given.get(key) {
                Some(Some(features)) => {
                    it.features.extend_from_slice(features);
                    self.tables[0].changed[slot] = true;
                }
                // Not a number, so that whatever is set is a change.
                _ => it.features.resize(it.features.len() + width, f32::NAN),
            }
        }
        inputs
    }

    fn layer(&mut self, layer: usize) -> LocalLayer {
        let mut targets: Vec<(usize, u32, Key)> =
            self.live[layer + 1].iter().map(|key| (key.0, self.slots[key], *key)).collect();
        targets.sort_unstable();
        let mut kinds = Vec::new();
        for group in targets.chunk_by(|a, b| a.0 == b.0) {
            let kind = group[0].0;
            let keys: Vec<Key> = group.iter().map(|it| it.2).collect();
            let relations = self.builder.fast.schema.relations.iter().enumerate();
            let ending: Vec<usize> = relations.filter(|it| it.1.1 == kind).map(|it| it.0).collect();
            let relations =
                ending.into_iter().filter_map(|it| self.relation(layer, it, &keys)).collect();
            let targets: Vec<u32> = group.iter().map(|it| it.1).collect();
            let query = vec![0.0; targets.len() * self.builder.fast.schema.hidden];
            kinds.push(LocalKind { kind, targets, query, relations });
        }
        LocalLayer { kinds }
    }

    /// Edges of a relation to the targets; nothing where there are none.
    fn relation(
        &mut self,
        layer: usize,
        relation: usize,
        targets: &[Key],
    ) -> Option<LocalRelation> {
        let mut start = vec![0];
        let mut edges: Vec<Key> = Vec::new();
        for target in targets {
            let all = self.sources.get(target).map(Vec::as_slice).unwrap_or_default();
            edges.extend(all.iter().filter(|it| it.0 == relation).flat_map(|it| &it.1));
            start.push(edges.len() as u32);
        }
        if edges.is_empty() {
            return None;
        }
        let is_live = |key: &Key| self.live[layer].contains(key);
        let slot: Vec<u32> =
            edges.iter().map(|it| if is_live(it) { self.slots[it] } else { FIXED }).collect();
        let distinct: BTreeSet<Key> = edges.iter().copied().collect();
        let schema = &self.builder.fast.schema;
        let matrix = 2 * schema.hidden * schema.hidden;
        let vectors = 2 * schema.hidden * edges.len();
        let at_source = distinct.iter().filter(|it| is_live(it)).count() * matrix + vectors;
        let at_target = targets.len() * matrix + vectors * schema.heads;
        let mut out = LocalRelation {
            relation,
            side: if at_target < at_source { Side::Target } else { Side::Source },
            start,
            source: Vec::new(),
            slot,
            live: Vec::new(),
            key_value: Vec::new(),
        };
        if out.side == Side::Target {
            out.source = edges.iter().map(|it| self.row(layer, *it)).collect();
            return Some(out);
        }
        let rows: BTreeMap<Key, u32> = distinct.iter().copied().zip(0..).collect();
        out.source = edges.iter().map(|it| rows[it]).collect();
        out.live = rows
            .iter()
            .filter(|it| is_live(it.0))
            .map(|(key, row)| (self.slots[key], *row))
            .collect();
        out.key_value = self.key_values(layer, relation, &distinct);
        Some(out)
    }

    /// Where a source's state lies in the layer's table; copies it there if it is a cached one.
    fn row(&mut self, layer: usize, key: Key) -> u32 {
        if self.live[layer].contains(&key) {
            return self.slots[&key];
        }
        let table = &mut self.tables[layer].states;
        let next = (table.len() / self.builder.fast.schema.hidden) as u32;
        let row = *self.fixed[layer].entry(key).or_insert(next);
        if row == next {
            table.extend_from_slice(self.builder.cache.state(layer, key.0, key.2 as usize));
        }
        row
    }

    /// Keys and values of all sources, zero where they are live: rows x 2 hidden.
    fn key_values(&self, layer: usize, relation: usize, sources: &BTreeSet<Key>) -> Vec<f32> {
        let (fast, hidden) = (self.builder.fast, self.builder.fast.schema.hidden);
        let (matrix, bias) = fast.layers[layer].weights().key_value(relation, hidden);
        let mut out = vec![0.0; sources.len() * 2 * hidden];
        for (key, out) in sources.iter().zip(out.chunks_exact_mut(2 * hidden)) {
            if self.live[layer].contains(key) {
                continue;
            }
            product(
                fast.arch,
                Shape { rows: 1, depth: hidden, columns: 2 * hidden },
                Matrix {
                    values: self.builder.cache.state(layer, key.0, key.2 as usize),
                    stride: hidden,
                },
                Matrix { values: matrix, stride: 2 * hidden },
                Start::Bias(bias),
                MatrixMut { values: out, stride: 2 * hidden },
            );
        }
        out
    }
}
