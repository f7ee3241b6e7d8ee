//! The reference graph: 20,000 fixtures, 2,000 teams, 40 books, 60 leagues, 120,000 quotes and
//! 600,000 edges over eight relations, at random, so that nothing lies conveniently in memory.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use tideline_hgt::{Config, Edges, NodeType, Output, Relation, Weights};

/// Nodes by type.
pub const NODES: [(&str, usize); 5] =
    [("fixture", 20_000), ("team", 2_000), ("book", 40), ("league", 60), ("quote", 120_000)];
/// (source, name, target) by relation.
pub const RELATIONS: [(&str, &str, &str); 8] = [
    ("quote", "of", "fixture"),
    ("fixture", "has", "quote"),
    ("book", "made", "quote"),
    ("quote", "by", "book"),
    ("team", "plays", "fixture"),
    ("fixture", "with", "team"),
    ("league", "holds", "fixture"),
    ("fixture", "in", "league"),
];
/// Features of every node.
const WIDTH: usize = 32;
/// Numbers read from every fixture.
pub const CLASSES: usize = 3;

/// Numbers from a seed (xorshift, Marsaglia 2003).
pub struct Random(pub u64);

impl Random {
    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Mean 0 and variance 1.
    pub fn standard(&mut self) -> f32 {
        let unit = (self.next() >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
        unit * 3.0_f32.sqrt()
    }

    /// Below a bound.
    pub fn below(&mut self, bound: usize) -> u32 {
        ((self.next() >> 16) % bound as u64) as u32
    }
}

/// Graph and labels.
pub struct Reference {
    pub config: Config,
    pub counts: Vec<usize>,
    pub features: Vec<Vec<f32>>,
    pub edges: Vec<Edges>,
    pub labels: Vec<i32>,
}

/// Hidden 64, 4 heads, 2 layers.
pub fn config() -> Config {
    let relation = |(source, name, target): (&str, &str, &str)| Relation {
        source: source.into(),
        name: name.into(),
        target: target.into(),
    };
    Config {
        node_types: NODES.map(|(name, _)| NodeType { name: name.into(), width: WIDTH }).to_vec(),
        relations: RELATIONS.map(relation).to_vec(),
        hidden: 64,
        heads: 4,
        layers: 2,
        dropout: 0.0,
        outputs: vec![Output {
            name: "outcome".into(),
            node_type: "fixture".into(),
            width: CLASSES,
            zero_start: false,
        }],
    }
}

impl Reference {
    /// The same one every time.
    pub fn new() -> Self {
        Self::with(NODES.map(|(_, count)| count))
    }

    /// One with these numbers of nodes.
    pub fn with(counts: [usize; 5]) -> Self {
        let mut random = Random(20_190_701);
        let [fixtures, teams, books, leagues, quotes] = counts;
        let features = counts
            .iter()
            .map(|count| (0..count * WIDTH).map(|_| random.standard()).collect())
            .collect();
        let mut ends = |many: usize, below: usize| -> Vec<u32> {
            (0..many).map(|_| random.below(below)).collect()
        };
        let all = |many: usize| -> Vec<u32> { (0..many as u32).collect() };
        let both = |sources: &[u32], targets: &[u32]| {
            let edges = |a: &[u32], b: &[u32]| Edges { sources: a.to_vec(), targets: b.to_vec() };
            [edges(sources, targets), edges(targets, sources)]
        };
        let of_fixture = ends(quotes, fixtures);
        let by_book = ends(quotes, books);
        let twice: Vec<u32> = all(fixtures).into_iter().chain(all(fixtures)).collect();
        let playing = ends(2 * fixtures, teams);
        let held_by = ends(fixtures, leagues);
        let labels = ends(fixtures, CLASSES).into_iter().map(|it| it as i32).collect();
        let edges = [
            both(&all(quotes), &of_fixture),
            both(&by_book, &all(quotes)),
            both(&playing, &twice),
            both(&held_by, &all(fixtures)),
        ];
        Self {
            config: config(),
            counts: counts.to_vec(),
            features,
            edges: edges.into_iter().flatten().collect(),
            labels,
        }
    }

    /// Everything the Python sides read.
    pub fn write(&self, folder: &Path, weights: &Weights) -> Result<()> {
        let config = &self.config;
        let kind = |name: &str| config.node_types.iter().position(|it| it.name == name);
        let types: Vec<_> = config
            .node_types
            .iter()
            .zip(&self.counts)
            .map(|(it, count)| json!({"name": it.name, "width": it.width, "count": count}))
            .collect();
        let relation = |it: &Relation| json!({"source": kind(&it.source), "name": it.name, "target": kind(&it.target)});
        let parameters: Vec<_> =
            weights.parameters().iter().map(|(name, shape, _)| json!([name, shape])).collect();
        let shape = json!({
            "types": types,
            "relations": config.relations.iter().map(relation).collect::<Vec<_>>(),
            "hidden": config.hidden,
            "heads": config.heads,
            "layers": config.layers,
            "parameters": parameters,
        });
        fs::write(folder.join("shape.json"), shape.to_string())?;
        for (at, values) in self.features.iter().enumerate() {
            let bytes = values.iter().map(|it| it.to_le_bytes());
            write(folder, &format!("features.{at}"), bytes)?;
        }
        for (at, edges) in self.edges.iter().enumerate() {
            for (name, rows) in [("sources", &edges.sources), ("targets", &edges.targets)] {
                let bytes = rows.iter().map(|it| it.to_le_bytes());
                write(folder, &format!("{name}.{at}"), bytes)?;
            }
        }
        write(folder, "labels", self.labels.iter().map(|it| it.to_le_bytes()))?;
        write(folder, "weights", weights.values().iter().map(|it| it.to_le_bytes()))
    }
}

fn write(folder: &Path, name: &str, values: impl Iterator<Item = [u8; 4]>) -> Result<()> {
    let path = folder.join(name);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::new(file);
    for value in values {
        out.write_all(&value)?;
    }
    Ok(out.flush()?)
}

/// Numbers that a Python side wrote.
pub fn read(folder: &Path, name: &str) -> Result<Vec<f32>> {
    let path = folder.join(name);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers.iter().map(|it| f32::from_le_bytes(*it)).collect())
}
