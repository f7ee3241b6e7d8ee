//! J1: latest price per fixture, book and selection, proportional de-vig, consensus and best price,
//! edges above 2 %, with retraction. Through the product's own parser and keyed operator, to be
//! put beside a hand-written fold over the same feed.
//!
//!     cargo bench --bench j1 -- --feed FEED --batch 100 --final OUT.csv [--journal DIR]
//!
//! A batch is one tick and one step. Prints events per CPU-second, the latency of a batch from its
//! first byte to its last edge, and peak memory; writes the edges that are left at the end.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dataflow::{Config, Dataflow};
use rustc_hash::FxHashMap;
use schema::{
    Change, Clock, Devig, Event, FixtureId, Market, MarketKey, MarketRow, SystemClock, Tick, Time,
};
use sources::jsonl::Parser;
use sources::{Found, Lines};
use tideline::journal::{Durability, Journal, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Expected profit above which an edge is shown.
const EDGE_MIN: f64 = 0.02;
/// Kernel ticks a second in `/proc/self/stat`: fixed on Linux.
const CPU_TICKS: f64 = 100.0;

struct Arguments {
    feed: PathBuf,
    batch: usize,
    last: Option<PathBuf>,
    journal: Option<PathBuf>,
    durability: Durability,
}

fn main() -> Result<()> {
    let Some(arguments) = arguments(std::env::args().skip(1))? else {
        println!("j1: give --feed FEED [--batch 100] [--final OUT.csv] [--journal DIR [--sync]]");
        return Ok(());
    };
    let clock = SystemClock::new();
    let mut feed = Feed::open(&arguments.feed)?;
    let mut journal = arguments.journal.as_deref().map(|dir| open(dir, arguments.durability));
    let config = Config { devig: Devig::Proportional, ..Config::default() };
    let mut dataflow = Dataflow::start(config)?;
    let mut edges = Edges::default();
    let mut latencies_ns = Vec::new();
    let (cpu_start, start_ns) = (cpu_seconds()?, clock.elapsed_ns());
    let (mut number, mut time, mut events) = (0, Time::MIN, 0);
    loop {
        let batch_ns = clock.elapsed_ns();
        let batch = feed.next(arguments.batch)?;
        let Some(newest) = batch.iter().map(|event| event.event_time).max() else { break };
        number += 1;
        time = time.max(newest);
        events += batch.len();
        let tick = Tick { number, time, events: batch };
        if let Some(journal) = &mut journal {
            let journal = journal.as_mut().map_err(|error| anyhow::anyhow!("{error:#}"))?;
            let names = feed.parser.names_mut().take_fresh();
            journal.append(std::slice::from_ref(&tick), time, &names)?;
        }
        for delta in dataflow.step([tick])? {
            edges.apply(&delta.markets);
        }
        if dataflow.late() > 0 {
            bail!("facts were refused: {:?}", dataflow.take_refused().first());
        }
        latencies_ns.push(clock.elapsed_ns() - batch_ns);
    }
    let cpu = cpu_seconds()? - cpu_start;
    let wall = (clock.elapsed_ns() - start_ns) as f64 / 1e9;
    latencies_ns.sort_unstable();
    let quantile_us = |q: f64| {
        let at = (latencies_ns.len().saturating_sub(1)) as f64 * q;
        latencies_ns.get(at as usize).map_or(0.0, |ns| *ns as f64 / 1e3)
    };
    println!(
        "j1 batch={} journal={} events={events} changes={} wall_s={wall:.3} cpu_s={cpu:.3} \
         events_per_cpu_s={:.0} batch_p50_us={:.1} batch_p99_us={:.1} peak_mib={:.0}",
        arguments.batch,
        arguments.journal.is_some(),
        edges.changes,
        events as f64 / cpu,
        quantile_us(0.50),
        quantile_us(0.99),
        peak_mib()?,
    );
    match &arguments.last {
        Some(path) => edges.write(path, &feed.parser),
        None => Ok(()),
    }
}

/// `None` when there is no feed: `cargo bench` without arguments runs every bench.
fn arguments(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>> {
    let mut parsed = Arguments {
        feed: PathBuf::new(),
        batch: 100,
        last: None,
        journal: None,
        durability: Durability::Flush,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("give a value after {word}"));
        match word.as_str() {
            "--feed" => parsed.feed = value()?.into(),
            "--batch" => parsed.batch = value()?.parse().context("--batch takes a number")?,
            "--final" => parsed.last = Some(value()?.into()),
            "--journal" => parsed.journal = Some(value()?.into()),
            "--sync" => parsed.durability = Durability::Sync,
            "--bench" => {}
            _ => bail!("{word} is not an option of j1"),
        }
    }
    Ok((parsed.feed != Path::new("")).then_some(parsed))
}

fn open(dir: &Path, durability: Durability) -> Result<Journal> {
    let options = Options { durability, ..Options::default() };
    let (journal, found) = Journal::create_or_open(dir, options)?;
    if found.last_tick > 0 {
        bail!("{} has a journal already: give an empty directory", dir.display());
    }
    Ok(journal)
}

/// The feed's lines, parsed.
struct Feed {
    lines: Lines<File>,
    parser: Parser,
}

impl Feed {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { lines: Lines::new(file), parser: Parser::new("j1") })
    }

    /// Up to `most` events; none at the end.
    fn next(&mut self, most: usize) -> Result<Vec<Event>> {
        let mut events = Vec::with_capacity(most);
        while events.len() < most {
            match self.lines.next_line() {
                Found::Line(line) => self.parser.parse(line, None, &mut events)?,
                Found::TooLong(_, bytes) => bail!("a line of {bytes} bytes is no fact"),
                Found::Broken(cause, _) => return Err(cause.into()),
                Found::End => break,
            }
        }
        Ok(events)
    }
}

