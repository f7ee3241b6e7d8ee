//! From a topology to an engine: the decisions that make the suggestions, and the rehearsal that
//! `replay`, `backtest` and a topology of recorded feeds have in common.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataflow::Dataflow;
use model::{Pricer, PricerConfig};
use schema::{BookId, Delta, Devig, Event, Money, NameId, Names, Outbox, Span, Suggestion, Time};
use serde::{Deserialize, Serialize};
use sinks::{Sink, SinkConfig};
use sources::{Chunk, SourceConfig};
use tokio::runtime::Runtime;

use crate::data_dir::DataDir;
use crate::dead_letters::DeadLetters;
use crate::desk::{Desk, Settings};
use crate::engine::{Engine, Learning, Observer, Parts};
use crate::feeding::Feeding;
use crate::feeds::Feeds;
use crate::journal::{self, Durability, Journal, Options};
use crate::registry::{Registrar, Registry};
use crate::sequencer::{RawSequencer, RecordedTicks, TickStream};
use crate::summary::Summary;
use crate::topology::Topology;
use crate::training::{Kept, Pace};
use crate::{Error, Result};

/// How long a rehearsal rests after its hard stop trips, since no operator is there to release it.
const REHEARSAL_REST: Span = Span::days(1);
/// How long before the first bet a rehearsal begins to train what takes long.
const TRAINED_BEFORE: Span = Span::days(91);

/// Everything in a topology that decides what is suggested. It is written beside the journal, so
/// that the journal replays as it ran whatever the topology has become.
///
/// A journal of an earlier version lacks what came later; it gets the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisions {
    /// How margins are taken out.
    pub devig: Devig,
    /// A quote older than this prices nothing.
    pub stale_after: Span,
    /// A price this far behind the newest one in its market is not bet at.
    pub lag_max: Span,
    /// A quote made this long before kick-off or later counts as a closing one.
    pub closing_within: Span,
    /// Facts about a fixture are taken until this long after its kick-off.
    pub retain_after_kick_off: Span,
    /// How long before kick-off a market counts as known to a decision.
    pub as_of_lead: Span,
    /// Commission on winnings by book, as a fraction.
    pub commission: BTreeMap<String, f64>,
    /// Books whose close is the reference for closing line value, best first.
    pub closing_reference: Vec<String>,
    /// The pricer.
    pub pricer: PricerConfig,
    /// Length of a training window.
    pub window: Span,
    /// Lenses, gates, sizing.
    pub lenses: lenses::Config,
    /// Bankroll at the start.
    pub bankroll: Money,
    /// A paper bet is placed when its suggestion has stood this long.
    pub fill_after: Span,
    /// A settled bet is final this long after kick-off.
    pub final_after: Span,
    /// The hard stop is released after this long; none: by an operator only.
    pub resume_after: Option<Span>,
    /// No bets before this time.
    pub bets_from: Option<Time>,
    /// Sources, and after how long without a fact each is stale.
    pub feeds: BTreeMap<String, Span>,
}

impl Default for Decisions {
    fn default() -> Self {
        Self::of(&Topology::default())
    }
}

impl Decisions {
    /// The decisions of a topology.
    pub fn of(topology: &Topology) -> Self {
        let stale = |(name, source): (&String, &SourceConfig)| (name.clone(), source.stale_after());
        Self {
            devig: topology.market.devig,
            stale_after: topology.market.stale_after,
            lag_max: topology.market.lag_max,
            closing_within: topology.market.closing_within,
            retain_after_kick_off: topology.market.retain_after_kick_off,
            as_of_lead: topology.market.as_of_lead,
            commission: topology.market.commission.clone(),
            closing_reference: topology.market.closing_reference.clone(),
            pricer: topology.model.pricer.clone(),
            window: topology.model.window,
            lenses: topology.lenses.clone(),
            bankroll: topology.bankroll.start,
            fill_after: topology.bankroll.fill_after,
            final_after: topology.bankroll.final_after,
            resume_after: None,
            bets_from: None,
            feeds: topology.sources.iter().map(stale).collect(),
        }
    }

    /// Decisions for a rehearsal: an absent operator releases the hard stop after a day's rest.
    pub fn rehearse(&mut self) {
        self.resume_after = Some(REHEARSAL_REST);
    }

