//! From what the sources hand over to numbered-in-order ticks.
//!
//! A tick is a logical time. In a raw feed it is all facts of one event time, so that the same feed
//! always makes the same ticks; live it is whatever arrived while the last tick ran, with a cap on
//! size. Training windows close on event time, so the sequencer puts a mark between two ticks
//! whenever a boundary lies between them, and ends the batch there: what is learned at the mark is
//! live from the very next tick, however many ticks are stepped at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::{Result, journal};
use schema::{
    Clock, Event, Fact, ManualClock, Mark, NameId, Names, RegionId, SourceId, Span, SystemClock,
    Tick, Time,
};
use sources::{Chunk, Progress, Reject};
use tokio::sync::mpsc::Receiver;

/// Most facts in one tick; more of one event time make several ticks.
pub const TICK_EVENTS_MAX: usize = 65_536;
/// Most facts in one batch, whatever the number of ticks asked for.
pub const BATCH_EVENTS_MAX: usize = 131_072;
/// Chunks a source may be ahead of the engine.
pub const CHUNKS_AHEAD_MAX: usize = 16;

/// What the engine applies in one physical step.
#[derive(Debug, Default)]
pub struct Batch {
    /// Ticks, in order; their numbers are given by the engine.
    pub ticks: Vec<Tick>,
    /// Names that came with them.
    pub names: Vec<(NameId, Arc<str>)>,
    /// Records that were refused on the way.
    pub rejects: Vec<Reject>,
}

/// Where ticks come from: a sequencer over sources, or a journal as recorded.
pub trait TickStream {
    /// The next batch of at most `ticks_max` ticks; `None` at the end.
    fn next_batch(&mut self, ticks_max: usize) -> Result<Option<Batch>>;
    /// How far the sources are, summed up; `None` when they cannot say.
    fn progress(&self) -> Option<Progress>;
}

/// One source's queue at the merge.
struct Input {
    channel: Receiver<Chunk>,
    ready: VecDeque<Event>,
    progress: Option<Progress>,
    ended: bool,
}

/// Merges raw feeds by event time and groups them into ticks.
///
/// Between feeds, the one named first in the topology goes first at equal times, so the merge does
/// not depend on which arrives first.
pub struct RawSequencer {
    inputs: Vec<Input>,
    grouper: Grouper,
    names: Vec<(NameId, Arc<str>)>,
    rejects: Vec<Reject>,
}

impl RawSequencer {
    /// A sequencer over these sources' channels, in order of their names.
    pub fn new(channels: Vec<Receiver<Chunk>>, window: Span) -> Self {
        let inputs = channels
            .into_iter()
            .map(|channel| Input { channel, ready: VecDeque::new(), progress: None, ended: false })
            .collect();
        Self { inputs, grouper: Grouper::new(window), names: Vec::new(), rejects: Vec::new() }
    }

    /// Waits until every input that has not ended shows its next fact.
    fn fill(&mut self) {
        for input in &mut self.inputs {
            while input.ready.is_empty() && !input.ended {
                let Some(chunk) = input.channel.blocking_recv() else {
                    input.ended = true;
                    break;
                };
                self.names.extend(chunk.names);
                self.rejects.extend(chunk.rejects);
                input.progress = chunk.progress.or(input.progress.take());
                input.ready.extend(chunk.events);
            }
        }
    }

    /// The input whose next fact is earliest.
    fn earliest(&self) -> Option<usize> {
        let heads = self.inputs.iter().enumerate();
        heads
            .filter_map(|(i, input)| input.ready.front().map(|event| (event.event_time, i)))
            .min()
            .map(|(_, i)| i)
    }
}

impl TickStream for RawSequencer {
    fn next_batch(&mut self, ticks_max: usize) -> Result<Option<Batch>> {
        let mut batch = Batch::default();
        let mut facts = 0;
        loop {
            self.fill();
            let next = self.earliest().and_then(|i| self.inputs[i].ready.pop_front());
            let Some(event) = next else {
                batch.ticks.extend(self.grouper.finish());
                break;
            };
            facts += 1;
            if let Some(closed) = self.grouper.push(event) {
                let at_boundary = self.grouper.close(closed, &mut batch.ticks);
                if at_boundary || batch.ticks.len() >= ticks_max || facts >= BATCH_EVENTS_MAX {
                    break;
                }
            }
        }
        batch.names = std::mem::take(&mut self.names);
        batch.rejects = std::mem::take(&mut self.rejects);
        let empty = batch.ticks.is_empty() && batch.rejects.is_empty();
        Ok((!empty).then_some(batch))
    }

    fn progress(&self) -> Option<Progress> {
        let mut sum = Progress { done_bytes: 0, total_bytes: 0 };
        for progress in self.inputs.iter().filter_map(|input| input.progress.as_ref()) {
            sum.done_bytes += progress.done_bytes;
            sum.total_bytes += progress.total_bytes;
        }
        (sum.total_bytes > 0).then_some(sum)
    }
}