/// The edges that stand: by fixture, one a selection, 0 where there is none.
#[derive(Default)]
struct Edges {
    standing: FxHashMap<FixtureId, [f64; 3]>,
    changes: u64,
}

impl Edges {
    fn apply(&mut self, changes: &[Change<MarketKey, Arc<MarketRow>>]) {
        for change in changes.iter().filter(|change| change.key.market == Market::ONE_X_TWO) {
            let standing = self.standing.entry(change.key.fixture).or_default();
            let after = change.after.as_deref().map(edges).unwrap_or_default();
            for (before, after) in standing.iter_mut().zip(after) {
                if *before != after {
                    self.changes += u64::from(*before != 0.0) + u64::from(after != 0.0);
                    *before = after;
                }
            }
        }
    }

    /// `fixture,selection,edge`, sorted.
    fn write(&self, path: &Path, parser: &Parser) -> Result<()> {
        let named: BTreeMap<&str, &[f64; 3]> =
            self.standing.iter().map(|(id, edges)| (parser.names().get(*id), edges)).collect();
        let mut out = BufWriter::new(File::create(path)?);
        for (fixture, edges) in named {
            for (selection, edge) in Market::ONE_X_TWO.selections().iter().zip(edges) {
                if *edge != 0.0 {
                    writeln!(out, "{fixture},{selection},{edge:.12}")?;
                }
            }
        }
        out.flush().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Edges of a row's best prices over its consensus.
fn edges(row: &MarketRow) -> [f64; 3] {
    let mut edges = [0.0; 3];
    for ((edge, best), fair) in edges.iter_mut().zip(&row.best).zip(&row.consensus) {
        let value = fair.as_f64() * best.odds.decimal() - 1.0;
        if value > EDGE_MIN {
            *edge = value;
        }
    }
    edges
}

/// User and system time of this process.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("this bench needs Linux")?;
    // Fields are counted behind the command, which is in parentheses and may contain spaces.
    let fields: Vec<&str> =
        stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    let used = ticks(11).zip(ticks(12)).context("/proc/self/stat is not as expected")?;
    Ok((used.0 + used.1) / CPU_TICKS)
}

/// Most memory that was resident.
fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("this bench needs Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| text.split_whitespace().next()).map(str::parse::<f64>);
    Ok(kib.context("/proc/self/status has no VmHWM")?? / 1024.0)
}