    fn settings(&self) -> Settings {
        let bps = |fraction: f64| (fraction * 10_000.0).round() as u32;
        let commission = self.commission.iter().map(|(book, c)| (BookId::of(book), bps(*c)));
        Settings {
            bankroll: self.bankroll,
            fill_after: self.fill_after,
            final_after: self.final_after,
            stale_after: self.stale_after,
            lag_max: self.lag_max,
            closing_within: self.closing_within,
            commission_bps: commission.collect(),
            closing_reference: self.closing_reference.iter().map(|b| BookId::of(b)).collect(),
            exclude: excluded(&self.pricer),
            bets_from: self.bets_from.unwrap_or(Time::MIN),
            resume_after: self.resume_after,
            lenses: self.lenses.clone(),
        }
    }

    /// An engine that decides so.
    pub fn engine(&self, outfit: Outfit) -> Result<Engine> {
        let dataflow = Dataflow::start(dataflow::Config {
            devig: self.devig,
            as_of_lead: self.as_of_lead,
            retain_after_kick_off: self.retain_after_kick_off,
            workers: outfit.workers,
            ..dataflow::Config::default()
        })?;
        let mut feeds = Feeds::default();
        for (name, stale_after) in &self.feeds {
            feeds.watch(name, *stale_after);
        }
        Ok(Engine::new(Parts {
            journal: outfit.journal,
            dataflow,
            pricer: self.pricer.open()?,
            desk: Desk::new(self.settings(), feeds)?,
            sinks: outfit.sinks,
            dead_letters: outfit.dead_letters,
            learning: outfit.learning,
            training: outfit.training,
            kept: outfit.kept,
            trainings_from: self.bets_from.map_or(Time::MIN, |from| from.minus(TRAINED_BEFORE)),
            registrar: outfit.registry.map(|registry| Registrar::new(registry, &self.pricer)),
        }))
    }
}

/// Books the pricer leaves out.
fn excluded(pricer: &PricerConfig) -> Vec<BookId> {
    pricer.market().exclude.iter().map(|book| BookId::of(book)).collect()
}

/// What an engine is given beside its decisions.
pub struct Outfit {
    /// Where ticks are made durable.
    pub journal: Option<Journal>,
    /// Where suggestions go.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Where refused records go.
    pub dead_letters: DeadLetters,
    /// Whether the pricer learns.
    pub learning: Learning,
    /// Worker threads of the dataflow.
    pub workers: usize,
    /// Where trained models are recorded.
    pub registry: Option<Registry>,
    /// Where trainings are done.
    pub training: Pace,
    /// Where trainings that are done are kept.
    pub kept: Option<Kept>,
}

/// Opens sinks by name.
pub fn open_sinks(
    sinks: &BTreeMap<String, SinkConfig>,
    data_dir: &Path,
) -> Result<Vec<Box<dyn Sink>>> {
    sinks.iter().map(|(name, sink)| Ok(sink.open(name, data_dir)?)).collect()
}

/// The sinks of a replay into a data directory: the suggestions and the ledger.
pub fn file_sinks() -> BTreeMap<String, SinkConfig> {
    BTreeMap::from([
        ("ledger".to_owned(), SinkConfig::Ledger(sinks::ledger::Config::default())),
        ("suggestions".to_owned(), SinkConfig::Jsonl(sinks::jsonl::Config::default())),
    ])
}

/// Recorded facts, to be taken through the whole engine.
pub struct Rehearsal {
    feed: Feed,
    decisions: Decisions,
    workers: usize,
    ticks_per_step: usize,
    data_dir: Option<PathBuf>,
    sinks: BTreeMap<String, SinkConfig>,
    views: BTreeMap<String, SinkConfig>,
    trainings: Option<PathBuf>,
}

enum Feed {
    Sources { sources: BTreeMap<String, SourceConfig>, paths: Vec<PathBuf> },
    Journal(PathBuf),
}

/// A finished rehearsal.
pub struct Done {
    /// What it came to.
    pub summary: Summary,
    /// Sources that failed, and how.
    pub failed: Vec<(String, Error)>,
    /// The engine as it stands.
    pub engine: Engine,
}

