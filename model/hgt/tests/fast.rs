//! One fixture priced without the framework equals the full forward over the whole graph: after
//! changes, and for fixtures that are newer than the cached graph.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

mod support;

use burn_flex::Flex;
use support::{Parts, Random, config, largest, values};
use tideline_hgt::fast::{Fast, Node, Scratch};
use tideline_hgt::{Config, Edges, Error, Hgt, Mode};

const FIXTURE: usize = 0;
const TEAM: usize = 1;
const QUOTE: usize = 2;
const APART_MAX: f32 = 2e-5;

fn model(config: &Config, seed: u64) -> Hgt<Flex> {
    config.init(&Default::default(), seed).unwrap()
}

/// Outputs of one node out of the full forward.
fn full(model: &Hgt<Flex>, parts: &Parts, output: usize, row: usize) -> Vec<f32> {
    let outputs = model.forward(&parts.graph(model.config()), Mode::Inference).unwrap();
    let width = model.config().outputs[output].width;
    values(&outputs[output])[row * width..][..width].to_vec()
}

fn assert_close(full: &[f32], fast: &[f32], what: &str) {
    let (apart, _) = largest(full, fast);
    assert!(apart < APART_MAX, "{what}: {full:?} in full, {fast:?} fast");
}

fn features(random: &mut Random, width: usize) -> Vec<f32> {
    (0..width).map(|_| random.unit()).collect()
}

/// Quotes hear of their fixture too.
fn parts(config: &Config, seed: u64) -> Parts {
    let edges = [(40, 7, 20), (61, 61, 23), (40, 23, 7), (61, 23, 61), (9, 7, 7)];
    Parts::new(config, seed, &[23, 7, 61], &edges)
}

#[test]
fn changed_nodes_give_what_the_full_forward_gives() {
    for (seed, hidden, heads, layers) in
        [(1, 64, 4, 2), (2, 16, 4, 2), (3, 12, 4, 1), (4, 9, 3, 3), (5, 32, 4, 2)]
    {
        let config = Config { layers, ..config(hidden, heads) };
        let model = model(&config, seed);
        let mut parts = parts(&config, seed);
        let fast = Fast::new(&model.weights().unwrap()).unwrap();
        let cache = fast.cache(&parts.graph::<Flex>(&config)).unwrap();
        let mut random = Random(seed + 50);
        let mut scratch = Scratch::default();
        for root in [0, 7, 22] {
            let mut builder = fast.neighbourhood(&cache).unwrap();
            let nodes: Vec<_> = [(FIXTURE, root), (QUOTE, 0), (QUOTE, 9), (QUOTE, 33), (TEAM, 2)]
                .map(|(kind, row)| (kind, row, builder.change(kind, row as u32).unwrap()))
                .to_vec();
            let node = Node::Cached { kind: FIXTURE, row: root as u32 };
            let mut near = builder.finish(node).unwrap();
            let before = parts.clone();
            let unchanged = fast.reprice(&mut scratch, &mut near).to_vec();
            assert_close(&full(&model, &parts, 0, root), &unchanged, "nothing changed");
            for change in 0..8 {
                let (kind, row, live) = nodes[random.below(nodes.len())];
                let width = config.node_types[kind].width;
                let new = features(&mut random, width);
                near.set_features(live, &new).unwrap();
                parts.features[kind][row * width..][..width].copy_from_slice(&new);
                // Some changes come together.
                if change % 3 != 1 {
                    let price = fast.reprice(&mut scratch, &mut near).to_vec();
                    assert_close(&full(&model, &parts, 0, root), &price, "after a change");
                    let again = fast.reprice(&mut scratch, &mut near);
                    assert_eq!(price, again, "nothing changed in between");
                }
            }
            parts = before;
        }
    }
}

/// A graph and the same without its last fixture and that fixture's last quotes.
fn with_and_without_the_last(config: &Config, seed: u64, quotes: usize) -> (Parts, Parts) {
    let mut without = parts(config, seed);
    let mut random = Random(seed + 9);
    let mut with = without.clone();
    with.features[FIXTURE].extend(features(&mut random, config.node_types[FIXTURE].width));
    with.counts[FIXTURE] += 1;
    for at in 0..quotes {
        with.features[QUOTE].extend(features(&mut random, config.node_types[QUOTE].width));
        with.counts[QUOTE] += 1;
        let quote = (without.counts[QUOTE] + at) as u32;
        for (relation, source, target) in [(1, quote, 23), (3, 23, quote)] {
            with.edges[relation].sources.push(source);
            with.edges[relation].targets.push(target);
        }
    }
    for team in [1, 5] {
        with.edges[0].sources.push(team);
        with.edges[0].targets.push(23);
    }
    // A team that nothing else ends at keeps the layout honest.
    for edges in [&mut without.edges[2], &mut with.edges[2]] {
        let kept: Vec<usize> =
            (0..edges.targets.len()).filter(|it| edges.targets[*it] != 5).collect();
        let pick = |from: &[u32]| kept.iter().map(|it| from[*it]).collect();
        *edges = Edges { sources: pick(&edges.sources), targets: pick(&edges.targets) };
    }
    (with, without)
}