/// Groups facts of one event time and puts marks at window boundaries.
struct Grouper {
    window: Span,
    open: Vec<Event>,
    /// Greatest event time of any closed tick.
    time: Time,
}

impl Grouper {
    fn new(window: Span) -> Self {
        assert!(window.ms() > 0, "a training window has a length");
        Self { window, open: Vec::new(), time: Time::MIN }
    }

    /// Takes a fact; gives the finished group when this fact does not belong to it.
    fn push(&mut self, event: Event) -> Option<Vec<Event>> {
        let belongs = self.open.first().is_none_or(|first| first.event_time == event.event_time)
            && self.open.len() < TICK_EVENTS_MAX;
        if belongs {
            self.open.push(event);
            return None;
        }
        Some(std::mem::replace(&mut self.open, vec![event]))
    }

    /// Turns a group into a tick, and says whether a window boundary follows it; the mark is then
    /// the last tick given.
    fn close(&mut self, events: Vec<Event>, ticks: &mut Vec<Tick>) -> bool {
        let time = self.time.max(events[0].event_time);
        self.time = time;
        ticks.push(Tick { number: 0, time, events });
        let next = self.open.first().map_or(time, |event| event.event_time.max(time));
        match boundary_between(time, next, self.window) {
            Some(boundary) => {
                self.time = boundary;
                ticks.push(mark(boundary, Mark::WindowClose));
                true
            }
            None => false,
        }
    }

    fn finish(&mut self) -> Option<Tick> {
        let events = std::mem::take(&mut self.open);
        let time = self.time.max(events.first()?.event_time);
        self.time = time;
        Some(Tick { number: 0, time, events })
    }
}

/// The last window boundary after `from` and at or before `to`.
pub fn boundary_between(from: Time, to: Time, window: Span) -> Option<Time> {
    let last = to.ms().div_euclid(window.ms()) * window.ms();
    (last > from.ms()).then_some(Time::from_ms(last))
}

/// A tick that only says what time it is.
pub fn mark(time: Time, mark: Mark) -> Tick {
    let event = Event {
        event_time: time,
        received_time: time,
        sequence: 0,
        source: SourceId::default(),
        region: RegionId::default(),
        fact: Fact::Mark(mark),
    };
    Tick { number: 0, time, events: vec![event] }
}

/// Ticks of a journal, exactly as they were recorded.
pub struct RecordedTicks<I> {
    entries: I,
    done: u64,
    total: u64,
}

impl<I> RecordedTicks<I> {
    /// Ticks from a journal's entries; `total` is how many there are, for the progress bar.
    pub const fn new(entries: I, total: u64) -> Self {
        Self { entries, done: 0, total }
    }
}

impl<I> TickStream for RecordedTicks<I>
where
    I: Iterator<Item = std::result::Result<journal::Entry, journal::Error>>,
{
    fn next_batch(&mut self, ticks_max: usize) -> Result<Option<Batch>> {
        let mut batch = Batch::default();
        let mut facts = 0;
        while batch.ticks.len() < ticks_max && facts < BATCH_EVENTS_MAX {
            let Some(entry) = self.entries.next() else { break };
            let entry = entry?;
            facts += entry.tick.events.len();
            batch.names.extend(entry.names);
            batch.ticks.push(entry.tick);
            self.done += 1;
        }
        Ok((!batch.ticks.is_empty()).then_some(batch))
    }

    fn progress(&self) -> Option<Progress> {
        Some(Progress { done_bytes: self.done, total_bytes: self.total })
    }
}

/// What time it is in a live run.
#[derive(Clone)]
pub enum LiveClock {
    /// The machine's.
    Wall(Arc<SystemClock>),
    /// That of a paced recording: the newest event time it has given.
    Feed(Arc<ManualClock>),
}

impl LiveClock {
    /// The clock that commands and polls are stamped with.
    pub fn shared(&self) -> Arc<dyn Clock> {
        match self {
            Self::Wall(clock) => Arc::<SystemClock>::clone(clock),
            Self::Feed(clock) => Arc::<ManualClock>::clone(clock),
        }
    }

    /// The time now, the newest fact being this old. On the wall a fact cannot be from the future.
    fn now(&self, newest: Option<Time>) -> Time {
        match self {
            Self::Wall(clock) => clock.now(),
            Self::Feed(clock) => {
                clock.set(clock.now().max(newest.unwrap_or(Time::MIN)));
                clock.now()
            }
        }
    }
}

/// Ticks from live sources: what has arrived while the last tick ran, at most
/// [`TICK_EVENTS_MAX`], with a clock mark when nothing has arrived for a second.
pub struct LiveSequencer {
    channel: Receiver<Chunk>,
    clock: LiveClock,
    runtime: tokio::runtime::Handle,
    window: Span,
    time: Time,
    held: Option<Batch>,
    stop: Arc<AtomicBool>,
    running: Arc<AtomicUsize>,
}

/// How long the live sequencer waits for facts before it marks the time.
const MARK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

