//! One worker: the two dataflows it runs and how a step drives them.
//!
//! The keyed dataflow runs in every step. The relational one has a dozen operators, each of which
//! would be scheduled whenever time moves, so with a single worker it is not told that time moves
//! until there is something in it: an idle collection costs nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use differential_dataflow::input::InputSession;
use differential_dataflow::{AsCollection, VecCollection};
use schema::{FixtureId, TeamId, Tick};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Input;
use timely::dataflow::operators::vec::input::Handle;
use timely::dataflow::{ProbeHandle, StreamVec};
use timely::worker::Worker;

use crate::Config;
use crate::collect::{Collected, Updates};
use crate::door::Door;
use crate::form::forms;
use crate::output::{Output, Update};
use crate::rows::MatchRow;
use crate::training::{Part, training};

/// How long a worker thread sleeps at most before it looks whether it is to stop.
const PARK_MAX: Duration = Duration::from_millis(1);

/// Updates that have left a dataflow.
type Captured<D> = Rc<RefCell<Vec<(D, u64, isize)>>>;

/// The dataflows of one worker.
pub(crate) struct Dataflows {
    ticks: Handle<u64, Arc<Tick>>,
    keyed: Captured<Output>,
    keyed_probe: ProbeHandle<u64>,
    matches: InputSession<u64, (TeamId, MatchRow), isize>,
    parts: InputSession<u64, (FixtureId, Part), isize>,
    forms: Rc<RefCell<Updates<FixtureId, [schema::FormRow; 2]>>>,
    training: Rc<RefCell<Updates<FixtureId, schema::TrainingRow>>>,
    relational_probe: ProbeHandle<u64>,
    peers: usize,
}

impl Dataflows {
    /// Builds them on a worker.
    pub(crate) fn build(worker: &mut Worker, config: Config) -> Self {
        let (index, peers) = (worker.index(), worker.peers());
        let (keyed, keyed_probe) = (Captured::default(), ProbeHandle::new());
        let ticks = worker.dataflow_named::<u64, _, _>("Keyed", |scope| {
            let (ticks, stream) = scope.new_input::<Arc<Tick>>();
            let updates = keyed_updates(stream, Door::new(config, index, peers));
            capture(updates, &keyed, &keyed_probe);
            ticks
        });
        let mut matches = InputSession::new();
        let mut parts = InputSession::new();
        let (formed, trained) = (Captured::default(), Captured::default());
        let relational_probe = ProbeHandle::new();
        worker.dataflow_named::<u64, _, _>("Relational", |scope| {
            let parts = parts.to_collection(scope);
            let forms = forms(matches.to_collection(scope), parts.clone(), &config);
            capture(training(parts, forms.clone()), &trained, &relational_probe);
            capture(forms, &formed, &relational_probe);
        });
        Self {
            ticks,
            keyed,
            keyed_probe,
            matches,
            parts,
            forms: formed,
            training: trained,
            relational_probe,
            peers,
        }
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
        run(worker, &self.keyed_probe, next, stop)?;
        // The next step will likely bring as much.
        let room = Vec::with_capacity(self.keyed.borrow().len());
        let keyed = self.keyed.replace(room);
        if self.feed(&keyed) || self.peers > 1 {
            self.matches.advance_to(next);
            self.parts.advance_to(next);
            self.matches.flush();
            self.parts.flush();
            run(worker, &self.relational_probe, next, stop)?;
        }
        Some(Collected {
            keyed,
            forms: std::mem::take(&mut *self.forms.borrow_mut()),
            training: std::mem::take(&mut *self.training.borrow_mut()),
        })
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

/// Collects a collection's updates on this worker.
fn capture<D: Clone + 'static>(
    collection: VecCollection<'_, u64, D, isize>,
    captured: &Captured<D>,
    probe: &ProbeHandle<u64>,
) {
    let captured = Rc::clone(captured);
    collection
        .inner
        .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
            Pipeline,
            "Capture",
            move |_capability, _info| {
                move |input, _output| {
                    input.for_each_time(|_time, lists| {
                        let mut captured = captured.borrow_mut();
                        for list in lists {
                            captured.append(list);
                        }
                    });
                }
            },
        )
        .probe_with(probe);
}

/// Runs a worker until everything before `next` has come out.
fn run(
    worker: &mut Worker,
    probe: &ProbeHandle<u64>,
    next: u64,
    stop: Option<&AtomicBool>,
) -> Option<()> {
    while probe.less_than(&next) {
        match stop {
            None => worker.step(),
            Some(stop) if stop.load(Ordering::Relaxed) => return None,
            Some(_) => worker.step_or_park(Some(PARK_MAX)),
        };
    }
    Some(())
}
