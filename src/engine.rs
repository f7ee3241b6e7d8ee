//! The way of one tick, from the sequencer to the sinks.
//!
//! [`Engine::advance`] is the whole of it, top-down. `run`, `replay` and `backtest` are this
//! function with another stream of ticks, another clock and other sinks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataflow::Dataflow;
use model::{Pricer, Progress};
use schema::{
    Delta, Event, Fact, ModelLive, Names, Outbox, RegionId, SourceId, Suggestion, Tick, Time,
};
use sha2::{Digest, Sha256};
use sinks::Sink;

use crate::dead_letters::DeadLetters;
use crate::desk::{Desk, FixtureView, canonical};
use crate::journal::Journal;
use crate::notes::Notes;
use crate::registry::Registrar;
use crate::sequencer::{Batch, TickStream, register};
use crate::summary::Counts;
use crate::training::{Kept, Pace, Trained, Trainer};
use crate::views_digest::ViewsDigest;
use crate::{Error, Result};

/// Whether the pricer learns, or repeats what a journal says it learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// Train when a window closes; the model goes live through the journal.
    Train,
    /// Use the models the journal says were live.
    Recorded,
}

/// Someone who wants to see every delta and outbox go by: the backtest, a progress bar, a test.
pub trait Observer {
    /// One tick has been applied.
    fn see(
        &mut self,
        delta: &Delta,
        outbox: &Outbox,
        names: &Names,
        pricer: &dyn Pricer,
        desk: &Desk,
    );

    /// A training that the stream waits for has come so far.
    fn training(&mut self, _window_end: Time, _progress: Progress) {}
}

/// Two looking one after the other.
pub struct Both<'a>(pub &'a mut dyn Observer, pub &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn see(
        &mut self,
        delta: &Delta,
        outbox: &Outbox,
        names: &Names,
        pricer: &dyn Pricer,
        desk: &Desk,
    ) {
        self.0.see(delta, outbox, names, pricer, desk);
        self.1.see(delta, outbox, names, pricer, desk);
    }

    fn training(&mut self, window_end: Time, progress: Progress) {
        self.0.training(window_end, progress);
        self.1.training(window_end, progress);
    }
}

impl Observer for ViewsDigest {
    fn see(&mut self, delta: &Delta, _: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {
        self.apply(delta);
    }
}

/// Nobody is looking.
impl Observer for () {
    fn see(&mut self, _: &Delta, _: &Outbox, _: &Names, _: &dyn Pricer, _: &Desk) {}
}

/// The engine: everything between the sequencer and the sinks.
pub struct Engine {
    names: Names,
    journal: Option<Journal>,
    dataflow: Dataflow,
    pricer: Box<dyn Pricer>,
    desk: Desk,
    sinks: Vec<Box<dyn Sink>>,
    dead_letters: DeadLetters,
    learning: Learning,
    registrar: Option<Registrar>,
    trainer: Trainer,
    trainings_from: Time,
    last_tick: u64,
    counts: Counts,
    digest: Sha256,
}

/// What an engine is made of.
pub struct Parts {
    /// Where ticks are made durable; none when they already are.
    pub journal: Option<Journal>,
    /// The dataflow.
    pub dataflow: Dataflow,
    /// The pricer.
    pub pricer: Box<dyn Pricer>,
    /// The desk.
    pub desk: Desk,
    /// Where suggestions go.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Where refused records go.
    pub dead_letters: DeadLetters,
    /// Whether the pricer learns.
    pub learning: Learning,
    /// Where trained models are recorded.
    pub registrar: Option<Registrar>,
    /// Where trainings are done.
    pub training: Pace,
    /// Where trainings that are done are kept.
    pub kept: Option<Kept>,
    /// Windows that end before this are not trained on beyond what pricers do at once: nothing asks
    /// for their prices.
    pub trainings_from: Time,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(parts: Parts) -> Self {
        Self {
            names: Names::default(),
            journal: parts.journal,
            dataflow: parts.dataflow,
            pricer: parts.pricer,
            desk: parts.desk,
            sinks: parts.sinks,
            dead_letters: parts.dead_letters,
            learning: parts.learning,
            registrar: parts.registrar,
            trainer: Trainer::new(parts.training, parts.kept),
            trainings_from: parts.trainings_from,
            last_tick: 0,
            counts: Counts::default(),
            digest: Sha256::new(),
        }
    }

    /// Applies everything a stream of ticks has, `ticks_per_step` at once. The number changes the
    /// speed and nothing else.
    pub fn run(
        &mut self,
        stream: &mut dyn TickStream,
        ticks_per_step: usize,
        observer: &mut dyn Observer,
        mut after_step: impl FnMut(&dyn TickStream, &Self),
    ) -> Result<()> {
        while let Some(batch) = stream.next_batch(ticks_per_step)? {
            self.advance(batch, observer)?;
            after_step(stream, self);
        }
        Ok(())
    }

