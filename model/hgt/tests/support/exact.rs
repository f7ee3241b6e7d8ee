//! The definition, edge by edge in float64: slow, plain, and written from the paper (Hu et al.
//! 2020, as `HGTConv` of torch-geometric), not from the kernels.

use std::collections::BTreeMap;

use tideline_hgt::{Config, Weights};

use super::Parts;

/// Parameters by name, in float64.
pub struct Exact<'a> {
    config: &'a Config,
    parts: &'a Parts,
    names: BTreeMap<String, usize>,
    /// In the order of [`Weights::parameters`].
    pub parameters: Vec<Vec<f64>>,
}

/// The error function, by Kummer's series: all terms are positive.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    sum * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt()
}

/// `x W + b` with W: as many rows as x is long, `stride` apart.
fn linear(x: &[f64], weight: &[f64], stride: usize, bias: &[f64]) -> Vec<f64> {
    let mut out = bias.to_vec();
    for (x, row) in x.iter().zip(weight.chunks(stride)) {
        for (out, weight) in out.iter_mut().zip(row) {
            *out += x * weight;
        }
    }
    out
}

impl<'a> Exact<'a> {
    /// The same model and graph.
    pub fn new(weights: &'a Weights, parts: &'a Parts) -> Self {
        let all = weights.parameters();
        let names = all.iter().enumerate().map(|(at, it)| (it.0.clone(), at)).collect();
        let parameters =
            all.iter().map(|it| it.2.iter().copied().map(f64::from).collect()).collect();
        Self { config: weights.config(), parts, names, parameters }
    }

    fn get(&self, name: &str) -> &[f64] {
        &self.parameters[self.names[name]]
    }

    fn kind(&self, name: &str) -> usize {
        self.config.node_types.iter().position(|it| it.name == name).unwrap()
    }

    /// Outputs, each nodes x width.
    pub fn forward(&self) -> Vec<Vec<f64>> {
        let mut states = self.project();
        for layer in 0..self.config.layers {
            states = self.layer(layer, &states);
        }
        let hidden = self.config.hidden;
        let read = |(at, output): (usize, &tideline_hgt::Output)| {
            let weight = self.get(&format!("outputs.{at}.weight"));
            let bias = self.get(&format!("outputs.{at}.bias"));
            let rows = states[self.kind(&output.node_type)].chunks(hidden);
            rows.flat_map(|row| linear(row, weight, output.width, bias)).collect()
        };
        self.config.outputs.iter().enumerate().map(read).collect()
    }

    fn project(&self) -> Vec<Vec<f64>> {
        let hidden = self.config.hidden;
        let mut first = 0;
        let mut states = Vec::new();
        for (kind, it) in self.config.node_types.iter().enumerate() {
            let weight = &self.get("project.weight")[first * hidden..];
            let bias = &self.get("project.bias")[kind * hidden..][..hidden];
            first += it.width;
            let mut table = Vec::new();
            for row in self.parts.features[kind].chunks(it.width) {
                let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
                table.extend(linear(&row, weight, hidden, bias).iter().map(|x| x.max(0.0)));
            }
            states.push(table);
        }
        states
    }

    /// Keys, queries and values of every node of a type: rows x 3 hidden.
    fn kqv(&self, layer: usize, kind: usize, states: &[f64]) -> Vec<Vec<f64>> {
        let hidden = self.config.hidden;
        let weight = self.get(&format!("layers.{layer}.kqv.weight"));
        let bias = self.get(&format!("layers.{layer}.kqv.bias"));
        let weight = &weight[kind * hidden * 3 * hidden..];
        let bias = &bias[kind * 3 * hidden..][..3 * hidden];
        states.chunks(hidden).map(|row| linear(row, weight, 3 * hidden, bias)).collect()
    }

    fn layer(&self, layer: usize, states: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let hidden = self.config.hidden;
        let kqv: Vec<_> =
            states.iter().enumerate().map(|(kind, it)| self.kqv(layer, kind, it)).collect();
        let out_weight = self.get(&format!("layers.{layer}.out.weight"));
        let out_bias = self.get(&format!("layers.{layer}.out.bias"));
        let skip = self.get(&format!("layers.{layer}.skip"));
        let mut new = Vec::new();
        for (kind, own) in states.iter().enumerate() {
            let share = 1.0 / (1.0 + (-skip[kind]).exp());
            let mut table = Vec::new();
            for (row, own) in own.chunks(hidden).enumerate() {
                let message = self.message(layer, kind, row, &kqv);
                let active: Vec<f64> = message
                    .iter()
                    .map(|x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)))
                    .collect();
                let weight = &out_weight[kind * hidden * hidden..];
                let result = linear(&active, weight, hidden, &out_bias[kind * hidden..][..hidden]);
                let pairs = result.iter().zip(own);
                table.extend(pairs.map(|(new, old)| share * new + (1.0 - share) * old));
            }
            new.push(table);
        }
        new
    }

    /// What a node receives over all relations that end at it.
    fn message(&self, layer: usize, kind: usize, row: usize, kqv: &[Vec<Vec<f64>>]) -> Vec<f64> {
        let (hidden, heads) = (self.config.hidden, self.config.heads);
        let width = hidden / heads;
        let of = |name: &str| self.get(&format!("layers.{layer}.{name}"));
        let (keys, values, prior) = (of("key_relation"), of("value_relation"), of("prior"));
        let mut message = vec![0.0; hidden];
        for head in 0..heads {
            let mut scored: Vec<(f64, Vec<f64>)> = Vec::new();
            for (at, relation) in self.config.relations.iter().enumerate() {
                if self.kind(&relation.target) != kind {
                    continue;
                }
                let source = self.kind(&relation.source);
                let matrix = (at * heads + head) * width * width..;
                let edges = &self.parts.edges[at];
                for (&from, &to) in edges.sources.iter().zip(&edges.targets) {
                    if to as usize != row {
                        continue;
                    }
                    let from = &kqv[source][from as usize];
                    let part = |first: usize| &from[first + head * width..][..width];
                    let zero = vec![0.0; width];
                    let key = linear(part(0), &keys[matrix.clone()], width, &zero);
                    let value = linear(part(2 * hidden), &values[matrix.clone()], width, &zero);
                    let query = &kqv[kind][row][hidden + head * width..];
                    let product: f64 = key.iter().zip(query).map(|(a, b)| a * b).sum();
                    let scale = prior[at * heads + head] / (width as f64).sqrt();
                    scored.push((product * scale, value));
                }
            }
            let most = scored.iter().fold(f64::NEG_INFINITY, |most, it| most.max(it.0));
            let sum: f64 = scored.iter().map(|it| (it.0 - most).exp()).sum();
            for (score, value) in &scored {
                let attention = (score - most).exp() / sum;
                for (out, value) in message[head * width..].iter_mut().zip(value) {
                    *out += attention * value;
                }
            }
        }
        message
    }

    /// The tests' loss.
    pub fn loss(&self) -> f64 {
        let outputs = self.forward();
        let squares = outputs.iter().flatten().map(|x| x * x).sum::<f64>();
        squares + outputs[0].iter().sum::<f64>()
    }
}