impl LiveSequencer {
    /// A sequencer over one channel that all live sources share. `stop` ends the stream after the
    /// batch in hand, and so does `running`, the number of sources, when it comes to zero; `time` is
    /// where a recovered journal left off.
    pub fn new(
        channel: Receiver<Chunk>,
        clock: LiveClock,
        runtime: tokio::runtime::Handle,
        window: Span,
        time: Time,
        stop: Arc<AtomicBool>,
        running: Arc<AtomicUsize>,
    ) -> Self {
        Self { channel, clock, runtime, window, time, held: None, stop, running }
    }

    /// Waits for a chunk, or a second. When nothing has come for a second and no source runs any
    /// more, that is the end.
    fn receive(&mut self) -> Received {
        let channel = &mut self.channel;
        let received =
            self.runtime.block_on(async { tokio::time::timeout(MARK_EVERY, channel.recv()).await });
        match received {
            Ok(Some(chunk)) => Received::Chunk(chunk),
            Ok(None) => Received::End,
            Err(_) if self.running.load(Ordering::Relaxed) == 0 => Received::End,
            Err(_) => Received::Nothing,
        }
    }
}

enum Received {
    Chunk(Chunk),
    Nothing,
    End,
}

impl TickStream for LiveSequencer {
    fn next_batch(&mut self, _ticks_max: usize) -> Result<Option<Batch>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut batch = Batch::default();
        let mut events = Vec::new();
        match self.receive() {
            Received::End => return Ok(None),
            Received::Nothing => {}
            Received::Chunk(first) => {
                let mut next = Some(first);
                while let Some(chunk) = next {
                    batch.names.extend(chunk.names);
                    batch.rejects.extend(chunk.rejects);
                    events.extend(chunk.events);
                    let full = events.len() >= TICK_EVENTS_MAX;
                    next = if full { None } else { self.channel.try_recv().ok() };
                }
            }
        }
        let now = self.clock.now(events.iter().map(|event| event.event_time).max());
        let newest = events.iter().map(|event| event.event_time.min(now)).max();
        let time = self.time.max(newest.unwrap_or(now));
        if events.is_empty() && time == self.time && batch.rejects.is_empty() {
            return Ok(Some(batch));
        }
        let boundary = (self.time > Time::MIN)
            .then(|| boundary_between(self.time, time, self.window))
            .flatten();
        batch.ticks.push(if events.is_empty() {
            mark(time, Mark::Clock)
        } else {
            Tick { number: 0, time, events }
        });
        self.time = time;
        let Some(boundary) = boundary else { return Ok(Some(batch)) };
        let close = mark(boundary, Mark::WindowClose);
        self.held = Some(batch);
        Ok(Some(Batch { ticks: vec![close], ..Batch::default() }))
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// Registers the names of a batch, so that everything after it can be shown.
pub fn register(names: &mut Names, batch: &Batch) -> Result<()> {
    for (_, name) in &batch.names {
        names.register(name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(ms: i64) -> Event {
        let time = Time::from_ms(ms);
        mark(time, Mark::Clock).events.remove(0)
    }

    fn ticks(feeds: Vec<Vec<i64>>, ticks_max: usize, window_ms: i64) -> Vec<(i64, usize, bool)> {
        let mut channels = Vec::new();
        for feed in feeds {
            let (sender, receiver) = tokio::sync::mpsc::channel(64);
            for ms in feed {
                let chunk = Chunk { events: vec![fact(ms)], ..Chunk::default() };
                sender.try_send(chunk).unwrap();
            }
            channels.push(receiver);
        }
        let mut sequencer = RawSequencer::new(channels, Span::from_ms(window_ms));
        let mut all = Vec::new();
        while let Some(batch) = sequencer.next_batch(ticks_max).unwrap() {
            assert!(batch.ticks.len() <= ticks_max + 1);
            for tick in batch.ticks {
                let closes = matches!(tick.events[0].fact, Fact::Mark(Mark::WindowClose));
                all.push((tick.time.ms(), tick.events.len(), closes));
            }
        }
        all
    }

    #[test]
    fn facts_of_one_time_make_one_tick_whatever_the_batch() {
        let feeds = || vec![vec![1, 5, 5, 9], vec![5, 30]];
        let expected =
            vec![(1, 1, false), (5, 3, false), (9, 1, false), (30, 1, true), (30, 1, false)];
        for ticks_max in [1, 2, 100] {
            assert_eq!(ticks(feeds(), ticks_max, 10), expected);
        }
    }

    #[test]
    fn time_never_goes_back() {
        let found = ticks(vec![vec![50, 20, 60]], 10, 1_000);
        assert_eq!(found, vec![(50, 1, false), (50, 1, false), (60, 1, false)]);
    }

    #[test]
    fn a_quiet_summer_closes_one_window() {
        assert_eq!(
            boundary_between(Time::from_ms(3), Time::from_ms(57), Span::from_ms(10)),
            Some(Time::from_ms(50))
        );
        assert_eq!(boundary_between(Time::from_ms(50), Time::from_ms(57), Span::from_ms(10)), None);
    }
}
