//! Time of a training step on a graph of the size of a few seasons: made-up fixtures and quotes,
//! the real shape of the work. `cargo run --release -p tideline-hgt --example train_step`, with
//! `RAYON_NUM_THREADS` for the number of threads.

#![allow(clippy::disallowed_methods, reason = "an example may measure time")]
#![allow(clippy::print_stdout, reason = "an example prints what it measured")]

use std::ops::ControlFlow;
use std::time::Instant;

use tideline_hgt::train::{Problem, Rates, Role, Settings, TargetRow, fit, predict};
use tideline_hgt::{Config, Edges, NodeType, Output, Relation, Result};

const FIXTURES: usize = 16_000;
const QUOTES: usize = 100_000;
const TEAMS: usize = 600;
const STEPS: usize = 10;

fn config() -> Config {
    let kind = |name: &str, width| NodeType { name: name.into(), width };
    let relation = |source: &str, name: &str, target: &str| Relation {
        source: source.into(),
        name: name.into(),
        target: target.into(),
    };
    let output = |name: &str| Output {
        name: name.into(),
        node_type: "fixture".into(),
        width: 2,
        zero_start: true,
    };
    Config {
        node_types: vec![kind("fixture", 24), kind("quote", 12), kind("team", 8)],
        relations: vec![
            relation("quote", "on", "fixture"),
            relation("fixture", "has", "quote"),
            relation("team", "plays", "fixture"),
            relation("fixture", "of", "team"),
            relation("fixture", "before", "fixture"),
        ],
        hidden: 32,
        heads: 4,
        layers: 2,
        dropout: 0.1,
        outputs: vec![output("outcome"), output("closing"), output("goals")],
    }
}

fn problem(config: &Config) -> Problem {
    let counts = vec![FIXTURES, QUOTES, TEAMS];
    let number = |at: usize| (at as f32 * 0.618).sin();
    let table = |(kind, count): (&NodeType, &usize)| (0..kind.width * count).map(number).collect();
    let edges = |pairs: Vec<(usize, usize)>| Edges {
        sources: pairs.iter().map(|it| it.0 as u32).collect(),
        targets: pairs.iter().map(|it| it.1 as u32).collect(),
    };
    let back = |it: &Edges| Edges { sources: it.targets.clone(), targets: it.sources.clone() };
    let on = edges((0..QUOTES).map(|it| (it, it * FIXTURES / QUOTES)).collect());
    let plays = edges((0..2 * FIXTURES).map(|it| (it * 7919 % TEAMS, it / 2)).collect());
    let before = (0..FIXTURES).flat_map(|it| (1..=10).map(move |by| (it, it + by * 31)));
    let before = edges(before.filter(|it| it.1 < FIXTURES).collect());
    let row = |at: usize| TargetRow {
        role: if at < FIXTURES * 4 / 5 { Role::Train } else { Role::Validate },
        weight: 1.0,
        base: [-0.8, -1.3, -1.2],
        truth: [0.5, 0.25, 0.25],
        closing: Some([0.1 * number(at), 0.02]),
        rates: Some(Rates { base: [0.3, 0.1], truth: [1.4, 1.1] }),
    };
    Problem {
        features: config.node_types.iter().zip(&counts).map(table).collect(),
        edges: vec![on.clone(), back(&on), plays.clone(), back(&plays), before],
        counts,
        target_type: 0,
        rows: (0..FIXTURES).map(row).collect(),
    }
}

fn main() -> Result<()> {
    let config = config();
    let problem = problem(&config);
    let settings =
        Settings { steps_max: 4 * STEPS, check_every: STEPS, patience: 99, ..Settings::default() };
    let mut at = Instant::now();
    let mut times = Vec::new();
    let fitted = fit(&config, None, &problem, &settings, &mut |_| {
        times.push(at.elapsed());
        at = Instant::now();
        ControlFlow::Continue(())
    })?;
    println!("sort, plan and first check: {:?}", times[0]);
    for time in &times[1..] {
        println!("{STEPS} steps and a check: {time:?}");
    }
    println!("validation loss, all digits: {}", fitted.validate_loss);
    let at = Instant::now();
    predict(&fitted.weights, &problem.counts, &problem.features, &problem.edges)?;
    println!("predict, with sorting: {:?}", at.elapsed());
    Ok(())
}