    /// The way of a batch of ticks: durable, then through the dataflow, then tick by tick priced,
    /// judged, sized and published; and what was learned at its end goes live with the next tick.
    pub fn advance(&mut self, batch: Batch, observer: &mut dyn Observer) -> Result<()> {
        let ticks = self.admit(batch)?;
        let Some(last) = ticks.last() else { return Ok(()) };
        if let Some(journal) = &mut self.journal {
            journal.append(&ticks, last.time, &self.names.take_fresh())?;
        }
        let notes: Vec<Notes> = ticks.iter().map(Notes::of).collect();
        let deltas = self.dataflow.step(ticks)?;
        self.refuse()?;
        let mut window_end = None;
        for (delta, notes) in deltas.iter().zip(&notes) {
            self.go_live(notes)?;
            self.pricer.take(delta);
            let mut outbox = self.desk.apply(delta, notes, &self.names, self.pricer.as_ref());
            self.refuse_fills()?;
            self.learn(delta);
            self.pricer.settle(delta);
            self.publish(delta, &mut outbox, notes)?;
            observer.see(delta, &outbox, &self.names, self.pricer.as_ref(), &self.desk);
            window_end = notes.window_end;
        }
        self.close_window(window_end, observer)?;
        self.take_up_training(observer)
    }

    /// Numbers the ticks, registers their names, notes which feeds spoke, and puts aside what could
    /// not be read.
    fn admit(&mut self, batch: Batch) -> Result<Vec<Tick>> {
        register(&mut self.names, &batch)?;
        self.counts.rejected += batch.rejects.len() as u64;
        self.dead_letters.put(&batch.rejects)?;
        let mut ticks = batch.ticks;
        if self.learning == Learning::Train {
            self.refuse_models(&mut ticks)?;
        }
        for tick in &mut ticks {
            let next = self.last_tick + 1;
            if self.learning == Learning::Recorded && tick.number != next {
                return Err(Error::TickOrder {
                    found: tick.number,
                    expected_after: self.last_tick,
                });
            }
            tick.number = next;
            self.last_tick = next;
            for event in &tick.events {
                self.desk.feeds().note(event);
            }
        }
        Ok(ticks)
    }

    /// Takes models out that could not price, before they are journalled: a replay has to be able to
    /// use every model its journal says was live.
    fn refuse_models(&mut self, ticks: &mut [Tick]) -> Result<()> {
        for tick in ticks {
            let mut refused = Vec::new();
            tick.events.retain(|event| {
                let Fact::ModelLive(model) = &event.fact else { return true };
                let reason = if model.pricer == self.pricer.name() {
                    let usable = self.pricer.check(&model.artifact, &model.digest);
                    usable.err().map(|error| error.to_string())
                } else {
                    let (found, used) = (&model.pricer, self.pricer.name());
                    Some(format!("it is a model of pricer `{found}`, and `{used}` is in use"))
                };
                refused.extend(reason.as_ref().map(|reason| (event.clone(), reason.clone())));
                reason.is_none()
            });
            for (event, reason) in refused {
                self.counts.rejected += 1;
                self.dead_letters.put_fact(&event, &reason, &self.names)?;
            }
        }
        Ok(())
    }

    /// Facts the dataflow would not take (their fixture is over and forgotten) are dead letters.
    fn refuse(&mut self) -> Result<()> {
        let refused = self.dataflow.take_refused();
        self.counts.rejected += refused.len() as u64;
        refused.iter().try_for_each(|late| {
            self.dead_letters.put_fact(&late.event, &late.reason.to_string(), &self.names)
        })
    }

    /// Bets the desk could not enter are dead letters too.
    fn refuse_fills(&mut self) -> Result<()> {
        for (event, reason) in self.desk.take_refused() {
            self.counts.rejected += 1;
            self.dead_letters.put_fact(&event, &reason.to_string(), &self.names)?;
        }
        Ok(())
    }

    fn go_live(&mut self, notes: &Notes) -> Result<()> {
        for model in &notes.models {
            self.pricer.go_live(&model.artifact, &model.digest)?;
            self.counts.models += 1;
            if let (Learning::Train, Some(registrar)) = (self.learning, &self.registrar) {
                registrar.live(&model.digest)?;
            }
        }
        Ok(())
    }

    /// What the closing line teaches about the prices before it.
    fn learn(&mut self, delta: &Delta) {
        for (league, as_of, closing) in self.desk.lessons(delta) {
            if let Some(registrar) = &mut self.registrar {
                registrar.lesson(&as_of, &closing);
            }
            self.pricer.learn(&as_of, &closing, league);
        }
    }

