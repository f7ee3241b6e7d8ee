//! Pricing one fixture again without the framework: median and 99th percentile, one thread.
//!
//!     cargo bench --bench fast
//!
//! The reference graph with 120 leagues, so that a fixture has about 200 nodes in reach. `cached`
//! fixtures are part of the graph; `new` ones come with 60 quotes of their own and hear from cached
//! teams, books and a league. Calls go round 64 fixtures, so that no price finds its numbers in the
//! first-level cache. Before anything is timed, prices are compared with the full forward.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

#[path = "hgt/reference.rs"]
#[allow(dead_code, reason = "the other benchmark uses the rest")]
mod reference;

use anyhow::{Context, Result, ensure};
use burn_flex::Flex;
use reference::{CLASSES, Random, Reference};
use schema::{Clock, SystemClock};
use tideline_hgt::fast::{Cache, Fast, Live, Neighbourhood, Node, Scratch};
use tideline_hgt::{Graph, Hgt, Mode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FIXTURES: usize = 64;
const NEW_QUOTES: usize = 60;
const CALLS: usize = 20_000;
const WIDTH: usize = 32;
/// Greatest median, of a quote change with about 200 nodes in reach.
const MEDIAN_US_MAX: f64 = 30.0;
/// Greatest difference from the full forward.
const APART_MAX: f32 = 1e-4;
/// Places in the configuration.
const FIXTURE: usize = 0;
const TEAM: usize = 1;
const BOOK: usize = 2;
const LEAGUE: usize = 3;
const QUOTE: usize = 4;

/// A fixture and the nodes of it that change.
struct Priced {
    near: Neighbourhood,
    fixture: Live,
    quotes: Vec<Live>,
}

/// What changes between two prices.
#[derive(Clone, Copy)]
enum Changes {
    Quote,
    QuoteAndFixture,
    Everything,
}

fn main() -> Result<()> {
    let mut reference = Reference::with([20_000, 2_000, 40, 120, 120_000]);
    let device = Default::default();
    let model: Hgt<Flex> = reference.config.init(&device, 5)?;
    let Reference { config, counts, features, edges, .. } = &reference;
    let graph = Graph::<Flex>::new(config, counts, features, edges, &device)?;
    let fast = Fast::new(&model.weights()?)?;
    let clock = SystemClock::new();
    let start = clock.elapsed_ns();
    let cache = fast.cache(&graph)?;
    let ms = (clock.elapsed_ns() - start) as f64 / 1e6;
    println!("cache: {} MiB in {ms:.0} ms", cache.bytes() >> 20);
    let start = clock.elapsed_ns();
    let mut cached = (0..FIXTURES).map(|it| old(&fast, &cache, it)).collect::<Result<Vec<_>>>()?;
    let mut new = (0..FIXTURES).map(|it| fresh(&fast, &cache, it)).collect::<Result<Vec<_>>>()?;
    let us = (clock.elapsed_ns() - start) as f64 / 1e3 / (2 * FIXTURES) as f64;
    println!("a neighbourhood: made in {us:.0} us");
    compare(&fast, &model, &mut reference, &mut cached)?;
    let mut held = true;
    for (name, all) in [("cached", &mut cached), ("new", &mut new)] {
        let middle = &all[FIXTURES / 2];
        let (reach, kib) = (middle.near.reach(), middle.near.bytes() >> 10);
        println!("{name}: {reach} nodes in reach, {} quotes, {kib} KiB", middle.quotes.len());
        for (what, changes) in [
            ("a quote", Changes::Quote),
            ("a quote and the fixture", Changes::QuoteAndFixture),
            ("all its own nodes", Changes::Everything),
        ] {
            let (median, p99) = time(&fast, all, changes, &clock)?;
            println!("{name}, {what}: median {median:.1} us, 99 % {p99:.1} us");
            held &= median <= MEDIAN_US_MAX || !matches!(changes, Changes::Quote);
        }
    }
    println!("a quote within {MEDIAN_US_MAX} us: {}", if held { "holds" } else { "MISSED" });
    Ok(())
}

fn random(seed: usize) -> Random {
    Random(seed as u64 * 2 + 12_345)
}

fn features(random: &mut Random) -> [f32; WIDTH] {
    std::array::from_fn(|_| random.standard())
}

/// A fixture of the graph.
fn old(fast: &Fast, cache: &Cache, row: usize) -> Result<Priced> {
    let mut builder = fast.neighbourhood(cache)?;
    let fixture = builder.change(FIXTURE, row as u32)?;
    let csr = &cache.topology().relations()[0];
    let range = csr.start[row] as usize..csr.start[row + 1] as usize;
    let quotes = csr.source[range].iter().map(|it| builder.change(QUOTE, *it));
    let quotes = quotes.collect::<tideline_hgt::Result<Vec<Live>>>()?;
    Ok(Priced { near: builder.finish(fixture)?, fixture, quotes })
}

/// A fixture that the graph does not have.
fn fresh(fast: &Fast, cache: &Cache, seed: usize) -> Result<Priced> {
    let mut random = random(seed);
    let mut builder = fast.neighbourhood(cache)?;
    let fixture = builder.add(FIXTURE, &features(&mut random))?;
    let counts = cache.topology().counts();
    let mut pick = |kind: usize| Node::Cached { kind, row: random.below(counts[kind]) };
    for (relation, kind) in [(4, TEAM), (4, TEAM), (6, LEAGUE)] {
        builder.edge(relation, pick(kind), fixture)?;
    }
    let books: Vec<Node> = (0..NEW_QUOTES).map(|_| pick(BOOK)).collect();
    let mut quotes = Vec::new();
    for book in books {
        let quote = builder.add(QUOTE, &features(&mut random))?;
        builder.edge(0, quote, fixture)?;
        builder.edge(1, fixture, quote)?;
        builder.edge(2, book, quote)?;
        quotes.push(quote);
    }
    Ok(Priced { near: builder.finish(fixture)?, fixture, quotes })
}

impl Priced {
    fn change(&mut self, random: &mut Random, changes: Changes) -> Result<()> {
        if !matches!(changes, Changes::Quote) {
            self.near.set_features(self.fixture, &features(random))?;
        }
        if matches!(changes, Changes::Everything) {
            for quote in &self.quotes {
                self.near.set_features(*quote, &features(random))?;
            }
        } else if !self.quotes.is_empty() {
            let quote = self.quotes[random.below(self.quotes.len()) as usize];
            self.near.set_features(quote, &features(random))?;
        }
        Ok(())
    }
}

/// Median and 99th percentile in microseconds, of setting features and pricing.
fn time(
    fast: &Fast,
    all: &mut [Priced],
    changes: Changes,
    clock: &SystemClock,
) -> Result<(f64, f64)> {
    let mut random = random(7);
    let mut scratch = Scratch::default();
    let mut ns = Vec::with_capacity(CALLS);
    for call in 0..CALLS + 2 * FIXTURES {
        let priced = &mut all[call % FIXTURES];
        let start = clock.elapsed_ns();
        priced.change(&mut random, changes)?;
        let price = fast.reprice(&mut scratch, &mut priced.near);
        ensure!(price.iter().all(|it| it.is_finite()), "a price is not a number");
        ns.push(clock.elapsed_ns() - start);
    }
    // The first rounds price everything and warm up.
    let mut ns = ns.split_off(2 * FIXTURES);
    ns.sort_unstable();
    Ok((ns[CALLS / 2] as f64 / 1e3, ns[CALLS * 99 / 100] as f64 / 1e3))
}

/// Prices after changes of some fixtures, one by one, against the full forward.
fn compare(
    fast: &Fast,
    model: &Hgt<Flex>,
    reference: &mut Reference,
    cached: &mut [Priced],
) -> Result<()> {
    let mut random = random(1);
    let mut scratch = Scratch::default();
    let topology =
        tideline_hgt::Topology::new(&reference.config, &reference.counts, &reference.edges)?;
    for row in [0, FIXTURES - 1] {
        let csr = &topology.relations()[0];
        let quote = csr.source[csr.start[row] as usize] as usize;
        let new = features(&mut random);
        cached[row].near.set_features(cached[row].quotes[0], &new)?;
        let at = quote * WIDTH..(quote + 1) * WIDTH;
        let old: Vec<f32> = reference.features[QUOTE][at.clone()].to_vec();
        reference.features[QUOTE][at.clone()].copy_from_slice(&new);
        let Reference { config, counts, features, edges, .. } = &*reference;
        let graph = Graph::<Flex>::new(config, counts, features, edges, &Default::default())?;
        let outputs = model.forward(&graph, Mode::Inference)?;
        let all: Vec<f32> = outputs.first().context("one")?.to_data().iter::<f32>().collect();
        let price = fast.reprice(&mut scratch, &mut cached[row].near);
        let full = &all[row * CLASSES..][..CLASSES];
        let apart = price.iter().zip(full).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        println!("fixture {row}: {apart:.1e} from the full forward");
        ensure!(apart <= APART_MAX, "the price is another than the full forward's");
        reference.features[QUOTE][at].copy_from_slice(&old);
    }
    Ok(())
}