impl Rehearsal {
    /// A rehearsal of raw feeds. `paths` are where they lie, so that none of them is replaced.
    pub fn of_feeds(
        sources: BTreeMap<String, SourceConfig>,
        paths: Vec<PathBuf>,
        mut decisions: Decisions,
    ) -> Self {
        decisions.feeds = sources.iter().map(|(name, s)| (name.clone(), s.stale_after())).collect();
        Self::new(Feed::Sources { sources, paths }, decisions)
    }

    /// A rehearsal of a journal, with the decisions it was recorded with unless others are given.
    pub fn of_journal(journal: PathBuf, decisions: Option<Decisions>) -> Result<Self> {
        let beside = journal.parent().map(DataDir::existing);
        let origin = beside.map(|dir| dir.origin()).transpose()?.flatten();
        let recorded = origin.map(|origin| origin.decisions);
        let mut decided = decisions.or_else(|| recorded.clone()).unwrap_or_else(|| {
            let mut decisions = Decisions::of(&Topology::default());
            decisions.rehearse();
            decisions
        });
        if let Some(recorded) = recorded {
            decided.feeds = recorded.feeds;
        }
        Ok(Self::new(Feed::Journal(journal), decided))
    }

    fn new(feed: Feed, decisions: Decisions) -> Self {
        Self {
            feed,
            decisions,
            workers: 1,
            ticks_per_step: 256,
            data_dir: None,
            sinks: BTreeMap::new(),
            views: BTreeMap::new(),
            trainings: None,
        }
    }

    /// With this many dataflow workers.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// With this many ticks stepped at once.
    #[must_use]
    pub fn ticks_per_step(mut self, ticks: usize) -> Self {
        self.ticks_per_step = ticks;
        self
    }

    /// Into this directory, or without writing anything.
    #[must_use]
    pub fn data_dir(mut self, dir: Option<PathBuf>) -> Self {
        self.data_dir = dir;
        self
    }

    /// To these sinks, when there is a data directory; without any, to the suggestions and the ledger.
    #[must_use]
    pub fn sinks(mut self, sinks: BTreeMap<String, SinkConfig>) -> Self {
        self.sinks = sinks;
        self
    }

    /// Shown by these sinks, with or without a data directory.
    #[must_use]
    pub fn shown_by(mut self, sinks: BTreeMap<String, SinkConfig>) -> Self {
        self.views = sinks;
        self
    }

    /// Keeping trainings in this folder, and taking those that are there: what was interrupted is soon
    /// where it was.
    #[must_use]
    pub fn trainings(mut self, folder: Option<PathBuf>) -> Self {
        self.trainings = folder;
        self
    }

    /// Runs it to its end.
    pub fn run(
        self,
        observer: &mut dyn Observer,
        after_step: impl FnMut(&dyn TickStream, &Engine),
    ) -> Result<Done> {
        let outfit = self.outfit()?;
        let mut engine = self.decisions.engine(outfit)?;
        let failed = match &self.feed {
            Feed::Journal(dir) => {
                let ticks = journal::verify(dir)?.ticks;
                let mut stream = RecordedTicks::new(journal::read(dir)?, ticks);
                engine.run(&mut stream, self.ticks_per_step, observer, after_step)?;
                Vec::new()
            }
            Feed::Sources { sources, .. } => {
                let runtime = runtime()?;
                let (feeding, channels) = Feeding::apart(runtime.handle(), sources)?;
                let mut stream = RawSequencer::new(channels, self.decisions.window);
                engine.run(&mut stream, self.ticks_per_step, observer, after_step)?;
                feeding.join(&runtime)
            }
        };
        engine.finish()?;
        Ok(Done { summary: Summary::of(&engine), failed, engine })
    }