    fn publish(&mut self, delta: &Delta, outbox: &mut Outbox, notes: &Notes) -> Result<()> {
        self.counts.take(delta, outbox, notes);
        outbox.events = self.counts.events;
        outbox.rejected = self.counts.rejected;
        for suggestion in &outbox.suggestions {
            self.digest.update(canonical(suggestion).as_bytes());
            self.digest.update(b"\n");
        }
        for sink in &mut self.sinks {
            sink.publish(outbox)?;
        }
        Ok(())
    }

    /// Trains at the end of a window; what was learned goes live as a tick of its own.
    fn close_window(
        &mut self,
        window_end: Option<Time>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let (Learning::Train, Some(end)) = (self.learning, window_end) else { return Ok(()) };
        if self.trainer.is_free()
            && end >= self.trainings_from
            && let Some(training) = self.pricer.training(end)
            && let Some(trained) =
                self.trainer.take(training, end, &mut |at| observer.training(end, at))?
        {
            // Promoted, it is part of the artifact that the window closes with.
            self.judge(&trained)?;
        }
        let metrics = self.pricer.metrics();
        let Some(artifact) = self.pricer.close_window(end) else { return Ok(()) };
        self.record(&artifact, end, metrics)?;
        self.put_live(end, end, artifact, observer)
    }

    /// Takes up what a training beside the stream came to.
    fn take_up_training(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let trained = match self.trainer.poll() {
            Ok(None) => return Ok(()),
            Ok(Some(trained)) => trained,
            // A training that failed must not stop the stream.
            Err(_) => {
                self.counts.trainings_failed += 1;
                return Ok(());
            }
        };
        let Some(artifact) = self.judge(&trained)? else { return Ok(()) };
        let now = self.time().max(trained.window_end);
        self.put_live(trained.window_end, now, artifact, observer)
    }

    /// Hands a training's outcome to the pricer and records it as the challenger. The artifact to go
    /// live with, when it was better than what is live.
    fn judge(&mut self, trained: &Trained) -> Result<Option<Vec<u8>>> {
        let Some(challenger) = self.pricer.trained(&trained.outcome)? else { return Ok(None) };
        self.counts.challengers += 1;
        let metrics = self.pricer.metrics();
        self.record(&challenger.artifact, trained.window_end, metrics)?;
        Ok(Some(challenger.artifact).filter(|_| challenger.promoted))
    }

    fn record(&mut self, artifact: &[u8], end: Time, metrics: BTreeMap<String, f64>) -> Result<()> {
        let Some(registrar) = &mut self.registrar else { return Ok(()) };
        registrar.trained(artifact, end, self.last_tick, self.pricer.as_ref(), metrics)
    }

    fn put_live(
        &mut self,
        end: Time,
        now: Time,
        artifact: Vec<u8>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let tick = model_live(self.pricer.name(), end, now, artifact);
        self.advance(Batch { ticks: vec![tick], ..Batch::default() }, observer)
    }

    /// Everything is in: sinks complete what they write, the journal is on disk.
    pub fn finish(&mut self) -> Result<()> {
        for sink in &mut self.sinks {
            sink.finish()?;
        }
        if let Some(journal) = &mut self.journal {
            journal.sync()?;
        }
        self.dead_letters.flush()
    }

    /// The sha256 of the whole suggestion stream so far, one canonical JSON object a line.
    pub fn digest(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    /// Counts so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The desk.
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The pricer.
    pub fn pricer(&self) -> &dyn Pricer {
        self.pricer.as_ref()
    }

    /// Names of everything seen.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Records refused, the first of them with their reasons.
    pub const fn dead_letters(&self) -> &DeadLetters {
        &self.dead_letters
    }

    /// From now on ticks are appended to a journal and the pricer learns: the end of recovery.
    pub fn go_on(&mut self, journal: Journal) {
        self.names.take_fresh();
        self.journal = Some(journal);
        self.learning = Learning::Train;
        if let Some(registrar) = &mut self.registrar {
            registrar.recovered(self.last_tick);
        }
    }

    /// Time of the last tick.
    pub const fn time(&self) -> Time {
        self.desk.time()
    }

    /// Every fixture that has not started, for `predict`.
    pub fn slate(&self) -> Vec<FixtureView> {
        self.desk.slate(&self.names, self.pricer.as_ref())
    }

    /// Suggestions someone should still act on.
    pub fn outstanding(&self) -> Vec<Arc<Suggestion>> {
        self.desk.outstanding()
    }
}

/// The tick by which a model goes live.
fn model_live(pricer: &str, end: Time, now: Time, artifact: Vec<u8>) -> Tick {
    let digest = hex(&Sha256::digest(&artifact));
    let model = ModelLive { digest, pricer: pricer.to_owned(), window_end: end, artifact };
    let event = Event {
        event_time: now,
        received_time: now,
        sequence: 0,
        source: SourceId::default(),
        region: RegionId::default(),
        fact: Fact::ModelLive(Box::new(model)),
    };
    Tick { number: 0, time: now, events: vec![event] }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where a data directory keeps its journal.
pub fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}
