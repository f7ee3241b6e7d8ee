//! One worker: the two dataflows it runs and how a step drives them.
//!
//! The keyed dataflow runs in every step. The relational one has a dozen operators, each of which
//! would be scheduled whenever time moves, so with a single worker it is not told that time moves
//! until there is something in it: an idle collection costs nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use differential_dataflow::input::InputSession;
use differential_dataflow::{AsCollection, VecCollection};
use schema::{FixtureId, FormRow, TeamId, Tick, TrainingRow};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Input;
use timely::dataflow::operators::vec::input::Handle;
use timely::worker::Worker;

use crate::Config;
use crate::collect::Collected;
use crate::door::Door;
use crate::form::forms;
use crate::output::{Output, Update};
use crate::rows::MatchRow;
use crate::training::{Part, training};

/// How long a worker thread sleeps at most before it looks whether it is to stop.
const PARK_MAX: Duration = Duration::from_millis(1);

/// The dataflows of one worker.
pub(crate) struct Dataflows {
    ticks: Handle<u64, Arc<Tick>>,
    keyed: Captured<Output>,
    matches: InputSession<u64, (TeamId, MatchRow), isize>,
    parts: InputSession<u64, (FixtureId, Part), isize>,
    forms: Captured<(FixtureId, [FormRow; 2])>,
    training: Captured<(FixtureId, TrainingRow)>,
    peers: usize,
}

impl Dataflows {
    /// Builds them on a worker.
    pub(crate) fn build(worker: &mut Worker, config: Config) -> Self {
        let (index, peers) = (worker.index(), worker.peers());
        let (ticks, keyed) = worker.dataflow_named::<u64, _, _>("Keyed", |scope| {
            let (ticks, stream) = scope.new_input::<Arc<Tick>>();
            (ticks, Captured::of(keyed_updates(stream, Door::new(config, index, peers))))
        });
        let mut matches = InputSession::new();
        let mut parts = InputSession::new();
        let (forms, training) = worker.dataflow_named::<u64, _, _>("Relational", |scope| {
            let parts = parts.to_collection(scope);
            let forms = forms(matches.to_collection(scope), parts.clone(), &config);
            (Captured::of(forms.clone()), Captured::of(training(parts, forms)))
        });
        Self { ticks, keyed, matches, parts, forms, training, peers }
    }

    /// Applies ticks and gives what came out, or `None` when told to stop meanwhile.
    pub(crate) fn step(
        &mut self,
        worker: &mut Worker,
        ticks: &[Arc<Tick>],
        stop: Option<&AtomicBool>,
    ) -> Option<Collected> {
        let next = ticks.last()?.number + 1;
        for tick in ticks {
            self.ticks.send(Arc::clone(tick));
        }
        self.ticks.advance_to(next);
        run(worker, &self.keyed.complete, next, stop)?;
        let keyed = self.keyed.take();
        if self.feed(&keyed) || self.peers > 1 {
            self.matches.advance_to(next);
            self.parts.advance_to(next);
            self.matches.flush();
            self.parts.flush();
            run(worker, &self.forms.complete, next, stop)?;
            run(worker, &self.training.complete, next, stop)?;
        }
        Some(Collected { keyed, forms: self.forms.take(), training: self.training.take() })
    }

    /// Passes on what concerns the relational collections; tells whether anything did.
    fn feed(&mut self, keyed: &[Update]) -> bool {
        let mut any = false;
        for (output, tick, diff) in keyed {
            match output {
                Output::Match(team, row) => {
                    self.matches.update_at((*team, **row), *tick, *diff);
                    any = true;
                }
                Output::Part(fixture, part) => {
                    self.parts.update_at((*fixture, Part::clone(part)), *tick, *diff);
                    any = true;
                }
                _ => {}
            }
        }
        any
    }
}

/// The keyed operator. A whole step's ticks arrive as one message and each update carries the time
/// of its own tick: fine times in large steps.
fn keyed_updates(
    ticks: StreamVec<'_, u64, Arc<Tick>>,
    mut door: Door,
) -> VecCollection<'_, u64, Output, isize> {
    let mut updates = Vec::new();
    ticks
        .unary::<CapacityContainerBuilder<Vec<Update>>, _, _, _>(
            Pipeline,
            "Fixtures",
            move |_capability, _info| {
                move |input, output| {
                    input.for_each_time(|time, lists| {
                        let mut session = output.session(&time);
                        for tick in lists.flat_map(|list| list.drain(..)) {
                            door.tick(&tick, &mut updates);
                            session.give_iterator(updates.drain(..));
                        }
                    });
                }
            },
        )
        .as_collection()
}

/// What a collection has brought out on this worker, and how far it has come.
struct Captured<D> {
    updates: Rc<RefCell<Vec<(D, u64, isize)>>>,
    /// Everything before this tick is out.
    complete: Rc<Cell<u64>>,
}

impl<D: Clone + 'static> Captured<D> {
    /// Captures a collection. One operator for both: a probe would be another one to schedule in
    /// every step.
    fn of(collection: VecCollection<'_, u64, D, isize>) -> Self {
        let updates = Rc::new(RefCell::new(Vec::new()));
        let complete = Rc::new(Cell::new(0));
        let (fill, advance) = (Rc::clone(&updates), Rc::clone(&complete));
        collection.inner.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
            Pipeline,
            "Capture",
            move |_capability, _info| {
                move |(input, frontier), _output| {
                    input.for_each_time(|_time, lists| {
                        let mut updates = fill.borrow_mut();
                        for list in lists {
                            updates.append(list);
                        }
                    });
                    advance.set(frontier.frontier().first().copied().unwrap_or(u64::MAX));
                }
            },
        );
        Self { updates, complete }
    }

    fn take(&self) -> Vec<(D, u64, isize)> {
        // The next step will likely bring as much.
        let room = Vec::with_capacity(self.updates.borrow().len());
        self.updates.replace(room)
    }
}

/// Runs a worker until everything before `next` has come out.
fn run(
    worker: &mut Worker,
    complete: &Cell<u64>,
    next: u64,
    stop: Option<&AtomicBool>,
) -> Option<()> {
    while complete.get() < next {
        match stop {
            None => worker.step(),
            Some(stop) if stop.load(Ordering::Relaxed) => return None,
            Some(_) => worker.step_or_park(Some(PARK_MAX)),
        };
    }
    Some(())
}