#[test]
fn a_new_fixture_gives_what_the_full_forward_gives() {
    for (seed, hidden, quotes, heard) in
        [(1, 64, 30, true), (2, 64, 60, false), (3, 16, 3, true), (4, 16, 0, false)]
    {
        let config = config(hidden, 4);
        let model = model(&config, seed);
        let (mut with, without) = with_and_without_the_last(&config, seed, quotes);
        if heard {
            // Its teams hear of it, and so pass on other things than at window close.
            with.edges[2].sources.extend([23, 23]);
            with.edges[2].targets.extend([1, 5]);
        }
        let fast = Fast::new(&model.weights().unwrap()).unwrap();
        let cache = fast.cache(&without.graph::<Flex>(&config)).unwrap();
        let row = |kind: usize, row: usize| {
            let width = config.node_types[kind].width;
            with.features[kind][row * width..][..width].to_vec()
        };
        let mut builder = fast.neighbourhood(&cache).unwrap();
        let fixture = builder.add(FIXTURE, &row(FIXTURE, 23)).unwrap();
        for team in [1, 5] {
            let team = Node::Cached { kind: TEAM, row: team };
            builder.edge(0, team, fixture).unwrap();
            if heard {
                builder.edge(2, fixture, team).unwrap();
            }
        }
        let mut lives = Vec::new();
        for at in 0..quotes {
            let quote = builder.add(QUOTE, &row(QUOTE, without.counts[QUOTE] + at)).unwrap();
            builder.edge(1, quote, fixture).unwrap();
            builder.edge(3, fixture, quote).unwrap();
            lives.push(quote);
        }
        let mut near = builder.finish(fixture).unwrap();
        let mut scratch = Scratch::default();
        let price = fast.reprice(&mut scratch, &mut near).to_vec();
        assert_close(&full(&model, &with, 0, 23), &price, "at first");
        let mut random = Random(seed + 3);
        for (at, live) in lives.iter().enumerate().take(5) {
            let width = config.node_types[QUOTE].width;
            let new = features(&mut random, width);
            near.set_features(*live, &new).unwrap();
            let first = (without.counts[QUOTE] + at) * width;
            with.features[QUOTE][first..first + width].copy_from_slice(&new);
            let price = fast.reprice(&mut scratch, &mut near).to_vec();
            assert_close(&full(&model, &with, 0, 23), &price, "after a quote");
        }
        let new = features(&mut random, config.node_types[FIXTURE].width);
        near.set_features(fixture, &new).unwrap();
        let first = 23 * new.len();
        with.features[FIXTURE][first..first + new.len()].copy_from_slice(&new);
        let price = fast.reprice(&mut scratch, &mut near).to_vec();
        assert_close(&full(&model, &with, 0, 23), &price, "after the fixture itself");
    }
}

#[test]
fn a_node_that_nothing_touches_has_its_price_too() {
    let config = config(16, 4);
    let model = model(&config, 8);
    let parts = parts(&config, 8);
    let fast = Fast::new(&model.weights().unwrap()).unwrap();
    let cache = fast.cache(&parts.graph::<Flex>(&config)).unwrap();
    let node = Node::Cached { kind: TEAM, row: 3 };
    let mut near = fast.neighbourhood(&cache).unwrap().finish(node).unwrap();
    let price = fast.reprice(&mut Scratch::default(), &mut near);
    assert_close(&full(&model, &parts, 1, 3), price, "a team");
    // A fixture without a single neighbour.
    let mut builder = fast.neighbourhood(&cache).unwrap();
    let alone = builder.add(FIXTURE, &[0.5, -0.5, 1.0, 0.0, 2.0]).unwrap();
    let mut near = builder.finish(alone).unwrap();
    let price = fast.reprice(&mut Scratch::default(), &mut near);
    assert_eq!(price.len(), fast.width(FIXTURE));
    assert!(price.iter().all(|it| it.is_finite()));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let config = config(16, 4);
    let model = model(&config, 8);
    let parts = parts(&config, 8);
    let fast = Fast::new(&model.weights().unwrap()).unwrap();
    let cache = fast.cache(&parts.graph::<Flex>(&config)).unwrap();
    let mut builder = fast.neighbourhood(&cache).unwrap();
    assert!(matches!(builder.add(9, &[]), Err(Error::Node(_))));
    assert!(matches!(builder.add(TEAM, &[1.0]), Err(Error::Graph(_))));
    assert!(matches!(builder.change(TEAM, 7), Err(Error::Node(_))));
    let team = builder.change(TEAM, 6).unwrap();
    assert_eq!(builder.change(TEAM, 6).unwrap(), team);
    let fixture = builder.add(FIXTURE, &[0.0; 5]).unwrap();
    assert!(matches!(builder.edge(1, team, fixture), Err(Error::Graph(_))));
    assert!(matches!(builder.edge(77, team, fixture), Err(Error::Graph(_))));
    builder.edge(0, team, fixture).unwrap();
    let quote = Node::Cached { kind: QUOTE, row: 0 };
    let other = fast.neighbourhood(&cache).unwrap();
    assert!(matches!(other.finish(quote), Err(Error::Node(_))));
    let mut near = builder.finish(fixture).unwrap();
    let other = Fast::new(&self::model(&config, 9).weights().unwrap()).unwrap();
    assert!(matches!(other.neighbourhood(&cache), Err(Error::Graph(_))), "another model's states");
    let mut scratch = Scratch::default();
    let price = fast.reprice(&mut scratch, &mut near).to_vec();
    assert!(matches!(near.set_features(team, &[1.0, f32::NAN, 0.0]), Err(Error::Graph(_))));
    assert!(matches!(near.set_features(team, &[1.0]), Err(Error::Graph(_))));
    assert_eq!(fast.reprice(&mut scratch, &mut near), price);
}