    fn outfit(&self) -> Result<Outfit> {
        let kept = self.trainings.as_deref().map(Kept::of).transpose()?;
        let workers = self.workers;
        let paths = match &self.feed {
            Feed::Journal(dir) => std::slice::from_ref(dir),
            Feed::Sources { paths, .. } => paths,
        };
        let learning = match self.feed {
            Feed::Journal(_) => Learning::Recorded,
            Feed::Sources { .. } => Learning::Train,
        };
        let Some(path) = &self.data_dir else {
            // Nothing else is to be written: a topology's sinks belong to its own runs.
            let sinks = open_sinks(&self.views, Path::new("."))?;
            let dead_letters = DeadLetters::open(None)?;
            let registry = None;
            let journal = None;
            return Ok(Outfit {
                journal,
                sinks,
                dead_letters,
                learning,
                workers,
                registry,
                training: Pace::Wait,
                kept,
            });
        };
        let dir = DataDir::rehearse(path, paths, &self.decisions)?;
        let (journal, _) = Journal::create_or_open(&dir.journal(), rehearsal_journal())?;
        let mut sinks = if self.sinks.is_empty() { file_sinks() } else { self.sinks.clone() };
        sinks.retain(|_, sink| {
            !matches!(sink, SinkConfig::Console(_)) || learning == Learning::Train
        });
        let sinks = open_sinks(&sinks, path)?;
        let dead_letters = DeadLetters::open(Some(path))?;
        let journal = Some(journal);
        let registry = Some(Registry::of(path, false));
        let training = Pace::Wait;
        Ok(Outfit { journal, sinks, dead_letters, learning, workers, registry, training, kept })
    }
}

/// What a topology suggests on these facts (native JSON lines): the runner of topology tests.
pub fn rehearse_lines(topology: &Topology, lines: &[String]) -> Result<Vec<Suggestion>> {
    let mut parser = sources::jsonl::Parser::new("test");
    let mut events = Vec::new();
    for line in lines {
        parser.parse(line.as_bytes(), None, &mut events)?;
    }
    events.sort_by_key(|event| event.event_time);
    let facts = Facts { names: parser.names_mut().take_fresh(), events };
    let mut said = Suggestions::default();
    rehearse_facts(facts, &Decisions::of(topology), 1, 1, &mut said)?;
    Ok(said.0)
}

/// Facts in memory, in the order they arrive.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Names they use.
    pub names: Vec<(NameId, Arc<str>)>,
    /// The facts.
    pub events: Vec<Event>,
}

impl Facts {
    /// Everything a source hands over.
    pub fn of(source: &SourceConfig) -> Result<Self> {
        let runtime = runtime()?;
        let sources = BTreeMap::from([("feed".to_owned(), source.clone())]);
        let (feeding, channels) = Feeding::apart(runtime.handle(), &sources)?;
        let mut facts = Self::default();
        for mut channel in channels {
            while let Some(chunk) = channel.blocking_recv() {
                facts.names.extend(chunk.names);
                facts.events.extend(chunk.events);
            }
        }
        match feeding.join(&runtime).pop() {
            Some((_, error)) => Err(error),
            None => Ok(facts),
        }
    }
}

/// Takes facts in memory through a whole engine: what tests and `validate` do.
pub fn rehearse_facts(
    facts: Facts,
    decisions: &Decisions,
    ticks_per_step: usize,
    workers: usize,
    observer: &mut dyn Observer,
) -> Result<Engine> {
    let mut engine = decisions.engine(Outfit {
        registry: None,
        training: Pace::Wait,
        kept: None,
        journal: None,
        sinks: Vec::new(),
        dead_letters: DeadLetters::open(None)?,
        learning: Learning::Train,
        workers,
    })?;
    let (sender, channel) = tokio::sync::mpsc::channel(1);
    // The channel holds one chunk and nobody else sends, so this cannot fail.
    let _ = sender.try_send(Chunk { names: facts.names, events: facts.events, ..Chunk::default() });
    drop(sender);
    let mut stream = RawSequencer::new(vec![channel], decisions.window);
    engine.run(&mut stream, ticks_per_step, observer, |_, _| {})?;
    Ok(engine)
}

/// Collects what is suggested.
#[derive(Default)]
struct Suggestions(Vec<Suggestion>);

impl Observer for Suggestions {
    fn see(&mut self, _: &Delta, outbox: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {
        self.0.extend(outbox.suggestions.iter().map(|suggestion| Suggestion::clone(suggestion)));
    }
}

/// A rehearsal's facts can be read again, so its journal is left to the system to write out, and
/// synced once at the end.
fn rehearsal_journal() -> Options {
    Options { durability: Durability::Flush, ..Options::default() }
}

/// The runtime the sources run on.
pub fn runtime() -> Result<Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|source| Error::file("cannot start threads for", "the sources", source))
}
